from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crant_core.errors import InvalidTime
from crant_core.times import At, parse_at


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
