"""A kind whose results everybody can compute, and whose items misbehave when told to."""

from __future__ import annotations

import hashlib
import os
import random

from pydantic import Field

from crant_core.ids import RootId
from crant_core.kinds.base import IdParameters, KindSpec, Parameters, Reuse


class ChaosOptions(Parameters):
    salt: int = Field(default=0, description="Makes the results of one job differ from those of another")
    seconds: float = Field(default=0.0, description="What an item takes on average")
    size: int = Field(default=2000, description="Bytes of each item's file on average")
    bad: list[RootId] = Field(default=[], description="Ids that fail")
    hungry: list[RootId] = Field(default=[], description="Ids that take all memory there is")
    segfaulting: list[RootId] = Field(default=[], description="Ids that crash their process")
    endless: list[RootId] = Field(default=[], description="Ids that never end")
    deaf: list[RootId] = Field(default=[], description="Ids that never end and do not listen when told to")
    asks: bool = Field(default=False, description="Whether each item asks CAVE something")


class ChaosParameters(ChaosOptions, IdParameters):
    pass


SPEC = KindSpec(
    name="chaos",
    title="Make files that everybody can compute",
    code_version=int(os.environ.get("CHAOS_CODE_VERSION", "1")),
    parameters=ChaosParameters,
    runner="crant_core.kinds.chaos.run",
    items_per_unit=10,
    largest_unit=50,
    time_limit=int(os.environ.get("CHAOS_TIME_LIMIT", "60")),
    reuse=Reuse.ALWAYS,
    example={"ids": ["1"]},
)


def content(key: str, salt: int, size: int) -> bytes:
    """Return the bytes of an item's file, which follow from its key alone."""
    chance = random.Random(f"{salt} {key}")
    return hashlib.shake_256(f"{salt} {key}".encode()).digest(1 + int(chance.random() * 2 * size))


def duration(key: str, salt: int, seconds: float) -> float:
    """Return what an item takes: most little, some much."""
    return min(random.Random(f"time {salt} {key}").expovariate(1) * seconds, 20 * seconds)
