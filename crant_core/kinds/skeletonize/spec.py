"""What the service must know of `skeletonize` without loading its science."""

from __future__ import annotations

from pydantic import Field

from crant_core.kinds.base import IdParameters, KindSpec, Parameters


class SkeletonizeOptions(Parameters):
    """Skeletons by wavefront propagation over the neuron's mesh."""

    waves: int = Field(default=1, ge=1, le=10, description="Waves to run and average; more are smoother and slower")
    step_size: int = Field(default=1, ge=1, le=50, description="Mesh edges per wave step; more are coarser and faster")
    heal: bool = Field(default=True, description="Join the mesh's separate pieces into one tree at their nearest nodes")


class SkeletonizeParameters(SkeletonizeOptions, IdParameters):
    """Which neurons, and how."""


SPEC = KindSpec(
    name="skeletonize",
    title="Skeletonize neurons",
    code_version=1,
    parameters=SkeletonizeParameters,
    runner="crant_core.kinds.skeletonize.run",
    items_per_unit=1,  # a neuron takes seconds to minutes
    time_limit=1800,
    example={"ids": ["576460754037774276"], "heal": True},
)
