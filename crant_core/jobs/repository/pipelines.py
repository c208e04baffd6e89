"""Jobs that are made of other jobs: started together, counted together, stopped and started again together.

The steps are stored in the transaction that ends the pipeline's plan, so there are all of them or none. They wait for
each other as any jobs do, and the dispatcher counts them up; while they run, their pipeline holds no worker.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState, Queue, Role, UnitState
from crant_core.jobs.repository.costs import Effort, spent
from crant_core.jobs.repository.ending import end_attempt, hold, start_finish
from crant_core.jobs.repository.events import append, lock_job, move
from crant_core.jobs.repository.inputs import stored
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.tables import DependencyRow, JobRow, UnitRow
from crant_core.times import TimeBase

_PAUSE = timedelta(seconds=1)  #: between two counts of a pipeline whose steps go on
_COUNTERS = ("total", "succeeded", "failed", "cancelled", "reused")
_INHERITED = (
    "dataset",
    "owner",
    "label",
    "priority",
    "reuse",
    "deadline",
    "at",
    "timestamp",
    "version",
    "traceparent",
)
_SAME_STEP = ("kind", "code_version", "queue", "parameters", "input_id", "step")


@dataclass(frozen=True, kw_only=True)
class NewStep:
    """A job that a pipeline is made of."""

    name: str
    kind: str
    code_version: int
    queue: Queue = Queue.CPU
    after: Sequence[str] = ()  #: steps before it


class PipelineRepository:
    """Starts the steps of pipelines, gives them what they work on, and ends pipelines whose steps have ended."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._counted: dict[str, datetime] = {}

    def start(
        self, unit: ClaimedUnit, time: TimeBase, steps: Sequence[NewStep], ids: Sequence[int], previous: str | None
    ) -> None:
        """End the plan of a pipeline and start its steps; without any, its finish.

        Parameters
        ----------
        unit : ClaimedUnit
        time : TimeBase
            The one point in time of all of them.
        steps : sequence of NewStep
            Each after those that it comes after.
        ids : sequence of int
            What the pipeline works on.
        previous : str or None
            The run that it goes on from.

        Raises
        ------
        LeaseLost
            The plan is somebody else's by now; nothing is changed.
        """
        with self.database.writing() as session:
            (job, row), now = hold(session, unit.job.id, unit.id, unit.token), self.database.now()
            row.state, row.lease_until = UnitState.DONE, None
            end_attempt(session, unit.token, now, "done")
            job.timestamp, job.version, job.started_at = time.timestamp, time.version, now
            job.input_id, job.previous_id = stored(session, ids), previous
            moment = {"asked": job.at, "timestamp": time.timestamp.isoformat(), "version": time.version}
            append(session, job, now, "planned", steps=[step.name for step in steps], **moment)
            _start_all(session, job, steps, now)
            if steps:
                move(session, job, now, JobState.RUNNING)
            else:
                start_finish(session, job, now)

    def feed(self, unit: ClaimedUnit, ids: Sequence[int], parameters: Mapping[str, Any]) -> None:
        """Give a step what it works on, before it is planned; also to the copy that the worker holds."""
        with self.database.writing() as session:
            job, _ = hold(session, unit.job.id, unit.id, unit.token)
            job.input_id, job.parameters = stored(session, ids), dict(parameters)
            unit.job.input_id, unit.job.parameters = job.input_id, job.parameters

    def settle(self) -> int:
        """Count up the steps of pipelines, finish those whose steps have all ended, and return how many."""
        step, now = aliased(JobRow), self.database.now()
        has_steps = exists().where(step.parent_id == JobRow.id)
        waiting = select(JobRow.id).where(JobRow.state.in_([JobState.RUNNING, JobState.PAUSED]), has_steps)
        with self.database.reading() as session:
            found = list(session.scalars(waiting))
            due = [one for one in found if _is_due(session, one, self._counted.get(one), now)]
        self._counted = {one: now if one in due else self._counted[one] for one in found}
        return sum(self._settle(job_id) for job_id in due)

    def _settle(self, job_id: str) -> bool:
        with self.database.writing() as session:
            job, now = lock_job(session, job_id), self.database.now()
            if (job.resume_to or job.state) != JobState.RUNNING:
                return False
            steps = current_steps(session, job.id)
            is_over = all(JobState(step.state).ended for step in steps)
            if _count_up(job, steps) and not is_over:
                append(session, job, now, "progress")
            if is_over:
                start_finish(session, job, now)
            return is_over

    def steps(self, job_id: str) -> list[JobRow]:
        """List the jobs that a pipeline is made of, in their order."""
        with self.database.reading() as session:
            return current_steps(session, job_id)

    def runs_like(self, job: JobRow, limit: int = 100) -> list[JobRow]:
        """List earlier jobs of the same owner, kind, dataset and label that have results, the newest first."""
        same = (JobRow.owner == job.owner, JobRow.kind == job.kind, JobRow.dataset == job.dataset)
        earlier = (JobRow.label == job.label, JobRow.number < job.number, JobRow.parent_id.is_(None))
        done = JobRow.state.in_([JobState.SUCCEEDED, JobState.PARTIAL])
        with self.database.reading() as session:
            query = select(JobRow).where(*same, *earlier, done).order_by(JobRow.number.desc())
            return list(session.scalars(query.limit(limit)))

    def run_of_schedule(self, job: JobRow) -> JobRow | None:
        """Find the last run of the same schedule that has results, if the job is one's."""
        if job.schedule_id is None:
            return None
        earlier = (JobRow.schedule_id == job.schedule_id, JobRow.number < job.number, JobRow.kind == job.kind)
        query = select(JobRow).where(*earlier, JobRow.state.in_([JobState.SUCCEEDED, JobState.PARTIAL]))
        with self.database.reading() as session:
            return session.scalar(query.order_by(JobRow.number.desc()).limit(1))

    def spent(self, job_id: str) -> Effort:
        """Add up what the workers did for a job and its steps."""
        with self.database.reading() as session:
            return spent(session, job_id)


def current_steps(session: Session, job_id: str) -> list[JobRow]:
    """List the jobs that a pipeline is made of now: of several of one step, the newest."""
    rows = session.scalars(select(JobRow).where(JobRow.parent_id == job_id).order_by(JobRow.number))
    newest = {row.step: row for row in rows}
    return sorted(newest.values(), key=lambda row: row.number)


def start_again(session: Session, job: JobRow, now: datetime) -> bool:
    """Make the steps anew that did not succeed and those that come after them; False if there are none.

    What they did already is taken from there: results that exist serve again.
    """
    renewed: dict[str, str] = {}
    for step in current_steps(session, job.id):
        after = list(session.scalars(select(DependencyRow.after_id).where(DependencyRow.job_id == step.id)))
        if step.state == JobState.SUCCEEDED and not renewed.keys() & set(after):
            continue
        fields = {name: getattr(step, name) for name in _SAME_STEP} | {"reuse": True}
        made = _add(session, job, fields, [renewed.get(one, one) for one in after], now)
        renewed[step.id] = made.id
    return bool(renewed)


def _is_due(session: Session, job_id: str, counted: datetime | None, now: datetime) -> bool:
    if counted is None or now - counted >= _PAUSE:
        return True
    going_on = (JobRow.parent_id == job_id, JobRow.state.in_([state for state in JobState if not state.ended]))
    return session.scalar(select(JobRow.id).where(*going_on).limit(1)) is None


def _start_all(session: Session, job: JobRow, steps: Iterable[NewStep], now: datetime) -> None:
    made: dict[str, str] = {}
    nothing = stored(session, ())
    for step in steps:
        fields = {"kind": step.kind, "code_version": step.code_version, "queue": step.queue, "step": step.name}
        row = _add(
            session, job, fields | {"parameters": {}, "input_id": nothing}, [made[one] for one in step.after], now
        )
        made[step.name] = row.id


def _add(session: Session, job: JobRow, fields: Mapping[str, Any], after: Sequence[str], now: datetime) -> JobRow:
    """Add a step; the key names it, so that no step of a pipeline is there twice, whatever went wrong."""
    inherited = {name: getattr(job, name) for name in _INHERITED}
    times = func.count(JobRow.id)
    number = session.scalars(select(times).where(JobRow.parent_id == job.id, JobRow.step == fields["step"])).one()
    key = f"{job.id}:{fields['step']}:{number + 1}"
    row = JobRow(
        **inherited | dict(fields),
        id=secrets.token_hex(6),
        parent_id=job.id,
        idempotency_key=key,
        body_hash="",
        share_key=secrets.token_urlsafe(16),
        created_at=now,
    )
    begin = JobState.WAITING if after else JobState.PLANNING
    is_held = job.state == JobState.PAUSED
    row.state, row.resume_to = (JobState.PAUSED, begin) if is_held else (begin, None)
    session.add(row)
    session.flush()
    session.add_all(DependencyRow(job_id=row.id, after_id=one) for one in after)
    session.add(UnitRow(job_id=row.id, role=Role.PLAN))
    append(session, row, now, "submitted", kind=row.kind, label=row.label, parent=job.id, step=row.step)
    session.flush()
    return row


def _count_up(job: JobRow, steps: Sequence[JobRow]) -> bool:
    """Give a pipeline the counters of its steps, and say whether that changed any.

    A step that failed or was cancelled as a whole, without an item that did, counts as one more.
    """
    counts = {name: sum(getattr(step, name) for step in steps) for name in _COUNTERS}
    for state, name in ((JobState.FAILED, "failed"), (JobState.CANCELLED, "cancelled")):
        whole = sum(step.state == state and not getattr(step, name) for step in steps)
        counts[name] += whole
        counts["total"] += whole
    changed = any(getattr(job, name) != value for name, value in counts.items())
    for name, value in counts.items():
        setattr(job, name, value)
    return changed
