"""What the service is doing at the moment, as numbers: the counts that jobs keep, and the units that are not over.

Items and attempts are not looked at, of which there may be millions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from crant_core.jobs.database import Database
from crant_core.jobs.model import ACTIVE, Queue, UnitState
from crant_core.jobs.repository.dispatch import since_last_look
from crant_core.jobs.tables import JobRow, UnitRow

Sample = tuple[str, dict[str, str], float]  #: metric, labels, value
_QUEUE = func.coalesce(UnitRow.queue, JobRow.queue)
_SUMS = ("total", "succeeded", "reused", "failed", "cancelled")


class GaugeRepository:
    """Reads what is so now."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def samples(self) -> list[Sample]:
        """Return all, from one transaction."""
        readers: Sequence[Callable[[Session], Iterator[Sample]]] = (
            _jobs,
            _units,
            _load,
            self._oldest,
            self._lag,
        )
        with self.database.reading() as session:
            return [sample for read in readers for sample in read(session)]

    def _oldest(self, session: Session) -> Iterator[Sample]:
        """Age since the unit was made, or may be tried again."""
        now = self.database.now()
        due = or_(UnitRow.not_before.is_(None), UnitRow.not_before <= now)
        since = func.min(func.coalesce(UnitRow.not_before, UnitRow.queued_at), type_=UnitRow.queued_at.type)
        waiting = select(_QUEUE, since).join(JobRow, JobRow.id == UnitRow.job_id)
        waiting = waiting.where(UnitRow.state == UnitState.QUEUED, JobRow.state.in_(ACTIVE), due)
        found = {queue: moment for queue, moment in session.execute(waiting.group_by(_QUEUE)) if moment is not None}
        for queue in Queue:
            age = (now - found[queue]).total_seconds() if queue in found else 0.0
            yield "crant_queue_oldest_seconds", {"queue": queue}, max(0.0, age)

    def _lag(self, session: Session) -> Iterator[Sample]:
        lag = since_last_look(session, self.database.now())
        yield "crant_dispatcher_lag_seconds", {}, -1.0 if lag is None else lag


def _jobs(session: Session) -> Iterator[Sample]:
    sums = [func.sum(getattr(JobRow, name)) for name in _SUMS]
    query = select(JobRow.kind, JobRow.state, func.count(), *sums).group_by(JobRow.kind, JobRow.state)
    items: dict[tuple[str, str], float] = {}
    for kind, state, count, *found in session.execute(query):
        yield "crant_jobs", {"kind": kind, "state": state}, count
        for item_state, number in _items(dict(zip(_SUMS, map(int, found), strict=True))).items():
            items[kind, item_state] = items.get((kind, item_state), 0) + number
    for (kind, state), total in items.items():
        yield "crant_job_items", {"kind": kind, "state": state}, total


def _items(sums: dict[str, int]) -> dict[str, int]:
    ended = sums["succeeded"] + sums["failed"] + sums["cancelled"]
    return {
        "succeeded": sums["succeeded"] - sums["reused"],
        "reused": sums["reused"],
        "failed": sums["failed"],
        "cancelled": sums["cancelled"],
        "pending": sums["total"] - ended,
    }


def _units(session: Session) -> Iterator[Sample]:
    named: dict[str, Any] = {
        "queued": UnitRow.state == UnitState.QUEUED,
        "offered": (UnitRow.state == UnitState.QUEUED) & UnitRow.hint_at.is_not(None),
        "running": UnitRow.state == UnitState.RUNNING,
    }
    for state, which in named.items():
        query = select(_QUEUE, func.count()).join(JobRow, JobRow.id == UnitRow.job_id)
        rows = session.execute(query.where(which, JobRow.state.in_(ACTIVE)).group_by(_QUEUE))
        found = {queue: count for queue, count in rows}  # noqa: C416 - rows are no tuples to mypy
        for queue in Queue:
            yield "crant_units", {"queue": queue, "state": state}, found.get(queue, 0)


def _load(session: Session) -> Iterator[Sample]:
    found = {queue: float(units) for queue, units in session.execute(text("SELECT queue, units FROM queue_load"))}
    for queue in Queue:
        yield "crant_queue_units", {"queue": queue}, found.get(queue, 0.0)
