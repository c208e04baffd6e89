"""Columns of tables of synapses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.errors import InvalidId, InvalidInput
from crant_core.matrices.counting import EVERYWHERE
from crant_core.matrices.positions import positions_in
from crant_core.matrices.reading import ids_in, type_label
from crant_core.matrices.synapses import count_synapses, count_synapses_by_neuropil, read_synapses
from tests.fixtures.matrices import BASE, Boxes, synapses

PLACES = [[1, 2, 3], [4.5, 5, 6]]


@pytest.mark.parametrize(
    "column",
    [
        np.array([BASE + 1, 0, BASE + 1]),
        np.array([BASE + 1, 0, BASE + 1], dtype=np.uint64),
        [str(BASE + 1), "0", str(BASE + 1)],
        pd.array([BASE + 1, 0, BASE + 1], dtype="Int64"),
        pd.Categorical([BASE + 1, 0, BASE + 1]),
        [BASE + 1, "0", np.int64(BASE + 1)],
    ],
)
def test_ids_are_read_exactly(column):
    assert ids_in(pd.Series(column)).tolist() == [BASE + 1, 0, BASE + 1]


def test_a_column_of_integers_is_not_copied():
    ids = np.array([3, 4])
    assert np.shares_memory(ids_in(pd.Series(ids, copy=False)), ids)


@pytest.mark.parametrize("column", [[1.0, 2.0], ["x", "1"], [-1, 2], np.array([2**63], dtype=np.uint64)])
def test_what_is_no_id_is_refused(column):
    with pytest.raises(InvalidId):
        ids_in(pd.Series(column))


def test_missing_ids_are_named_by_their_rows():
    column = pd.Series(pd.array([1, None, 3, None], dtype="Int64"), index=list("abcd"), name="pre")
    with pytest.raises(InvalidInput, match="column 'pre', in rows b, d"):
        ids_in(column)


def test_labels_of_types_are_trimmed_strings():
    assert [type_label(value) for value in (" ER ", b"ER", 5, 5.0, np.float64(5), np.int64(5), 5.5, True)] == [
        *("ER", "ER", "5", "5", "5", "5", "5.5", "True")
    ]
    assert {type_label(value) for value in (None, float("nan"), pd.NA, pd.NaT, "", "  ", b" ")} == {None}


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"p": PLACES}),
        pd.DataFrame({"p": [np.array(place) for place in PLACES]}),
        pd.DataFrame({"p_x": [1, 4.5], "p_y": [2, 5], "p_z": pd.array([3, 6], dtype="Int64")}),
    ],
)
def test_positions_are_one_column_or_three(table):
    assert positions_in(table, "p").tolist() == PLACES


def test_pixels_become_nm_after_the_offset_is_added():
    table = pd.DataFrame({"p": [[1, 2, 3]]})
    assert positions_in(table, "p", "pixels").tolist() == [[8, 16, 126]]
    assert positions_in(table, "p", "pixels", (1, 0, -1)).tolist() == [[16, 16, 84]]
    assert positions_in(table, "p", "nm", (1, 0, -1)).tolist() == [[1, 2, 3]]
    assert positions_in(table, "p", "pixels", dataset="minnie65_public").tolist() == [[4, 8, 120]]


@pytest.mark.parametrize("bad", [[1, np.nan, 3], None, np.nan, [1, 2], [1, 2, np.inf], "x", ["a", "b", "c"]])
def test_rows_without_a_position_are_named(bad):
    table = pd.DataFrame({"p": pd.Series([[1, 2, 3], bad, [1, 2, 3], bad], index=[10, 11, 12, 13], dtype=object)})
    with pytest.raises(InvalidInput, match="column 'p', in rows 11, 13"):
        positions_in(table, "p")


def test_many_bad_rows_are_counted():
    table = pd.DataFrame({"p": [[np.nan] * 3] * 1234})
    with pytest.raises(InvalidInput, match=r"in rows 0, 1, 2, 3, 4, … \(1,234 in all\)"):
        positions_in(table, "p")


@pytest.mark.parametrize("arguments", [{"coordinates": "um"}, {"coordinates": "pixels", "voxel_offset": (1, 2)}])
def test_units_and_offsets_that_are_none_are_refused(arguments):
    with pytest.raises(InvalidInput):
        positions_in(pd.DataFrame({"p": PLACES}), "p", **arguments)


def test_a_missing_column_is_named():
    with pytest.raises(InvalidInput, match="no column 'p'"):
        positions_in(pd.DataFrame({"p_x": [1], "p_y": [1]}), "p")
    with pytest.raises(InvalidInput, match="no column 'post'"):
        read_synapses(pd.DataFrame({"pre": [1]}), "pre", "post")
    with pytest.raises(InvalidInput, match="no column 'post'"):
        read_synapses(pd.DataFrame({"pre": [1, 1], "id": [1, 1]}), "pre", "post")


def test_rows_that_repeat_an_id_count_once():
    table = synapses([(1, 2), (1, 2), (3, 2), (1, 2)], id=[7, 8, 7, 8])
    read = read_synapses(table, "pre_pt_root_id", "post_pt_root_id")
    assert read.row.tolist() == [0, 1]
    assert count_synapses(table).table.data.tolist() == [2]
    assert count_synapses(table.assign(id=[1, 2, 3, 4])).table.sum() == 4


def test_rows_without_a_synapse_id_all_count():
    table = synapses([(1, 2)] * 4, id=pd.array([None, None, 5, 5], dtype="Int64"))
    assert count_synapses(table).table.sum() == 3


def test_the_rows_of_bad_weights_are_named_though_repeated_rows_are_dropped():
    table = synapses([(1, 2)] * 3, id=[1, 1, 2], size=[1, 1, np.nan])
    with pytest.raises(InvalidInput, match="'size' has values that are not finite numbers, in row 2"):
        count_synapses(table, weight_column="size")


def test_a_table_without_neuropils_is_counted_everywhere():
    counts = count_synapses(synapses([(1, 2)], size=[2.5]), weight_column="size")
    assert (counts.names, counts.table.data.tolist()) == ((EVERYWHERE,), [2.5])


def test_a_synapse_counts_in_every_neuropil_that_contains_it_or_in_other():
    boxes = Boxes(left=((0, 0, 0), (2, 9, 9)), right=((1, 0, 0), (3, 9, 9)), empty=((90, 90, 90), (91, 91, 91)))
    table = synapses([(1, 2), (1, 2), (2, 1)], ctr_pt_position=[[0, 1, 1], [1.5, 1, 1], [50, 1, 1]])
    counts = count_synapses_by_neuropil(table, boxes)
    assert counts.names == ("left", "right", "empty", "other")
    assert [counts.of(name).toarray().tolist() for name in counts.names] == [
        [[0, 2], [0, 0]],
        [[0, 1], [0, 0]],
        [[0, 0], [0, 0]],
        [[0, 0], [1, 0]],
    ]
    assert count_synapses_by_neuropil(table, boxes, include_other=False).names == ("left", "right", "empty")


def test_a_neuropil_may_not_be_called_like_the_rest():
    with pytest.raises(InvalidInput, match="called 'other'"):
        count_synapses_by_neuropil(synapses([(1, 2)], ctr_pt_position=[[0, 0, 0]]), Boxes(other=((0, 0, 0), (1, 1, 1))))


def test_no_neuropils_and_no_synapses_are_no_trouble():
    table = synapses([(1, 2)], ctr_pt_position=[[0, 0, 0]])
    assert count_synapses_by_neuropil(table, Boxes(), include_other=False).table.shape == (0, 2)
    assert count_synapses_by_neuropil(table, Boxes()).of("other").sum() == 1
    empty = count_synapses_by_neuropil(table.iloc[:0], Boxes(a=((0, 0, 0), (1, 1, 1))))
    assert (empty.names, empty.table.shape) == (("a", "other"), (0, 0))
