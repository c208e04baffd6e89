"""Where the timetable of a schedule stands: from its row to slots, and back. No clock and no SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from crant_core.errors import InvalidParameters
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.timetable import CatchUp, Cron, Every, Reckoning, Timetable, jittered, reckon, shortest_gap


def timetable_of(schedule: ScheduleRow) -> Timetable:
    """Return when a schedule's slots are."""
    return read_timetable(schedule.cron, schedule.zone, schedule.every_seconds, schedule.begun_at)


def read_timetable(cron: str | None, zone: str, every_seconds: int | None, begun_at: datetime) -> Timetable:
    """Make a timetable of what people say.

    Raises
    ------
    InvalidParameters
        There are both cron and an interval, or neither; or one of them makes no sense.
    """
    if (cron is None) == (every_seconds is None):
        hint = 'give "cron", such as "0 2 * * *" with a "zone", or "every_seconds"'
        raise InvalidParameters("a timetable is either cron or an interval", value=cron, hint=hint)
    if cron is not None:
        return Cron(cron, zone)
    return Every(timedelta(seconds=every_seconds or 0), begun_at)


def check_jitter(timetable: Timetable, jitter_seconds: int, now: datetime) -> None:
    """Refuse a jitter that would let a slot begin after the next one.

    Raises
    ------
    InvalidParameters
    """
    gap = shortest_gap(timetable, now)
    if timedelta(seconds=jitter_seconds) >= gap:
        hint = f"less than {int(gap.total_seconds())}, as slots are that near"
        raise InvalidParameters(f"a jitter of {jitter_seconds} s is too long", value=jitter_seconds, hint=hint)


def begins(schedule: ScheduleRow) -> Callable[[datetime], datetime]:
    """Return what says when a slot begins, with the schedule's jitter."""
    return partial(jittered, jitter=timedelta(seconds=schedule.jitter_seconds), seed=schedule.id)


def dealt_with(schedule: ScheduleRow) -> datetime:
    """Return the moment up to which nothing is left to do; it never goes back, whatever the clock does."""
    return max(schedule.begun_at, schedule.last_slot or schedule.begun_at)


def reckoning(schedule: ScheduleRow, now: datetime, grace: timedelta) -> Reckoning:
    """Say which of a schedule's slots is to be run now, and which were missed."""
    after, catch_up = dealt_with(schedule), CatchUp(schedule.catch_up)
    return reckon(timetable_of(schedule), after, now, catch_up=catch_up, grace=grace, begins=begins(schedule))


def set_next(schedule: ScheduleRow) -> None:
    """Note the slot that a schedule waits for; none if it is disabled."""
    coming = next(timetable_of(schedule).after(dealt_with(schedule)), None) if schedule.enabled else None
    schedule.next_slot, schedule.next_at = coming, coming and begins(schedule)(coming)
