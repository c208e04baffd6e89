"""Slots of schedules: hand-computed, with a clock that is handed in."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.errors import InvalidParameters
from crant_core.jobs.timetable import (
    CatchUp,
    Cron,
    Every,
    Reckoning,
    Span,
    Timetable,
    jittered,
    reckon,
    shortest_gap,
    upcoming,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHTLY = Cron("0 2 * * *", "America/New_York")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def reckoned(timetable: Timetable, after: datetime, now: datetime, catch_up: CatchUp, **begins: Any) -> Reckoning:
    return reckon(timetable, after, now, catch_up=catch_up, grace=HOUR, **begins)


def due(timetable: Timetable, after: datetime, now: datetime, catch_up: CatchUp) -> datetime | None:
    return reckoned(timetable, after, now, catch_up).run


class TestCron:
    def test_a_night_in_new_york_is_a_morning_in_utc(self):
        assert upcoming(NIGHTLY, utc(2026, 1, 10), 2) == [utc(2026, 1, 10, 7), utc(2026, 1, 11, 7)]

    def test_in_summer_it_is_an_hour_earlier_in_utc(self):
        assert upcoming(NIGHTLY, utc(2026, 7, 10), 1) == [utc(2026, 7, 10, 6)]

    def test_a_time_that_the_change_to_summer_leaves_out_comes_right_after_it(self):
        # on 8 March 2026 02:00 does not exist in New York; 03:00 EDT is 07:00 UTC
        assert upcoming(NIGHTLY, utc(2026, 3, 7, 12), 2) == [utc(2026, 3, 8, 7), utc(2026, 3, 9, 6)]

    def test_a_time_that_the_change_to_winter_repeats_comes_once(self):
        # on 1 November 2026 01:30 comes twice in New York: 05:30 and 06:30 UTC
        half_past_one = Cron("30 1 * * *", "America/New_York")
        slots = upcoming(half_past_one, utc(2026, 10, 31, 12), 2)
        assert slots[0] in {utc(2026, 11, 1, 5, 30), utc(2026, 11, 1, 6, 30)}
        assert slots[1] == utc(2026, 11, 2, 6, 30)

    def test_every_hour_is_every_hour_through_the_change(self):
        slots = upcoming(Cron("0 * * * *", "Europe/Berlin"), utc(2026, 10, 24, 20), 12)
        assert {later - earlier for earlier, later in itertools.pairwise(slots)} == {HOUR}

    def test_a_slot_itself_is_not_after_itself(self):
        assert upcoming(NIGHTLY, utc(2026, 1, 10, 7), 1) == [utc(2026, 1, 11, 7)]

    @pytest.mark.parametrize("wrong", ["", "0 2 * *", "0 2 * * * *", "61 2 * * *", "every night", "0 2 31 2 *"])
    def test_what_is_no_cron_is_refused(self, wrong):
        with pytest.raises(InvalidParameters):
            Cron(wrong)

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", ""])
    def test_a_zone_that_does_not_exist_is_refused(self, zone):
        with pytest.raises(InvalidParameters, match="time zone"):
            Cron("0 2 * * *", zone)


class TestEvery:
    def test_slots_are_whole_intervals_since_the_beginning(self):
        every = Every(6 * HOUR, utc(2026, 1, 1, 1))
        assert upcoming(every, utc(2026, 1, 1, 20), 2) == [utc(2026, 1, 2, 1), utc(2026, 1, 2, 7)]

    def test_nothing_comes_before_the_first_interval_is_over(self):
        assert upcoming(Every(DAY, utc(2026, 1, 5)), utc(2026, 1, 1), 1) == [utc(2026, 1, 6)]

    def test_too_often_is_refused(self):
        with pytest.raises(InvalidParameters, match="too often"):
            Every(timedelta(seconds=1), utc(2026, 1, 1))


class TestDue:
    def test_nothing_is_due_before_the_slot(self):
        assert due(NIGHTLY, utc(2026, 1, 9, 7), utc(2026, 1, 10, 6, 59), CatchUp.ONCE) is None

    def test_a_slot_is_due_when_it_has_come(self):
        assert due(NIGHTLY, utc(2026, 1, 9, 7), utc(2026, 1, 10, 7), CatchUp.ONCE) == utc(2026, 1, 10, 7)

    def test_of_missed_nights_the_last_is_run_once(self):
        assert due(NIGHTLY, utc(2026, 1, 9, 7), utc(2026, 1, 15, 12), CatchUp.ONCE) == utc(2026, 1, 15, 7)

    def test_a_missed_night_is_left_out_if_nothing_is_caught_up_with(self):
        assert due(NIGHTLY, utc(2026, 1, 9, 7), utc(2026, 1, 15, 12), CatchUp.NONE) is None

    def test_a_slot_that_is_a_little_late_is_not_missed(self):
        assert due(NIGHTLY, utc(2026, 1, 9, 7), utc(2026, 1, 15, 7, 30), CatchUp.NONE) == utc(2026, 1, 15, 7)

    def test_what_is_not_run_is_told_and_so_is_what_comes_next(self):
        begun, now = utc(2026, 1, 9, 7), utc(2026, 1, 15, 12)
        caught_up = reckoned(NIGHTLY, begun, now, CatchUp.ONCE)
        assert caught_up.missed == Span(utc(2026, 1, 10, 7), utc(2026, 1, 14, 7), 5)
        assert caught_up.next == utc(2026, 1, 16, 7)
        left_out = reckoned(NIGHTLY, begun, now, CatchUp.NONE)
        assert left_out.missed == Span(utc(2026, 1, 10, 7), utc(2026, 1, 15, 7), 6)
        in_time = reckoned(NIGHTLY, begun, utc(2026, 1, 10, 7, 1), CatchUp.NONE)
        assert (in_time.missed, in_time.next) == (None, utc(2026, 1, 11, 7))

    def test_a_slot_comes_when_its_jitter_is_over_and_is_not_late_before(self):
        late = lambda slot: slot + 3 * HOUR  # noqa: E731
        begun, slot = utc(2026, 1, 9, 7), utc(2026, 1, 10, 7)
        assert reckoned(NIGHTLY, begun, utc(2026, 1, 10, 9), CatchUp.NONE, begins=late).run is None
        assert reckoned(NIGHTLY, begun, utc(2026, 1, 10, 10, 30), CatchUp.NONE, begins=late).run == slot

    @given(
        st.lists(st.integers(1, 500), min_size=1, max_size=30),
        st.sampled_from([Every(5 * HOUR, utc(2026, 3, 1)), NIGHTLY, Cron("*/20 * * * *", "Europe/Berlin")]),
    )
    def test_however_often_is_looked_no_slot_comes_twice_and_the_last_is_never_lost(self, steps, timetable):
        begun = now = last = utc(2026, 3, 7)
        run = []
        for minutes in steps:
            now += timedelta(minutes=minutes)
            if slot := due(timetable, last, now, CatchUp.ONCE):
                run.append(slot)
                last = slot
        assert run == sorted(set(run))
        passed = [slot for slot in upcoming(timetable, begun, 1000) if slot <= now]
        assert not passed or run[-1] == passed[-1]


class TestShortestGap:
    def test_it_is_the_shortest_of_those_to_come(self):
        assert shortest_gap(Cron("0 2,3 * * 1"), utc(2026, 1, 1)) == HOUR
        assert shortest_gap(Every(7 * HOUR, utc(2026, 1, 1)), utc(2026, 1, 1)) == 7 * HOUR


class TestJitter:
    def test_the_same_slot_begins_at_the_same_moment_for_everybody(self):
        slot = utc(2026, 1, 10, 7)
        assert jittered(slot, HOUR, "schedule 5") == jittered(slot, HOUR, "schedule 5")
        assert len({jittered(slot, HOUR, f"schedule {number}") for number in range(20)}) == 20

    def test_it_begins_within_the_jitter(self):
        slot = utc(2026, 1, 10, 7)
        assert all(slot <= jittered(slot, HOUR, str(number)) < slot + HOUR for number in range(200))
        assert jittered(slot, timedelta(0), "any") == slot
