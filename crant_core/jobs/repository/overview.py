"""What the service as a whole is doing: workers, queues, storage, and how long items take. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crant_core.jobs.database import Database
from crant_core.jobs.model import ItemState, UnitState
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.repository.load import View, look
from crant_core.jobs.tables import ArtifactRow, AttemptRow, ItemRow, JobRow, UnitRow

_LATEST = 50  #: jobs whose attempts say which workers there are


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker process group, as far as its work shows it."""

    name: str
    running: int  #: units that it holds now
    units: int  #: units that it took up, of the latest jobs
    items: int  #: items that these ended
    seconds: float  #: time that it worked on them
    last: datetime  #: when it took up the latest one


@dataclass(frozen=True, kw_only=True)
class Used:
    """How much the files of one owner or kind are."""

    name: str
    jobs: int
    files: int
    size: int  #: bytes; files that several jobs share count for each


@dataclass(frozen=True, kw_only=True)
class Storage:
    """What the artifact store holds."""

    by_kind: list[Used]
    by_owner: list[Used]
    size: int  #: bytes of distinct files: what is really stored


class OverviewRepository:
    """Looks at all jobs together. What belongs to one owner is scoped to a viewer."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def workers(self) -> list[Worker]:
        """List the workers that took part in the latest jobs, the latest first."""
        latest = select(JobRow.id).order_by(JobRow.number.desc()).limit(_LATEST).subquery()
        work = func.count(), func.sum(AttemptRow.items), func.sum(AttemptRow.seconds), func.max(AttemptRow.started_at)
        query = select(AttemptRow.worker, *work).where(AttemptRow.job_id.in_(select(latest.c.id)))
        with self.database.reading() as session:
            running = _running(session)
            rows = session.execute(query.group_by(AttemptRow.worker).order_by(work[-1].desc())).all()
        return [
            Worker(name=name, running=running.get(name, 0), units=units, items=items, seconds=seconds or 0.0, last=last)
            for name, units, items, seconds, last in rows
        ]

    def load(self, *, window: int, stale: datetime) -> View:
        """Say how many units wait in the broker, are being done, and are due, by job."""
        with self.database.reading() as session:
            return look(session, window=window, now=self.database.now(), stale=stale)

    def named(self, viewer: Viewer, job_ids: list[str]) -> list[JobRow]:
        """Return those of some jobs that a viewer may see, the oldest first."""
        query = select(JobRow).where(JobRow.id.in_(job_ids)).order_by(JobRow.number)
        with self.database.reading() as session:
            return [job for job in session.scalars(query) if viewer.sees_all or job.owner == viewer.owner]

    def storage(self, viewer: Viewer) -> Storage:
        """Add up the files of the jobs that a viewer may see."""
        distinct = select(func.max(ArtifactRow.size).label("size")).join(JobRow, JobRow.id == ArtifactRow.job_id)
        if not viewer.sees_all:
            distinct = distinct.where(JobRow.owner == viewer.owner)
        files = distinct.group_by(ArtifactRow.sha256).subquery()
        with self.database.reading() as session:
            return Storage(
                by_kind=_used(session, viewer, JobRow.kind),
                by_owner=_used(session, viewer, JobRow.owner),
                size=int(session.scalar(select(func.sum(files.c.size))) or 0),
            )

    def seconds(self, job_id: str, *, limit: int = 5000) -> list[float]:
        """Return how long the first items that succeeded took."""
        of_job = ItemRow.job_id == job_id, ItemRow.state == ItemState.SUCCEEDED, ItemRow.seconds.isnot(None)
        query = select(ItemRow.seconds).where(*of_job).order_by(ItemRow.position).limit(limit)
        with self.database.reading() as session:
            return [seconds for seconds in session.scalars(query) if seconds is not None]


def _running(session: Session) -> dict[str, int]:
    held = AttemptRow.token == UnitRow.token
    query = select(AttemptRow.worker, func.count()).join(UnitRow, held).where(UnitRow.state == UnitState.RUNNING)
    rows = session.execute(query.group_by(AttemptRow.worker))
    return {name: count for name, count in rows}  # noqa: C416 - rows are no tuples to mypy


def _used(session: Session, viewer: Viewer, name: InstrumentedAttribute[str]) -> list[Used]:
    jobs, size = func.count(JobRow.id.distinct()), func.sum(ArtifactRow.size)
    query = select(name, jobs, func.count(), size).join(ArtifactRow, ArtifactRow.job_id == JobRow.id)
    if not viewer.sees_all:
        query = query.where(JobRow.owner == viewer.owner)
    rows = session.execute(query.group_by(name).order_by(size.desc())).all()
    return [Used(name=found, jobs=count, files=files, size=int(total)) for found, count, files, total in rows]
