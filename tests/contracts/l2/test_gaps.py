"""The functions on L2 chunks where the L2 cache knows only a part."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from crant_core.errors import SkeletonError
from crant_core.l2 import find_anchor_loc, get_l2_chunk_info, get_l2_dotprops, get_l2_info, get_l2_skeleton
from crant_core.sandbox.anatomy import Anatomy
from tests.contracts.l2.asking import chunks, knowing
from tests.fixtures.neurons import graph, live_roots, world


class TestGaps:
    """What the L2 cache does not know is never made up."""

    def test_sums_are_of_what_is_known_and_say_how_much_is_not(self, dataset, ours):
        root = live_roots()[0]
        known = chunks(root)[:300]
        knowing(ours, *known)
        [row_] = get_l2_info(root, dataset=dataset).itertuples()
        true = Anatomy(world(), graph())
        assert (row_.l2_chunks, row_.chunks_missing) == (len(chunks(root)), len(chunks(root)) - 300)
        assert row_.size_um3 == pytest.approx(sum(true.attributes(one)["size_nm3"] for one in known) / 1e9)
        assert row_.area_um2 == pytest.approx(sum(true.attributes(one)["area_nm2"] for one in known) / 1e6)
        assert row_.length_um == pytest.approx(sum(true.attributes(one)["max_dt_nm"] for one in known) / 1e3)

    def test_if_nothing_is_known_sums_are_nan_and_places_na(self, dataset, ours):
        one, other = live_roots()[:2]
        knowing(ours, *chunks(other))
        info = get_l2_info([one, other], dataset=dataset)
        assert info[["area_um2", "size_um3", "length_um"]].isna().all(axis=1).tolist() == [True, False]
        assert info.bounds_nm[0] is None
        assert info.chunks_missing.tolist() == [len(chunks(one)), 0]
        anchors = find_anchor_loc([one, other], dataset=dataset)
        assert anchors[list("xyz")].isna().all(axis=1).tolist() == [True, False]

    def test_missing_rows_are_dropped_and_counted(self, dataset, ours):
        known = chunks(live_roots()[0])[10:20]
        knowing(ours, *known)
        table = get_l2_chunk_info(live_roots()[0], dataset=dataset)
        assert table.l2_id.tolist() == known
        assert table.attrs["chunks_missing"] == len(chunks(live_roots()[0])) - 10

    def test_chunks_without_an_axis_have_nan_and_no_dotprop(self, dataset, ours):
        root = live_roots()[0]
        knowing(ours, *chunks(root), pca=[])
        table = get_l2_chunk_info(root, dataset=dataset)
        assert table[["vec_x", "vec_y", "vec_z"]].isna().all(axis=None)
        assert not table[[*"xyz", "size_nm3"]].isna().any(axis=None)
        with pytest.raises(SkeletonError, match="with a place and a direction"):
            get_l2_dotprops(root, dataset=dataset)

    def test_dotprops_count_what_is_missing(self, dataset, ours):
        root = live_roots()[0]
        knowing(ours, *chunks(root)[:100])
        [found] = get_l2_dotprops(root, dataset=dataset)
        assert len(found.points) + found._l2_chunks_missing == len(chunks(root))
        assert 80 < len(found.points) <= 100

    def test_a_skeleton_goes_across_chunks_that_are_not_known(self, dataset, ours):
        root = live_roots()[0]
        whole = get_l2_skeleton(root, l2_node_ids=True, dataset=dataset)
        inner = whole.nodes.node_id[whole.nodes.type.isin(["slab", "branch"])].astype(int).tolist()
        lost = set(inner[1::3])
        knowing(ours, *(set(chunks(root)) - lost))
        found = get_l2_skeleton(root, l2_node_ids=True, dataset=dataset)
        assert set(found.nodes.node_id) == set(chunks(root)) - lost
        assert found._l2_chunks_missing == len(lost)
        assert found.n_trees == whole.n_trees
        assert not found.nodes.radius.isna().any()
        ups = nx.relabel_nodes(graph_of(root), int)
        for child, parent in found.nodes[["node_id", "parent_id"]].to_numpy().tolist():
            if parent >= 0 and not ups.has_edge(child, parent):
                between = nx.shortest_path(ups.subgraph({child, parent} | lost), child, parent)
                assert set(between[1:-1]) <= lost

    def test_or_keeps_them_in_the_middle_of_their_chunk_without_a_radius(self, dataset, ours):
        from crant_core.sandbox import layout

        root = live_roots()[0]
        lost = chunks(root)[5:50]
        knowing(ours, *(set(chunks(root)) - set(lost)))
        found = get_l2_skeleton(root, drop_missing=False, l2_node_ids=True, dataset=dataset).nodes.set_index("node_id")
        assert sorted(found.index) == chunks(root)
        assert set(found.index[found.radius.isna()]) == set(lost)
        middles = layout.chunk_start(layout.chunk_of(np.array(lost, dtype=np.uint64))) + np.array(layout.chunk_nm()) / 2
        assert found.loc[lost, ["x", "y", "z"]].to_numpy() == pytest.approx(middles)

    def test_less_than_half_known_is_a_warning(self, dataset, ours):
        knowing(ours, *chunks(live_roots()[0])[:100])
        with pytest.warns(UserWarning, match="knows 100 of the"):
            get_l2_skeleton(live_roots()[0], dataset=dataset)

    def test_nothing_known_is_a_failure_but_not_without_refining(self, dataset, ours):
        knowing(ours)
        with pytest.raises(SkeletonError, match="knows none"):
            get_l2_skeleton(live_roots()[0], dataset=dataset)
        found = get_l2_skeleton(live_roots()[0], refine=False, dataset=dataset)
        assert found.n_nodes == len(chunks(live_roots()[0]))
        assert found.nodes.radius.isna().all()


def graph_of(root: int) -> nx.Graph:
    found = nx.Graph()
    found.add_edges_from(graph().lvl2_graph(root).tolist())
    return found
