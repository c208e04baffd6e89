from __future__ import annotations

from pydantic import Field

from crant_core.ids import RootId
from crant_core.kinds.base import IdParameters, KindSpec, Parameters, Reuse


class ToyOptions(Parameters):
    seconds: float = 0.0
    deadly: list[RootId] = Field(default=[], description="Ids that kill the process that works on them")
    megabytes: int = Field(default=0, description="Memory that each item needs for a moment")
    log: str = Field(default="", description="A file that each call of run adds its key to")


class ToyParameters(ToyOptions, IdParameters):
    pass


SPEC = KindSpec(
    name="toy",
    title="Do nothing",
    code_version=1,
    parameters=ToyParameters,
    runner="crant_core.kinds.toy.run",
    items_per_unit=1000,
    time_limit=60,
    reuse=Reuse.ALWAYS,
    example={"ids": ["1"]},
)
