"""When a schedule is due: slots in time, by cron or by interval. No clock and no database: both are handed in.

Cron is read as Debian's cron does it, summer time included: what is set to a time of day that a change of clocks leaves
out happens right after the change, and what is set to a time that comes twice happens once. (cronsim's rules.)
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crant_core.errors import InvalidParameters

SHORTEST = timedelta(minutes=1)  #: between two slots; a schedule is no loop


class CatchUp(StrEnum):
    """What to do about slots that were missed while nothing ran."""

    ONCE = "once"  #: run the last of them, for it brings everything up to date
    NONE = "none"  #: wait for the next one


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
            for slot in CronSim(self.expression, moment.astimezone(self._zone())):
                yield slot.astimezone(UTC)
        except CronSimError as error:
            hint = "minute, hour, day of month, month, day of week, such as 0 2 * * *"
            raise InvalidParameters(f"{self.expression!r}: {error}", value=self.expression, hint=hint) from error

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            hint = "a name such as Europe/Berlin or UTC"
            raise InvalidParameters(f"no time zone is called {self.zone!r}", value=self.zone, hint=hint) from error


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


def due(timetable: Timetable, after: datetime, now: datetime, catch_up: CatchUp, grace: timedelta) -> datetime | None:
    """Return the slot to run now, if any.

    Parameters
    ----------
    timetable : Timetable
    after : datetime
        The last slot that was dealt with, or when the schedule was made.
    now : datetime
    catch_up : CatchUp
    grace : timedelta
        How late a slot may be and still not count as missed.

    Returns
    -------
    datetime or None
        Of several slots that have come, the last one. With `CatchUp.NONE`, None if that one is later than `grace`.
    """
    last = None
    for last in takewhile(lambda slot: slot <= now, timetable.after(after)):  # noqa: B007 - the last one counts
        pass
    if last is None or (catch_up is CatchUp.NONE and now - last > grace):
        return None
    return last


def jittered(slot: datetime, jitter: timedelta, seed: str) -> datetime:
    """Return when a slot begins: some time within `jitter` after it, the same for the same seed, whoever asks."""
    if not jitter:
        return slot
    chance = random.Random(f"{seed} {slot.isoformat()}")  # noqa: S311 - spreads load, keeps no secret
    return slot + chance.random() * jitter
