"""How many items make a unit: enough that messages cost nothing, few enough to share work and to crash cheaply."""

from __future__ import annotations

import math

AIM_SECONDS = 12.0  #: of work in a unit: a small job behind a large one waits for a unit to end
_LEAST_SECONDS = 1.0  #: of work below which a unit is mostly overhead
_SHARES = 16  #: parts into which what is left is cut at least, so that workers end together
_WEIGHT = 0.3  #: of the newest measurement in the running mean


def unit_size(item_seconds: float | None, *, left: int, first: int, largest: int) -> int:
    """Say how many items the next unit has.

    Parameters
    ----------
    item_seconds : float or None
        What an item was measured to cost; nothing was measured yet if None.
    left : int
        Items that are in no unit yet.
    first, largest : int
        The kind's guess while nothing is known, and its bound (of memory, for instance).
    """
    if item_seconds is None:
        return min(first, largest)
    most = _items_in(AIM_SECONDS, item_seconds, largest)
    least = min(most, _items_in(_LEAST_SECONDS, item_seconds, largest))
    return max(1, min(most, max(least, math.ceil(left / _SHARES))))


def _items_in(seconds: float, item_seconds: float, largest: int) -> int:
    return largest if item_seconds * largest <= seconds else max(1, int(seconds / item_seconds))


def running_mean(old: float | None, new: float) -> float:
    """Follow a cost that changes: the servers' nights are faster than their days."""
    return new if old is None else (1 - _WEIGHT) * old + _WEIGHT * new
