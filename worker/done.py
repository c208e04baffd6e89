"""The items that succeeded, as a finish sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from crant_core.jobs.repository.units import FinishedItem, UnitRepository
from crant_core.kinds.base import DoneItem

_PAGE = 2000
_MOST = 100_000  # files whose addresses are in memory


@dataclass(frozen=True)
class DoneItems:
    """A job's items that succeeded, in order: read a page at a time, and again each time they are iterated.

    Between two pages the finish finds out whether anybody still wants it.
    """

    units: UnitRepository
    job_id: str
    check: Callable[[], None]
    #: by name, the sha256 of files of the items seen last, which are what is read next
    files: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[DoneItem]:
        """Yield them from the beginning."""
        after = -1
        while page := self.units.done_items(self.job_id, after=after, limit=_PAGE):
            self.check()
            self._note(page)
            yield from (DoneItem(key=item.key, metrics=item.metrics, files=tuple(item.files)) for item in page)
            after = page[-1].position

    def _note(self, page: Sequence[FinishedItem]) -> None:
        if len(self.files) > _MOST:
            self.files.clear()
        self.files.update(name for item in page for name in item.files.items())
