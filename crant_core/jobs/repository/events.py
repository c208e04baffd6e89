"""Appends what happened to a job. Called inside the transaction that makes it happen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crant_core.errors import NotFound
from crant_core.jobs.model import JOB_TRANSITIONS, JobState
from crant_core.jobs.tables import EventRow, JobRow


def lock_job(session: Session, job_id: str) -> JobRow:
    """Take the job's row for this transaction.

    Every change of a job goes through here, so its counters add up, exactly one transaction sees the last unit end,
    and its events get their numbers in the order in which they become visible.
    """
    job = session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())
    if job is None:
        raise NotFound(f"there is no job {job_id}", value=job_id)
    return job


def append(session: Session, job: JobRow, at: datetime, event: str, **data: Any) -> None:
    """Append an event with the job's state and counters, so that a watcher needs nothing else."""
    counts = {"state": job.state, "total": job.total, "succeeded": job.succeeded, "failed": job.failed}
    session.add(EventRow(job_id=job.id, at=at, type=event, data=data | counts))


def move(session: Session, job: JobRow, at: datetime, state: JobState, **data: Any) -> None:
    """Bring a locked job to another state and say so; a move the model does not know is a bug."""
    if state not in JOB_TRANSITIONS[JobState(job.state)]:
        raise RuntimeError(f"job {job.id} cannot go from {job.state} to {state}")
    job.state = state
    if state.ended:
        job.finished_at = at
    append(session, job, at, state.value, **data)
