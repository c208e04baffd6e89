"""How units end, and jobs with their last unit. Called inside the transaction of whoever ends them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from crant_core.errors import LeaseLost
from crant_core.jobs.model import JobState, Role, UnitState
from crant_core.jobs.repository.events import lock_job, move
from crant_core.jobs.tables import AttemptRow, JobRow, UnitRow, table_of

OPEN = (UnitState.QUEUED, UnitState.RUNNING)

_ATTEMPTS = table_of(AttemptRow)
_FIELDS = ("ended_at", "outcome", "items", "seconds")
_HELD = (
    select(UnitRow)
    .where(UnitRow.id == bindparam("unit_id"), UnitRow.token == bindparam("token"))
    .where(UnitRow.state == UnitState.RUNNING)
    .with_for_update()
)
_ENDED = (
    update(_ATTEMPTS)
    .where(_ATTEMPTS.c.token == bindparam("of"))
    .values(
        {
            name: bindparam(f"new_{name}", type_=_ATTEMPTS.c[name].type)
            for name in ("ended_at", "outcome", "items", "seconds")
        }
    )
)
_OPEN_RUN = (
    select(UnitRow.id)
    .where(UnitRow.job_id == bindparam("job_id"), UnitRow.role == Role.RUN, UnitRow.state.in_(OPEN))
    .limit(1)
)


def hold(session: Session, job_id: str, unit_id: int, token: str) -> tuple[JobRow, UnitRow]:
    """Lock a job, then make sure that this token still holds the unit.

    Raises
    ------
    LeaseLost
    """
    job = lock_job(session, job_id)
    unit = session.scalar(_HELD, {"unit_id": unit_id, "token": token})
    if unit is None:
        raise LeaseLost(value=token)
    return job, unit


def requeue(unit: UnitRow, not_before: datetime) -> None:
    """Put a unit back, to be offered from then on."""
    unit.state, unit.not_before, unit.hint_at = UnitState.QUEUED, not_before, None
    unit.token, unit.lease_until = None, None


def end_attempt(
    session: Session, token: str | None, now: datetime, how: str, *, items: int = 0, seconds: float | None = None
) -> None:
    """Write down how an attempt ended."""
    values = {"new_ended_at": now, "new_outcome": how, "new_items": items, "new_seconds": seconds}
    session.execute(_ENDED, {"of": token} | values)


def finish_if_last(session: Session, job: JobRow, now: datetime) -> None:
    """Start the finish of a job that has nothing left to run."""
    if job.uncut:
        return
    session.flush()
    if session.scalar(_OPEN_RUN, {"job_id": job.id}) is None:
        start_finish(session, job, now)


def start_finish(session: Session, job: JobRow, now: datetime) -> None:
    """Queue the merging of results."""
    add_unit(session, job, Role.FINISH)
    move(session, job, now, JobState.FINISHING)


def add_unit(session: Session, job: JobRow, role: Role) -> UnitRow:
    """Queue one more unit of this role."""
    unit = UnitRow(job_id=job.id, role=role, position=next_position(session, job, role))
    session.add(unit)
    session.flush()
    return unit


def next_position(session: Session, job: JobRow, role: Role) -> int:
    """Number the next unit of this role."""
    last = select(func.max(UnitRow.position)).where(UnitRow.job_id == job.id, UnitRow.role == role)
    found = session.scalar(last)
    return 0 if found is None else found + 1
