"""What the service must know of `neuron_to_segments` without loading its science."""

from __future__ import annotations

from crant_core.kinds.base import KindSpec, Reuse
from crant_core.kinds.skeleton_parameters import SkeletonParameters


class NeuronToSegmentsParameters(SkeletonParameters):
    """Which neurons, and where their skeletons come from."""


SPEC = KindSpec(
    name="neuron_to_segments",
    title="Find the roots that skeletons run through",
    code_version=2,
    parameters=NeuronToSegmentsParameters,
    runner="crant_core.kinds.neuron_to_segments.run",
    items_per_unit=10,  # what their nodes lie in is fetched together
    time_limit=1800,
    queue="io",
    reuse=Reuse.SAME_TIME,
    example={"ids": ["576460754037774276"], "method": "l2"},
)
