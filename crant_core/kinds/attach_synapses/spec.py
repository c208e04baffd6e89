"""What the service must know of `attach_synapses` without loading its science."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from crant_core.kinds.base import KindSpec, Reuse, SynapseFilters
from crant_core.kinds.skeleton_parameters import SkeletonOptions, SkeletonParameters


class AttachSynapsesOptions(SkeletonOptions, SynapseFilters):
    """Which synapses are attached, to which skeletons."""

    pre: bool = Field(default=True, description="Attach outputs: synapses where the neuron is presynaptic")
    post: bool = Field(default=True, description="Attach inputs: synapses where the neuron is postsynaptic")
    max_distance: float = Field(
        default=10_000, gt=0, le=1e9, description="With clean, leave out synapses further from the skeleton, nm"
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.pre or self.post):
            raise ValueError("neither pre nor post is to be attached: set one of them, or both")
        return self


class AttachSynapsesParameters(AttachSynapsesOptions, SkeletonParameters):
    """Which neurons, and how."""


SPEC = KindSpec(
    name="attach_synapses",
    title="Attach synapses to skeletons",
    code_version=2,
    parameters=AttachSynapsesParameters,
    runner="crant_core.kinds.attach_synapses.run",
    items_per_unit=10,  # their synapses are fetched together; skeletons may have to be made
    time_limit=1800,
    reuse=Reuse.SAME_TIME,
    # which job has the skeletons does not matter, what they are does: the plan says it of each
    result_parameters=("min_size", "clean", "threshold", "method", "pre", "post", "max_distance"),
    example={"ids": ["576460754037774276"], "threshold": 2},
)
