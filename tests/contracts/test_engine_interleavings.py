"""Whatever happens in whatever order, every item ends exactly once and every job ends."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crant_core.errors import LeaseLost, MeshNotFound, SourceUnavailable, WorkerLost
from crant_core.jobs.model import ItemState, JobState, Role, UnitState
from crant_core.jobs.repository.units import ClaimedUnit, NewItem
from crant_core.jobs.tables import Base, JobRow, UnitRow
from tests.engine import NOON, ClockedDatabase, Engine, a_file


class Interleavings(RuleBasedStateMachine):
    """Workers that claim, work, crash and come back from the dead, on one database."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = ClockedDatabase(f"sqlite:///{Path(self.folder.name)}/crant.sqlite")
        Base.metadata.create_all(self.database.engine)
        self.engine = Engine(self.database)
        self.jobs: list[tuple[JobRow, int]] = []
        self.held: list[ClaimedUnit] = []  #: in the hands of workers, living or thought dead

    @rule(items=st.integers(1, 4), owner=st.sampled_from(["alice", "bob"]))
    @precondition(lambda self: len(self.jobs) < 4)
    def submit(self, items: int, owner: str) -> None:
        self.jobs.append((self.engine.submit(range(1, items + 1), owner=owner), items))

    @rule()
    def claim(self) -> None:
        if unit := self.engine.claim_next():
            self.held.append(unit)

    @rule(choice=st.integers(0, 100), fails=st.booleans(), whole=st.booleans())
    @precondition(lambda self: self.held)
    def work(self, choice: int, fails: bool, whole: bool) -> None:
        unit = self.held[choice % len(self.held)]
        is_holder = self._is_holder(unit)
        try:
            self._work(unit, fails=fails, whole=whole)
        except LeaseLost:
            self.held.remove(unit)
        else:
            assert is_holder, "a write under a lost lease took effect"

    def _is_holder(self, unit: ClaimedUnit) -> bool:
        with self.database.reading() as session:
            row = session.get_one(UnitRow, unit.id)
            return (row.token, row.state) == (unit.token, UnitState.RUNNING)

    def _work(self, unit: ClaimedUnit, *, fails: bool, whole: bool) -> None:
        if unit.role == Role.PLAN:
            count = {job.id: count for job, count in self.jobs}[unit.job.id]
            self.engine.units.complete_plan(unit, NOON, [NewItem(key=str(n), metrics={}) for n in range(count)], 2)
        elif unit.role == Role.FINISH:
            self.engine.units.complete_finish(unit, [a_file("manifest.json")])
        else:
            for item in unit.items:
                self._end_item(unit, item, fails=fails)
                if not whole:
                    return
            self.engine.units.complete_run(unit)

    def _end_item(self, unit: ClaimedUnit, item: object, *, fails: bool) -> None:
        if fails:
            self.engine.units.fail_item(unit, item, MeshNotFound(), "", 0.1)
        else:
            self.engine.units.succeed_item(unit, item, {}, [a_file(f"{item.key}.swc")], 0.1)

    @rule(choice=st.integers(0, 100), lost=st.booleans())
    @precondition(lambda self: self.held)
    def give_back(self, choice: int, lost: bool) -> None:
        unit = self.held[choice % len(self.held)]  # it stays in the worker's hands: a zombie
        self.engine.units.give_back(unit.token, WorkerLost() if lost else SourceUnavailable())

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def pass_time(self, seconds: int) -> None:
        self.database.pass_time(seconds)
        self.engine.dispatch.expire()

    @invariant()
    def counters_are_what_the_items_say(self) -> None:
        for job, _ in self.jobs:
            now, items = self.engine.see(job), self.engine.jobs.items(job.id)
            states = Counter(item.state for item in items)
            assert (now.total, now.succeeded, now.failed) == (
                len(items),
                states[ItemState.SUCCEEDED],
                states[ItemState.FAILED],
            )

    @invariant()
    def nothing_ends_twice(self) -> None:
        for job, _ in self.jobs:
            events = self.engine.jobs.events(job.id)
            ends = Counter(event.data["key"] for event in events if event.type.startswith("item_"))
            assert all(count == 1 for count in ends.values())
            assert sum(JobState(event.type).ended for event in events if event.type in list(JobState)) <= 1

    def teardown(self) -> None:
        self._finish_everything()
        for job, count in self.jobs:
            now = self.engine.see(job)
            assert JobState(now.state).ended
            if now.error_code is None:
                assert now.succeeded + now.failed == now.total == count
        self.database.close()
        self.folder.cleanup()

    def _finish_everything(self) -> None:
        """Let an honest worker do what is left, after every lease has run out."""
        for _ in range(100):
            self.pass_time(61)
            unit = self.engine.claim_next()
            if unit is None and all(JobState(self.engine.see(job).state).ended for job, _ in self.jobs):
                return
            if unit:
                self._work(unit, fails=False, whole=True)
        raise AssertionError("work never ends")


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
