"""Turns values into words for people: times, sizes, numbers and the names of metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import urlencode

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_JUST_NOW = 5  #: seconds
_SHORT = 10  #: seconds below which tenths matter
_UNITS = {"_um": "µm", "_nm": "nm", "_seconds": "s"}
_FULL_DIGITS = 100  #: numbers from here on need one decimal only
_KILO = 1000


def ago(moment: datetime, now: datetime) -> str:
    """Say how long ago something was; live.js says it in the same words."""
    seconds = (now - moment).total_seconds()
    if seconds < _JUST_NOW:
        return "just now"
    for limit, unit, name in ((_MINUTE, 1, "s"), (_HOUR, _MINUTE, "min"), (_DAY, _HOUR, "h"), (30 * _DAY, _DAY, "d")):
        if seconds < limit:
            return f"{int(seconds // unit)} {name} ago"
    return f"{moment:%Y-%m-%d}"


def exact(moment: datetime) -> str:
    """Write a moment to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def clock(moment: datetime) -> str:
    """Write the time of day."""
    return f"{moment:%H:%M:%S}"


def local(written: str) -> str:
    """Write the time of a place, as `SlotView` says it, for people there: with the weekday, without seconds."""
    return f"{datetime.fromisoformat(written):%a %Y-%m-%d %H:%M %z}"


def duration(seconds: float | None) -> str:
    """Write a span with two units at most; live.js writes it in the same words."""
    if seconds is None:
        return "–"
    if seconds < _SHORT:
        return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def rate(per_second: float | None) -> str:
    """Write a rate in the unit in which it is a number people can picture."""
    if not per_second:
        return "–"
    for per, name in ((1, "s"), (_MINUTE, "min"), (_HOUR, "h")):
        if per_second * per >= 1:
            return f"{per_second * per:,.1f} / {name}"
    return f"{per_second * _DAY:,.1f} / d"


def size(count: int) -> str:
    """Write a number of bytes."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < _KILO:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= _KILO
    return f"{number:.1f} TB"


def value(found: object) -> str:
    """Write a metric or a parameter."""
    if found is None:
        return "–"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int):
        return f"{found:,}"
    if isinstance(found, list):
        return ", ".join(map(value, found))
    if isinstance(found, float):
        return f"{found:,.1f}" if abs(found) >= _FULL_DIGITS else f"{found:.3g}"
    return str(found)


def heading(name: str) -> tuple[str, str]:
    """Split a metric's name into words and a unit: `cable_length_um` is "cable length" in "µm"."""
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    stem = name.rpartition("_")[0] if unit else name
    for prefix in ("n_", "is_"):
        stem = stem.removeprefix(prefix)
    return stem.replace("_", " "), unit


def query(chosen: Mapping[str, object], **changes: object) -> str:
    """Write what is chosen, with changes, as the end of an address; None takes something away."""
    kept = {name: value for name, value in {**chosen, **changes}.items() if value is not None}
    return f"?{urlencode(kept)}" if kept else ""


def drawings(found: Iterable[object]) -> str:
    """Write which files skeletons.js draws, as JSON."""
    return json.dumps([vars(one) for one in found])
