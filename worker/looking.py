"""Other jobs as science sees them: those that it is told to read, those of its pipeline, and the run before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from crant_core.errors import InvalidParameters, NotFound, StoreUnavailable
from crant_core.jobs.artifacts import ArtifactStore
from crant_core.jobs.model import ItemState
from crant_core.jobs.repository.jobs import JobRepository, Viewer
from crant_core.jobs.repository.pipelines import PipelineRepository
from crant_core.jobs.repository.stored import EndedRow, StoredRepository
from crant_core.jobs.tables import ArtifactRow, JobRow, ResultRow
from crant_core.kinds.base import EarlierResult, EndedItem, JobResults, Spent
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.times import TimeBase


class Looker:
    """Reads jobs and their files."""

    def __init__(self, jobs: JobRepository, store: ArtifactStore) -> None:
        self.jobs = jobs
        self.store = store
        self.stored = StoredRepository(jobs.database)
        self.pipelines = PipelineRepository(jobs.database)

    def read(self, job_id: str, name: str, known: Mapping[str, str] | None = None) -> bytes:
        """Read a file of a job; raises `NotFound`. Those whose sha256 is `known` need not be asked for."""
        sha256 = (known or {}).get(name) or self.jobs.artifact(job_id, name).sha256
        return self.store.get(sha256)

    def results(self, job: JobRow) -> JobResults:
        """Describe a job to those who read its results."""
        return JobResults(
            id=job.id,
            kind=job.kind,
            label=job.label,
            parameters=job.parameters,
            state=job.state,
            error=job.error_message,
            time=TimeBase(job.at, job.timestamp, job.version) if job.timestamp else None,
            read=partial(self.read, job.id),
            items=lambda: map(_ended, self.stored.ended(job.id)),
            ids=partial(self.jobs.input_ids, job),
            spent=partial(self._spent, job),
            steps=lambda: {step.step or "": self.results(step) for step in self.pipelines.steps(job.id)},
        )

    def earlier(self, job: JobRow, addresses: Mapping[str, str]) -> dict[str, EarlierResult]:
        """Find the results of the run before, by key, from their addresses; what was removed since is left out."""
        previous = self.previous(job, None)
        if previous is None or previous.time is None:
            return {}
        until = previous.time.timestamp
        rows = self.stored.results(addresses.values())
        found = {key: rows[address] for key, address in addresses.items() if address in rows}
        files = self.stored.files(row.item_id for row in found.values() if row.item_id)
        return {key: self._earlier(row, files.get(row.item_id or 0, []), until) for key, row in found.items()}

    def _earlier(self, row: ResultRow, files: Sequence[ArtifactRow], until: datetime) -> EarlierResult:
        known = {file.name: file.sha256 for file in files}

        def read(name: str) -> bytes:
            if name not in known:
                raise NotFound(f"result {row.address} has no file {name}", value=name)
            try:
                return self.store.get(known[name])
            except NotFound as error:  # it was there a moment ago; who tries again looks first, and makes it anew
                raise StoreUnavailable(f"{name} of a run before has just gone: {error}", value=known[name]) from error

        return EarlierResult(metrics=row.metrics, read=read, until=until)

    def previous(self, job: JobRow, name: str | None) -> JobResults | None:
        """Find the run that a pipeline goes on from; once it was planned, the one that was found then.

        Raises
        ------
        InvalidParameters
            The job that is named is none of the same owner, kind and dataset.
        """
        if job.previous_id or job.timestamp:
            return self._known(job.previous_id)
        if name is not None:
            return self.results(self._named(job, name))
        if (of_schedule := self.pipelines.run_of_schedule(job)) is not None:
            return self.results(of_schedule)
        is_like = load_runner(get_kind(job.kind)).is_like
        like = (one for one in self.pipelines.runs_like(job) if is_like(self.results(one), self.results(job)))
        one = next(like, None)
        return self.results(one) if one else None

    def _known(self, job_id: str | None) -> JobResults | None:
        try:
            return self.results(self.jobs.get(job_id, Viewer(owner="", sees_all=True))) if job_id else None
        except NotFound:  # it was deleted since
            return None

    def _named(self, job: JobRow, name: str) -> JobRow:
        try:
            other = self.jobs.get(name, Viewer(owner=job.owner))
        except NotFound as error:
            raise InvalidParameters(f"there is no job {name} of yours", value=name, hint=error.hint) from error
        if (other.kind, other.dataset) != (job.kind, job.dataset):
            message = f"job {name} is {other.kind} of {other.dataset}, not {job.kind} of {job.dataset}"
            raise InvalidParameters(message, value=name, hint="name a run of the same kind and dataset")
        return other

    def _spent(self, job: JobRow) -> Spent:
        effort = self.pipelines.spent(job.id)
        return Spent(**effort._asdict(), items=job.total, reused=job.reused, failed=job.failed)


def _ended(row: EndedRow) -> EndedItem:
    return EndedItem(
        key=row.key,
        metrics=row.metrics,
        address=row.address,
        error_code=row.error_code or (None if row.state == ItemState.SUCCEEDED else row.state),
        error_message=row.error_message,
    )
