"""The part of a schedule's form that is not its kind's: when, how often, what if."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from api.dashboard.forms import Filled
from crant_core.errors import InvalidInput
from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.schedule_wire import ScheduleRequest

UNITS = {"minutes": 60, "hours": 3600, "days": 86_400}
_TEXTS = ("name", "cron", "zone", "overlap", "catch_up")
_PREFIX = "when-"  #: of controls, as kinds may have parameters of the same names
_MINUTE = 60


def timing_from(filled: Filled, told: list[dict[str, Any]]) -> dict[str, Any]:
    """Read what belongs to the timetable; what was left empty is left out.

    Who is `told` stays if nothing is said of it: a form does not show addresses, which may hold passwords.

    Raises
    ------
    InvalidInput
        A number is none, or what is told to whom is no JSON.
    """
    said = {name: text for name in _TEXTS if (text := _text(filled, name))}
    every = {"every_seconds": _seconds(filled, "every", UNITS[_unit(filled)])} if _text(filled, "every") else {}
    jitter = {"jitter_seconds": _seconds(filled, "jitter", _MINUTE)} if _text(filled, "jitter") else {}
    flags = {"enabled": bool(filled.get(f"{_PREFIX}enabled")), "notify": _notify(filled, told)}
    return {**said, **every, **jitter, **flags}


def filled_timing(schedule: ScheduleRow | None) -> dict[str, list[str]]:
    """Write a schedule's timetable as its form says it; without one, what a form says at first."""
    if schedule is None:
        found: dict[str, Any] = {"cron": "0 2 * * *", "zone": "UTC", "overlap": "skip", "catch_up": "once"}
        found["enabled"] = "on"
    else:
        found = {name: getattr(schedule, name) for name in _TEXTS}
        found["jitter"] = schedule.jitter_seconds / _MINUTE if schedule.jitter_seconds else None
        found["enabled"] = "on" if schedule.enabled else None
        if schedule.every_seconds is not None:
            found["unit"] = next(unit for unit in ("days", "hours", "minutes") if _fits(schedule.every_seconds, unit))
            found["every"] = schedule.every_seconds / UNITS[found["unit"]]
    return {f"{_PREFIX}{name}": [_written(value)] for name, value in found.items() if value is not None}


def shown(filled: Filled) -> dict[str, str]:
    """Return what the controls say, by their names without the prefix."""
    names = (*_TEXTS, "every", "unit", "jitter", "enabled", "notify")
    return {name: (filled.get(f"{_PREFIX}{name}") or [""])[0] for name in names}


@cache
def zones() -> list[str]:
    """List the time zones, those of places first."""
    return sorted(available_timezones(), key=lambda name: ("/" not in name or name.startswith("Etc/"), name))


def options(field: str) -> list[tuple[str, str]]:
    """List what can be chosen for a field, with words for people."""
    words = {
        "overlap": {"skip": "leave the slot out", "queue": "wait until it has ended", "cancel_previous": "cancel it"},
        "catch_up": {"once": "run once, for the last of them", "none": "leave them out"},
    }
    return list(words[field].items())


def help_of(field: str) -> str:
    """Return what the API says of a field."""
    return ScheduleRequest.model_fields[field].description or ""


def _fits(seconds: int, unit: str) -> bool:
    return seconds % UNITS[unit] == 0 or unit == "minutes"


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _text(filled: Filled, name: str) -> str:
    return (filled.get(f"{_PREFIX}{name}") or [""])[0].strip()


def _unit(filled: Filled) -> str:
    unit = _text(filled, "unit") or "hours"
    if unit not in UNITS:
        raise InvalidInput(f"every: {unit!r} is no unit of time", value=unit, hint=", ".join(UNITS))
    return unit


def _seconds(filled: Filled, name: str, unit: int) -> int:
    text = _text(filled, name)
    try:
        return round(float(text) * unit)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{name}: {text!r} is no number", value=text) from error


def _notify(filled: Filled, told: list[dict[str, Any]]) -> Any:
    text = _text(filled, "notify")
    try:
        return json.loads(text) if text else told
    except json.JSONDecodeError as error:
        hint = 'for example [{"url": "mailto://…", "on": ["finish"]}]'
        raise InvalidInput(f"notify: this is no JSON: {error}", value=text, hint=hint) from error
