"""A dataset's client: cells and their roots, both ways.

D… are defects of cortical-tools (reference/cortical-tools.md, 10).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crant_core.errors import VersionNotFound
from crant_core.sandbox import names
from tests.contracts.dataset_client.cells import NEVER, SUPERVOXEL, asked, counts, lives, nuclei, true_roots
from tests.contracts.sandbox_clients import TIMES, ids_by_neuron, moment
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox


def true_cells(root: int) -> set[int]:
    """The cells in a root when it was made."""
    return {cell for cell, found in true_roots(lives()[root][0]).items() if found == root}


class TestCellToRoot:
    def test_all_cells_at_a_version(self, client):
        expected = true_roots(TIMES[2])
        found = client.cell_id_to_root_id(list(expected), materialization_version=2)
        assert found.to_dict() == expected
        assert (found.name, str(found.dtype), str(found.index.dtype)) == ("root_id", "Int64", "int64")
        assert (found.attrs["timestamp"], found.attrs["materialization"]) == (TIMES[2].isoformat(), 2)

    # cortical-tools sorts by id
    def test_input_order_and_repetitions_are_kept(self, client):
        expected = true_roots(TIMES[3])
        found = client.cell_id_to_root_id([9, 1, 9, 4])
        assert found.index.tolist() == [9, 1, 9, 4]
        assert found.tolist() == [expected[cell] for cell in (9, 1, 9, 4)]

    # cortical-tools gives -1 where its documentation says NaN
    def test_unknown_and_missing_cells_are_left_out_or_missing(self, client):
        cells = [77_777, 1, None, "2"]
        assert client.cell_id_to_root_id(cells).index.tolist() == [1, 2]
        found = client.cell_id_to_root_id(cells, filter_empty=False)
        assert found.isna().tolist() == [True, False, True, False]
        assert found.index.tolist()[:2] == [77_777, 1]
        assert str(found.dtype) == "Int64"  # D2: a null makes floats of the ids
        assert found.iloc[1] == true_roots(TIMES[3])[1]

    @pytest.mark.parametrize("when", ["live", "mat_1", 2, TIMES[1] + timedelta(days=3)])
    def test_roots_of_any_time(self, client, when):
        at = {"live": moment("live"), "mat_1": TIMES[1], 2: TIMES[2]}.get(when, when)
        expected = true_roots(at)
        if when == "mat_1":  # its tables have expired, the segmentation's past has not
            found = client.cell_id_to_root_id([1, 2, 3, 4, 5], timestamp=when, materialization_version=3)
        else:
            found = client.cell_id_to_root_id([1, 2, 3, 4, 5], timestamp=when)
        assert found.tolist() == [expected[cell] for cell in (1, 2, 3, 4, 5)]
        if when != "live":
            assert datetime.fromisoformat(found.attrs["timestamp"]) == at

    def test_an_expired_version_is_an_error_with_a_way_out(self, client):
        with pytest.raises(VersionNotFound, match="version 1 has expired"):
            client.cell_id_to_root_id([1], materialization_version=1)

    def test_no_cells(self, own, own_client):
        _ = own_client.version
        own.control("DELETE", "log")
        found = own_client.cell_id_to_root_id([])
        assert (len(found), str(found.dtype), found.name) == (0, "Int64", "root_id")
        assert asked(counts(own), "/query") == 0

    def test_a_thousand_cells_are_one_query(self, own, own_client):
        _ = own_client.version
        own.control("DELETE", "log")
        assert len(own_client.cell_id_to_root_id(range(1, 1001))) == len(nuclei())
        assert asked(counts(own), "/query") == asked(counts(own), "/views/") == 1


def cell_of(neuron: int) -> int:
    """The number of a neuron's nucleus."""
    found = nuclei()
    return int(found.index[ids_by_neuron()[found.to_numpy()].to_numpy() == neuron][0])


class TestTwoNuclei:
    """Neurons 10 and 11 are joined, so that one root has two nuclei."""

    @pytest.fixture
    def joined(self, own: Sandbox) -> tuple[int, int]:
        cells = (cell_of(10), cell_of(11))
        pair = [[str(nuclei()[cell]) for cell in cells]]
        own.control("POST", "edit", {"operation": "merge", "pairs": pair})
        return cells

    def test_both_have_the_root_unless_such_cells_are_left_out(self, own, own_client, joined):
        own.control("POST", "materialize")
        one, other = joined
        third = cell_of(12)
        both = own_client.cell_id_to_root_id([one, other, third])
        assert both[one] == both[other] != both[third]
        assert own_client.cell_id_to_root_id([one, third, other], omit_multiple=True).index.tolist() == [third]
        kept = own_client.cell_id_to_root_id([one, third], filter_empty=False, omit_multiple=True)
        assert kept.isna().tolist() == [True, False]

    def test_they_are_left_out_at_times_after_the_version_too(self, own_client, joined):
        one, other = joined
        found = own_client.cell_id_to_root_id([one, other], timestamp="live")
        assert found[one] == found[other]
        assert len(own_client.cell_id_to_root_id([one, other], timestamp="live", omit_multiple=True)) == 0
        assert len(own_client.cell_id_to_root_id([one, other], omit_multiple=True)) == 2

    def test_such_a_root_has_no_one_cell_and_what_it_was_made_of_has(self, own_client, joined):
        one, other = joined
        root = own_client.cell_id_to_root_id([one], timestamp="live").iloc[0]
        before = true_roots(TIMES[3])
        found = own_client.root_id_to_cell_id([before[other], root, before[one]])
        assert found.fillna(-1).tolist() == [other, -1, one]


class TestRootToCell:
    # the alternative points of cells 1 and 2 are on the same roots: cortical-tools takes that for two cells
    def test_roots_of_the_version(self, client):
        expected = true_roots(TIMES[3])
        found = client.root_id_to_cell_id(list(expected.values()))
        assert found.tolist() == list(expected)
        assert (found.name, str(found.dtype), found.index.name) == ("cell_id", "Int64", "root_id")

    def test_every_root_that_ever_was(self, client):
        roots = sorted(lives())
        found = client.root_id_to_cell_id(roots)
        assert found.index.tolist() == roots
        expected = [cells.pop() if len(cells := true_cells(root)) == 1 else -1 for root in roots]
        assert found.fillna(-1).tolist() == expected
        assert len(set(expected) - {-1}) == 4

    # D11: cortical-tools has no way for no ids; it sorts, and drops repetitions
    @pytest.mark.parametrize("fixed", [False, True])
    def test_d11_it_ends_on_every_input_and_is_total_in_input_order(self, client, fixed):
        if fixed:
            client.fix_mat_timestamp(2)
        live = neurons.live_roots()
        roots = [live[2], NEVER, 0, None, live[1], SUPERVOXEL, live[2], 5, str(neurons.roots_at(1)[2])]
        found = client.root_id_to_cell_id(roots)
        assert len(found) == len(roots)
        assert found.fillna(-1).tolist() == [2, -1, -1, -1, 1, -1, 2, -1, 2]
        assert client.root_id_to_cell_id(roots, filter_empty=True).tolist() == [2, 1, 2, 2]
        for nothing in ([], [NEVER], [0], None):
            empty = client.root_id_to_cell_id(nothing, filter_empty=True)
            assert (len(empty), str(empty.dtype)) == (0, "Int64")

    def test_no_live_query_and_one_lookup_for_each_epoch(self, own, own_client):
        _ = own_client.root_id_to_cell_id(neurons.roots_at(3))
        roots = [root for at in (1, 2, 3) for root in neurons.roots_at(at)] + neurons.live_roots()
        own.control("DELETE", "log")
        found = own_client.root_id_to_cell_id(roots * 50)
        assert len(found) == 1000
        told = counts(own)
        assert asked(told, f"/{names.DATASTACK}/query") == 0
        assert asked(told, "/version/", "/query") == 2  # main table and alternative points
        assert asked(told, "roots_binary") <= 3  # the times of version 1, of version 2, and now: more never are needed
        assert asked(told, "lineage_graph_multiple") == asked(told, "is_latest_roots") == 1
        assert asked(told, "root_timestamps") == 0

    def test_roots_of_the_version_need_no_history(self, own, own_client):
        _ = own_client.root_id_to_cell_id([])
        own.control("DELETE", "log")
        own_client.root_id_to_cell_id(neurons.roots_at(3))
        assert asked(counts(own), "lineage") == asked(counts(own), "roots_binary") == 0
