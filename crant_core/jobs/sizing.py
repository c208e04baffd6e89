"""How many items make a unit: enough that messages cost nothing, few enough to share work and to crash cheaply."""

from __future__ import annotations

import math
from collections.abc import Iterator

AIM_SECONDS = 12.0  #: of work in a unit: a small job behind a large one waits for a unit to end
_LEAST_SECONDS = 1.0  #: of work below which a unit is mostly overhead
_SHARES = 16  #: parts into which what is left is cut at least, so that workers end together
_SHARES_EACH = 2  #: of these for each process
_WEIGHT = 0.3  #: of the newest measurement in the running mean


def unit_size(item_seconds: float | None, *, left: int, first: int, largest: int, processes: int = 1) -> int:
    """Say how many items the next unit has.

    Parameters
    ----------
    item_seconds : float or None
        What an item was measured to cost; nothing was measured yet if None.
    left : int
        Items that are in no unit yet.
    first, largest : int
        The kind's guess while nothing is known, and its bound (of memory, for instance).
    processes : int
        That do such units.
    """
    if item_seconds is None:
        return min(first, largest)
    most = _items_in(AIM_SECONDS, item_seconds, largest)
    least = min(most, _items_in(_LEAST_SECONDS, item_seconds, largest))
    share = math.ceil(left / max(_SHARES, _SHARES_EACH * processes))
    return max(1, min(most, max(least, share)))


def unit_sizes(item_seconds: float | None, *, left: int, first: int, largest: int, processes: int = 1) -> Iterator[int]:
    """Yield how many items the next units have, until none is left: each is sized by what the ones before leave.

    Parameters
    ----------
    item_seconds, left, first, largest, processes
        As in `unit_size`.
    """
    while left > 0:
        size = unit_size(item_seconds, left=left, first=first, largest=largest, processes=processes)
        yield min(size, left)
        left -= size


def _items_in(seconds: float, item_seconds: float, largest: int) -> int:
    return largest if item_seconds * largest <= seconds else max(1, int(seconds / item_seconds))


def running_mean(old: float | None, new: float) -> float:
    """Follow a cost that changes: the servers' nights are faster than their days."""
    return new if old is None else (1 - _WEIGHT) * old + _WEIGHT * new
