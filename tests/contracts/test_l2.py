"""L2 functions at the wire: forms of input, what they ask of the servers, gaps in the L2 cache, and faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import navis
import networkx as nx
import numpy as np
import pandas as pd
import pytest

from crant_core.datasets import Dataset
from crant_core.errors import (
    DataMissing,
    InvalidId,
    InvalidParameters,
    NotARoot,
    SkeletonError,
    SourceError,
    UnknownDataset,
)
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
from crant_core.sandbox.anatomy import Anatomy
from tests.fixtures.neurons import graph, live_roots, supervoxels, world
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox
from tests.fixtures.toys import Toy, row, supervoxel, toy

__all__ = ["toy"]
pytestmark = pytest.mark.xdist_group("l2")
UNKNOWN = (8 << 56) | 12_345
TABLES = (get_l2_info, get_l2_chunk_info, find_anchor_loc)
NEURONS = (get_l2_skeleton, get_l2_dotprops)
ALL = (*TABLES, *NEURONS, get_l2_graph, get_l2_meshes)


@pytest.fixture(scope="module")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that this module's tests break and mend, with clients connected."""
    with run_sandbox() as running:
        known = register(lasting(running.dataset), running.token)
        get_l2_info(live_roots()[0], dataset=known)
        get_l2_skeleton(live_roots()[0], refine=False, dataset=known)
        yield running


@pytest.fixture
def dataset(ours: Sandbox, monkeypatch, tmp_path) -> Iterator[Dataset]:
    """It, with an empty log."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    found = register(lasting(ours.dataset), ours.token)
    ours.control("DELETE", "log")
    yield found
    ours.control("DELETE", "fault")


def asked(sandbox: Sandbox) -> Counter[str]:
    """Count the requests since the log was emptied, by the last part of the path."""
    return Counter(entry["path"].rsplit("/", 1)[-1] for entry in sandbox.control("GET", "log")["entries"])


def chunks(root: int) -> list[int]:
    return sorted(graph().l2_of(root).tolist())


def knowing(sandbox: Sandbox, *ids: int, **more: Any) -> None:
    """Let the L2 cache know these chunks only; of the others it says nothing, in one of two ways."""
    anatomy = Anatomy(world(), graph())
    body: dict[str, Any] = {str(l2_id): anatomy.attributes(l2_id) | more for l2_id in ids}
    body |= {str(l2_id): {} for root in live_roots()[:2] for l2_id in chunks(root)[::2] if l2_id not in ids}
    sandbox.control("POST", "fault", {"pattern": "/l2cache/", "status": 200, "body": body})


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


class TestSkeletons:
    def test_it_is_in_nm_numbered_from_0_with_parents_first_and_no_soma(self, dataset):
        found = get_l2_skeleton(live_roots()[0], dataset=dataset)
        nodes = found.nodes
        assert (found.id, str(found.units)) == (live_roots()[0], "1 nanometer")
        assert nodes.node_id.tolist() == list(range(len(chunks(found.id))))
        assert (nodes.parent_id < nodes.node_id).all()
        assert found.soma is None
        assert found._l2_chunks_missing == 0

    def test_l2_ids_keep_all_their_digits(self, dataset):
        nodes = get_l2_skeleton(live_roots()[0], l2_node_ids=True, dataset=dataset).nodes
        assert sorted(nodes.node_id.tolist()) == chunks(live_roots()[0])
        assert set(nodes.parent_id) - {-1} <= set(nodes.node_id)

    def test_the_same_call_gives_the_same_skeleton(self, dataset):
        one, other = (get_l2_skeleton(live_roots()[1], dataset=dataset).nodes for _ in range(2))
        assert one.equals(other)

    def test_what_is_given_goes_to_the_neuron(self, dataset):
        found = get_l2_skeleton(live_roots()[0], name="mine", dataset=dataset)
        assert (found.name, found.id) == ("mine", live_roots()[0])

    @pytest.mark.parametrize("wrong", [{"bogus": 5}, {"units": "8 nm"}, {"id": 5}, {"max_threads": 0}])
    def test_what_it_does_not_know_is_refused(self, dataset, wrong):
        with pytest.raises(InvalidParameters):
            get_l2_skeleton(live_roots()[0], dataset=dataset, **wrong)

    @pytest.mark.parametrize("option", ["attach_synapses", "reroot_at_soma"])
    def test_what_cannot_be_done_is_an_error_before_anything_is_asked(self, dataset, ours, monkeypatch, option):
        def nothing(name: str) -> Any:
            raise AttributeError(name)

        monkeypatch.setattr("crant_core.__getattr__", nothing)
        with pytest.raises(InvalidParameters, match=option):
            get_l2_skeleton(live_roots()[0], dataset=dataset, **{option: True})
        assert not asked(ours)

    def test_what_can_is_done_to_all_but_empty_neurons(self, dataset, monkeypatch):
        seen = []

        def step(neurons: navis.NeuronList, *, dataset: Dataset) -> navis.NeuronList:
            seen.append((neurons.id.tolist(), dataset.name))
            return navis.NeuronList([neuron.copy() for neuron in neurons])

        monkeypatch.setattr("crant_core.__getattr__", lambda name: step)
        wanted = [live_roots()[0], UNKNOWN, live_roots()[1]]
        found = get_l2_skeleton(wanted, True, True, False, False, True, True, dataset=dataset)
        assert found.id.tolist() == wanted
        assert seen == [(live_roots()[:2], dataset.name)] * 2


class TestFailures:
    @pytest.mark.parametrize("function", NEURONS)
    def test_the_three_meanings_of_omit_failures(self, dataset, function, caplog):
        one, other = live_roots()[:2]
        with pytest.raises(NotARoot):
            function([one, UNKNOWN, other], omit_failures=None, dataset=dataset)
        assert function([one, UNKNOWN, other], omit_failures=True, dataset=dataset).id.tolist() == [one, other]
        assert str(UNKNOWN) in caplog.text
        found = function([one, UNKNOWN, other], omit_failures=False, dataset=dataset)
        assert found.id.tolist() == [one, UNKNOWN, other]
        assert str(found[1].units) == "1 nanometer"
        assert len(function([UNKNOWN], omit_failures=True, dataset=dataset)) == 0
        with pytest.raises(InvalidParameters):
            function(one, omit_failures="maybe", dataset=dataset)

    def test_one_alone(self, dataset):
        assert len(get_l2_skeleton(UNKNOWN, omit_failures=True, dataset=dataset)) == 0
        empty = get_l2_skeleton(UNKNOWN, omit_failures=False, dataset=dataset)
        assert (empty.id, empty.n_nodes) == (UNKNOWN, 0)
        assert len(get_l2_dotprops(UNKNOWN, omit_failures=False, dataset=dataset)[0].points) == 0

    @pytest.mark.parametrize("function", [*TABLES, *NEURONS])
    def test_a_failing_l2_cache_is_an_error(self, dataset, ours, function):
        ours.control("POST", "fault", {"pattern": "/l2cache/", "status": 400, "body": "no"})
        with pytest.raises(SourceError, match="400"):
            function(live_roots()[:2], dataset=dataset)

    # crantpy logs it, and returns None.
    @pytest.mark.parametrize("function", [get_l2_graph, get_l2_skeleton])
    def test_a_failing_graph_is_an_error(self, dataset, ours, function):
        ours.control("POST", "fault", {"pattern": "/lvl2_graph", "status": 500, "body": "no"})
        with pytest.raises(SourceError):
            function(live_roots()[:2], dataset=dataset)

    @pytest.mark.parametrize(
        "body", [{"edge_graph": [[1, 2]]}, {"edge_graph": 5}, {"edge_graph": [[1]]}, {}, [], "<html>"], ids=repr
    )
    def test_an_answer_that_is_no_graph_of_the_neuron_is_an_error(self, dataset, ours, body):
        ours.control("POST", "fault", {"pattern": "/lvl2_graph", "status": 200, "body": body})
        with pytest.raises(SourceError):
            get_l2_graph(live_roots()[0], dataset=dataset)

    @pytest.mark.parametrize("value", [[1, 2], "there", {"x": 1}])
    def test_a_place_that_is_none_is_an_error(self, dataset, ours, value):
        knowing(ours, *chunks(live_roots()[0]), rep_coord_nm=value)
        with pytest.raises(SourceError, match="rep_coord_nm"):
            get_l2_chunk_info(live_roots()[0], dataset=dataset)

    @pytest.mark.parametrize("value", [[1, 2], "there", [[1, 2]], {"x": 1}])
    def test_an_axis_that_is_none_is_an_error(self, dataset, ours, value):
        knowing(ours, *chunks(live_roots()[0]), pca=value)
        with pytest.raises(SourceError, match="pca"):
            get_l2_dotprops(live_roots()[0], dataset=dataset)

    def test_a_missing_piece_of_a_chunks_mesh_is_an_error(self, dataset, ours):
        ours.control("POST", "fault", {"pattern": r"\.shard$", "status": 404, "times": 1})
        with pytest.raises(DataMissing):
            get_l2_meshes(live_roots()[0], dataset=dataset)


class TestDotprops:
    def test_small_chunks_are_left_out(self, dataset):
        root = live_roots()[0]
        sizes = get_l2_chunk_info(root, dataset=dataset).dropna().size_nm3
        [found] = get_l2_dotprops(root, 1e9, dataset=dataset)
        assert len(found.points) == (sizes >= 1e9).sum()
        with pytest.raises(SkeletonError, match="min_size"):
            get_l2_dotprops(root, 1e15, dataset=dataset)

    # crantpy seeds NumPy's global generator, which everybody's random numbers come from.
    @pytest.mark.parametrize("size", [float("nan"), float("inf"), "big", True])
    def test_a_size_that_is_no_number_is_refused(self, dataset, size):
        with pytest.raises(InvalidParameters, match="min_size"):
            get_l2_dotprops(live_roots()[0], min_size=size, dataset=dataset)

    def test_a_sample_is_a_share_the_same_every_time_and_leaves_global_chance_alone(self, dataset):
        root = live_roots()[0]
        [whole] = get_l2_dotprops(root, dataset=dataset)
        np.random.seed(7)
        expected = np.random.random()
        np.random.seed(7)
        [found] = get_l2_dotprops(root, sample=0.2, dataset=dataset)
        assert np.random.random() == expected
        [again] = get_l2_dotprops(root, sample=0.2, dataset=dataset)
        assert len(found.points) == round(len(whole.points) * 0.2)
        assert found.points.tolist() == again.points.tolist()
        assert set(map(tuple, found.points.tolist())) < set(map(tuple, whole.points.tolist()))
        assert len(get_l2_dotprops(root, sample=1e-9, dataset=dataset)[0].points) == 1

    @pytest.mark.parametrize("sample", [0, -0.1, 1.5, True, "a half", 20])
    def test_what_is_no_share_is_an_error(self, dataset, sample):
        with pytest.raises(InvalidParameters):
            get_l2_dotprops(live_roots()[0], sample=sample, dataset=dataset)


def root_of(toy: Toy) -> int:
    [root] = toy.graph.roots(np.array([supervoxel(0, 1)], dtype=np.uint64), datetime.now(UTC))
    return int(root)


class TestToys:
    """Graphs that people can count in; the L2 cache knows nothing of them."""

    def test_a_neuron_of_one_chunk_is_a_graph_of_one_node_and_no_skeleton(self, toy: Toy):
        toy.graph = row([3])
        root = root_of(toy)
        found = get_l2_graph(root, dataset=toy.dataset)
        assert (len(found.nodes), len(found.edges)) == (1, 0)
        assert get_l2_info(root, dataset=toy.dataset).l2_chunks.tolist() == [1]
        with pytest.raises(SkeletonError, match="one L2 chunk"):
            get_l2_skeleton(root, refine=False, dataset=toy.dataset)
        assert len(get_l2_skeleton(root, omit_failures=True, dataset=toy.dataset)) == 0

    def test_chunks_in_a_row_are_a_line_of_their_middles(self, toy: Toy):
        toy.graph = row([1, 2, 1, 1])
        root = root_of(toy)
        found = get_l2_skeleton(root, refine=False, dataset=toy.dataset)
        assert found.nodes.parent_id.tolist() == [-1, 0, 1, 2]
        assert np.diff(found.nodes.x).tolist() == [8192] * 3
        assert found.cable_length == 3 * 8192
