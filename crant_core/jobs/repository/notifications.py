"""Who is to be told of a job, and whether that was done.

Each is told at least once: it is claimed for some time, sent, and then noted. Who dies in between is followed by
another one, so somebody may be told twice; the message carries a name by which that can be seen. Addresses are read
here only to send to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.events import append, lock_job
from crant_core.jobs.retrying import Patience
from crant_core.jobs.tables import JobRow, NotificationRow

WAITING, SENDING, SENT, FAILED, NOT_NEEDED = "waiting", "sending", "sent", "failed", "not_needed"
_PATIENT = Patience(attempts=6, first=30, longest=3600)
_HELD = timedelta(minutes=5)  #: longer than any sending takes


@dataclass(frozen=True, kw_only=True)
class NewNotification:
    """Somebody to be told; the address is as Apprise writes it, and may hold a secret."""

    url: str
    on: Sequence[str]
    changed_percent: float | None = None

    def __repr__(self) -> str:
        return f"NewNotification({masked(self.url)}, on={list(self.on)})"


def masked(url: str) -> str:
    """Return of an address what is no secret: with some services the host is one, so only what sort it is."""
    return f"{url.partition('://')[0][:20]}://…" if "://" in url else "…"


def stored_with(session: Session, job: JobRow, new: Sequence[NewNotification]) -> None:
    """Store whom to tell of a job, in the transaction that stores the job."""
    session.add_all(
        NotificationRow(
            job_id=job.id,
            position=position,
            url=one.url,
            events=" ".join(one.on),
            changed_percent=one.changed_percent,
            state=WAITING,
        )
        for position, one in enumerate(new)
    )


class NotificationRepository:
    """Hands out notifications that are due, one at a time, and notes what became of them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def claim(self) -> tuple[NotificationRow, JobRow] | None:
        """Take a notification of a job that has ended, for some minutes; None if none is due."""
        now = self.database.now()
        open_ = NotificationRow.state.in_([WAITING, SENDING])
        is_due = or_(NotificationRow.not_before.is_(None), NotificationRow.not_before <= now)
        has_ended = JobRow.state.in_([state for state in JobState if state.ended])
        first = select(NotificationRow, JobRow).join(JobRow, JobRow.id == NotificationRow.job_id)
        with self.database.writing() as session:
            query = first.where(open_, is_due, has_ended).order_by(NotificationRow.id).limit(1)
            found = session.execute(query.with_for_update(of=NotificationRow, skip_locked=True)).one_or_none()
            if found is None:
                return None
            row, job = found
            row.state, row.not_before, row.attempts = SENDING, now + _HELD, row.attempts + 1
            return row, job

    def note_sent(self, row: NotificationRow) -> None:
        """Note that somebody was told."""
        self._note(row, SENT)

    def note_not_needed(self, row: NotificationRow) -> None:
        """Note that nothing happened of what somebody wanted to be told of."""
        self._note(row, NOT_NEEDED)

    def note_failed(self, row: NotificationRow, error: str) -> None:
        """Note that somebody could not be told: it is tried again, some times."""
        if row.attempts >= _PATIENT.attempts:
            self._note(row, FAILED, error)
            return
        later = self.database.now() + _PATIENT.pause(row.attempts)
        again = update(NotificationRow).where(NotificationRow.id == row.id, NotificationRow.attempts == row.attempts)
        with self.database.writing() as session:
            session.execute(again.values(state=WAITING, not_before=later, error=error))

    def of_job(self, job_id: str) -> list[NotificationRow]:
        """List whom a job tells."""
        query = select(NotificationRow).where(NotificationRow.job_id == job_id).order_by(NotificationRow.position)
        with self.database.reading() as session:
            return list(session.scalars(query))

    def _note(self, row: NotificationRow, state: str, error: str | None = None) -> None:
        now = self.database.now()
        with self.database.writing() as session:
            job = lock_job(session, row.job_id)
            mine = update(NotificationRow).where(NotificationRow.id == row.id, NotificationRow.state != SENT)
            sent = {"sent_at": now} if state == SENT else {}
            session.execute(mine.values(state=state, error=error, **sent))
            said = {"address": masked(row.url), "attempts": row.attempts}
            append(session, job, now, f"notification_{state}", **said)
