"""What becomes of a unit that its worker did not end: tried again, halved, or given up.

When a process dies, nobody knows which of a unit's items killed it. So the unit is halved, and its halves are tried by
themselves: after ten deaths the guilty one of a thousand stands alone. If it kills what works on it alone a number of
times, it is quarantined.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crant_core.errors import CrantError, Quarantined, TimeLimit, WorkerLost
from crant_core.jobs.model import ItemState, JobState, Queue, Role, UnitState
from crant_core.jobs.repository.ending import add_unit, end_attempt, finish_if_last, requeue
from crant_core.jobs.repository.events import append, move
from crant_core.jobs.repository.recording import Outcome, record
from crant_core.jobs.retrying import CRASHED, patience, pause_after
from crant_core.jobs.tables import ItemRow, JobRow, UnitRow


class Giver:
    """Takes units back from those who cannot end them.

    Parameters
    ----------
    max_attempts : int
        Processes that an item may kill, and tries at a plan or a finish whose process died.
    """

    def __init__(self, max_attempts: int) -> None:
        self.max_attempts = max_attempts

    def release(self, session: Session, job: JobRow, unit: UnitRow, error: CrantError, now: datetime) -> None:
        """Decide by the error what becomes of a unit that is held; the caller has locked job and unit."""
        end_attempt(session, unit.token, now, error.code)
        if unit.role != Role.RUN:
            self._release_whole(session, job, unit, error, now)
        elif isinstance(error, (WorkerLost, TimeLimit)):
            self._release_crashed(session, job, unit, error, now)
        else:
            self._release_failed(session, job, unit, error, now)

    def _release_whole(self, session: Session, job: JobRow, unit: UnitRow, error: CrantError, now: datetime) -> None:
        """A plan or a finish cannot be divided: it is tried again, or the job fails."""
        is_lost = isinstance(error, WorkerLost)
        limit = self.max_attempts if is_lost else patience(error.code).attempts
        if error.retryable and unit.attempt < limit:
            requeue(unit, now + (CRASHED.pause(unit.attempt) if is_lost else pause_after(error, unit.attempt)))
            append(session, job, now, "unit_retried", role=unit.role, attempt=unit.attempt, code=error.code)
            return
        _close(unit, UnitState.FAILED)
        job.error_code, job.error_message = error.code, str(error)
        move(session, job, now, JobState.FAILED, code=error.code, message=str(error))

    def _release_crashed(self, session: Session, job: JobRow, unit: UnitRow, error: CrantError, now: datetime) -> None:
        items = _open_items(session, unit)
        if len(items) > 1:
            _split(session, job, unit, items, error=error, now=now)
            return
        for item in items:
            item.crashes += 1
            if item.crashes >= self.max_attempts or not error.retryable:
                _quarantine(session, job, item, error, now)
        if items and items[0].state == ItemState.PENDING:
            requeue(unit, now + CRASHED.pause(items[0].crashes))
            if isinstance(error, WorkerLost):
                unit.queue = Queue.HEAVY  # most often memory ran out
            append(session, job, now, "unit_retried", role=unit.role, attempt=unit.attempt, code=error.code)
        else:
            _close(unit, UnitState.FAILED if items else UnitState.DONE)
            finish_if_last(session, job, now)

    def _release_failed(self, session: Session, job: JobRow, unit: UnitRow, error: CrantError, now: datetime) -> None:
        """An error of the unit as a whole is one of each of its items."""
        items = _open_items(session, unit)
        record(session, job, unit, [Outcome(item=item, error=error) for item in items], now)
        if all(Outcome(item=item, error=error).is_final for item in items):
            _close(unit, UnitState.FAILED)
            finish_if_last(session, job, now)
        else:
            requeue(unit, unit.not_before or now)
            append(session, job, now, "unit_retried", role=unit.role, attempt=unit.attempt, code=error.code)


def _open_items(session: Session, unit: UnitRow) -> Sequence[ItemRow]:
    pending = (ItemRow.unit_id == unit.id, ItemRow.state == ItemState.PENDING)
    return session.scalars(select(ItemRow).where(*pending).order_by(ItemRow.position)).all()


def _close(unit: UnitRow, state: UnitState) -> None:
    unit.state, unit.token, unit.lease_until = state, None, None


def _split(
    session: Session, job: JobRow, unit: UnitRow, items: Sequence[ItemRow], *, error: CrantError, now: datetime
) -> None:
    _close(unit, UnitState.SPLIT)
    middle = (len(items) + 1) // 2
    for half in (items[:middle], items[middle:]):
        heir = add_unit(session, job, Role.RUN)
        heir.cost = None if unit.cost is None else unit.cost * len(half) / len(items)
        heir.not_before, heir.queue = now + CRASHED.pause(1), unit.queue
        ids = [item.id for item in half]
        session.execute(update(ItemRow).where(ItemRow.id.in_(ids)).values(unit_id=heir.id))
    append(session, job, now, "unit_split", items=len(items), code=error.code, message=str(error))


def _quarantine(session: Session, job: JobRow, item: ItemRow, error: CrantError, now: datetime) -> None:
    """Say of an item that it kills what works on it, or (if it is only slow) that it takes too long."""
    is_lost = isinstance(error, WorkerLost)
    final = Quarantined(f"{item.crashes} processes died while they worked on this alone: {error}") if is_lost else error
    item.state = ItemState.QUARANTINED if is_lost else ItemState.FAILED
    item.error_code, item.error_message, item.finished_at = final.code, str(final), now
    job.failed += 1
    append(session, job, now, "item_failed", key=item.key, code=final.code, message=str(final))
