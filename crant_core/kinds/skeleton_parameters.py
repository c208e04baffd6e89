"""Parameters that kinds share which work on skeletons: those of a job, or made on the way. Light, for specs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from crant_core.ids import RootId
from crant_core.kinds.base import MAX_INLINE_IDS, IdParameters, Parameters

JobName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,32}$")]


class SkeletonOptions(Parameters):
    """Where skeletons come from."""

    skeletons: JobName | None = Field(
        default=None, description="Id of a job of yours whose skeletons are taken; left out, skeletons are made"
    )
    method: Literal["wavefront", "skeletor", "l2", "service"] = Field(
        default="wavefront", description="How skeletons are made, as by skeletonize; not of skeletons of a job"
    )


class SkeletonParameters(SkeletonOptions, IdParameters):
    """Which neurons, and where their skeletons come from."""

    ids: list[RootId] = Field(
        default=[],
        max_length=MAX_INLINE_IDS,
        description=f"Root ids, at most {MAX_INLINE_IDS:,} in one request; left out, those of the job `skeletons`",
    )

    @model_validator(mode="after")
    def _names_neurons(self) -> Self:
        if not self.ids and self.skeletons is None:
            raise ValueError("neither ids nor skeletons is given: name neurons, or a job with skeletons")
        return self
