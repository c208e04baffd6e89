"""What the service must know of `update_ids` without loading its science."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from crant_core.ids import RootId
from crant_core.kinds.base import MAX_INLINE_IDS, IdParameters, KindSpec, Parameters


class UpdateIdsOptions(Parameters):
    """What decides when a neuron was split."""

    supervoxels: dict[RootId, RootId] = Field(
        default={}, max_length=MAX_INLINE_IDS, description="Supervoxel of the part that is meant, by root id"
    )
    stop_layer: int = Field(
        default=2, ge=1, le=12, description="What is counted for the confidence: 2 L2 chunks, 1 supervoxels"
    )
    use_annotations: bool = Field(default=True, description="Take supervoxels from annotations where none are given")


class UpdateIdsParameters(UpdateIdsOptions, IdParameters):
    """Which ids, and how."""

    @model_validator(mode="after")
    def _supervoxels_are_of_ids(self) -> Self:
        foreign = self.supervoxels.keys() - set(self.ids)
        if foreign:
            raise ValueError(f"supervoxels names {min(foreign)}, which is not among the ids")
        return self


SPEC = KindSpec(
    name="update_ids",
    title="Update root ids",
    code_version=1,
    parameters=UpdateIdsParameters,
    runner="crant_core.kinds.update_ids.run",
    items_per_unit=2000,  # asked for together, in a few requests
    time_limit=1800,
    queue="io",
    example={"ids": ["576460754037774276"]},
)
