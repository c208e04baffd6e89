"""What the service must know of `synapse_counts` without loading its science."""

from __future__ import annotations

from crant_core.kinds.base import IdParameters, KindSpec, Reuse, SynapseFilters


class SynapseCountsParameters(SynapseFilters, IdParameters):
    """Which neurons, and which synapses count."""


SPEC = KindSpec(
    name="synapse_counts",
    title="Count partners and synapses of neurons",
    code_version=1,
    parameters=SynapseCountsParameters,
    runner="crant_core.kinds.synapse_counts.run",
    items_per_unit=500,  # their synapses are fetched together
    time_limit=1800,
    queue="io",
    reuse=Reuse.SAME_TIME,
    example={"ids": ["576460754037774276"]},
)
