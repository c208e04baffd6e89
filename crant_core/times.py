"""One point in time: how a job says *when* it looks at the segmentation.

People write `"live"`, `"mat"`, `"mat_7"`, `7` or an ISO date. `parse_at` reads the words; a source's
`resolve_time` turns them into one `TimeBase`, once per call or job, and that is stored with the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from crant_core.errors import InvalidTime

_VERSION = re.compile(r"(?:mat_|v)?([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class At:
    """What was asked for: a version (or the latest one), a timestamp, or neither, which means live."""

    text: str
    version: int | None = None
    latest_version: bool = False
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeBase:
    """What was asked for, resolved: the one UTC timestamp, and the materialization version if there is one."""

    asked: str
    timestamp: datetime
    version: int | None = None


def parse_at(value: str | int | datetime | None) -> At:
    """Read a point in time as people write it.

    Parameters
    ----------
    value : str, int, datetime or None
        `None` or `"live"`: now. `"mat"` or `"latest"`: the latest materialization. `7`, `"7"`, `"v7"` or
        `"mat_7"`: that version. A datetime or ISO string: that moment; without a zone it is UTC.

    Raises
    ------
    InvalidTime
    """
    if isinstance(value, datetime):
        return At(value.isoformat(), timestamp=_utc(value))
    text = "live" if value is None else str(value).strip()
    if text.lower() == "live":
        return At("live")
    if text.lower() in ("mat", "latest"):
        return At("mat", latest_version=True)
    if version := _VERSION.fullmatch(text):
        return At(f"mat_{int(version[1])}", version=int(version[1]))
    return At(text, timestamp=_parse_iso(text))


def _parse_iso(text: str) -> datetime:
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError as error:
        hint = 'write "live", "mat", "mat_7" or an ISO 8601 time such as "2026-11-01T12:00:00Z"'
        raise InvalidTime(f"{text!r} names no point in time", value=text, hint=hint) from error


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
