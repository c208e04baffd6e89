from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array

from crant_core.errors import DifferentNeuropils, InvalidInput, NoMatchesError
from crant_core.matrices import Counts, count, factorise, merge, read_counts, write_counts
from crant_core.matrices.counting import tally
from crant_core.matrices.hashing import _ROWS
from crant_core.matrices.parquet import dump_counts, load_counts
from tests.fixtures.matrices import BASE

IDS = st.one_of(st.integers(-5, 5), st.integers(BASE, BASE + 20), st.integers(-(2**63), 2**63 - 1))
NAMES = ("a", "b", "c")
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(0, 6), st.integers(-9, 9)), max_size=60)


def columns(rows: list[tuple[int, int, int, int]]) -> list[np.ndarray]:
    region, pre, post, weight = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return [pre + BASE, post + BASE, region, weight.astype(float)]


def cells(counts: Counts) -> dict[tuple[str, int, int], float]:
    """Stored values, zeros too, by neuropil, source and target."""
    found = {}
    for name in counts.names:
        matrix = coo_array(counts.of(name))
        for row, column, value in zip(matrix.row, matrix.col, matrix.data, strict=True):
            found[name, int(counts.ids[row]), int(counts.ids[column])] = value
    return found


def naive(rows: list[tuple[int, int, int, int]], weighted: bool) -> dict[tuple[str, int, int], float]:
    found: dict[tuple[str, int, int], float] = {}
    for region, pre, post, weight in rows:
        key = (NAMES[region], pre + BASE, post + BASE)
        found[key] = found.get(key, 0) + (weight if weighted else 1)
    return found


@given(st.lists(IDS, max_size=80), st.lists(IDS, max_size=80))
def test_factorise_numbers_ids_ascending_and_gives_them_back(one, other):
    arrays = [np.array(ids, dtype=np.int64) for ids in (one, other)]
    ids, codes = factorise(*arrays)
    assert ids.tolist() == sorted({*one, *other})
    assert [ids[code].tolist() for code in codes] == [one, other]
    assert all(code.dtype == np.uint16 for code in codes)


@pytest.mark.parametrize("size", [0, 1, _ROWS - 1, _ROWS, _ROWS + 1, 5 * _ROWS])
@pytest.mark.parametrize("kind", ["all different", "neighbours", "few"])
def test_factorise_agrees_with_unique_on_many_ids(size, kind):
    random = np.random.default_rng(size)
    ids = {
        "all different": random.permutation(size) * 7919 + BASE,
        "neighbours": random.integers(0, max(1, size // 3), size),
        "few": random.integers(0, 9, size) * 2**40 - 2**60,
    }[kind].astype(np.int64)
    found, (codes,) = factorise(ids)
    expected, inverse = np.unique(ids, return_inverse=True)
    assert np.array_equal(found, expected)
    assert np.array_equal(codes, inverse)
    assert codes.dtype == (np.uint16 if len(expected) <= 2**16 else np.int32)


def test_short_codes_suffice_for_65536_ids_and_not_for_one_more():
    ids = np.arange(2**16 + 1)
    short, (early,) = factorise(ids[:-1])
    long, (one, other) = factorise(ids[:5], ids[::-1])
    assert (early.dtype, one.dtype, other.dtype) == (np.uint16, np.int32, np.int32)
    assert np.array_equal(short[early], ids[:-1])
    assert np.array_equal(long[one], ids[:5])
    assert np.array_equal(long[other], ids[::-1])


def test_ids_that_share_one_home_slot_are_told_apart():
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)  # k times this hashes to k, which is far below one slot's width
    ids = np.array([k * inverse % 2**64 for k in [5, 3, 5, *range(500), 3]], dtype=np.uint64).view(np.int64)
    found, (codes,) = factorise(ids)
    assert np.array_equal(found[codes], ids)
    assert len(found) == 500


@given(ROWS, st.booleans())
def test_counts_agree_with_a_dictionary(rows, weighted):
    pre, post, region, weights = columns(rows)
    found = count(pre, post, region, NAMES, weights if weighted else None)
    assert cells(found) == naive(rows, weighted)
    assert found.table.dtype == (np.float64 if weighted else np.int64)


@given(ROWS)
def test_the_table_is_canonical(rows):
    pre, post, region, weights = columns(rows)
    for found in (count(pre, post, region, NAMES), count(pre, post, region, NAMES, weights)):
        assert found.table.shape == (3 * len(found.ids), len(found.ids))
        table = csr_array((found.table.data, found.table.indices, found.table.indptr), shape=found.table.shape)
        assert not rows or (table.has_sorted_indices and table.has_canonical_format)


@given(ROWS)
def test_sorted_keys_and_counting_sorts_give_the_same(rows):
    pre, post, region, _ = columns(rows)
    ids, (source, target) = factorise(pre, post)
    by_keys = tally(source, target, len(ids), region, 3)
    by_sorts = tally(source, target, len(ids), region, 3, np.ones(len(source)))
    assert np.array_equal(by_keys.toarray(), by_sorts.toarray())


@pytest.mark.parametrize("neurons", [2, 1000, 70_000])
@pytest.mark.parametrize("regions", [1, 70])
def test_keys_of_every_length_count_alike(neurons, regions):
    random = np.random.default_rng(neurons + regions)
    source, target = random.integers(neurons, size=(2, 200_000), dtype=np.int32)
    region = random.integers(regions, size=len(source))
    table = tally(source, target, neurons, region, regions)
    expected = coo_array((np.ones(len(source), dtype=int), (region * neurons + source, target)), shape=table.shape)
    assert (table != expected.tocsr()).nnz == 0
    assert table.sum() == len(source)


def test_keys_that_would_be_too_long_are_sorted_in_parts(monkeypatch):
    pre, post, region, _ = columns([(2, 1, 5, 0), (0, 3, 3, 0), (2, 1, 5, 0)])
    expected = count(pre, post, region, NAMES)
    monkeypatch.setattr("crant_core.matrices.counting._KEY_BITS", 2)
    found = count(pre, post, region, NAMES)
    assert cells(found) == cells(expected) == {("c", BASE + 1, BASE + 5): 2, ("a", BASE + 3, BASE + 3): 1}
    assert found.table.dtype == np.int64


@given(ROWS, st.lists(st.integers(0, 60), max_size=4), st.booleans(), st.randoms(use_true_random=False))
def test_merged_parts_equal_the_whole(rows, cuts, weighted, random):
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [rows[start:stop] for start, stop in pairwise(edges)]
    random.shuffle(parts)
    counted = []
    for part in parts:
        pre, post, region, weights = columns(part)
        counted.append(count(pre, post, region, NAMES, weights if weighted else None))
    whole = merge(counted)
    assert cells(whole) == naive(rows, weighted)
    assert whole.table.has_canonical_format
    assert whole.ids.tolist() == sorted({one + BASE for row in rows for one in row[1:3]})


def test_parts_that_know_other_neuropils_do_not_add_up():
    one = count(np.array([1, 2]), np.array([2, 1]), np.array([0, 1]), ("left", "right"))
    other = count(np.array([1, 9]), np.array([2, 2]), np.array([0, 1]), ("right", "gall"))
    with pytest.raises(DifferentNeuropils, match="part 2 lacks 'left' and has 'gall', too") as caught:
        merge([one, merge([]), other])
    assert (caught.value.code, caught.value.value) == ("different_neuropils", ["left", "gall"])
    with pytest.raises(DifferentNeuropils, match="part 1 has 'gall', too"):
        merge([count(np.array([1]), np.array([2]), names=names) for names in (("left",), ("left", "gall"))])


def test_parts_that_know_the_same_neuropils_in_another_order_merge_by_name():
    one = count(np.array([1, 2]), np.array([2, 1]), np.array([0, 1]), ("left", "right"))
    other = count(np.array([1, 9]), np.array([2, 2]), np.array([0, 1]), ("right", "left"))
    whole = merge([one, other, merge([])])
    assert whole.names == ("left", "right")
    assert cells(whole) == {("left", 1, 2): 1, ("right", 2, 1): 1, ("right", 1, 2): 1, ("left", 9, 2): 1}


def test_a_row_of_two_parts_counts_twice_as_the_documentation_says():
    part = count(np.array([1]), np.array([2]))
    assert merge([part, part]).table.data.tolist() == [2]
    assert "disjoint" in merge.__doc__


def test_counts_above_what_a_float_can_hold_stay_exact():
    part = count(np.array([1]), np.array([2]))
    part.table.data[:] = 2**53
    assert merge([part, count(np.array([1]), np.array([2]))]).table.data.tolist() == [2**53 + 1]


def test_weights_are_added_in_the_order_of_the_rows():
    weights = np.array([1e16, 1.0, -1e16, 1.0])
    pair = np.ones(4, dtype=np.int64)
    assert count(pair, pair, weights=weights).table.data.tolist() == [((1e16 + 1.0) - 1e16) + 1.0]


def test_merging_nothing_gives_nothing():
    found = merge([])
    assert (len(found.ids), found.names, found.table.shape) == (0, (), (0, 0))


def test_counts_and_weights_do_not_mix():
    pair = np.array([1]), np.array([2])
    with pytest.raises(InvalidInput, match="only one kind"):
        merge([count(*pair), count(*pair, weights=np.ones(1))])


def test_a_neuropil_is_a_view_of_the_stack():
    counts = count(np.array([1, 1, 2]), np.array([2, 2, 1]), np.array([0, 1, 1]), ("a", "b"))
    assert np.shares_memory(counts.of("b").data, counts.table.data)
    assert np.shares_memory(counts.of("b").indices, counts.table.indices)
    with pytest.raises(NoMatchesError, match="'c'"):
        counts.of("c")


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInput, match="length"):
        count(np.array([1, 2]), np.array([1]))
    with pytest.raises(InvalidInput, match="2 neuropils"):
        count(np.array([1]), np.array([1]), np.array([2]), ("a", "b"))
    with pytest.raises(InvalidInput, match="whole numbers, not float64"):
        count(np.array([1.0]), np.array([1]))


@given(rows=ROWS, weighted=st.booleans())
def test_counts_survive_a_file(tmp_path_factory, rows, weighted):
    pre, post, region, weights = columns(rows)
    counts = count(pre, post, region, NAMES, weights if weighted else None)
    path = write_counts(counts, tmp_path_factory.mktemp("counts") / "new" / "part.parquet")
    for again in (read_counts(path), load_counts(path.read_bytes()), load_counts(dump_counts(counts))):
        assert (again.names, again.open_neuropils) == (NAMES, ())
        assert np.array_equal(again.ids, counts.ids)
        assert again.table.dtype == counts.table.dtype
        assert cells(again) == cells(counts)


def test_which_meshes_were_open_is_not_forgotten(tmp_path):
    one = count(np.array([1]), np.array([2]), np.array([0]), ("a",))
    flagged = Counts(one.ids, one.names, one.table, ("a",))
    assert merge([one, flagged]).open_neuropils == ("a",)
    assert read_counts(write_counts(flagged, tmp_path / "part.parquet")).open_neuropils == ("a",)
