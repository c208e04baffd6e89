"""What the items of a job say together: the usual, the least and the most of each number, and where their time went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from crant_core.jobs.tables import ItemRow

_SECONDS = "_seconds"
STORAGE = "storage_seconds"  #: of the items' time, what their kind did not measure: the files are put into the store


@dataclass(frozen=True, kw_only=True)
class Number:
    """One metric over several items."""

    name: str
    count: int
    median: float
    lowest: float
    highest: float
    share: float | None = None  #: of the time of all items, if it is a time


def numbers_of(items: Iterable[ItemRow]) -> list[Number]:
    """Sum up the numbers of the items that succeeded, in the order in which their kind gives them."""
    found: dict[str, list[float]] = {}
    total = 0.0
    for item in items:
        if item.error_code is not None or item.seconds is None:
            continue
        total += item.seconds
        for name, value in _metrics(item).items():
            found.setdefault(name, []).append(value)
    return [_number(name, values, total) for name, values in found.items()]


def _metrics(item: ItemRow) -> dict[str, float]:
    """Return an item's numbers; if its kind measures times, also the time that is left for the store."""
    numbers = {name: value for name, value in item.metrics.items() if _is_number(value)}
    times = [value for name, value in numbers.items() if name.endswith(_SECONDS)]
    rest = max(0.0, (item.seconds or 0.0) - sum(times))
    return numbers | ({STORAGE: rest} if times else {})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(name: str, values: list[float], total: float) -> Number:
    share = sum(values) / total if name.endswith(_SECONDS) and total > 0 else None
    return Number(
        name=name, count=len(values), median=median(values), lowest=min(values), highest=max(values), share=share
    )
