"""What the service must know of `skeletonize` without loading its science."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from crant_core.kinds.base import Formats, IdParameters, KindSpec, Parameters, Reuse

Format = Literal["swc", "precomputed", "parquet"]
FINEST_STEP = 1.5  #: as the engine has it

_OF_WAVEFRONT = (
    "shave",
    "find_soma",
    "remove_soma_hairball",
    "longest_step",
    "min_component",
    "min_twig",
    "twig_radii",
    "tip_reach",
    "centre",
    "soma_ratio",
    "soma_radius",
    "soma_reach",
)
_USED_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_OF_WAVEFRONT, ("wavefront",)),
    "heal": ("wavefront", "skeletor"),
    "step_size": ("wavefront", "skeletor"),
    "waves": ("skeletor",),
}


class SkeletonizeOptions(Parameters):
    """How skeletons are made; options that a method has no use for must be as they are by themselves."""

    method: Literal["wavefront", "skeletor", "l2", "service"] = Field(
        default="wavefront",
        description="wavefront: this project's engine; skeletor: to compare with; l2: through L2 chunks, coarse and "
        "fast; service: CAVE's skeleton service",
    )
    shave: bool = Field(default=True, description="Prune twigs shorter than their neurite is thick (wavefront)")
    heal: bool = Field(
        default=True, description="Join the mesh's separate pieces into one tree by the shortest bridges"
    )
    find_soma: bool = Field(default=True, description="Look for the cell body, and root the tree there (wavefront)")
    remove_soma_hairball: bool = Field(default=False, description="Remove twigs within the soma (wavefront)")
    step_size: float | None = Field(
        default=None,
        ge=1,
        le=50,
        description="Mesh edges per node; left out, 3, of skeletor 1. Of wavefront 1.5 or more, or ways get crooked",
    )
    waves: int = Field(default=1, ge=1, le=10, description="Of the method skeletor: waves to run and average")
    longest_step: float = Field(
        default=800, ge=0, le=1e6, description="Nodes are no farther apart than this, nm; 0: no limit (wavefront)"
    )
    min_component: float = Field(default=1000, ge=0, le=1e9, description="Smaller pieces are dust, nm (wavefront)")
    twig_radii: float = Field(default=0.85, ge=0, le=100, description="Prune twigs of fewer radii (wavefront)")
    tip_reach: float = Field(default=0.75, ge=0, le=1, description="Share of the way to its tip each end is moved")
    centre: bool = Field(default=True, description="Move nodes that are off the middle there (wavefront)")
    soma_ratio: float = Field(default=1.4, ge=0, le=1e6, description="Times a soma is as thick as the rest (wavefront)")
    soma_radius: float = Field(default=800, ge=0, le=1e9, description="Radius of the smallest soma, nm (wavefront)")
    soma_reach: float = Field(default=8000, ge=0, le=1e9, description="Where a soma ends at the latest, nm (wavefront)")
    min_twig: float = Field(default=0, ge=0, le=1e9, description="Prune shorter twigs as well, nm (wavefront)")
    assert_id_match: bool = Field(default=False, description="Fail neurons whose nodes are not in their own voxels")
    elsewhere: float = Field(default=0.3, ge=0, le=1, description="Share of nodes that may be elsewhere all the same")
    formats: Formats[Format] = Field(
        default=["swc"], min_length=1, max_length=3, description="Files for each neuron; precomputed is Neuroglancer's"
    )

    @model_validator(mode="after")
    def _used(self) -> SkeletonizeOptions:
        for name, methods in _USED_BY.items():
            if self.method not in methods and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"the method {self.method} has no use for {name}; {' and '.join(methods)} have")
        return self

    @model_validator(mode="after")
    def _fits(self) -> SkeletonizeOptions:
        if self.remove_soma_hairball and not self.find_soma:
            raise ValueError("remove_soma_hairball needs find_soma")
        if self.method == "wavefront" and self.step_size is not None and self.step_size < FINEST_STEP:
            raise ValueError(f"the wavefront's step_size is {FINEST_STEP} or more: finer rings make crooked ways")
        if self.method == "skeletor" and self.step_size is not None and self.step_size % 1:
            raise ValueError("skeletor's step_size is a whole number")
        return self


class SkeletonizeParameters(SkeletonizeOptions, IdParameters):
    """Which neurons, and how."""


SPEC = KindSpec(
    name="skeletonize",
    title="Skeletonize neurons",
    code_version=5,
    parameters=SkeletonizeParameters,
    runner="crant_core.kinds.skeletonize.run",
    items_per_unit=1,  # a neuron takes seconds to minutes
    time_limit=1800,
    reuse=Reuse.ALWAYS,  # the mesh of a root id never changes
    makes_skeletons=True,
    example={"ids": ["576460754037774276"], "formats": ["swc", "precomputed"]},
)
