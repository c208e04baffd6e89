"""What the service must know of `adjacency` without loading its science."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crant_core.kinds.base import IdParameters, KindSpec, Reuse, SynapseFilters


class AdjacencyOptions(SynapseFilters):
    """Which columns the matrix has, and which synapses count."""

    targets: Literal["ids", "all"] = Field(
        default="ids", description="Columns of the matrix: the neurons of this job, or all postsynaptic neurons"
    )


class AdjacencyParameters(AdjacencyOptions, IdParameters):
    """Which neurons are rows, and how."""


SPEC = KindSpec(
    name="adjacency",
    title="Count synapses between neurons",
    code_version=1,
    parameters=AdjacencyParameters,
    runner="crant_core.kinds.adjacency.run",
    items_per_unit=200,  # their synapses are fetched together
    time_limit=1800,
    queue="io",
    reuse=Reuse.SAME_TIME,
    result_parameters=("min_size", "clean", "threshold"),  # all targets are kept; finish chooses
    example={"ids": ["576460754037774276", "576460754037774277"]},
)
