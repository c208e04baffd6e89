from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from crant_core.dataset_client.epochs import Life, epochs

DAY = timedelta(days=1)
START = datetime(2025, 1, 1, tzinfo=UTC)


def life(born: int, end: int | None) -> Life:
    return START + born * DAY, None if end is None else START + end * DAY


def test_roots_that_held_together_are_looked_at_together():
    found = epochs({1: life(0, 5), 2: life(3, 5), 3: life(4, None), 4: life(6, 7)})
    # 1 and 2 held on day 4; 4 only from day 6 on, and 3 held then as well
    assert [sorted(roots) for _, roots in found] == [[1, 2], [3, 4]]
    assert START + 4 * DAY <= found[0][0] < START + 5 * DAY
    assert START + 6 * DAY <= found[1][0] < START + 7 * DAY


def test_a_root_that_ends_when_the_next_begins_is_looked_at_apart():
    found = epochs({1: life(0, 2), 2: life(2, 4)})
    assert [roots for _, roots in found] == [[1], [2]]
    assert found[0][0] < START + 2 * DAY <= found[1][0]


def test_a_root_that_still_holds_needs_no_end():
    assert [roots for _, roots in epochs({1: life(0, None), 2: life(9, None)})] == [[1, 2]]


def test_no_roots_need_no_look():
    assert epochs({}) == []


# D11: where a root's first valid time is not before its last one, cortical-tools never marks it done and loops for ever
def test_d11_roots_that_ended_when_or_before_they_were_made_are_in_one_group_each_time():
    lives = {1: life(3, 3), 2: life(5, 4), 3: life(0, 9)}
    found = epochs(lives)
    assert sorted(root for _, roots in found for root in roots) == [1, 2, 3]
    assert next(moment for moment, roots in found if 1 in roots) == START + 3 * DAY


spans = st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(1, 6)))


@given(st.lists(spans, max_size=6))
def test_every_root_is_seen_once_while_it_held_and_fewer_looks_would_not_do(drawn):
    lives = {root: life(born, None if last is None else born + last) for root, (born, last) in enumerate(drawn)}
    found = epochs(lives)
    assert sorted(root for _, roots in found for root in roots) == sorted(lives)
    for moment, roots in found:
        for root in roots:
            born, end = lives[root]
            assert born <= moment
            assert end is None or moment < end
    assert len(found) == fewest(lives)


def fewest(lives: dict[int, Life]) -> int:
    """Try all sets of births: some smallest set of moments consists of births only."""
    begins = sorted({born for born, _ in lives.values()})
    for count in range(len(begins) + 1):
        for chosen in combinations(begins, count):
            if all(any(born <= at and (end is None or at < end) for at in chosen) for born, end in lives.values()):
                return count
    raise AssertionError(lives)
