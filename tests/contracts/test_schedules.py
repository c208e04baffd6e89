"""Schedules on both databases, their time moved by hand: which slots make jobs, and what becomes of the others."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from crant_core.errors import DependencyFailed, IdempotencyMismatch, NameTaken, NotFound, WrongState
from crant_core.jobs.model import JobState, Queue
from crant_core.jobs.repository.firing import FiringRepository, job_of
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.kinds.registry import get_kind
from tests.contracts.schedules import DAY, HOUR, Lab, a_schedule, utc
from tests.engine import ALICE, ROOT, Engine
from worker.schedules import StandIn

FIRST = utc(2026, 11, 1, 7)  #: 02:00 in New York, on the day on which summer time ends


@pytest.fixture
def lab(engine: Engine) -> Lab:
    return Lab(engine)


class TestSlots:
    def test_a_slot_makes_one_job_when_it_has_come_and_none_before(self, lab: Lab) -> None:
        schedule = lab.create(label="projection neurons", priority=3)
        assert (schedule.next_slot, lab.look(FIRST - timedelta(seconds=1))) == (FIRST, 0)
        assert (lab.look(FIRST), lab.look(), lab.look(FIRST + HOUR)) == (1, 0, 0)
        [job] = lab.runs(schedule)
        assert (job.slot, job.owner, job.label, job.priority) == (FIRST, "alice", "projection neurons", 3)
        assert (job.kind, job.code_version) == ("skeletonize", get_kind("skeletonize").code_version)
        assert lab.engine.jobs.input_ids(job) == [ROOT]
        assert job.parameters["heal"] is True, "the kind's defaults are filled in when the slot comes"
        seen = lab.see(schedule)
        assert (seen.last_slot, seen.next_slot) == (FIRST, FIRST + DAY)

    def test_the_job_is_worked_on_like_any_other(self, lab: Lab) -> None:
        schedule = lab.create()
        lab.look(FIRST)
        [job] = lab.runs(schedule)
        unit = lab.engine.claim_plan(job)
        assert unit.job.id == job.id
        assert lab.engine.jobs.events(job.id)[0].type == "submitted"

    def test_a_night_that_summer_time_leaves_out_or_repeats_has_one_run(self, lab: Lab) -> None:
        lab.database.moment = utc(2026, 3, 7, 12)
        night = lab.create(name="in the gap", cron="30 2 * * *")
        twice = lab.create(name="twice", cron="30 1 * * *")
        for hours in range(24 * 3):
            lab.look(utc(2026, 3, 7, 12) + hours * HOUR)
        assert lab.slots(night) == [utc(2026, 3, 8, 7), utc(2026, 3, 9, 6, 30), utc(2026, 3, 10, 6, 30)]
        for hours in range(24 * 2):
            lab.look(utc(2026, 10, 31, 12) + hours * HOUR)
        in_autumn = [slot for slot in lab.slots(twice) if slot and slot > utc(2026, 10, 31, 12)]
        assert in_autumn == [utc(2026, 11, 1, 5, 30), utc(2026, 11, 2, 6, 30)]

    def test_jitter_delays_the_run_and_is_the_same_for_everybody(self, lab: Lab) -> None:
        schedule = lab.create(jitter_seconds=3600)
        begins = schedule.next_at
        assert begins is not None
        assert FIRST < begins < FIRST + HOUR
        assert (lab.look(begins - timedelta(seconds=1)), lab.look(begins)) == (0, 1)
        assert lab.slots(schedule) == [FIRST]


class TestMissed:
    def test_of_missed_nights_the_last_is_caught_up_with_once(self, lab: Lab) -> None:
        schedule = lab.create(catch_up="once")
        assert lab.look(FIRST + 3 * DAY + 5 * HOUR) == 1
        assert lab.slots(schedule) == [FIRST + 3 * DAY]
        assert lab.skips(schedule) == [("missed", FIRST, 3)]
        assert lab.see(schedule).next_slot == FIRST + 4 * DAY

    def test_missed_nights_are_left_out_and_said_so(self, lab: Lab) -> None:
        schedule = lab.create(catch_up="none")
        assert lab.look(FIRST + 3 * DAY + 5 * HOUR) == 0
        assert lab.skips(schedule) == [("missed", FIRST, 4)]
        assert lab.look(FIRST + 4 * DAY + timedelta(seconds=200)) == 1, "a little late is not missed"
        assert lab.slots(schedule) == [FIRST + 4 * DAY]

    def test_night_after_night_left_out_is_one_entry(self, lab: Lab) -> None:
        schedule = lab.create(catch_up="none")
        for night in range(5):
            lab.look(FIRST + night * DAY + HOUR)
        assert lab.skips(schedule) == [("missed", FIRST, 5)]

    def test_a_clock_that_goes_back_repeats_nothing(self, lab: Lab) -> None:
        schedule = lab.create(overlap="queue")
        lab.look(FIRST)
        lab.look(FIRST - 2 * HOUR)
        lab.schedules.change(schedule.id, a_schedule(cron="0 */2 * * *", zone="UTC"))
        assert lab.see(schedule).next_slot == utc(2026, 11, 1, 8), "after the last one that was run"
        lab.look(FIRST + timedelta(minutes=1))
        assert lab.slots(schedule) == [FIRST]


class TestOverlap:
    def two_nights(self, lab: Lab, overlap: str) -> None:
        self.schedule = lab.create(overlap=overlap)
        lab.look(FIRST)
        lab.look(FIRST + DAY)

    def test_skip_leaves_the_slot_out_and_names_the_run(self, lab: Lab) -> None:
        self.two_nights(lab, "skip")
        [job] = lab.runs(self.schedule)
        assert lab.skips(self.schedule) == [("overlap", FIRST + DAY, 1)]
        assert job.id in lab.skip_rows(self.schedule)[0].detail
        lab.end(job)
        lab.look(FIRST + 2 * DAY)
        assert lab.slots(self.schedule) == [FIRST, FIRST + 2 * DAY]

    def test_queue_comes_after_the_running_one_however_that_ends(self, lab: Lab) -> None:
        self.two_nights(lab, "queue")
        first, second = lab.runs(self.schedule)
        assert (second.state, lab.engine.jobs.after(second.id)) == (JobState.WAITING, [first.id])
        lab.end(first)
        lab.engine.dispatch.look_after()
        assert lab.engine.see(second).state == JobState.PLANNING

    def test_who_needs_the_one_before_still_fails_with_it(self, lab: Lab) -> None:
        first = lab.engine.submit()
        second = lab.engine.submit(after=[first.id])
        lab.end(first)
        lab.engine.dispatch.look_after()
        assert lab.engine.see(second).error_code == DependencyFailed.code

    def test_a_queue_does_not_grow_for_ever(self, lab: Lab) -> None:
        schedule = lab.create(overlap="queue")
        for night in range(15):
            lab.look(FIRST + night * DAY)
        assert len(lab.runs(schedule)) == 10
        assert lab.skips(schedule) == [("overlap", FIRST + 10 * DAY, 5)]

    def test_cancel_previous_ends_it(self, lab: Lab) -> None:
        self.two_nights(lab, "cancel_previous")
        first, second = lab.runs(self.schedule)
        assert (first.state, second.state) == (JobState.CANCELLED, JobState.PLANNING)
        assert lab.engine.jobs.after(second.id) == []


class TestChanges:
    def test_a_change_counts_at_the_next_look_without_a_restart(self, lab: Lab) -> None:
        schedule = lab.create()
        lab.look(FIRST - HOUR)
        lab.schedules.change(
            schedule.id, a_schedule(cron="30 6 * * *", zone="UTC", parameters={"formats": ["parquet"]})
        )
        assert lab.look(FIRST - timedelta(minutes=30)) == 1
        [job] = lab.runs(schedule)
        assert (job.slot, job.parameters["formats"]) == (FIRST - timedelta(minutes=30), ["parquet"])

    def test_a_change_of_the_job_alone_does_not_move_the_slots(self, lab: Lab) -> None:
        schedule = lab.create(every_seconds=7200, zone="UTC")
        lab.database.pass_time(3600)
        changed = lab.schedules.change(schedule.id, a_schedule(every_seconds=7200, zone="UTC", label="other"))
        assert (changed.next_slot, changed.revision) == (schedule.next_slot, 2)

    def test_who_looked_before_the_change_stores_nothing(self, lab: Lab) -> None:
        schedule = lab.create()
        lab.database.moment = FIRST
        [seen] = lab.looker.firing.due()
        lab.schedules.change(schedule.id, a_schedule(label="other"))
        assert lab.looker._fire(seen) is False
        assert lab.look() == 1
        assert [job.label for job in lab.runs(schedule)] == ["other"]

    def test_disabled_nothing_is_run_and_nothing_is_made_up_for_later(self, lab: Lab) -> None:
        schedule = lab.create()
        assert lab.schedules.change(schedule.id, a_schedule(enabled=False)).next_slot is None
        assert lab.look(FIRST + 3 * DAY) == 0
        lab.schedules.change(schedule.id, a_schedule())
        assert lab.look() == 0
        assert lab.look(FIRST + 4 * DAY) == 1
        assert (lab.slots(schedule), lab.skips(schedule)) == ([FIRST + 4 * DAY], [])

    def test_a_slot_that_a_change_overtakes_is_told(self, lab: Lab) -> None:
        schedule = lab.create()
        lab.database.moment = FIRST + timedelta(seconds=5)
        lab.schedules.change(schedule.id, a_schedule(enabled=False))
        assert lab.skips(schedule) == [("changed", FIRST, 1)]

    def test_deleted_its_runs_stay_and_go_on(self, lab: Lab) -> None:
        schedule = lab.create(catch_up="none")
        lab.look(FIRST + DAY)  # one of two is missed
        lab.schedules.delete(schedule.id)
        with pytest.raises(NotFound):
            lab.see(schedule)
        [job] = lab.runs(schedule)
        assert (job.schedule_id, job.state) == (schedule.id, JobState.PLANNING)
        assert lab.look(FIRST + 2 * DAY) == 0


class TestInvalid:
    def test_what_a_new_version_refuses_is_told_and_the_schedule_stays(self, lab: Lab) -> None:
        schedule = lab.create(parameters={"heal": True, "removed_since": 5})
        assert lab.look(FIRST) == 0
        seen = lab.see(schedule)
        assert (seen.error_code, seen.enabled, seen.next_slot) == ("invalid_parameters", True, FIRST + DAY)
        assert "removed_since" in str(seen.error_message)
        assert lab.skips(schedule) == [("invalid", FIRST, 1)]
        assert "removed_since" in lab.skip_rows(schedule)[0].detail
        lab.schedules.change(schedule.id, a_schedule())
        assert lab.see(schedule).error_code is None
        assert lab.look(FIRST + DAY) == 1

    @pytest.mark.parametrize(
        ("field", "value", "code"), [("kind", "abolished", "unknown_kind"), ("dataset", "gone", "unknown_dataset")]
    )
    def test_kinds_and_datasets_that_are_gone_are_told(self, lab: Lab, field: str, value: str, code: str) -> None:
        schedule = lab.create(**{field: value})
        assert lab.look(FIRST) == 0
        assert lab.see(schedule).error_code == code

    def test_an_abolished_time_zone_disables_the_schedule_and_the_others_go_on(self, lab: Lab) -> None:
        bad, good = lab.create(name="bad"), lab.create(name="good")
        with lab.database.writing() as session:
            row = session.merge(lab.see(bad))
            row.zone, row.next_at = "Mars/Olympus", FIRST - HOUR
        assert lab.look(FIRST) == 1
        assert (lab.see(bad).enabled, lab.see(bad).error_code) == (False, "invalid_parameters")
        assert lab.slots(good) == [FIRST]

    def test_a_bug_with_one_schedule_keeps_no_other_from_running(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad, good = lab.create(name="bad"), lab.create(name="good")
        describe = lab.looker._job

        def breaks(schedule: ScheduleRow) -> object:
            if schedule.id == bad.id:
                raise ZeroDivisionError
            return describe(schedule)

        monkeypatch.setattr(lab.looker, "_job", breaks)
        assert lab.look(FIRST) == 1
        assert (lab.slots(good), lab.see(bad).next_slot) == ([FIRST], FIRST)
        monkeypatch.undo()
        assert lab.look() == 1, "it stayed due"


class TestTwoBeats:
    def test_many_lookers_at_one_moment_make_one_job_for_each_slot(self, lab: Lab) -> None:
        schedules = [lab.create(name=f"number {number}") for number in range(5)]
        lookers = [lab.another_looker() for _ in range(4)]
        with ThreadPoolExecutor(len(lookers)) as pool:
            for night in range(4):
                lab.database.moment = FIRST + night * DAY
                made = list(pool.map(lambda looker: looker.look("test"), lookers))
                assert sum(made) == len(schedules)
        for schedule in schedules:
            assert lab.slots(schedule) == [FIRST + night * DAY for night in range(4)]
            assert lab.skips(schedule) == []

    def test_a_worker_stands_in_while_nobody_looks_and_only_then(self, lab: Lab) -> None:
        schedule, seconds = lab.create(), [0.0]
        stand_in = StandIn(lab.looker, "worker", 10, clock=lambda: seconds[0])
        lab.look(FIRST - timedelta(seconds=30))
        lab.database.moment = FIRST
        assert stand_in.turn() == 0, "the last look was half a minute ago"
        lab.database.moment = FIRST + timedelta(seconds=31)
        assert stand_in.turn() == 0, "it asked a moment ago"
        seconds[0] = 10.0
        assert stand_in.turn() == 1
        assert lab.slots(schedule) == [FIRST]


class TestRunNow:
    def test_it_is_a_run_without_a_slot_and_moves_nothing(self, lab: Lab) -> None:
        schedule = lab.create(overlap="skip")
        firing = FiringRepository(lab.engine.jobs)
        new = job_of(schedule, 4, Queue.CPU, {}, owner="alice", key="once")
        job, is_new = firing.run_now(schedule, new)
        assert (job.slot, job.schedule_id, is_new) == (None, schedule.id, True)
        again, is_again_new = firing.run_now(schedule, new)
        assert (again.id, is_again_new) == (job.id, False)
        assert lab.see(schedule).next_slot == FIRST
        with pytest.raises(WrongState):
            firing.run_now(schedule, dataclasses.replace(new, idempotency_key=None))


class TestKeeping:
    def test_the_same_request_is_the_same_schedule(self, lab: Lab) -> None:
        keep = lab.schedules.create
        first, is_new = keep(a_schedule(), "alice", body_hash="a" * 64, idempotency_key="k")
        again, is_again_new = keep(a_schedule(), "alice", body_hash="a" * 64, idempotency_key="k")
        assert (first.id == again.id, is_new, is_again_new) == (True, True, False)
        with pytest.raises(IdempotencyMismatch):
            keep(a_schedule(name="other"), "alice", body_hash="b" * 64, idempotency_key="k")

    def test_a_name_is_taken_once_by_each_owner(self, lab: Lab) -> None:
        lab.create()
        with pytest.raises(NameTaken):
            lab.create()
        other = lab.create(owner="bob")
        assert [one.owner for one in lab.schedules.all(Viewer(owner="", sees_all=True))] == ["alice", "bob"]
        with pytest.raises(NotFound):
            lab.schedules.get(other.id, ALICE)
        with pytest.raises(NameTaken):
            lab.schedules.change(lab.create(name="second").id, a_schedule(name="nightly"))
