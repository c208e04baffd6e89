"""Somata at the wire: neurons by their ids, nuclei as they were noted, roots of any age, and what can be missing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core.access import clear_all_caches
from crant_core.dataset_client import DatasetClient
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, NotARoot, SourceError, UnknownDataset, WrongType
from crant_core.l2 import get_l2_skeleton
from crant_core.meshes import get_mesh_neuron
from crant_core.registry import register, set_default_dataset
from crant_core.sandbox import names
from crant_core.sandbox.world.history import VERSIONS
from crant_core.somata import detect_soma, get_soma_from_annotations, measure_soma, reroot_at_soma
from crant_core.synapses import attach_synapses
from tests.fixtures.neurons import graph, live_roots, world
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

UNKNOWN = (8 << 56) | 12_345
WITH_SOMA, WITHOUT = (1, 2, 3, 4), 0
RESOLUTION = np.array([8, 8, 42])


@pytest.fixture(scope="module")
def ours() -> Iterator[Sandbox]:
    with run_sandbox() as running:
        get_mesh_neuron(live_roots()[0], dataset=register(running.dataset, running.token))
        yield running


@pytest.fixture
def dataset(ours: Sandbox, monkeypatch, tmp_path) -> Iterator[Dataset]:
    """Everything it serves, with nothing kept and an empty log."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    clear_all_caches()
    ours.control("DELETE", "log")
    yield register(ours.dataset, ours.token)
    ours.control("DELETE", "fault")


def truth(number: int) -> np.ndarray:
    """Where hemibrain's own skeleton has the soma, nm."""
    tree = world().trees[number]
    return tree.nodes[tree.radii.argmax()]


def nuclei() -> pd.DataFrame:
    """The table of nuclei as it is served; the neurons with a soma come first, in their order."""
    rows = world().frame(f"tables/{names.NUCLEI}")
    return rows.head(len(WITH_SOMA)).set_index(pd.Index(WITH_SOMA))


def noted(number: int) -> np.ndarray:
    """Where the table of nuclei has it, nm."""
    return nuclei().loc[number, [f"pt_position_{axis}" for axis in "xyz"]].to_numpy(dtype=float) * RESOLUTION


def holders(version: int) -> list[int]:
    """The roots that the nuclei were in."""
    return graph().roots(nuclei().pt_supervoxel_id.to_numpy("uint64"), VERSIONS[version - 1].timestamp).tolist()


def pieces_without(number: int, version: int) -> list[int]:
    """The pieces of a neuron that were not put together with its soma yet."""
    found = world().segmentation
    then = np.unique(graph().roots(found.ids[found.neuron == number], VERSIONS[version - 1].timestamp)).tolist()
    return [root for root in then if root and root not in holders(version)]


def asked(sandbox: Sandbox, ending: str) -> int:
    paths = Counter(entry["path"].split("/")[-1] for entry in sandbox.control("GET", "log")["entries"])
    return paths[ending]


class TestDetection:
    def test_neurons_are_found_by_their_ids_in_input_order(self, dataset):
        numbers = [3, WITHOUT, 1, 4, 2, 3]
        found = detect_soma([live_roots()[number] for number in numbers], dataset=dataset)
        assert found.shape == (6, 3)
        assert found[1].tolist() == [None] * 3
        for row, number in zip(found, numbers, strict=True):
            if number != WITHOUT:
                assert np.linalg.norm(row.astype(np.int64) * RESOLUTION - truth(number)) < 1500

    def test_if_all_have_one_they_are_whole_numbers(self, dataset):
        found = detect_soma(live_roots()[1:3], dataset=dataset)
        assert found.dtype == np.int64
        assert detect_soma(str(live_roots()[1]), dataset=dataset).tolist() == found[0].tolist()

    def test_skeletons_stand_for_their_meshes_and_meshes_for_themselves(self, dataset, ours):
        mesh = get_mesh_neuron(live_roots()[2], dataset=dataset)
        skeleton = get_l2_skeleton(live_roots()[1], dataset=dataset)
        mixed = detect_soma(navis.NeuronList([mesh, skeleton]), dataset=dataset)
        assert mixed.tolist() == detect_soma([live_roots()[2], live_roots()[1]], dataset=dataset).tolist()
        ours.control("DELETE", "log")
        detect_soma(mesh, dataset=dataset)
        assert not ours.control("GET", "log")["entries"]

    def test_how_clear_they_are_tells_the_one_without(self, dataset):
        somata = measure_soma(live_roots(), dataset=dataset)
        assert [soma.found for soma in somata] == [number != WITHOUT for number in range(5)]
        assert somata[WITHOUT].ratio < 1.3
        assert min(somata[number].ratio for number in WITH_SOMA) > 1.8

    def test_what_has_no_mesh_raises_or_counts_as_a_neuron_without_a_soma(self, dataset, caplog):
        with pytest.raises(NotARoot):
            detect_soma([live_roots()[1], UNKNOWN], dataset=dataset)
        with caplog.at_level(logging.WARNING):
            found = detect_soma([UNKNOWN, live_roots()[1]], missing_ok=True, dataset=dataset)
        assert [row[0] is None for row in found] == [True, False]
        assert str(UNKNOWN) in caplog.text

    def test_trouble_with_the_server_is_never_a_missing_soma(self, dataset, ours):
        ours.control("POST", "fault", {"pattern": "/manifest/", "status": 403, "body": {"error": "missing_permission"}})
        with pytest.raises(SourceError):
            detect_soma(live_roots()[1], missing_ok=True, dataset=dataset)


class TestNotes:
    @pytest.mark.parametrize("table", [names.NUCLEI, None], ids=["nuclei", "annotations"])
    def test_current_and_outdated_roots_find_what_they_contained(self, dataset, table):
        known = dataset.model_copy(update={"cell_main_table": table})
        for roots in (live_roots()[1:], holders(1), holders(2), holders(3)):
            found = get_soma_from_annotations(roots, None, known)
            for number, position in zip(WITH_SOMA, found, strict=True):
                assert position == pytest.approx(noted(number), abs=1e-6)
        assert get_soma_from_annotations([live_roots()[WITHOUT]], None, known) == [None]

    @pytest.mark.parametrize("table", [names.NUCLEI, None], ids=["nuclei", "annotations"])
    def test_a_piece_that_was_not_joined_yet_has_none(self, dataset, table):
        known = dataset.model_copy(update={"cell_main_table": table})
        pieces = [piece for number in WITH_SOMA for piece in pieces_without(number, 1)]
        assert len(pieces) > 3
        assert set(get_soma_from_annotations(pieces, None, known)) == {None}

    def test_one_is_a_tuple_of_nm_or_none(self, dataset):
        one = get_soma_from_annotations(live_roots()[1], None, dataset)
        assert isinstance(one, tuple)
        assert all(type(value) is float for value in one)
        assert np.linalg.norm(one - truth(1)) < 1000
        assert get_soma_from_annotations(live_roots()[WITHOUT], None, dataset) is None

    def test_neurons_without_a_nucleus_in_the_table_are_looked_for_in_the_annotations(self, dataset, monkeypatch):
        empty = lambda source, table, base, roots: []  # noqa: E731 - as if the detector had found nothing
        monkeypatch.setattr("crant_core.somata.annotations._nuclei", empty)
        assert get_soma_from_annotations(live_roots()[1], None, dataset) == pytest.approx(noted(1), abs=1e-6)

    def test_all_current_roots_cost_as_much_as_one(self, dataset, ours):
        get_soma_from_annotations(live_roots(), None, dataset.model_copy(update={"annotations": None}))
        assert asked(ours, "roots_binary") == 1
        assert asked(ours, "lineage_graph_multiple") == 1
        assert asked(ours, "query") == 1

    def test_the_client_names_the_dataset(self, dataset):
        set_default_dataset(dataset)
        try:
            mine = SimpleNamespace(datastack_name=dataset.datastack)
            assert get_soma_from_annotations(live_roots()[1], mine) == pytest.approx(noted(1))
        finally:
            set_default_dataset("latest")
        for known in (mine, dataset, dataset.name, DatasetClient.of(dataset)):  # whatever the default is
            assert get_soma_from_annotations(live_roots()[1], known) == pytest.approx(noted(1))
        with pytest.raises(UnknownDataset, match="nobodys"):
            get_soma_from_annotations(live_roots()[1], "nobodys")
        for nothing in (5, SimpleNamespace(datastack_name=None)):
            with pytest.raises(WrongType, match="no client"):
                get_soma_from_annotations(live_roots()[1], nothing)
        with pytest.raises(InvalidInput, match="kronauer_ant"):
            get_soma_from_annotations(live_roots()[1], SimpleNamespace(datastack_name="kronauer_ant"), dataset)
        with pytest.raises(UnknownDataset):
            get_soma_from_annotations(live_roots()[1], SimpleNamespace(datastack_name="nobodys"))

    def test_what_never_was_a_root_is_no_neuron_without_a_soma(self, dataset):
        with pytest.raises(NotARoot, match=str(UNKNOWN)):
            get_soma_from_annotations(UNKNOWN, None, dataset)

    def test_a_dataset_without_notes_says_so(self, dataset):
        known = dataset.model_copy(update={"cell_main_table": None, "annotations": None})
        with pytest.raises(InvalidInput, match="no notes"):
            get_soma_from_annotations(live_roots()[1], None, known)


class TestRerooting:
    def test_skeletons_begin_at_their_somata_and_the_one_without_is_left(self, dataset, caplog):
        skeletons = get_l2_skeleton(live_roots(), dataset=dataset)
        before = skeletons[WITHOUT].nodes.copy()
        with caplog.at_level(logging.WARNING):
            assert reroot_at_soma(skeletons, dataset=dataset) is skeletons
        assert skeletons[WITHOUT].nodes.equals(before)
        assert f"neuron {live_roots()[WITHOUT]} stays as it is" in caplog.text
        assert [neuron._soma_found for neuron in skeletons] == [number != WITHOUT for number in range(5)]
        assert all(neuron._soma_ratio > 1.8 for neuron in skeletons[1:])
        for number in WITH_SOMA:
            (root,) = skeletons[number].root
            nodes = skeletons[number].nodes.set_index("node_id")
            distances = np.linalg.norm(nodes[["x", "y", "z"]] - truth(number), axis=1)
            assert np.linalg.norm(nodes.loc[root, ["x", "y", "z"]].to_numpy(float) - truth(number)) < 1500 + min(
                distances
            )

    def test_options_reach_the_search(self, dataset):
        skeleton = get_l2_skeleton(live_roots()[1], dataset=dataset)
        reroot_at_soma(skeleton, detect_soma_kwargs={"min_rad": 5000}, dataset=dataset)
        assert not skeleton._soma_found

    def test_a_neuron_whose_mesh_cannot_be_had_stays_as_it_is(self, dataset, caplog):
        skeleton = get_l2_skeleton(live_roots()[1], dataset=dataset)
        skeleton.id = UNKNOWN
        root = skeleton.root.tolist()
        with caplog.at_level(logging.WARNING):
            reroot_at_soma(skeleton, dataset=dataset)
        assert skeleton.root.tolist() == root
        assert not skeleton._soma_found
        with pytest.raises(NotARoot):
            reroot_at_soma(skeleton, detect_soma_kwargs={"missing_ok": False}, dataset=dataset)


class TestTogether:
    def test_l2_skeletons_take_both_with_a_dataset_that_is_an_object(self, ours, monkeypatch, tmp_path):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
        known = register(lasting(ours.dataset), ours.token)
        wanted = [live_roots()[1], UNKNOWN, live_roots()[2]]
        found = get_l2_skeleton(wanted, omit_failures=False, attach_synapses=True, reroot_at_soma=True, dataset=known)
        assert found.id.tolist() == wanted
        for neuron in (found[0], found[2]):
            assert neuron.soma in neuron.root
            assert len(neuron.connectors) > 50

    def test_synapses_are_attached_to_a_list_with_a_dataset_that_is_an_object(self, dataset):
        skeletons = get_l2_skeleton(live_roots()[1:3], dataset=dataset)
        assert attach_synapses(skeletons, dataset=dataset) is skeletons
        assert all(len(neuron.connectors) > 50 for neuron in skeletons)
