"""What the service must know of `snap_to_id` without loading its science."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, FiniteFloat, model_validator

from crant_core.ids import RootId
from crant_core.kinds.base import MAX_INLINE_IDS, IdParameters, KindSpec, Parameters

Position = Annotated[list[FiniteFloat], Field(min_length=3, max_length=3)]


class SnapToIdOptions(Parameters):
    """Which positions are meant for which neuron, and how far they may be moved."""

    locations: dict[RootId, list[Position]] = Field(
        max_length=MAX_INLINE_IDS, description="Positions [x, y, z] in nm, by the root id that they should be on"
    )
    search_radius: float = Field(default=160.0, gt=0, le=10_000, description="How far to move a position at most, nm")
    snap_zero: bool = Field(default=False, description="Move positions in the background too")


class SnapToIdParameters(SnapToIdOptions, IdParameters):
    """Which neurons, and how."""

    @model_validator(mode="after")
    def _every_neuron_has_positions(self) -> Self:
        wrong = self.locations.keys() ^ set(self.ids)
        if wrong:
            raise ValueError(f"{min(wrong)} is in only one of ids and locations; each id needs its positions")
        return self


SPEC = KindSpec(
    name="snap_to_id",
    title="Move positions onto neurons",
    code_version=1,
    parameters=SnapToIdParameters,
    runner="crant_core.kinds.snap_to_id.run",
    items_per_unit=20,
    time_limit=1800,
    queue="io",
    example={"ids": ["576460754037774276"], "locations": {"576460754037774276": [[240000, 85000, 96000]]}},
)
