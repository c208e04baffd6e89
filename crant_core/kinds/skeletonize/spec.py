"""What the service must know of `skeletonize` without loading its science."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from crant_core.kinds.base import IdParameters, KindSpec, Parameters, Reuse

Format = Literal["swc", "precomputed", "parquet"]


class SkeletonizeOptions(Parameters):
    """How skeletons are made; options that a method has no use for are left aside."""

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
        default=None, gt=0, le=50, description="Mesh edges per node; left out, 3, of skeletor 1; below 2 they shatter"
    )
    waves: int = Field(default=1, ge=1, le=10, description="Of the method skeletor: waves to run and average")
    longest_edge: float = Field(
        default=400, ge=0, le=1e6, description="Halve longer edges first, nm; 0: none (wavefront)"
    )
    min_component: float = Field(default=1000, ge=0, le=1e9, description="Smaller pieces are dust, nm (wavefront)")
    min_twig: float = Field(default=0, ge=0, le=1e9, description="Prune shorter twigs as well, nm (wavefront)")
    assert_id_match: bool = Field(default=False, description="Fail neurons whose nodes are not in their own voxels")
    elsewhere: float = Field(default=0.3, ge=0, le=1, description="Share of nodes that may be elsewhere all the same")
    formats: list[Format] = Field(
        default=["swc"], min_length=1, max_length=3, description="Files for each neuron; precomputed is Neuroglancer's"
    )

    @model_validator(mode="after")
    def _fits(self) -> SkeletonizeOptions:
        if len(set(self.formats)) < len(self.formats):
            raise ValueError("a format is named twice")
        if self.remove_soma_hairball and not (self.method == "wavefront" and self.find_soma):
            raise ValueError("remove_soma_hairball needs the method wavefront and find_soma")
        if self.method == "skeletor" and self.step_size is not None and self.step_size % 1:
            raise ValueError("skeletor's step_size is a whole number")
        return self


class SkeletonizeParameters(SkeletonizeOptions, IdParameters):
    """Which neurons, and how."""


SPEC = KindSpec(
    name="skeletonize",
    title="Skeletonize neurons",
    code_version=4,
    parameters=SkeletonizeParameters,
    runner="crant_core.kinds.skeletonize.run",
    items_per_unit=1,  # a neuron takes seconds to minutes
    time_limit=1800,
    reuse=Reuse.ALWAYS,  # the mesh of a root id never changes
    makes_skeletons=True,
    example={"ids": ["576460754037774276"], "formats": ["swc", "precomputed"]},
)
