"""What must hold of a job that has ended, whatever was done to those who worked on it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crant_core.kinds.chaos.spec import content
from sqlalchemy import func, select

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.ending import OPEN
from crant_core.jobs.tables import ArtifactRow, AttemptRow, EventRow, InputRow, ItemRow, JobRow, ResultRow, UnitRow

JOB_FILES = {"sums.txt", "manifest.json"}
_ENDS = ("item_succeeded", "item_failed")


@dataclass(frozen=True)
class Verdict:
    """What was found of one job."""

    items: int
    attempts: int  #: of all units: plan, runs and finish
    deaths: int  #: attempts that ended with their process, or whose worker fell silent
    most_tries: int  #: attempts at one unit
    lost: int  #: items without a result
    doubled: int  #: items that ended more than once
    torn: int  #: artifacts whose bytes are not those that were meant


class Witness:
    """Reads everything there is of one job."""

    def __init__(self, database: Database, job_id: str, store: CloudStore) -> None:
        self.store, self.was_retried = store, False
        with database.reading() as session:
            self.job = session.scalars(select(JobRow).where(JobRow.id == job_id)).one()
            self.ids = session.scalars(select(InputRow.count).where(InputRow.id == self.job.input_id)).one()
            of_job = {row: select(row).where(row.job_id == job_id) for row in (ItemRow, UnitRow, EventRow, ArtifactRow)}
            self.items = session.scalars(of_job[ItemRow].order_by(ItemRow.position)).all()
            self.units = session.scalars(of_job[UnitRow].order_by(UnitRow.id)).all()
            self.events = session.scalars(of_job[EventRow].order_by(EventRow.id)).all()
            self.files = session.scalars(of_job[ArtifactRow].order_by(ArtifactRow.id)).all()
            self.attempts = session.scalars(select(AttemptRow).where(AttemptRow.job_id == job_id)).all()
            claims = select(func.count()).where(ResultRow.item_id.is_(None), ResultRow.address.in_(self._addresses()))
            self.unmade = session.scalars(claims).one()

    def _addresses(self) -> Any:
        wanted = (ItemRow.job_id == self.job.id, ItemRow.state == "succeeded")
        return select(ItemRow.address).where(*wanted)

    def forget_before_retry(self) -> None:
        """Look only at what happened since the job was started again."""
        self.was_retried = True
        last = max(event.id for event in self.events if event.type == "retried")
        self.events = [event for event in self.events if event.id > last]

    def verdict(self) -> Verdict:
        """Count what matters; `assert_right` says what must be 0."""
        ends = Counter(event.data["key"] for event in self.events if event.type in _ENDS)
        tries = Counter(attempt.unit_id for attempt in self.attempts)
        return Verdict(
            items=len(self.items),
            attempts=len(self.attempts),
            deaths=sum(attempt.outcome in ("worker_lost", "time_limit") for attempt in self.attempts),
            most_tries=max(tries.values(), default=0),
            lost=self.ids
            - sum(item.state != "pending" and (self.was_retried or ends[item.key] > 0) for item in self.items),
            doubled=sum(count > 1 for count in ends.values()),
            torn=len(list(self._torn())),
        )

    def _torn(self) -> Iterator[str]:
        """Name the artifacts that are not what their item's key says, or what their checksum says."""
        salt, size = self.job.parameters["salt"], self.job.parameters["size"]
        for file in self.files:
            data = self.store.get(file.sha256)  # raises if the bytes are not those of the checksum
            meant = data if file.item_id is None else content(file.name.removesuffix(".bin"), salt, size)
            if data != meant or len(data) != file.size:
                yield file.name


def assert_right(witness: Witness, failing: Mapping[int, str] | None = None, *, retried: bool = False) -> Verdict:
    """Hold a job to everything that was promised; `failing` are the ids that must fail, and their codes."""
    if retried:
        witness.forget_before_retry()
    verdict = witness.verdict()
    assert (verdict.lost, verdict.doubled, verdict.torn) == (0, 0, 0), verdict
    _assert_ended(witness, failing or {})
    _assert_files(witness)
    _assert_units(witness)
    _assert_events(witness)
    return verdict


def _assert_ended(witness: Witness, failing: Mapping[int, str]) -> None:
    job, items = witness.job, witness.items
    failed = {int(item.key): item.error_code for item in items if item.state != "succeeded"}
    told = {item.error_message: item.traceback for item in items if int(item.key) in failed.keys() - failing.keys()}
    assert failed.keys() == failing.keys(), f"{job.error_message} {told} {failed}"
    assert all(re.fullmatch(failing[key], code or "") for key, code in failed.items()), failed
    assert job.state == (JobState.PARTIAL if failing else JobState.SUCCEEDED), job.error_message
    assert (job.total, job.succeeded, job.failed) == (witness.ids, witness.ids - len(failing), len(failing))
    assert [item.position for item in items] == list(range(witness.ids))
    assert len({item.key for item in items}) == witness.ids
    assert (job.uncut, job.cancelled, witness.unmade) == (0, 0, 0)


def _assert_files(witness: Witness) -> None:
    expected = {f"{item.key}.bin": item.id for item in witness.items if item.state == "succeeded"}
    expected |= dict.fromkeys(JOB_FILES)
    assert {file.name: file.item_id for file in witness.files} == expected
    assert len(witness.files) == len(expected)
    sums = next(file for file in witness.files if file.name == "sums.txt")
    told = dict(line.split() for line in witness.store.get(sums.sha256).decode().splitlines())
    assert told == {file.name.removesuffix(".bin"): file.sha256 for file in witness.files if file.item_id}


def _assert_units(witness: Witness) -> None:
    assert [unit.id for unit in witness.units if unit.state in OPEN] == [], "a unit was left open"
    assert all(unit.lease_until is None for unit in witness.units)
    assert all(attempt.outcome and attempt.ended_at for attempt in witness.attempts), "an attempt never ended"
    finished = [unit for unit in witness.units if unit.role == "finish"]
    assert len(finished) == 1 + witness.was_retried, "the results were merged once"


def _assert_events(witness: Witness) -> None:
    """Events tell the same story as the rows: in order, counters that only grow, one of each turn."""
    types = [event.type for event in witness.events]
    once = ["submitted", "planned", "running", "finishing", witness.job.state]
    turns = [name for name in types if name in once]
    assert turns[-2:] == once[-2:] if witness.was_retried else turns == once, turns
    done = [event.data["succeeded"] + event.data["failed"] for event in witness.events if event.type != "planned"]
    assert done == sorted(done)
    counts = Counter(types)
    if not witness.was_retried:
        assert (counts["item_succeeded"], counts["item_failed"]) == (witness.job.succeeded, witness.job.failed)


def assert_store_is_sound(store: CloudStore) -> int:
    """Check that every file in the store has the bytes its name says; return how many there are."""
    assert store.folder is not None
    files = [path for path in store.folder.glob("*/*") if not path.name.endswith(".draft")]
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, path
    return len(files)
