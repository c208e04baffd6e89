"""What counts, against dictionaries that are filled row by row."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.synapses.adjacency import adjacency_of, axes_of
from crant_core.synapses.filters import Filters
from crant_core.synapses.partners import connectivity_of, counts_of

BIG = 2**62  # ids that no float holds

ids = st.integers(0, 4).map(lambda number: number and BIG + number)
synapses = st.lists(st.tuples(ids, ids, st.integers(0, 9)), max_size=60)
filters = st.builds(Filters, threshold=st.integers(0, 4), min_size=st.none() | st.integers(0, 10), clean=st.booleans())


def table(rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    columns = ("pre_pt_root_id", "post_pt_root_id", "size")
    values = {name: np.array([row[number] for row in rows], dtype=np.int64) for number, name in enumerate(columns)}
    return pd.DataFrame({"id": np.arange(len(rows)), **values})


def naive(rows: list[tuple[int, int, int]], how: Filters) -> list[int]:
    """Return the rows that count: by size, then clean, then the pair's number."""
    kept = [row for row, (_, _, size) in enumerate(rows) if how.min_size is None or size >= how.min_size]
    if how.clean:
        kept = [row for row in kept if rows[row][0] != rows[row][1] and 0 not in rows[row][:2]]
    number = Counter(rows[row][:2] for row in kept)
    return [row for row in kept if number[rows[row][:2]] >= how.threshold]


@given(rows=synapses, how=filters)
def test_rows_and_pairs_that_count_are_those_of_a_dictionary(rows, how):
    expected = naive(rows, how)
    assert how.keep(table(rows))["id"].tolist() == expected
    pairs = how.pairs(table(rows))
    weights = Counter(rows[row][:2] for row in expected)
    assert list(zip(pairs.pre.tolist(), pairs.post.tolist(), pairs.weight.tolist(), strict=True)) == [
        (*pair, weights[pair]) for pair in sorted(weights)
    ]


@given(rows=synapses, how=filters, symmetric=st.booleans())
def test_a_matrix_has_the_weight_of_every_pair_and_ids_of_pairs_only(rows, how, symmetric):
    pairs = how.pairs(table(rows))
    found = adjacency_of(pairs, axes_of(pairs, {}, symmetric))
    weights = Counter(rows[row][:2] for row in naive(rows, how))
    pre, post = ({pair[side] for pair in weights} for side in (0, 1))
    if symmetric:
        pre = post = pre | post
    frame = found.to_frame()
    assert (frame.index.tolist(), frame.columns.tolist()) == (sorted(pre), sorted(post))
    assert {(one, other): int(frame.loc[one, other]) for one in pre for other in post} == {
        (one, other): weights[one, other] for one in pre for other in post
    }
    assert frame.dtypes.eq(np.int64).all()


@given(rows=synapses, how=filters)
def test_partners_are_counted_once_each_and_pairs_listed_by_strength(rows, how):
    weights = Counter(rows[row][:2] for row in naive(rows, how))
    pairs = how.pairs(table(rows))
    listed = connectivity_of(pairs)
    assert list(listed.itertuples(index=False, name=None)) == [
        (*pair, weight) for pair, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    ]
    roots = np.array([BIG + 3, BIG + 1, BIG + 3, BIG + 9])
    counts = counts_of(pairs, roots, roots - 1)
    assert counts["pre"].tolist() == [sum(pre == root for pre, _ in weights) for root in roots]
    assert counts["post"].tolist() == [sum(post == root for _, post in weights) for root in roots]
    assert counts.index.tolist() == [BIG + 2, BIG, BIG + 2, BIG + 8]


def test_a_synapse_that_is_too_small_or_an_autapse_does_not_help_its_pair_over_the_threshold():
    # D13: the order is the same everywhere: size, then clean, then the pair
    rows = table([(1, 2, 9), (1, 2, 9), (1, 2, 1), (3, 4, 9), (3, 4, 9), (3, 4, 9), (5, 5, 9), (5, 5, 9), (5, 5, 9)])
    assert Filters(3, 2, clean=True).keep(rows)["id"].tolist() == [3, 4, 5]
    assert Filters(3, 2, clean=False).keep(rows)["id"].tolist() == [3, 4, 5, 6, 7, 8]
    assert Filters(3, None, clean=True).keep(rows)["id"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_synapse_of_unknown_size_is_dropped_only_if_a_size_is_asked_for():
    rows = table([(1, 2, 9), (1, 2, 9)]).assign(size=pd.array([pd.NA, 5], dtype="Int64"))
    assert Filters(1, 1).keep(rows)["id"].tolist() == [1]
    assert Filters(1, None).keep(rows)["id"].tolist() == [0, 1]


@pytest.mark.parametrize("symmetric", [False, True])
def test_without_synapses_the_axes_are_who_was_asked_for(symmetric):
    pairs = Filters().pairs(table([]))
    frame = adjacency_of(
        pairs, axes_of(pairs, {"pre_pt_root_id": [BIG + 2, BIG + 1], "post_pt_root_id": [BIG]}, symmetric)
    ).to_frame()
    assert frame.index.tolist() == ([BIG, BIG + 1, BIG + 2] if symmetric else [BIG + 1, BIG + 2])
    assert frame.columns.tolist() == ([BIG, BIG + 1, BIG + 2] if symmetric else [BIG])
    assert (frame.to_numpy() == 0).all()
    assert frame.dtypes.eq(np.int64).all()
    assert (frame.index.dtype, frame.columns.dtype) == (np.int64, np.int64)


def test_without_synapses_lists_and_counts_are_typed():
    pairs = Filters().pairs(table([]))
    assert connectivity_of(pairs).dtypes.astype(str).tolist() == ["int64"] * 3
    counts = counts_of(pairs, np.array([BIG]), np.array([BIG]))
    assert (counts.to_numpy().tolist(), counts.dtypes.astype(str).tolist()) == ([[0, 0]], ["int64", "int64"])
