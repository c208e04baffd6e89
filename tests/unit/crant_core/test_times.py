from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.errors import InvalidTime
from crant_core.times import At, TimeBase, parse_at, resolve, unix_seconds


@pytest.mark.parametrize("value", [None, "live", " LIVE "])
def test_live(value: str | None) -> None:
    assert parse_at(value) == At("live")


@pytest.mark.parametrize("value", [7, "7", "v7", "mat_7", "mat_007"])
def test_a_version(value: str | int) -> None:
    assert parse_at(value) == At("mat_7", version=7)


@pytest.mark.parametrize("value", ["mat", "latest"])
def test_the_latest_version(value: str) -> None:
    assert parse_at(value) == At("mat", latest_version=True)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01T12:00:00",
        "2026-11-01T12:00:00Z",
        "2026-11-01T13:00:00+01:00",
        datetime(2026, 11, 1, 12),  # noqa: DTZ001 - people write naive times and mean UTC
        datetime(2026, 11, 1, 13, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_a_moment_is_utc_whatever_its_zone(value: str | datetime) -> None:
    assert parse_at(value).timestamp == datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "yesterday", "mat_", "mat_x", "2026-13-01", "-1", "1e3"])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(InvalidTime) as caught:
        parse_at(value)
    assert caught.value.value == value.strip()


def test_what_was_written_is_read_again_as_the_same() -> None:
    for value in ("live", "mat", 7, "2026-11-01T12:00:00+00:00"):
        assert parse_at(parse_at(value).text) == parse_at(value)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS = st.integers(1_000_000_000, 4_000_000_000)  # 2001 to 2096


def forms_of(seconds: int) -> list[object]:
    """Every documented form of one moment."""
    moment = datetime.fromtimestamp(seconds, UTC)
    tokyo = timezone(timedelta(hours=9))
    return [
        seconds,
        float(seconds),
        str(seconds),
        np.int64(seconds),
        np.uint64(seconds),
        np.float64(seconds),
        moment,
        moment.replace(tzinfo=None),
        moment.astimezone(tokyo),
        moment.isoformat(),
        moment.replace(tzinfo=None).isoformat(),
        moment.replace(tzinfo=None).isoformat(" "),
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        moment.strftime("%Y%m%dT%H%M%SZ"),
        moment.astimezone(tokyo).isoformat(),
        np.datetime64(seconds, "s"),
        np.datetime64(seconds * 10**9, "ns"),
        np.array(np.datetime64(seconds * 1000, "ms")),
        pd.Timestamp(seconds, unit="s"),
        pd.Timestamp(seconds, unit="s", tz="UTC"),
        pd.Timestamp(seconds, unit="s", tz="Asia/Tokyo"),
    ]


@given(SECONDS)
def test_all_forms_of_a_moment_are_that_moment_in_utc(seconds: int) -> None:
    for form in forms_of(seconds):
        found = parse_at(form).timestamp
        assert found == EPOCH + timedelta(seconds=seconds), repr(form)
        assert found is not None
        assert found.tzinfo is UTC
        assert type(found) is datetime
        assert unix_seconds(form) == seconds, repr(form)


@given(st.dates(date(1902, 1, 1), date(2099, 12, 31)))
def test_a_day_is_its_first_moment(day: date) -> None:
    first = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for form in (day, day.isoformat(), day.strftime("%Y%m%d"), np.datetime64(day), pd.Timestamp(day)):
        assert parse_at(form).timestamp == first, repr(form)
        assert unix_seconds(form) == int(first.timestamp())


@given(st.integers(0, 10**15))
def test_fractions_are_kept_to_the_microsecond_and_seconds_are_rounded_down(microseconds: int) -> None:
    moment = EPOCH + timedelta(microseconds=microseconds)
    for form in (moment, moment.isoformat(), np.datetime64(microseconds, "us"), pd.Timestamp(microseconds, unit="us")):
        assert parse_at(form).timestamp == moment
        assert unix_seconds(form) == microseconds // 1_000_000


@pytest.mark.parametrize(
    "value",
    [
        True, np.True_, np.nan, pd.NaT, pd.NA, np.datetime64("NaT"), 5.5, -1, 10**12, 10**18, 1e18, np.inf, [7], (),
        pd.Series([7]), np.array([7]), b"mat", {}, "mat_1e3", "now", "1e9",
    ],
    ids=str,
)  # fmt: skip
def test_what_names_no_moment_is_refused(value: object) -> None:
    # D18: milliseconds and nanoseconds were taken for seconds, or the other way round.
    with pytest.raises(InvalidTime):
        parse_at(value)


@pytest.mark.parametrize("value", [None, True, "mat", "live", "mat_7", "v7", pd.NaT, np.nan, np.inf, 10**12, 1e18, [7]])
def test_what_is_no_moment_by_itself_has_no_seconds(value: object) -> None:
    with pytest.raises(InvalidTime):
        unix_seconds(value)


@pytest.mark.parametrize("value", ["MAT", "Mat_Latest", " LATEST "])
def test_capitals_do_not_count(value: str) -> None:
    assert parse_at(value).latest_version
    assert parse_at("MAT_7") == parse_at("V7") == At("mat_7", version=7)


def test_what_is_resolved_stays_so() -> None:
    class Deaf:
        """A source that may not be asked."""

    base = TimeBase("mat_7", datetime(2026, 11, 1, tzinfo=UTC), 7)
    assert resolve(Deaf(), base) is base  # type: ignore[arg-type]
