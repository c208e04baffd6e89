"""What the service must know of `connectivity` without loading its science."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from crant_core.kinds.base import IdParameters, KindSpec, Reuse, SynapseFilters


class ConnectivityOptions(SynapseFilters):
    """Which partners, and which synapses count."""

    upstream: bool = Field(default=True, description="List the neurons that they receive from")
    downstream: bool = Field(default=True, description="List the neurons that they send to")

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.upstream or self.downstream):
            raise ValueError("neither upstream nor downstream is asked for: set one of them, or both")
        return self


class ConnectivityParameters(ConnectivityOptions, IdParameters):
    """Which neurons, and how."""


SPEC = KindSpec(
    name="connectivity",
    title="List partners of neurons",
    code_version=2,
    parameters=ConnectivityParameters,
    runner="crant_core.kinds.connectivity.run",
    items_per_unit=200,  # their synapses are fetched together
    time_limit=1800,
    queue="io",
    reuse=Reuse.SAME_TIME,
    example={"ids": ["576460754037774276"], "threshold": 5},
)
