"""Cuts what a job has left into units, a few at a time, so that what the first ones cost sizes the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crant_core.jobs.database import Database
from crant_core.jobs.model import ItemState, JobState, Role
from crant_core.jobs.repository.ending import next_position
from crant_core.jobs.repository.events import lock_job
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.sizing import unit_sizes
from crant_core.jobs.tables import ItemRow, JobRow, UnitRow


def cut(database: Database, job_id: str, count: int, *, processes: int = 1) -> int:
    """Make up to so many units of a running job's items that are in none yet; return how many.

    Parameters
    ----------
    database : Database
    job_id : str
    count : int
    processes : int
        That do such units: towards the end of a job, each is to have one.
    """
    with database.writing() as session:
        job = lock_job(session, job_id)
        if JobState(job.state) is not JobState.RUNNING or job.uncut == 0:
            return 0
        bounds = {"left": job.uncut, "first": job.first_size, "largest": job.largest_size}
        sizes = islice(unit_sizes(job.item_seconds, **bounds, processes=processes), count)
        return _cut(session, job, list(sizes))


def _cut(session: Session, job: JobRow, sizes: Sequence[int]) -> int:
    free = (ItemRow.job_id == job.id, ItemRow.state == ItemState.PENDING, ItemRow.unit_id.is_(None))
    ids = session.scalars(select(ItemRow.id).where(*free).order_by(ItemRow.position).limit(sum(sizes))).all()
    position, rest = next_position(session, job, Role.RUN), iter(ids)
    slices = [part for size in sizes if (part := list(islice(rest, size)))]
    for number, part in enumerate(slices):
        _make(session, job, position + number, part)
    job.uncut -= len(ids)
    return len(slices)


def _make(session: Session, job: JobRow, position: int, ids: Sequence[int]) -> None:
    cost = None if job.item_seconds is None else job.item_seconds * len(ids)
    unit = UnitRow(job_id=job.id, role=Role.RUN, position=position, cost=cost)
    session.add(unit)
    session.flush()
    for batch in batches(ids):
        session.execute(update(ItemRow).where(ItemRow.id.in_(batch)).values(unit_id=unit.id))
