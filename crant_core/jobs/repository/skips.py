"""Writes down slots that made no job, and why. Called inside the transaction that leaves them out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crant_core.jobs.model import Skipped
from crant_core.jobs.schedule_tables import ScheduleRow, SkipRow
from crant_core.jobs.timetable import Span


def skip(session: Session, schedule: ScheduleRow, span: Span, reason: Skipped, *, detail: str, now: datetime) -> None:
    """Write it down; what follows slots that were left out for the same reason is one entry with them.

    `schedule` is as it was before these slots.
    """
    latest = select(SkipRow).where(SkipRow.schedule_id == schedule.id).order_by(SkipRow.slot.desc()).limit(1)
    last = session.scalar(latest)
    if last and (last.last_slot, last.reason, last.detail) == (schedule.last_slot, reason, detail):
        last.last_slot, last.count, last.at = span.last, last.count + span.count, now
    else:
        fields = {"slot": span.first, "last_slot": span.last, "count": span.count}
        session.add(SkipRow(schedule_id=schedule.id, reason=reason, detail=detail, at=now, **fields))
    session.flush()
