from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.dashboard import words

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-2, "just now"), (4.9, "just now"), (5, "5 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3600, "1 h ago"),
     (86400, "1 d ago"), (29.9 * 86400, "29 d ago"), (31 * 86400, "2026-10-01")],
)  # fmt: skip
def test_ago(seconds: float, text: str) -> None:
    assert words.ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.04, "40 ms"), (0.9994, "999 ms"), (9.94, "9.9 s"), (12.4, "12 s"), (59.6, "1 min 00 s"),
     (185, "3 min 05 s"), (7620, "2 h 07 min"), (100_000, "1 d 3 h")],
)  # fmt: skip
def test_duration(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [(None, "–"), (0.0, "–"), (2.0, "2.0 / s"), (0.5, "30.0 / min"), (0.01, "36.0 / h"), (1 / 43200, "2.0 / d")],
)
def test_rate(per_second: float | None, text: str) -> None:
    assert words.rate(per_second) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_300_000, "2.3 MB"), (5 * 10**12, "5.0 TB")]
)
def test_size(count: int, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [(None, "–"), (True, "yes"), (False, "no"), (12345, "12,345"), (1234.56, "1,234.6"), (0.12345, "0.123"), ("x", "x"),
     ("576460754037774676", "576460754037774676")],
)  # fmt: skip
def test_value(found: object, text: str) -> None:
    assert words.value(found) == text


@pytest.mark.parametrize(
    ("name", "parts"),
    [("cable_length_um", ("cable length", "µm")), ("n_nodes", ("nodes", "")), ("is_latest", ("latest", "")),
     ("step_nm", ("step", "nm"))],
)  # fmt: skip
def test_heading(name: str, parts: tuple[str, str]) -> None:
    assert words.heading(name) == parts
