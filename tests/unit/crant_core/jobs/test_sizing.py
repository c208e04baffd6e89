"""How many items a unit has, and how long failures are waited out."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.jobs.retrying import patience
from crant_core.jobs.sizing import AIM_SECONDS, running_mean, unit_size, unit_sizes

COUNTS = st.integers(1, 10**6)
SECONDS = st.floats(1e-9, 1e5)


@given(seconds=SECONDS, left=COUNTS, first=COUNTS, largest=COUNTS)
def test_a_unit_has_an_item_at_least_and_is_within_every_bound(
    seconds: float, left: int, first: int, largest: int
) -> None:
    size = unit_size(seconds, left=left, first=first, largest=largest)
    assert 1 <= size <= largest
    assert size == 1 or size * seconds <= AIM_SECONDS * (1 + 1e-9)


def test_units_follow_what_items_cost() -> None:
    sizes = [unit_size(s, left=10**6, first=1, largest=5000) for s in (100, 12, 1, 0.012, 1e-6)]
    assert sizes == [1, 1, 12, 1000, 5000]


def test_before_anything_was_measured_the_kind_decides() -> None:
    assert unit_size(None, left=10**6, first=50, largest=200) == 50


def test_towards_the_end_units_are_smaller_but_not_tiny() -> None:
    sizes = [unit_size(0.1, left=left, first=1, largest=1000) for left in (10_000, 1_600, 800, 100, 1)]
    assert sizes == [120, 100, 50, 10, 10]


def test_costs_are_followed_slowly() -> None:
    assert running_mean(None, 4.0) == 4.0
    assert running_mean(4.0, 14.0) == 7.0


@given(attempt=st.integers(1, 40), code=st.sampled_from(["source_unavailable", "data_missing", "anything"]))
def test_pauses_grow_to_a_bound(attempt: int, code: str) -> None:
    limit = patience(code)
    most = min(limit.longest, limit.first * 2.0 ** (attempt - 1))
    assert most / 10 <= limit.pause(attempt).total_seconds() <= most


def test_an_outage_of_a_minute_is_outlasted() -> None:
    usual = patience("source_unavailable")
    assert sum(min(usual.longest, usual.first * 2**n) for n in range(usual.attempts - 1)) / 10 >= 25


@given(seconds=st.none() | SECONDS, left=st.integers(1, 10**5), largest=COUNTS, processes=st.integers(1, 500))
def test_units_have_all_items_and_never_grow(seconds: float | None, left: int, largest: int, processes: int) -> None:
    sizes = list(unit_sizes(seconds, left=left, first=max(1, left // 50), largest=largest, processes=processes))
    assert sum(sizes) == left
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("processes", [1, 2, 16, 64])
@pytest.mark.parametrize("seconds", [0.05, 0.9, 5.0])
def test_processes_end_together(processes: int, seconds: float) -> None:
    """Two minutes of work for each process; a process that is free takes the next unit."""
    left = round(120 * processes / seconds)
    free = [0.0] * processes
    for size in unit_sizes(seconds, left=left, first=1, largest=10_000, processes=processes):
        heapq.heapreplace(free, free[0] + size * seconds)
    assert max(free) <= 120 + max(1.0, seconds) + 0.5


def test_in_a_long_job_there_are_few_units_more_than_at_full_size() -> None:
    count = sum(1 for _ in unit_sizes(1.0, left=12_000, first=1, largest=10_000, processes=2))
    assert 1000 <= count <= 1000 + 50
