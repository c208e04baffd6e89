"""What a job's items say together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from api.dashboard.numbers import numbers_of
from tests.unit.api.dashboard.conftest import Browser, Lab


def item(seconds: float | None = 10.0, error: str | None = None, **metrics: Any) -> Any:
    return SimpleNamespace(seconds=seconds, error_code=error, metrics=metrics)


def test_median_least_and_most_in_the_kind_s_order():
    found = numbers_of([item(coverage=0.9, n_nodes=3), item(coverage=0.5, n_nodes=7), item(coverage=0.8, n_nodes=4)])
    assert [one.name for one in found] == ["coverage", "n_nodes"]
    assert (found[0].median, found[0].lowest, found[0].highest, found[0].count) == (0.8, 0.5, 0.9, 3)


def test_times_are_shares_and_what_nobody_measured_is_storage():
    found = {one.name: one for one in numbers_of([item(download_seconds=5.0), item(30.0, download_seconds=15.0)])}
    assert found["download_seconds"].share == pytest.approx(0.5)
    assert (found["storage_seconds"].share, found["storage_seconds"].median) == (pytest.approx(0.5), 10)


def test_only_numbers_of_what_succeeded_count():
    found = numbers_of([item(a=1, b=True, c="x", d=None), item(error="not_a_root", a=9), item(None, a=9)])
    assert [(one.name, one.highest) for one in found] == [("a", 1)]
    assert numbers_of([]) == []


def test_a_page_shows_them(alice: Browser, lab: Lab) -> None:
    job = lab.planned(["1", "2"])
    lab.run(job, {"coverage": 0.875, "download_seconds": 9.8})
    page = alice.get(f"/jobs/{job.id}").text
    assert "Quality and cost" in page
    assert "0.875" in page
    assert "80%" in page
    assert 'data-key="storage_seconds"' in page
