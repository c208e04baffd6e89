"""Decides what to offer next. One dispatcher leads at a time; the others stand by."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

from crant_core.jobs.counting import Tally
from crant_core.jobs.queue import Queue
from crant_core.jobs.repository.dispatch import DispatchRepository, DueUnit

log = structlog.get_logger()


class Dispatcher:
    """Looks for work that is due and offers it.

    Parameters
    ----------
    repository : DispatchRepository
    queue : Queue
    holder : str
        This dispatcher's name among its rivals.
    guard : context manager, optional
        Held while the database is used.
    counts : Tally, optional
        Where it counts what it does.
    """

    def __init__(
        self,
        repository: DispatchRepository,
        queue: Queue,
        holder: str,
        guard: AbstractContextManager[Any] | None = None,
        counts: Tally | None = None,
    ) -> None:
        self.repository = repository
        self.queue = queue
        self.holder = holder
        self.guard = guard or nullcontext()
        self.counts = counts or Tally()

    def turn(self) -> int:
        """If leading, take back what silent workers hold and offer what is due; return the number of offers."""
        with self.guard:
            is_leading = self.repository.lead(self.holder)
        if not is_leading:
            return 0
        with self.guard:
            self._look_after()
        in_line = self.queue.waiting() > 0
        with self.guard:
            due = self.repository.due(in_line=in_line)
        return self._offer(due)

    def step_down(self) -> None:
        """Leave the lead to another."""
        with self.guard:
            self.repository.step_down(self.holder)

    def _look_after(self) -> None:
        """Do what needs no broker, so that an outage of it stops neither leases nor deadlines nor pipelines."""
        if expired := self.repository.expire():
            log.warning("leases ran out", action="leases_expired", units=expired)
            self.counts.add("crant_leases_expired_total", expired)
        self.repository.look_after()

    def _offer(self, due: list[DueUnit]) -> int:
        for position, unit in enumerate(due):
            try:
                self.queue.send(unit)
            except Exception:
                with self.guard:
                    self.repository.withdraw(unsent.id for unsent in due[position:])
                raise
        return len(due)
