"""What tests of the job engine share: an engine on a database, and a science that does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from crant_core.errors import CrantError
from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState, Role
from crant_core.jobs.repository.control import ControlRepository
from crant_core.jobs.repository.cutting import cut
from crant_core.jobs.repository.dispatch import DispatchRepository
from crant_core.jobs.repository.jobs import JobRepository, NewJob, Viewer
from crant_core.jobs.repository.planning import CHUNK, NewItem, PlanRepository
from crant_core.jobs.repository.recording import Outcome, StoredFile
from crant_core.jobs.repository.units import ClaimedUnit, UnitRepository
from crant_core.jobs.tables import ItemRow, JobRow, UnitRow
from crant_core.times import TimeBase

ALICE = Viewer(owner="alice")
NOON = TimeBase(asked="live", timestamp=datetime(2026, 11, 1, 12, tzinfo=UTC))
ROOT = 576460754037774276


class ClockedDatabase(Database):
    """A database whose time stands still until a test moves it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.moment = datetime(2026, 11, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def pass_time(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Engine:
    """The repositories on one database, and short words for what tests do with them."""

    database: Database
    lease_seconds: float = 60
    max_attempts: int = 3
    window: int = 8
    tokens: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.jobs = JobRepository(self.database)
        self.units = UnitRepository(self.database, lease_seconds=self.lease_seconds, max_attempts=self.max_attempts)
        self.plans = PlanRepository(self.units)
        self.control = ControlRepository(self.database)
        self.dispatch = DispatchRepository(self.units, window=self.window, rehint_seconds=30)

    def submit(self, ids: Iterable[int] = (ROOT,), owner: str = "alice", **fields: Any) -> JobRow:
        """Submit a job as the API would."""
        usual = {"kind": "skeletonize", "code_version": 1, "dataset": "demo", "parameters": {}, "at": "live"}
        new = NewJob(**usual | {"owner": owner, "ids": list(ids), "body_hash": "0" * 64} | fields)
        return self.jobs.submit(new)[0]

    def see(self, job: JobRow) -> JobRow:
        """Look at a job as it is now."""
        return self.jobs.get(job.id, Viewer(owner="", sees_all=True))

    def claim_next(self) -> ClaimedUnit | None:
        """Claim the next unit that would be offered."""
        self.dispatch.lead("test")
        due = self.dispatch.due()
        self.dispatch.withdraw(unit.id for unit in due)
        self.tokens += 1
        return self.units.claim(due[0].id, f"token-{self.tokens}", "worker") if due else None

    def claimed(self) -> ClaimedUnit:
        """Claim the next unit; there must be one."""
        unit = self.claim_next()
        assert unit is not None
        return unit

    def planned(self, keys: Iterable[str], items_per_unit: int = 1, **fields: Any) -> JobRow:
        """Submit a job and plan it with these items."""
        job = self.submit(**fields)
        self.plan(self.claim_plan(job), [NewItem(key=key) for key in keys], items_per_unit)
        return self.see(job)

    def plan(self, unit: ClaimedUnit, items: Sequence[NewItem], items_per_unit: int = 1) -> None:
        """Store a plan as the runner does; units have this many items whatever they cost."""
        self.plans.begin(unit)
        for start in range(0, len(items), CHUNK):
            self.plans.add(unit, start, items[start : start + CHUNK])
        self.plans.complete(unit, NOON, first_size=items_per_unit, largest_size=items_per_unit)

    def claim_plan(self, job: JobRow) -> ClaimedUnit:
        """Claim this job's plan, whatever would be offered first."""
        return self._claim(job, Role.PLAN)

    def claim_run(self, job: JobRow) -> ClaimedUnit:
        """Claim this job's first run unit, whatever would be offered first."""
        cut(self.database, job.id, 1)
        return self._claim(job, Role.RUN)

    def _claim(self, job: JobRow, role: Role) -> ClaimedUnit:
        wanted = select(UnitRow.id).where(UnitRow.job_id == job.id, UnitRow.role == role).order_by(UnitRow.id)
        with self.database.reading() as session:
            unit_id = session.scalars(wanted).first()
        assert unit_id is not None
        unit = self.units.claim(unit_id, f"{role}-{job.id}", "worker")
        assert unit is not None
        return unit

    def run_all(self, job: JobRow, fail: Callable[[str], CrantError | None] = lambda _: None) -> JobRow:
        """Do a job to its end, the time passing as fast as needed."""
        for _ in range(200):
            unit = self.claim_next()
            if unit is None:
                self.pass_time(40)
            elif unit.role == Role.FINISH:
                self.units.complete_finish(unit, [a_file("manifest.json")])
            else:
                self.units.complete_run(unit, [an_outcome(item, fail(item.key)) for item in unit.items])
            if JobState(self.see(job).state).ended:
                return self.see(job)
        raise AssertionError("the job does not end")

    def pass_time(self, seconds: float) -> None:
        """Let time pass and the dispatcher look after jobs."""
        assert isinstance(self.database, ClockedDatabase)
        self.database.pass_time(seconds)
        self.dispatch.expire()
        self.dispatch.look_after()

    def run_unit(self, fail: Callable[[str], CrantError | None] = lambda _: None, seconds: float = 0.1) -> ClaimedUnit:
        """Do the next run unit: each item succeeds with one file, unless `fail` says otherwise."""
        unit = self.claimed()
        self.units.complete_run(unit, [an_outcome(item, fail(item.key)) for item in unit.items], seconds=seconds)
        return unit


def an_outcome(item: ItemRow, error: CrantError | None = None, **fields: Any) -> Outcome:
    """What became of an item: one file, unless there was an error."""
    usual: dict[str, Any] = {"metrics": {"n_nodes": 3}, "files": [a_file(f"{item.key}.swc")]}
    if error:
        usual = {"error": error, "traceback": "trace"}
    return Outcome(**{"item": item, "seconds": 0.1} | usual | fields)


def a_file(name: str) -> StoredFile:
    """A stored file as the runner would describe it."""
    return StoredFile(name=name, media_type="text/plain", size=3, sha256="a" * 64, meta={"units": "nm"})
