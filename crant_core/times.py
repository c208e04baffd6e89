"""One point in time: how people say *when* they look at the segmentation.

They write `"live"`, `"mat"`, `"mat_7"`, `7`, an ISO date, unix seconds or a time object of any library. `parse_at`
reads that; `resolve` turns it into one `TimeBase`, once per call or job, and that is stored with the result.

Inside the library a time is an aware UTC `datetime`. Only people's input and CAVE's own queries use unix seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from crant_core.errors import InvalidTime

if TYPE_CHECKING:
    from crant_core.sources.base import Source

_VERSION = re.compile(r"(?:mat_|v)?([0-9]{1,9})")
_SECONDS = re.compile(r"[0-9]{10,}")
_DATE = re.compile(r"(?:19|20)[0-9]{6}")  # ISO 8601 without dashes; there is no such version
_LATEST = ("mat", "latest", "mat_latest")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECONDS = 1_000_000_000  # September 2001: older than any segmentation, newer than any version number
_CLOCKS_DIFFER = timedelta(minutes=1)
_HINT = 'write "live", "mat", "mat_7", unix seconds or an ISO 8601 time such as "2026-11-01T12:00:00Z"'


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

    def attrs(self, dataset: str) -> dict[str, Any]:
        """Return what tables say about themselves in `DataFrame.attrs`: plain values, which files can hold.

        Parameters
        ----------
        dataset : str
            Its name.

        Returns
        -------
        dict
            `timestamp`: ISO 8601, UTC, which every `timestamp` argument takes; `materialization`: int, or None if no
            version was asked for; `dataset`.
        """
        return {"timestamp": self.timestamp.isoformat(), "materialization": self.version, "dataset": dataset}


When: TypeAlias = Any
"""A time as people write it: str, int, float, datetime, date, `numpy.datetime64`, `pandas.Timestamp`, `At` or None."""


def parse_at(value: When) -> At:
    """Read a point in time as people write it.

    Parameters
    ----------
    value : str, int, float, datetime, date, numpy.datetime64, pandas.Timestamp, At or None
        * `None` or `"live"`: now.
        * `"mat"`, `"mat_latest"` or `"latest"`: the latest materialization.
        * `7`, `"7"`, `"v7"` or `"mat_7"`: that version; eight digits that are a date, such as `"20211115"`, are one.
        * A whole number of at least 1,000,000,000 (September 2001), or its digits, or any float: unix seconds.
        * A time object or ISO string: that moment, to the microsecond; without a zone it is UTC.

    Raises
    ------
    InvalidTime
    """
    if isinstance(value, At):
        return value
    if value is None:
        return At("live")
    if (moment := _moment(value)) is not None:
        return At(moment.isoformat(), timestamp=moment)
    return _from_text(str(value).strip())


def check_past(moment: datetime | None) -> None:
    """Refuse a time that is still to come: what is true then nobody knows, and results would be kept as if one did.

    Raises
    ------
    InvalidTime
    """
    if moment is not None and moment > datetime.now(UTC) + _CLOCKS_DIFFER:
        raise InvalidTime(f"{moment.isoformat()} is still to come", value=moment, hint='write "live" for now')


def resolve(source: Source, when: When) -> TimeBase:
    """Turn a time as people write it into one UTC timestamp.

    Call this once in every public function and hand the result on, so that all of an answer is of one time.

    Parameters
    ----------
    source : Source
        Knows the materialization versions. Only they cost a request or two, see its `resolve_time`.
    when : str, int, float, datetime, date, numpy.datetime64, pandas.Timestamp, At, TimeBase or None
        See `parse_at`. What is resolved already is returned as it is.

    Returns
    -------
    TimeBase
        Its timestamp is an aware UTC datetime.

    Raises
    ------
    InvalidTime
    VersionNotFound
        The dataset has no such materialization version.
    SourceError
    """
    return when if isinstance(when, TimeBase) else source.resolve_time(parse_at(when))


def unix_seconds(value: When) -> int:
    """Read a moment as whole unix seconds, rounded down.

    Parameters
    ----------
    value : str, int, float, datetime, date, numpy.datetime64 or pandas.Timestamp
        Numbers are unix seconds, never versions; without a zone, times are UTC.

    Raises
    ------
    InvalidTime
        The value is none of these, such as `"mat"`, NaN, or a count of milliseconds.
    """
    moment = _from_unix(_number(value)) if _is_number(value) else parse_at(value).timestamp
    if isinstance(value, str) and value.strip().isdecimal() and not _DATE.fullmatch(value.strip()):
        moment = _from_unix(int(value))
    if moment is None:
        raise _invalid(value)
    return (moment - _EPOCH) // timedelta(seconds=1)


def _from_text(text: str) -> At:
    if text.lower() == "live":
        return At("live")
    if text.lower() in _LATEST:
        return At("mat", latest_version=True)
    if not _DATE.fullmatch(text) and (version := _VERSION.fullmatch(text.lower())):
        return At(f"mat_{int(version[1])}", version=int(version[1]))
    moment = _from_unix(int(text)) if _SECONDS.fullmatch(text) else _parse_iso(text)
    return At(moment.isoformat(), timestamp=moment)


def _moment(value: Any) -> datetime | None:
    """Read everything that can only be a moment; text and small whole numbers are left to others."""
    _refuse_nothing(value)
    if isinstance(value, datetime):
        return _utc(datetime.combine(value.date(), value.timetz()))  # a pandas.Timestamp's nanoseconds are dropped
    if _is_number(value):
        return _from_number(value)
    if _kind(value) == "M":
        return _from_unix(int(value.astype("datetime64[us]").astype("int64")), timedelta(microseconds=1))
    return None


def _refuse_nothing(value: Any) -> None:
    """Refuse many values, booleans, and what stands for no value."""
    if getattr(value, "ndim", 0) or isinstance(value, bool) or _kind(value) == "b" or type(value).__name__ == "NAType":
        raise _invalid(value)
    if value != value:  # noqa: PLR0124 - NaN and NaT
        raise _invalid(value)


def _from_number(value: Any) -> datetime | None:
    number = _number(value)
    if number >= _FIRST_SECONDS:
        return _from_unix(number)
    if isinstance(number, float):
        raise _invalid(value)  # neither a version nor a time that anybody means
    return None


def _is_number(value: Any) -> bool:
    if getattr(value, "ndim", 0) or isinstance(value, bool):
        return False
    kind = _kind(value)
    return isinstance(value, float) or kind == "f" or (kind in (None, "i", "u") and hasattr(value, "__index__"))


def _number(value: Any) -> int | float:
    return float(value) if isinstance(value, float) or _kind(value) == "f" else int(value.__index__())


def _kind(value: Any) -> str | None:
    kind: str | None = getattr(getattr(value, "dtype", None), "kind", None)
    return kind


def _from_unix(count: float, unit: timedelta = timedelta(seconds=1)) -> datetime:
    try:
        return _EPOCH + count * unit
    except (OverflowError, ValueError) as error:
        hint = "a number is a count of seconds since 1970, not of milliseconds or nanoseconds"
        raise InvalidTime(f"{count!r} is no unix time in seconds", value=count, hint=hint) from error


def _parse_iso(text: str) -> datetime:
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise _invalid(text) from error


def _invalid(value: object) -> InvalidTime:
    return InvalidTime(f"{value!r} names no point in time", value=value, hint=_HINT)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
