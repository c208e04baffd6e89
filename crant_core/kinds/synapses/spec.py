"""What the service must know of `synapses` without loading its science."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crant_core.kinds.base import IdParameters, KindSpec, Reuse, SynapseFilters


class SynapsesOptions(SynapseFilters):
    """Which side of the synapses the neurons are on, and which synapses count."""

    side: Literal["pre", "post", "both"] = Field(default="both", description="Outputs, inputs, or both of the neurons")


class SynapsesParameters(SynapsesOptions, IdParameters):
    """Which neurons, and how."""


SPEC = KindSpec(
    name="synapses",
    title="Fetch synapses of neurons",
    code_version=2,
    parameters=SynapsesParameters,
    runner="crant_core.kinds.synapses.run",
    items_per_unit=50,  # they are fetched together
    time_limit=1800,
    queue="io",
    reuse=Reuse.SAME_TIME,
    example={"ids": ["576460754037774276"], "side": "pre"},
)
