"""What became of items, written in bulk: a unit of a thousand items costs a handful of statements, not thousands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from crant_core.errors import CrantError, LeaseLost, NeedsMemory
from crant_core.jobs.model import ItemState, Queue
from crant_core.jobs.repository.events import event_row
from crant_core.jobs.repository.reuse import Made, publish
from crant_core.jobs.retrying import patience, pause_after
from crant_core.jobs.tables import ArtifactRow, EventRow, ItemRow, JobRow, UnitRow, table_of

_ITEMS = table_of(ItemRow)
_FIELDS = ("state", "seconds", "metrics", "finished_at", "error_code", "error_message", "traceback", "attempts")
_EVENT, _FILE = insert(table_of(EventRow)), insert(table_of(ArtifactRow))
_WRITE = (
    update(_ITEMS)
    .where(_ITEMS.c.id == bindparam("item_id"), _ITEMS.c.state == ItemState.PENDING)
    .values({name: bindparam(f"new_{name}", type_=_ITEMS.c[name].type) for name in _FIELDS})
)


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file whose bytes are in the store."""

    name: str
    media_type: str
    size: int
    sha256: str
    meta: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one item: metrics and files, or an error."""

    item: ItemRow
    seconds: float = 0.0
    metrics: dict[str, Any] = field(default_factory=dict)
    files: Sequence[StoredFile] = ()
    error: CrantError | None = None
    traceback: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether the item has ended; one with an error that may pass is tried again a number of times."""
        if self.error is None or not self.error.retryable:
            return True
        return self.item.attempts + 1 >= patience(self.error.code).attempts

    @property
    def state(self) -> ItemState:
        """The state the item goes to."""
        if not self.is_final:
            return ItemState.PENDING
        return ItemState.SUCCEEDED if self.error is None else ItemState.FAILED

    @property
    def pause(self) -> timedelta:
        """How long to wait before the item is tried again."""
        return timedelta(0) if self.error is None else pause_after(self.error, self.item.attempts + 1)


def record(session: Session, job: JobRow, unit: UnitRow, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write outcomes, files, events and counters; the caller holds job and unit.

    Raises
    ------
    LeaseLost
        An item is not open in this unit; nothing is changed.
    """
    if not outcomes:
        return
    _write(session, unit, outcomes, now)
    if files := [row for outcome in outcomes for row in _artifacts(job, outcome, now)]:
        session.connection().execute(_FILE, files)
    publish(session, unit.token, _made(outcomes), now)
    for outcome in outcomes:
        if not outcome.is_final:
            _postpone(unit, outcome, now)
    if events := list(_events(job, outcomes, now)):
        session.connection().execute(_EVENT, events)


def _made(outcomes: Iterable[Outcome]) -> Iterator[Made]:
    for one in outcomes:
        if one.error is None and one.item.address is not None:
            yield Made(one.item.address, one.item.id, one.metrics)


def _postpone(unit: UnitRow, outcome: Outcome, now: datetime) -> None:
    unit.not_before = max(unit.not_before or now, now + outcome.pause)
    if isinstance(outcome.error, NeedsMemory):
        unit.queue = Queue.HEAVY


def _write(session: Session, unit: UnitRow, outcomes: Sequence[Outcome], now: datetime) -> None:
    written = session.connection().execute(_WRITE, [_item_values(outcome, now) for outcome in outcomes])
    if written.rowcount != len(outcomes):
        keys = ", ".join(outcome.item.key for outcome in outcomes[:3])
        raise LeaseLost(f"one of the items {keys} … has ended already", value=unit.id)


def _item_values(outcome: Outcome, now: datetime) -> dict[str, Any]:
    error, item = outcome.error, outcome.item
    values = {
        "state": outcome.state,
        "seconds": outcome.seconds,
        "metrics": item.metrics | outcome.metrics,
        "finished_at": now if outcome.is_final else None,
        "error_code": error and error.code,
        "error_message": error and str(error),
        "traceback": outcome.traceback,
        "attempts": item.attempts + (error is not None),
    }
    return {f"new_{name}": value for name, value in values.items()} | {"item_id": item.id}


def _artifacts(job: JobRow, outcome: Outcome, now: datetime) -> Iterator[dict[str, Any]]:
    return (artifact_row(job.id, outcome.item.id, file, now) for file in outcome.files)


def artifact_row(job_id: str, item_id: int | None, file: StoredFile, now: datetime) -> dict[str, Any]:
    """Describe a file as a row."""
    return {"job_id": job_id, "item_id": item_id, "created_at": now, **vars(file)}


def _events(job: JobRow, outcomes: Sequence[Outcome], now: datetime) -> Iterator[dict[str, Any]]:
    """Count items one by one, so that each event says how far the job was."""
    for outcome in outcomes:
        key, error = outcome.item.key, outcome.error
        if error is None:
            job.succeeded += 1
            yield event_row(job, now, "item_succeeded", key=key, seconds=round(outcome.seconds, 3))
        else:
            job.failed += outcome.is_final
            event = "item_failed" if outcome.is_final else "item_postponed"
            yield event_row(job, now, event, key=key, code=error.code, message=str(error))
