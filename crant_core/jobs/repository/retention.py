"""Which runs are old enough to go, and what goes with them: never what another job needs.

Runs of one series (of one schedule; else of one owner, dataset and label, by the same criteria or list of ids) are kept
newest first. A run that is removed takes its steps and all their rows with it. Results that serve others stay: their
address is given to another job that has them, and only if none has is it forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, aliased

from crant_core.jobs.database import Database
from crant_core.jobs.model import ItemState, JobState
from crant_core.jobs.repository import results
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.tables import (
    ArtifactRow,
    AttemptRow,
    Base,
    DependencyRow,
    EventRow,
    ItemRow,
    JobRow,
    NotificationRow,
    ResultRow,
    UnitRow,
)

_HAS_RESULTS = (JobState.SUCCEEDED, JobState.PARTIAL)
_OPEN = [state for state in JobState if not state.ended]
_NAMING = ("skeletons", "compare_with")  #: parameters that name another job


class RetentionRepository:
    """Finds old runs and removes them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def old_runs(self, kinds: Collection[str], keep: int) -> list[JobRow]:
        """List the runs that can go, the oldest first.

        Parameters
        ----------
        kinds : collection of str
            Of which runs make series; jobs of schedules do whatever their kind is.
        keep : int
            Runs with results that every series keeps, at least one; runs that came to nothing are kept as long as an
            older one with results is.
        """
        with self.database.reading() as session:
            series: dict[Any, list[JobRow]] = {}
            for job in session.scalars(_runs(kinds).order_by(JobRow.number.desc())):
                series.setdefault(_series_of(job), []).append(job)
            needed = _needed(session)
            found = [job for runs in series.values() for job in _old(runs, max(1, keep))]
            return sorted((job for job in found if not needed & _family(session, job)), key=lambda job: job.number)

    def remove(self, job_id: str) -> bool:
        """Remove a run with its steps; False if somebody needs it by now, or it is gone."""
        with self.database.writing() as session:
            family = _locked(session, job_id)
            ids = {job.id for job in family}
            if not family or any(not JobState(job.state).ended for job in family) or ids & _needed(session):
                return False
            for job in family:
                _pass_on(session, job.id, ids)
            for job in family[::-1]:
                _forget(session, job.id)
            return True

    def referred(self, digests: Iterable[str]) -> set[str]:
        """Return those checksums of files that some job has."""
        found: set[str] = set()
        with self.database.reading() as session:
            for batch in batches(digests):
                found |= set(session.scalars(select(ArtifactRow.sha256).where(ArtifactRow.sha256.in_(batch))))
        return found


def _runs(kinds: Collection[str]) -> Any:
    is_run = JobRow.kind.in_(list(kinds)) | JobRow.schedule_id.isnot(None)
    return select(JobRow).where(JobRow.parent_id.is_(None), is_run)


def _series_of(job: JobRow) -> Any:
    if job.schedule_id is not None:
        return ("schedule", job.schedule_id)
    criteria = job.parameters.get("criteria")
    return (job.owner, job.kind, job.dataset, job.label, repr(criteria) if criteria else job.input_id)


def _old(runs: Sequence[JobRow], keep: int) -> Iterator[JobRow]:
    """Yield runs, newest first, that come after so many with results."""
    kept = 0
    for job in runs:
        if kept >= keep and JobState(job.state).ended:
            yield job
        kept += job.state in _HAS_RESULTS


def _family(session: Session, job: JobRow) -> set[str]:
    return {job.id, *session.scalars(select(JobRow.id).where(JobRow.parent_id == job.id))}


def _needed(session: Session) -> set[str]:
    """Return the jobs that one which goes on has to do with."""
    going_on = session.scalars(select(JobRow).where(JobRow.state.in_(_OPEN))).all()
    named = {str(job.parameters[name]) for job in going_on for name in _NAMING if job.parameters.get(name)}
    previous = {job.previous_id for job in going_on if job.previous_id}
    open_ = aliased(JobRow)
    after = select(DependencyRow.after_id).join(open_, open_.id == DependencyRow.job_id).where(open_.state.in_(_OPEN))
    return {job.id for job in going_on} | named | previous | set(session.scalars(after))


def _locked(session: Session, job_id: str) -> list[JobRow]:
    """Lock a run and its steps, the run first."""
    which = (JobRow.id == job_id) | (JobRow.parent_id == job_id)
    return list(session.scalars(select(JobRow).where(which).order_by(JobRow.number).with_for_update()))


def _pass_on(session: Session, job_id: str, leaving: Collection[str]) -> None:
    """Give the results of a job to other jobs that have them too; forget those that nobody else has.

    Who plans with such a result holds its row until the plan is stored, so nobody is given one that goes.
    """
    mine = select(ResultRow).join(ItemRow, ItemRow.id == ResultRow.item_id).where(ItemRow.job_id == job_id)
    for batch in batches(session.scalars(mine.order_by(ResultRow.address).with_for_update(of=ResultRow)).all()):
        heirs = _heirs(session, [row.address for row in batch], leaving)
        for row in batch:
            if row.address in heirs:
                change = update(ResultRow).where(ResultRow.address == row.address)
                session.execute(change.values(item_id=heirs[row.address]))
            else:
                session.execute(delete(ResultRow).where(ResultRow.address == row.address))


def _heirs(session: Session, addresses: Sequence[str], leaving: Collection[str]) -> dict[str, int]:
    """Return the newest item that has each result."""
    has = (ItemRow.address.in_(addresses), ItemRow.state == ItemState.SUCCEEDED, ItemRow.job_id.not_in(leaving))
    found = session.execute(select(ItemRow.address, ItemRow.id).where(*has).order_by(ItemRow.id))
    return {address: item_id for address, item_id in found if address is not None}


def _forget(session: Session, job_id: str) -> None:
    results.purge(session, job_id)
    owned: tuple[type[Base], ...] = (ArtifactRow, ItemRow, AttemptRow, UnitRow, EventRow, NotificationRow)
    for table in owned:
        session.execute(delete(table).where(table.__table__.c.job_id == job_id))
    either = (DependencyRow.job_id == job_id) | (DependencyRow.after_id == job_id)
    session.execute(delete(DependencyRow).where(either))
    session.execute(delete(JobRow).where(JobRow.id == job_id))
