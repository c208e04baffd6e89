"""When a schedule is due: slots in time, by cron or by interval. No clock and no database: both are handed in.

Cron is read as Debian's cron does it, summer time included: what is set to a time of day that a change of clocks leaves
out happens right after the change, and what is set to a time that comes twice happens once. (cronsim's rules.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crant_core.errors import InvalidParameters

SHORTEST = timedelta(minutes=1)  #: between two slots; a schedule is no loop
_LOOKED_AT = 50  #: slots that say how near they come to each other


class CatchUp(StrEnum):
    """What to do about slots that were missed while nothing ran."""

    ONCE = "once"  #: run the last of them, for it brings everything up to date
    NONE = "none"  #: wait for the next one


def read_zone(name: str) -> ZoneInfo:
    """Return a time zone; raises `InvalidParameters`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = "a name such as Europe/Berlin or UTC"
        raise InvalidParameters(f"no time zone is called {name!r}", value=name, hint=hint) from error


@dataclass(frozen=True, slots=True)
class Cron:
    """Slots by the clock on the wall.

    Attributes
    ----------
    expression : str
        Five fields: minute, hour, day of month, month, day of week.
    zone : str
        Name of a time zone, such as `America/New_York`.

    Raises
    ------
    InvalidParameters
        It is no cron expression, there is no such zone, or it never comes.
    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        fields = self.expression.split()
        if len(fields) != 5:  # noqa: PLR2004 - cron's
            hint = "minute, hour, day of month, month, day of week, such as 0 2 * * *"
            raise InvalidParameters(f"{self.expression!r} has {len(fields)} fields", value=self.expression, hint=hint)
        if next(self.after(datetime(2026, 1, 1, tzinfo=UTC)), None) is None:
            raise InvalidParameters(f"{self.expression!r} never comes", value=self.expression)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the slots after a moment, in UTC, for ever."""
        from cronsim import CronSim, CronSimError

        try:
            for slot in CronSim(self.expression, moment.astimezone(read_zone(self.zone))):
                yield slot.astimezone(UTC)
        except CronSimError as error:
            hint = "minute, hour, day of month, month, day of week, such as 0 2 * * *"
            raise InvalidParameters(f"{self.expression!r}: {error}", value=self.expression, hint=hint) from error


@dataclass(frozen=True, slots=True)
class Every:
    """Slots at a fixed distance, whatever the clocks on the wall do.

    Attributes
    ----------
    interval : timedelta
    since : datetime
        The first slot is one interval after it.

    Raises
    ------
    InvalidParameters
        The interval is shorter than a minute.
    """

    interval: timedelta
    since: datetime

    def __post_init__(self) -> None:
        if self.interval < SHORTEST:
            raise InvalidParameters(f"every {self.interval} is too often", value=self.interval, hint="a minute or more")

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the slots after a moment, in UTC, for ever."""
        passed = max(0, (moment - self.since) // self.interval)
        while True:
            passed += 1
            yield (self.since + passed * self.interval).astimezone(UTC)


Timetable = Cron | Every


def upcoming(timetable: Timetable, after: datetime, count: int) -> list[datetime]:
    """Return the next slots."""
    return [slot for slot, _ in zip(timetable.after(after), range(count), strict=False)]


@dataclass(frozen=True, slots=True)
class Span:
    """Slots one after the other."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What has come of a timetable by now.

    Attributes
    ----------
    run : datetime or None
        The slot to run.
    missed : Span or None
        Slots that have come and are not run.
    next : datetime or None
        The first slot that has not come; None if there is none for decades.
    """

    run: datetime | None
    missed: Span | None
    next: datetime | None


def reckon(
    timetable: Timetable,
    after: datetime,
    now: datetime,
    *,
    catch_up: CatchUp,
    grace: timedelta,
    begins: Callable[[datetime], datetime] = lambda slot: slot,
) -> Reckoning:
    """Say which slot is to be run now, and which were missed.

    Parameters
    ----------
    timetable : Timetable
    after : datetime
        The last slot that was dealt with, or when the schedule was made.
    now : datetime
    catch_up : CatchUp
    grace : timedelta
        How late a slot may be and still not count as missed.
    begins : callable, optional
        When a slot begins, if that is later; see `jittered`.

    Returns
    -------
    Reckoning
        Of several slots that have come, the last one is run. With `CatchUp.NONE` it is not if it is later than `grace`.
    """
    slots, come = timetable.after(after), _Come()
    while (coming := next(slots, None)) is not None and begins(coming) <= now:
        come.add(coming)
    is_run = come.last is not None and (catch_up is CatchUp.ONCE or now - begins(come.last) <= grace)
    return Reckoning(come.last if is_run else None, come.missed(but_last=is_run), coming)


class _Come:
    """Slots that have come, counted: after a long time they are many."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.before_last: datetime | None = None
        self.last: datetime | None = None
        self.count = 0

    def add(self, slot: datetime) -> None:
        self.first = self.first or slot
        self.before_last, self.last = self.last, slot
        self.count += 1

    def missed(self, *, but_last: bool) -> Span | None:
        last, count = (self.before_last, self.count - 1) if but_last else (self.last, self.count)
        return None if self.first is None or last is None else Span(self.first, last, count)


def shortest_gap(timetable: Timetable, after: datetime) -> timedelta:
    """Return how near the next few slots come to each other."""
    return min(
        (later - earlier for earlier, later in pairwise(upcoming(timetable, after, _LOOKED_AT))), default=SHORTEST
    )


def jittered(slot: datetime, jitter: timedelta, seed: str) -> datetime:
    """Return when a slot begins: some time within `jitter` after it, the same for the same seed, whoever asks."""
    if not jitter:
        return slot
    chance = random.Random(f"{seed} {slot.isoformat()}")  # noqa: S311 - spreads load, keeps no secret
    return slot + chance.random() * jitter
