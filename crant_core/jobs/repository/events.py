"""Appends what happened to a job. Called inside the transaction that makes it happen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from crant_core.errors import NotFound
from crant_core.jobs.model import JOB_TRANSITIONS, JobState
from crant_core.jobs.tables import EventRow, JobRow

# Statements that every unit needs are built once: that takes longer than SQLite does to run them.
_LOCK = select(JobRow).where(JobRow.id == bindparam("job_id")).with_for_update()


def lock_job(session: Session, job_id: str) -> JobRow:
    """Take the job's row for this transaction.

    Every change of a job goes through here, so its counters add up, exactly one transaction sees the last unit end,
    and its events get their numbers in the order in which they become visible.
    """
    job = session.scalar(_LOCK, {"job_id": job_id})
    if job is None:
        raise NotFound(f"there is no job {job_id}", value=job_id)
    return job


def event_row(job: JobRow, at: datetime, event: str, **data: Any) -> dict[str, Any]:
    """Describe an event with the job's state and counters, so that a watcher needs nothing else."""
    counts = {"state": job.state, "total": job.total, "succeeded": job.succeeded, "failed": job.failed}
    return {"job_id": job.id, "at": at, "type": event, "data": data | counts}


def append(session: Session, job: JobRow, at: datetime, event: str, **data: Any) -> None:
    """Append an event."""
    session.add(EventRow(**event_row(job, at, event, **data)))


def move(session: Session, job: JobRow, at: datetime, state: JobState, **data: Any) -> None:
    """Bring a locked job to another state and say so; a move the model does not know is a bug.

    A paused job stays paused while it goes on; what changes is where it will be when it is resumed.
    """
    if JobState(job.state) is JobState.PAUSED and not state.ended:
        job.resume_to = state
    else:
        enter(job, at, state)
    append(session, job, at, state.value, **data)


def enter(job: JobRow, at: datetime, state: JobState) -> None:
    """Set a locked job's state."""
    if state not in JOB_TRANSITIONS[JobState(job.state)]:
        raise RuntimeError(f"job {job.id} cannot go from {job.state} to {state}")
    job.state, job.finished_at = state, at if state.ended else None
