"""Jobs as those who submit and look at them see them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crant_core import ids as identifiers
from crant_core.errors import IdempotencyMismatch, NotFound
from crant_core.jobs.database import Database
from crant_core.jobs.model import ItemState, JobState, Queue, Role
from crant_core.jobs.repository.events import append
from crant_core.jobs.repository.inputs import stored
from crant_core.jobs.repository.notifications import NewNotification, stored_with
from crant_core.jobs.tables import (
    ArtifactRow,
    AttemptRow,
    DependencyRow,
    EventRow,
    InputRow,
    ItemRow,
    JobRow,
    LeaderRow,
    UnitRow,
)

_NO_COLUMNS = ("ids", "input_id", "after", "behind", "notify")  #: of a submission, which are in other tables


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A validated submission."""

    kind: str
    code_version: int
    dataset: str
    parameters: dict[str, Any]
    ids: Sequence[int]
    at: str
    owner: str
    body_hash: str
    label: str = ""
    priority: int = 0
    idempotency_key: str | None = None
    reuse: bool = True
    deadline: datetime | None = None
    input_id: str | None = None  #: instead of ids: a list that is stored
    after: Sequence[str] = ()  #: jobs that must be done first
    behind: Sequence[str] = ()  #: jobs that must have ended first, however they end
    schedule_id: str | None = None
    slot: datetime | None = None
    queue: Queue = Queue.CPU
    traceparent: str | None = None  #: the trace that it belongs to
    notify: Sequence[NewNotification] = ()


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who is looking: an owner sees their own jobs, an administrator everybody's."""

    owner: str
    sees_all: bool = False


class JobRepository:
    """Submits jobs and reads them. Every read is scoped to a viewer: a job one may not see does not exist."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def submit(self, new: NewJob) -> tuple[JobRow, bool]:
        """Store a job and its plan unit in one transaction.

        Returns
        -------
        tuple of JobRow and bool
            The job, and whether it is new: the same idempotency key and body give the job that exists.

        Raises
        ------
        IdempotencyMismatch
            The key was used before with another body.
        """
        try:
            with self.database.writing() as session:
                return self.existing(session, new) or (self.insert(session, new), True)
        except IntegrityError:  # the same key or the same input arrived twice at one moment
            with self.database.writing() as session:
                return self.existing(session, new) or (self.insert(session, new), True)

    def existing(self, session: Session, new: NewJob) -> tuple[JobRow, bool] | None:
        """Find the job that the same request made before; raises `IdempotencyMismatch`."""
        if new.idempotency_key is None:
            return None
        same_key = (JobRow.owner == new.owner, JobRow.idempotency_key == new.idempotency_key)
        job = session.scalar(select(JobRow).where(*same_key))
        if job is not None and job.body_hash != new.body_hash:
            raise IdempotencyMismatch(value=new.idempotency_key, hint="use a new key for a new request")
        return (job, False) if job else None

    def insert(self, session: Session, new: NewJob) -> JobRow:
        """Store a job and its plan unit in somebody's transaction."""
        now = self.database.now()
        fields = {name: value for name, value in vars(new).items() if name not in _NO_COLUMNS}
        input_id = new.input_id or stored(session, new.ids)
        job = JobRow(id=secrets.token_hex(6), input_id=input_id, created_at=now, **fields)
        job.share_key = secrets.token_urlsafe(16)
        job.state = JobState.WAITING if new.after or new.behind else JobState.PLANNING
        session.add(job)
        session.flush()
        waits_for = dict.fromkeys(new.behind, False) | dict.fromkeys(new.after, True)
        session.add_all(DependencyRow(job_id=job.id, after_id=one, needed=it) for one, it in waits_for.items())
        session.add(UnitRow(job_id=job.id, role=Role.PLAN))
        stored_with(session, job, new.notify)
        given = session.scalars(select(InputRow.count).where(InputRow.id == input_id)).one()
        append(session, job, now, "submitted", kind=job.kind, label=job.label, given=given)
        return job

    def get(self, job_id: str, viewer: Viewer) -> JobRow:
        """Return one job.

        Raises
        ------
        NotFound
        """
        with self.database.reading() as session:
            job = session.scalar(_visible(select(JobRow).where(JobRow.id == job_id), viewer))
        if job is None:
            raise NotFound(f"there is no job {job_id}", value=job_id, hint="list yours with GET /v1/jobs")
        return job

    def shared(self, job_id: str, key: str) -> JobRow:
        """Return the job of a link to its skeletons, which knows the job's key.

        Raises
        ------
        NotFound
        """
        with self.database.reading() as session:
            job = session.scalar(select(JobRow).where(JobRow.id == job_id))
        if job is None or not secrets.compare_digest((job.share_key or "").encode(), key.encode()) or not key:
            hint = "copy the job's link again"
            raise NotFound(f"there is no job {job_id} with this key", value=job_id, hint=hint)
        return job

    def after(self, job_id: str) -> list[str]:
        """List the jobs that one comes after."""
        query = select(DependencyRow.after_id).where(DependencyRow.job_id == job_id)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(DependencyRow.after_id)))

    def recent(
        self,
        viewer: Viewer,
        *,
        before: int | None = None,
        limit: int = 50,
        state: str | None = None,
        parent: str | None = None,
    ) -> list[JobRow]:
        """List jobs, newest first; `before` is the number of the last one seen."""
        query = _visible(select(JobRow), viewer).order_by(JobRow.number.desc()).limit(limit)
        if before is not None:
            query = query.where(JobRow.number < before)
        if state is not None:
            query = query.where(JobRow.state == state)
        if parent is not None:
            query = query.where(JobRow.parent_id == parent)
        with self.database.reading() as session:
            return list(session.scalars(query))

    def input_ids(self, job: JobRow) -> list[int]:
        """Return the ids a job was given, in order, duplicates included."""
        with self.database.reading() as session:
            return identifiers.unpack(session.scalars(select(InputRow.data).where(InputRow.id == job.input_id)).one())

    def input_count(self, job: JobRow) -> int:
        """Count the ids a job was given."""
        with self.database.reading() as session:
            return session.scalars(select(InputRow.count).where(InputRow.id == job.input_id)).one()

    def items(self, job_id: str, *, after: int = -1, limit: int = 100, state: ItemState | None = None) -> list[ItemRow]:
        """List a job's items in input order, after a position; the failed ones are with those in quarantine."""
        query = select(ItemRow).where(ItemRow.job_id == job_id, ItemRow.position > after)
        if state is not None:
            states = [state, ItemState.QUARANTINED] if state == ItemState.FAILED else [state]
            query = query.where(ItemRow.state.in_(states))
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(ItemRow.position).limit(limit)))

    def error_counts(self, job_id: str) -> dict[str, int]:
        """Count a job's failed items by error code."""
        failed = ItemRow.state.in_([ItemState.FAILED, ItemState.QUARANTINED])
        query = select(ItemRow.error_code, func.count()).where(ItemRow.job_id == job_id, failed)
        with self.database.reading() as session:
            rows = session.execute(query.group_by(ItemRow.error_code).order_by(func.count().desc()))
            return {code: count for code, count in rows if code is not None}

    def artifacts(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[ArtifactRow]:
        """List a job's files in the order they were made."""
        query = select(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.id > after)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(ArtifactRow.id).limit(limit)))

    def item_artifacts(self, job_id: str, *, after: int = 0, limit: int = 1000) -> list[ArtifactRow]:
        """List the files of a job's items in the order they were made."""
        query = select(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.item_id.isnot(None))
        with self.database.reading() as session:
            return list(session.scalars(query.where(ArtifactRow.id > after).order_by(ArtifactRow.id).limit(limit)))

    def artifacts_of(self, job_id: str, item_ids: Sequence[int]) -> list[ArtifactRow]:
        """List the files of the job as a whole, then those of these items."""
        of_job = ArtifactRow.item_id.is_(None)
        query = select(ArtifactRow).where(ArtifactRow.job_id == job_id, of_job | ArtifactRow.item_id.in_(item_ids))
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(of_job.desc(), ArtifactRow.id)))

    def artifact(self, job_id: str, name: str) -> ArtifactRow:
        """Return one file's row.

        Raises
        ------
        NotFound
        """
        query = select(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.name == name)
        with self.database.reading() as session:
            artifact = session.scalar(query)
        if artifact is None:
            raise NotFound(f"job {job_id} has no artifact {name!r}", value=name, hint="list them with …/artifacts")
        return artifact

    def first_artifact(self, job_id: str, names: Sequence[str]) -> ArtifactRow | None:
        """Return the first of these files that a job has."""
        query = select(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.name.in_(names))
        with self.database.reading() as session:
            found = {row.name: row for row in session.scalars(query)}
        return next((found[name] for name in names if name in found), None)

    def done_keys(self, job_id: str, limit: int) -> list[str]:
        """List the keys of a job's first items that succeeded."""
        query = select(ItemRow.key).where(ItemRow.job_id == job_id, ItemRow.state == ItemState.SUCCEEDED)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(ItemRow.position).limit(limit)))

    def events(self, job_id: str, *, after: int = 0, limit: int = 500) -> list[EventRow]:
        """List what happened to a job after an event number."""
        query = select(EventRow).where(EventRow.job_id == job_id, EventRow.id > after)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(EventRow.id).limit(limit)))

    def latest_events(self, job_id: str, *, limit: int = 100) -> list[EventRow]:
        """List what happened to a job last, newest first."""
        query = select(EventRow).where(EventRow.job_id == job_id)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(EventRow.id.desc()).limit(limit)))

    def attempts(self, job_id: str, limit: int = 200) -> list[AttemptRow]:
        """List the latest tries at a job's units."""
        query = select(AttemptRow).where(AttemptRow.job_id == job_id)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(AttemptRow.started_at.desc()).limit(limit)))

    def work_is_offered(self) -> bool:
        """Say whether a dispatcher is alive, that is, whether any worker is."""
        alive = select(LeaderRow.name).where(LeaderRow.name == "dispatcher", LeaderRow.until > self.database.now())
        with self.database.reading() as session:
            return session.scalar(alive) is not None


def _visible(query: Select[JobRow], viewer: Viewer) -> Select[JobRow]:
    return query if viewer.sees_all else query.where(JobRow.owner == viewer.owner)
