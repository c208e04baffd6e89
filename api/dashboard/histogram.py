"""How often something took how long: a histogram with bins that grow, as times differ by orders of magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

_PER_DECADE = 5
_MOST_BINS = 30
_SHORTEST = 1e-3  #: seconds that are told apart from less


@dataclass(frozen=True, kw_only=True)
class Bin:
    """One bar."""

    low: float
    high: float
    count: int
    share: float  #: of the highest bar


def histogram(seconds: Sequence[float]) -> list[Bin]:
    """Count times in bins of equal ratio, without gaps; none for fewer than two times."""
    if len(seconds) < 2:  # noqa: PLR2004 - one is no distribution
        return []
    wanted = [_place(value, _PER_DECADE) for value in seconds]
    wide = max(1, -(-(max(wanted) - min(wanted) + 1) // _MOST_BINS))
    places = [place // wide for place in wanted]
    counts = {place: places.count(place) for place in set(places)}
    highest = max(counts.values())
    return [_bin(place, wide, counts.get(place, 0), highest) for place in range(min(places), max(places) + 1)]


def _place(value: float, per_decade: int) -> int:
    return floor(log10(max(value, _SHORTEST)) * per_decade)


def _bin(place: int, wide: int, count: int, highest: int) -> Bin:
    low, high = (10 ** (edge * wide / _PER_DECADE) for edge in (place, place + 1))
    return Bin(low=low, high=high, count=count, share=count / highest)
