"""Whatever happens in whatever order, every item ends exactly once, every job ends, and no result is made in vain."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from crant_core.errors import CrantError, LeaseLost, MeshNotFound, SourceUnavailable, TimeLimit, WorkerLost, WrongState
from crant_core.jobs.model import ItemState, JobState, Role, UnitState
from crant_core.jobs.repository.planning import NewItem
from crant_core.jobs.repository.units import ClaimedUnit
from crant_core.jobs.tables import Base, ItemRow, JobRow, ResultRow, UnitRow
from tests.engine import ClockedDatabase, Engine, a_file, an_outcome

OPEN = (UnitState.QUEUED, UnitState.RUNNING)
ROLES = {JobState.WAITING: Role.PLAN, JobState.PLANNING: Role.PLAN, JobState.FINISHING: Role.FINISH}
ERRORS = (None, None, MeshNotFound(), SourceUnavailable())
WAYS = ("all", "first", "first and back")  #: of a unit's items: those done, and whether the job gets the others back
CHOICE = st.integers(0, 100)


class Interleavings(RuleBasedStateMachine):
    """Workers that claim, work, crash and come back from the dead, and people who change their minds."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = ClockedDatabase(f"sqlite:///{Path(self.folder.name)}/crant.sqlite")
        Base.metadata.create_all(self.database.engine)
        self.engine = Engine(self.database, window=2)  # so that jobs are cut a unit at a time
        self.jobs: list[tuple[JobRow, int]] = []
        self.held: list[ClaimedUnit] = []  #: in the hands of workers, living or thought dead
        self.tokens: list[tuple[int, str]] = []  #: messages that were delivered

    @initialize(error=st.sampled_from([MeshNotFound(), SourceUnavailable()]), how=st.sampled_from(WAYS))
    def begin(self, error: CrantError, how: str) -> None:
        """Every story begins in the middle of things: two jobs with results in common, and something that failed."""
        for owner, items in (("alice", 5), ("bob", 3)):
            self.submit(items=items, owner=owner, after=False, reuse=True)
            self._work(self.engine.claimed())
        self._work(self.engine.units.take_known(self.engine.claimed()), error, how=how)

    @rule(items=st.integers(1, 5), owner=st.sampled_from(["alice", "bob"]), after=st.booleans(), reuse=st.booleans())
    @precondition(lambda self: len(self.jobs) < 4)
    def submit(self, *, items: int, owner: str, after: bool, reuse: bool) -> None:
        others = [self.jobs[-1][0].id] if after and self.jobs else []
        self.jobs.append((self.engine.submit([1], owner=owner, after=others, reuse=reuse), items))

    @rule()
    def claim(self) -> None:
        if unit := self.engine.claim_next():
            self.tokens.append((unit.id, unit.token))
            self.held.append(self.engine.units.take_known(unit) if unit.role == Role.RUN else unit)

    @rule(choice=CHOICE)
    @precondition(lambda self: self.tokens)
    def deliver_again(self, choice: int) -> None:
        unit_id, token = self.tokens[choice % len(self.tokens)]
        assert self.engine.units.claim(unit_id, token, "again") is None

    @rule(choice=CHOICE)
    def a_message_comes_late(self, choice: int) -> None:
        """Units are to be had while they are queued and due, and their jobs go on, whoever heard of them and when."""
        wanted = select(UnitRow.id, UnitRow.state, UnitRow.job_id, UnitRow.not_before).order_by(UnitRow.id)
        with self.database.reading() as session:
            units = session.execute(wanted).all()
        unit = units[choice % len(units)]
        [job] = [job for job, _ in self.jobs if job.id == unit.job_id]
        is_due = unit.not_before is None or unit.not_before <= self.database.now()
        is_free = unit.state == UnitState.QUEUED and is_due and JobState(self.engine.see(job).state).active
        assert (self._claim(unit.id) is not None) == is_free

    def _claim(self, unit_id: int) -> ClaimedUnit | None:
        self.engine.tokens += 1
        unit = self.engine.units.claim(unit_id, f"token-{self.engine.tokens}", "late")
        if unit:
            self.held.append(self.engine.units.take_known(unit) if unit.role == Role.RUN else unit)
        return unit

    @rule(choice=CHOICE, death=st.sampled_from(["crash", "silence", "cancel"]), idle=st.booleans())
    @precondition(lambda self: self.held)
    def a_zombie_works(self, choice: int, death: str, *, idle: bool) -> None:
        """A worker loses its unit, somebody else takes it if it is to be had, and then the first one goes on."""
        unit = self.held.pop(choice % len(self.held))
        if not self.engine.units.is_held(unit):
            return
        if death == "crash":
            self.engine.units.give_back(unit.token, WorkerLost())
        elif death == "silence":
            self.pass_time(61)
        else:
            self.engine.control.cancel(unit.job.id)
        self._claim(unit.id)
        with pytest.raises(LeaseLost):
            self._work(replace(unit, items=()) if idle else unit)

    @rule(
        choice=CHOICE,
        error=st.sampled_from([None, None, MeshNotFound(), SourceUnavailable()]),
        how=st.sampled_from(WAYS),
    )
    @precondition(lambda self: self.held)
    def work(self, choice: int, error: CrantError | None, how: str) -> None:
        unit = self.held[choice % len(self.held)]
        is_holder = self.engine.units.is_held(unit)
        try:
            self._work(unit, error, how=how)
        except LeaseLost:
            self.held.remove(unit)
        else:
            assert is_holder, "a write under a lost lease took effect"

    def _work(self, unit: ClaimedUnit, error: CrantError | None = None, *, how: str = "all") -> None:
        if unit.role == Role.PLAN:
            count = {job.id: count for job, count in self.jobs}[unit.job.id]
            items = [NewItem(key=str(n), address=f"address {n}") for n in range(count)]
            if how == "first":
                self.engine.plans.begin(unit)
                self.engine.plans.add(unit, 0, items[:1])
            else:
                self.engine.plan(unit, items, 2)
        elif unit.role == Role.FINISH:
            self.engine.units.complete_finish(unit, [a_file("manifest.json")])
        elif how == "all" or not unit.items:
            self.engine.units.complete_run(unit, [an_outcome(item, error) for item in unit.items])
        elif how == "first and back":
            self.engine.units.complete_run(unit, [an_outcome(unit.items[0], error)], rest=unit.items[1:])
        else:
            self.engine.units.record(unit, [an_outcome(item, error) for item in unit.items[:1]])

    @rule(choice=CHOICE, error=st.sampled_from([WorkerLost(), WorkerLost(), TimeLimit(), SourceUnavailable()]))
    @precondition(lambda self: self.held)
    def give_back(self, choice: int, error: CrantError) -> None:
        unit = self.held[choice % len(self.held)]  # it stays in the worker's hands: a zombie
        self.engine.units.give_back(unit.token, error)

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def pass_time(self, seconds: int) -> None:
        self.engine.pass_time(seconds)

    @rule(choice=CHOICE, action=st.sampled_from(["cancel", "pause", "resume", "resume", "retry", "retry"]))
    @precondition(lambda self: self.jobs)
    def change(self, choice: int, action: str) -> None:
        job = self.jobs[choice % len(self.jobs)][0]
        before = self.engine.see(job).state
        try:
            getattr(self.engine.control, action)(job.id)
        except WrongState:
            assert self.engine.see(job).state == before

    @invariant()
    def counters_are_what_the_items_say(self) -> None:
        for job, _ in self.jobs:
            now, items = self.engine.see(job), self.engine.jobs.items(job.id)
            states = Counter(item.state for item in items)
            assert now.total == len(items)
            assert now.succeeded == states[ItemState.SUCCEEDED]
            assert now.failed == states[ItemState.FAILED] + states[ItemState.QUARANTINED]
            assert now.cancelled == states[ItemState.CANCELLED]
            assert now.uncut == sum(item.state == ItemState.PENDING and item.unit_id is None for item in items)
            assert len(self.engine.jobs.artifacts(job.id)) - states[ItemState.SUCCEEDED] in (0, 1)

    @invariant()
    def whatever_is_open_will_be_worked_on(self) -> None:
        with self.database.reading() as session:
            units = {row.id: row for row in session.scalars(select(UnitRow))}
            items = session.scalars(select(ItemRow).where(ItemRow.state == ItemState.PENDING)).all()
        for item in items:
            assert item.unit_id is None or units[item.unit_id].state in OPEN
        for job, _ in self.jobs:
            now = self.engine.see(job)
            roles = Counter(unit.role for unit in units.values() if unit.job_id == job.id and unit.state in OPEN)
            state = JobState(now.resume_to or now.state)
            if state.ended:
                assert not roles
            elif state is JobState.RUNNING:
                assert now.uncut or roles[Role.RUN]
                assert set(roles) <= {Role.RUN}
            else:
                assert roles == {ROLES[state]: 1}

    @invariant()
    def who_comes_after_another_begins_after_it(self) -> None:
        for job, _ in self.jobs:
            events = [event.type for event in self.engine.jobs.events(job.id)]
            for other in self.engine.jobs.after(job.id) if "planning" in events else ():
                assert {"succeeded", "partial"} & {event.type for event in self.engine.jobs.events(other)}

    @invariant()
    def nothing_succeeds_twice(self) -> None:
        for job, _ in self.jobs:
            events = self.engine.jobs.events(job.id)
            ends = Counter(event.data["key"] for event in events if event.type == "item_succeeded")
            assert all(count == 1 for count in ends.values())

    @invariant()
    def nobody_makes_what_another_is_making(self) -> None:
        at_work = [unit for unit in self.held if unit.job.reuse and self.engine.units.is_held(unit)]
        with self.database.reading() as session:
            is_open = set(session.scalars(select(ItemRow.id).where(ItemRow.state == ItemState.PENDING)))
        making = Counter(item.address for unit in at_work for item in unit.items if item.id in is_open)
        assert all(count == 1 for count in making.values())

    @invariant()
    def results_are_of_items_that_succeeded(self) -> None:
        made = select(ItemRow.state).join(ResultRow, ResultRow.item_id == ItemRow.id)
        with self.database.reading() as session:
            assert set(session.scalars(made)) <= {ItemState.SUCCEEDED}

    def teardown(self) -> None:
        self._finish_everything()
        for job, count in self.jobs:
            now = self.engine.see(job)
            assert JobState(now.state).ended
            if now.state in (JobState.SUCCEEDED, JobState.PARTIAL):
                assert now.succeeded + now.failed == now.total == count
        self.database.close()
        self.folder.cleanup()

    def _finish_everything(self) -> None:
        """Let an honest worker do what is left, after every lease has run out."""
        for job, _ in self.jobs:
            if self.engine.see(job).state == JobState.PAUSED:
                self.engine.control.resume(job.id)
        for _ in range(200):
            self.pass_time(301)
            unit = self.engine.claim_next()
            if unit is None and all(JobState(self.engine.see(job).state).ended for job, _ in self.jobs):
                return
            if unit:
                self._work(self.engine.units.take_known(unit) if unit.role == Role.RUN else unit)
        raise AssertionError("work never ends")


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
