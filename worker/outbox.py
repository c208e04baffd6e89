"""Outcomes of items on their way to the database: a few at a time, and none waits for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from crant_core.jobs.repository.recording import Outcome
from crant_core.jobs.repository.units import ClaimedUnit, UnitRepository
from crant_core.jobs.tables import ItemRow

_MOST = 250  #: outcomes in one transaction
_SECONDS = 0.5  #: that an outcome may wait, as long as items end


class Outbox:
    """Collects the outcomes of one unit, each of which comes when its files are stored.

    A crash loses what is collected, so these items are done again: never more than half a second of work, what is on
    its way to the store, and the one in hand.
    """

    def __init__(self, units: UnitRepository, unit: ClaimedUnit, patiently: Callable[..., Callable[..., None]]) -> None:
        self.units = units
        self.unit = unit
        self.patiently = patiently
        self.waiting: list[Future[Outcome]] = []
        self.began = self.sent = time.monotonic()

    def add(self, outcome: Future[Outcome]) -> None:
        """Take an outcome, and record those that have come if it is time; the store is waited for if they are many."""
        self.waiting.append(outcome)
        if len(self.waiting) >= _MOST:
            self.flush()
        elif time.monotonic() - self.sent >= _SECONDS:
            self._record([one for one in self.waiting if one.done()])

    def flush(self) -> None:
        """Record all, once they have come; raises `LeaseLost` if the unit is somebody else's by now."""
        self._record(self.waiting)

    def close(self, rest: Sequence[ItemRow] = ()) -> None:
        """Record what is waiting and end the unit; items that were not begun go back to the job."""
        outcomes = self._taken(self.waiting)
        seconds = time.monotonic() - self.began
        self.patiently(self.units.complete_run)(self.unit, outcomes, seconds=seconds, rest=rest)

    def _record(self, some: Sequence[Future[Outcome]]) -> None:
        if outcomes := self._taken(some):
            self.patiently(self.units.record)(self.unit, outcomes)

    def _taken(self, some: Sequence[Future[Outcome]]) -> list[Outcome]:
        outcomes = [one.result() for one in some]
        taken = set(some)
        self.waiting, self.sent = [one for one in self.waiting if one not in taken], time.monotonic()
        return outcomes
