"""What proofreaders did to the graph."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Literal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Kind = Literal["merge", "split"]
Pair = tuple[int, int]
Position = tuple[float, float, float]


class Status(IntEnum):
    """How an operation ended, numbered as PyChunkedGraph does."""

    SUCCESS = 0
    EXCEPTION = 2


class EditRefused(ValueError):
    """An edit that the graph does not allow."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the operation log.

    Attributes
    ----------
    id : int
        From 1.
    edges : tuple of (supervoxel, supervoxel)
        Switched on by a merge, off by a split.
    source_coords, sink_coords : tuple of (x, y, z)
        nm.
    exception : str
        Why it failed; empty if it did not.
    undoes, redoes : int or None
        The operation that this one takes back or does again.
    """

    id: int
    kind: Kind
    timestamp: datetime
    user: int
    edges: tuple[Pair, ...] = ()
    old_roots: tuple[int, ...] = ()
    new_roots: tuple[int, ...] = ()
    source_ids: tuple[int, ...] = ()
    sink_ids: tuple[int, ...] = ()
    source_coords: tuple[Position, ...] = ()
    sink_coords: tuple[Position, ...] = ()
    status: Status = Status.SUCCESS
    exception: str = ""
    undoes: int | None = None
    redoes: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it changed the graph."""
        return self.status is Status.SUCCESS


def to_ms(moment: datetime) -> int:
    """Return ms since 1970, truncated: PyChunkedGraph's resolution. The moment must know its time zone."""
    return (moment - EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """Return the moment, UTC."""
    return EPOCH + ms * _MILLISECOND
