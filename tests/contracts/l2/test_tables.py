"""The functions on L2 chunks: what they take, the tables they give, what they ask."""

from __future__ import annotations

import navis
import networkx as nx
import numpy as np
import pandas as pd
import pytest

from crant_core.datasets import Dataset
from crant_core.errors import InvalidId, InvalidParameters, NotARoot, UnknownDataset
from crant_core.l2 import (
    find_anchor_loc,
    get_l2_chunk_info,
    get_l2_dotprops,
    get_l2_graph,
    get_l2_info,
    get_l2_meshes,
    get_l2_skeleton,
)
from crant_core.registry import register, set_default_dataset
from tests.contracts.l2.asking import NEURONS, TABLES, UNKNOWN, asked, chunks
from tests.fixtures.neurons import live_roots, supervoxels

ALL = (*TABLES, *NEURONS, get_l2_graph, get_l2_meshes)


class TestForms:
    # D7: crantpy refuses numpy's integers, lists of them, and neurons.
    @pytest.mark.parametrize(
        "form",
        [
            int,
            str,
            np.int64,
            np.uint64,
            lambda root: [root],
            lambda root: np.array([root]),
            lambda root: pd.Series([str(root)]),
            lambda root: pd.DataFrame({"root_id": [root]}),
            lambda root: navis.MeshNeuron(None, id=root),
            lambda root: navis.NeuronList([navis.MeshNeuron(None, id=root)]),
        ],
    )
    def test_every_form_of_ids_will_do(self, dataset, form):
        root = live_roots()[3]
        for function in TABLES:
            assert set(function(form(root), dataset=dataset).root_id) == {root}
        graphs = get_l2_graph(form(root), dataset=dataset)
        assert {one.graph["root_id"] for one in (graphs if isinstance(graphs, list) else [graphs])} == {root}
        assert navis.NeuronList(get_l2_skeleton(form(root), dataset=dataset)).id.tolist() == [root]
        assert get_l2_dotprops(form(root), dataset=dataset).id.tolist() == [root]

    def test_one_is_one_and_a_list_of_one_a_list(self, dataset):
        root = live_roots()[0]
        assert isinstance(get_l2_graph(root, dataset=dataset), nx.Graph)
        assert isinstance(get_l2_graph([root], dataset=dataset), list)
        assert isinstance(get_l2_skeleton(root, dataset=dataset), navis.TreeNeuron)
        assert isinstance(get_l2_skeleton(np.int64(root), dataset=dataset), navis.TreeNeuron)
        assert isinstance(get_l2_skeleton([root], dataset=dataset), navis.NeuronList)
        assert isinstance(get_l2_dotprops(root, dataset=dataset), navis.NeuronList)

    def test_input_order_and_repetitions_are_kept(self, dataset):
        one, other = sorted(live_roots()[:2])
        wanted = [other, one, other]
        for function in (get_l2_info, find_anchor_loc):
            assert function(wanted, dataset=dataset).root_id.tolist() == wanted
        table = get_l2_chunk_info(wanted, dataset=dataset)
        assert table.l2_id.tolist() == [*chunks(other), *chunks(one), *chunks(other)]
        assert table.index.tolist() == list(range(len(table)))
        assert [found.graph["root_id"] for found in get_l2_graph(wanted, dataset=dataset)] == wanted
        for function in NEURONS:
            found = function(wanted, dataset=dataset)
            assert found.id.tolist() == wanted
            assert found[0] is not found[2]

    def test_a_second_copy_does_not_change_with_the_first(self, dataset):
        root = live_roots()[0]
        one, other = get_l2_skeleton([root, root], dataset=dataset)
        one.nodes.loc[:, "x"] = 0.0
        assert other.nodes.x.all()
        one, other = get_l2_dotprops([root, root], dataset=dataset)
        one.points[:] = 0
        assert other.points.all()
        one, other = get_l2_graph([root, root], dataset=dataset)
        one.clear()
        assert len(other)

    @pytest.mark.parametrize("function", ALL)
    def test_none_is_none_and_asks_nobody(self, dataset, ours, function):
        assert len(function([], dataset=dataset)) == 0
        assert not asked(ours)

    def test_empty_tables_have_the_columns_and_types_of_full_ones(self, dataset):
        for function in TABLES:
            empty, full = function([], dataset=dataset), function(live_roots()[0], dataset=dataset)
            assert empty.dtypes.to_dict() == full.dtypes.to_dict()

    @pytest.mark.parametrize("wrong", [5.0, None, [None], "a neuron", 0, -1, supervoxels()[0], 2 << 56 | 5], ids=repr)
    def test_what_is_no_root_id_is_an_error_before_anything_is_asked(self, dataset, ours, wrong):
        for function in ALL:
            with pytest.raises(InvalidId):
                function(wrong, dataset=dataset)
        assert not asked(ours)

    @pytest.mark.parametrize("function", ALL)
    def test_an_unknown_root_is_an_error_that_names_it(self, dataset, function):
        with pytest.raises(NotARoot, match=str(UNKNOWN)) as caught:
            function([live_roots()[0], UNKNOWN], dataset=dataset)
        assert caught.value.value == UNKNOWN

    # D10: crantpy asks the default dataset whatever it is given.
    @pytest.mark.parametrize("function", [*TABLES, *NEURONS, get_l2_graph])
    def test_the_named_dataset_is_asked_or_else_the_default(self, dataset, monkeypatch, function):
        where = {"datastack": "x", "server": "http://127.0.0.1:9", "viewer_resolution": (8, 8, 42)}
        monkeypatch.setattr("crant_core.registry._default", register(Dataset(name="absent_l2", **where)).name)
        function(live_roots()[0], dataset=dataset)
        set_default_dataset(dataset.name)
        function(live_roots()[0])
        with pytest.raises(UnknownDataset):
            function(live_roots()[0], dataset="no_such")


class TestTables:
    def test_types_and_attributes(self, dataset):
        info, found, anchors = (function(live_roots()[:2], dataset=dataset) for function in TABLES)
        assert info.columns.tolist() == [
            *("root_id", "l2_chunks", "chunks_missing", "area_um2", "size_um3", "length_um", "bounds_nm")
        ]
        columns = ["root_id", "l2_id", *"xyz", "vec_x", "vec_y", "vec_z", "size_nm3"]
        assert found.columns.tolist() == columns
        assert anchors.columns.tolist() == ["root_id", *"xyz"]
        for table in (info, found, anchors):
            assert table.root_id.dtype == np.int64
            assert table.attrs["dataset"] == dataset.name
            assert table.attrs["materialization"] is None
            assert pd.Timestamp(table.attrs["timestamp"]).tz is not None
        assert found.l2_id.dtype == found.x.dtype == np.int64
        assert {str(anchors[axis].dtype) for axis in "xyz"} == {"Int64"}
        assert all(len(bounds) == 6 for bounds in info.bounds_nm)

    # crantpy has 8, 8, 42 written into it.
    def test_voxels_are_those_of_the_datasets_viewer(self, dataset):
        finer = dataset.model_copy(update={"name": "finer", "viewer_resolution": (4, 4, 40)})
        register(finer)
        for function in (get_l2_chunk_info, find_anchor_loc):
            one, other = (function(live_roots()[0], dataset=which) for which in (dataset, finer))
            for axis, ours_, theirs in zip("xyz", (8, 8, 42), (4, 4, 40), strict=True):
                apart = one[axis].to_numpy(dtype=float) * ours_ - other[axis].to_numpy(dtype=float) * theirs
                assert np.abs(apart).max() < ours_


class TestRequests:
    # P2, and the table of requests per call: crantpy asks twice for each neuron.
    @pytest.mark.parametrize("function", [*TABLES, get_l2_dotprops])
    def test_many_neurons_are_one_request_for_leaves_and_one_for_every_2000_chunks(self, dataset, ours, function):
        function(live_roots() * 3, dataset=dataset)
        total = sum(len(chunks(root)) for root in live_roots())
        assert asked(ours) == {"leaves_many": 1, "attributes": -(-total // 2000)}

    def test_a_skeleton_costs_one_request_more_for_each_neuron(self, dataset, ours):
        get_l2_skeleton(live_roots() * 2, dataset=dataset)
        assert asked(ours) == {"leaves_many": 1, "lvl2_graph": 5, "attributes": 1}
        ours.control("DELETE", "log")
        get_l2_skeleton(live_roots() * 2, refine=False, dataset=dataset)
        assert asked(ours) == {"leaves_many": 1, "lvl2_graph": 5}

    def test_a_graph_too(self, dataset, ours):
        get_l2_graph(live_roots() * 2, dataset=dataset)
        assert asked(ours) == {"leaves_many": 1, "lvl2_graph": 5}

    # crantpy asks for a manifest for every chunk.
    def test_meshes_of_chunks_are_one_manifest_and_their_fragments(self, dataset, ours):
        root = min(live_roots(), key=lambda one: len(chunks(one)))
        found = get_l2_meshes(root, dataset=dataset)
        paths = [entry["path"] for entry in ours.control("GET", "log")["entries"]]
        assert sum("/manifest/" in path for path in paths) == 1
        assert sum("/gcs/" in path for path in paths) <= len(found) + 5
        assert len(paths) <= len(found) + 10

    def test_blocks_have_the_size_that_was_asked_for(self, dataset, ours):
        whole = get_l2_chunk_info(live_roots()[0], dataset=dataset)
        ours.control("DELETE", "log")
        assert get_l2_chunk_info(live_roots()[0], chunk_size=100, dataset=dataset).equals(whole)
        assert asked(ours)["attributes"] == -(-len(chunks(live_roots()[0])) // 100)
        with pytest.raises(InvalidParameters):
            get_l2_chunk_info(live_roots()[0], chunk_size=0, dataset=dataset)

    def test_neurons_that_share_nothing_are_asked_about_once_each(self, dataset, ours):
        get_l2_info(live_roots()[:1] * 50, dataset=dataset)
        assert asked(ours) == {"leaves_many": 1, "attributes": 1}
