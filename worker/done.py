"""The items that succeeded, as a finish sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crant_core.jobs.repository.units import UnitRepository
from crant_core.kinds.base import DoneItem

_PAGE = 2000


@dataclass(frozen=True)
class DoneItems:
    """A job's items that succeeded, in order: read a page at a time, and again each time they are iterated.

    Between two pages the finish finds out whether anybody still wants it.
    """

    units: UnitRepository
    job_id: str
    check: Callable[[], None]

    def __iter__(self) -> Iterator[DoneItem]:
        """Yield them from the beginning."""
        after = -1
        while page := self.units.done_items(self.job_id, after=after, limit=_PAGE):
            self.check()
            yield from (DoneItem(key=item.key, metrics=item.metrics, files=item.files) for item in page)
            after = page[-1].position
