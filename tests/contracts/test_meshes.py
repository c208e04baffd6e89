"""Meshes at the wire: forms of input, what is asked of the servers, what is kept, and what can be missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import navis
import numpy as np
import pytest

from crant_core.access.sources import source_of
from crant_core.caching.meshes import clear_meshes, mesh_store
from crant_core.datasets import Dataset
from crant_core.errors import (
    DataMissing,
    InvalidId,
    InvalidParameters,
    MeshNotFound,
    NotARoot,
    SourceError,
    SourceUnavailable,
    UnknownDataset,
)
from crant_core.mesh import Mesh
from crant_core.meshes import get_mesh_neuron
from crant_core.meshes.welding import area, welded
from crant_core.registry import register, set_default_dataset
from crant_core.sandbox import names
from crant_core.sources.volumes import open_volume
from tests.fixtures.neurons import live_roots, supervoxels
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

UNKNOWN = (8 << 56) | 12_345
SHARD = rf"^/gcs/{names.TABLE}/mesh/initial/.*\.shard$"


@pytest.fixture(scope="module")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that this module's tests break and mend, with clients connected."""
    with run_sandbox() as running:
        get_mesh_neuron(live_roots()[0], dataset=register(running.dataset, running.token))
        source = source_of(register(lasting(running.dataset), running.token))
        source.mesh_pieces(live_roots()[0])
        yield running


@pytest.fixture
def dataset(ours: Sandbox, monkeypatch, tmp_path) -> Iterator[Dataset]:
    """It, as if it were for ever, with nothing kept and an empty log."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    found = register(lasting(ours.dataset), ours.token)
    ours.control("DELETE", "log")
    yield found
    ours.control("DELETE", "fault")


def asked(sandbox: Sandbox) -> Counter[str]:
    """Count the requests since the log was emptied, by what they are for."""
    paths = [entry["path"] for entry in sandbox.control("GET", "log")["entries"]]
    return Counter(next((word for word in ("manifest", "gcs") if word in path), path.split("/")[-1]) for path in paths)


def manifest(sandbox: Sandbox, root: int, layer: int = 5) -> dict[str, list[Any]]:
    answer = httpx.request(
        "GET",
        f"{sandbox.url}/meshing/api/v1/table/{names.TABLE}/manifest/{root}:0",
        params={"verify": True, "return_seg_ids": 1},
        headers={"Authorization": f"Bearer {sandbox.token}"},
        json={"start_layer": layer},
    )
    found: dict[str, list[Any]] = answer.json()
    return found


def answering(sandbox: Sandbox, pattern: str, body: Any = None, status: int = 200, **more: Any) -> None:
    """Let the sandbox answer something else."""
    sandbox.control("POST", "fault", {"pattern": pattern, "status": status, "body": body} | more)


def without(whole: dict[str, list[Any]], *nodes: int) -> dict[str, list[Any]]:
    kept = [row for row, node in enumerate(whole["seg_ids"]) if node not in nodes]
    return {name: [rows[row] for row in kept] for name, rows in whole.items()}


class TestForms:
    # D7: crantpy refuses numpy's integers, lists of them, and neurons.
    @pytest.mark.parametrize(
        "form",
        [int, str, np.int64, np.uint64, lambda root: navis.MeshNeuron(None, id=root), np.array],
    )
    def test_one_is_a_neuron_in_nm(self, dataset, form):
        found = get_mesh_neuron(form(live_roots()[0]), dataset=dataset)
        assert isinstance(found, navis.MeshNeuron)
        assert (found.id, str(found.units)) == (live_roots()[0], "1 nanometer")
        assert found.n_vertices > 5000

    @pytest.mark.parametrize("form", [lambda roots: roots, np.array, lambda roots: [str(root) for root in roots]])
    def test_many_are_a_list_in_input_order_with_repetitions_as_objects_of_their_own(self, dataset, form):
        one, other = live_roots()[:2]
        found = get_mesh_neuron(form([other, one, other]), dataset=dataset)
        assert isinstance(found, navis.NeuronList)
        assert found.id.tolist() == [other, one, other]
        assert found[0] is not found[2]
        found[0].vertices[:] = 0
        assert found[2].vertices.any()

    def test_a_list_of_one_is_a_list_and_of_none_an_empty_one(self, dataset, ours):
        assert isinstance(get_mesh_neuron(live_roots()[:1], dataset=dataset), navis.NeuronList)
        ours.control("DELETE", "log")
        assert len(get_mesh_neuron([], dataset=dataset)) == 0
        assert not asked(ours)

    @pytest.mark.parametrize(
        ("how", "error"),
        [
            ({"neurons": 5.0}, InvalidId),
            ({"neurons": [None]}, InvalidId),
            ({"neurons": "a neuron"}, InvalidId),
            ({"neurons": supervoxels()[:1]}, InvalidId),
            ({"omit_failures": "yes"}, InvalidParameters),
            ({"dataset": "no_such"}, UnknownDataset),
        ],
    )
    def test_bad_input_is_an_error_before_anything_is_asked(self, dataset, ours, how, error):
        with pytest.raises(error):
            get_mesh_neuron(**({"neurons": live_roots()[0], "dataset": dataset} | how))
        assert not asked(ours)

    # D10: crantpy asks the default dataset whatever it is given.
    def test_the_named_dataset_is_asked_or_else_the_default(self, dataset, monkeypatch):
        where = {"datastack": "x", "server": "http://127.0.0.1:9", "viewer_resolution": (8, 8, 42)}
        monkeypatch.setattr("crant_core.registry._default", register(Dataset(name="absent_meshes", **where)).name)
        assert get_mesh_neuron(live_roots()[0], dataset=dataset).n_faces
        set_default_dataset(dataset.name)
        assert get_mesh_neuron(live_roots()[1]).n_faces


class TestRequests:
    def test_leaves_of_all_are_asked_at_once_and_everything_else_once_for_each(self, dataset, ours):
        roots = live_roots()[:3]
        get_mesh_neuron(roots + roots, dataset=dataset)
        counts = asked(ours)
        assert counts.pop("manifest") == 3
        assert counts.pop("gcs") == sum(len(manifest(ours, root)["fragments"]) for root in roots)
        assert counts.pop("leaves_many") <= 1 + 3
        assert max(counts.values()) <= 3  # for the chunks without a mesh: their features, and the root's age
        assert set(counts) <= {"attributes", "root_timestamps"}

    def test_no_more_neurons_are_on_their_way_than_threads(self, dataset, monkeypatch):
        source, now, most = source_of(dataset), [], []
        real = source.mesh_pieces

        def counted(*args: Any) -> Any:
            now.append(1)
            most.append(len(now))
            try:
                return real(*args)
            finally:
                now.pop()

        monkeypatch.setattr(source, "mesh_pieces", counted)
        get_mesh_neuron(live_roots(), threads=2, dataset=dataset)
        assert len(most) == 5
        assert max(most) <= 2

    def test_threads_get_the_same_meshes(self, dataset):
        expected = {root: get_mesh_neuron(root, dataset=dataset).vertices for root in live_roots()}
        clear_meshes()
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda root: get_mesh_neuron(root, dataset=dataset), live_roots() * 2))
        for neuron in found:
            assert neuron.vertices.tolist() == expected[neuron.id].tolist()


class TestKept:
    def test_a_second_call_asks_nobody(self, dataset, ours):
        first = get_mesh_neuron(live_roots()[:2], dataset=dataset)
        ours.control("DELETE", "log")
        second = get_mesh_neuron(live_roots()[1::-1], dataset=dataset)
        assert not asked(ours)
        for one, other in zip(first, second[::-1], strict=True):
            assert one.vertices.tolist() == other.vertices.tolist()
            assert one.faces.tolist() == other.faces.tolist()
            assert one._l2_chunks_missing == other._l2_chunks_missing

    def test_what_is_kept_may_be_changed_without_changing_it(self, dataset):
        get_mesh_neuron(live_roots()[0], dataset=dataset).vertices[:] = 0
        assert get_mesh_neuron(live_roots()[0], dataset=dataset).vertices.any()

    # P12: crantpy's cache on disk is not keyed by server.
    def test_another_server_or_table_has_its_own(self, dataset, ours):
        get_mesh_neuron(live_roots()[0], dataset=dataset)
        assert mesh_store().get(source_of(dataset).graph.name, live_roots()[0]) is not None
        assert mesh_store().get("https://another/table", live_roots()[0]) is None

    def test_of_a_dataset_that_may_be_set_back_nothing_is_kept(self, dataset, ours):
        passing = register(ours.dataset, ours.token)
        get_mesh_neuron(live_roots()[0], dataset=passing)
        assert mesh_store().size == 0

    def test_nothing_incomplete_is_kept(self, dataset, ours):
        answering(ours, SHARD, status=404, times=1)
        with pytest.raises(DataMissing):
            get_mesh_neuron(live_roots()[0], dataset=dataset)
        assert mesh_store().size == 0
        assert get_mesh_neuron(live_roots()[0], dataset=dataset).n_faces
        assert mesh_store().size > 0


class TestFailures:
    def test_none_raises_what_is_wrong_before_anything_is_downloaded(self, dataset, ours):
        with pytest.raises(NotARoot, match=str(UNKNOWN)) as caught:
            get_mesh_neuron([live_roots()[0], UNKNOWN], dataset=dataset)
        assert caught.value.value == UNKNOWN
        assert set(asked(ours)) == {"leaves_many"}

    def test_true_leaves_out_and_false_puts_an_empty_one(self, dataset, caplog):
        one, other = live_roots()[:2]
        found = get_mesh_neuron([one, UNKNOWN, other], True, dataset=dataset)
        assert found.id.tolist() == [one, other]
        assert str(UNKNOWN) in caplog.text
        found = get_mesh_neuron([one, UNKNOWN, other], False, dataset=dataset)
        assert found.id.tolist() == [one, UNKNOWN, other]
        assert [neuron.n_faces > 0 for neuron in found] == [True, False, True]
        assert str(found[1].units) == "1 nanometer"

    def test_one_alone_left_out_is_an_empty_list(self, dataset):
        assert isinstance(get_mesh_neuron(UNKNOWN, True, dataset=dataset), navis.NeuronList)
        assert len(get_mesh_neuron(UNKNOWN, True, dataset=dataset)) == 0
        assert get_mesh_neuron(UNKNOWN, False, dataset=dataset).n_vertices == 0

    @pytest.mark.parametrize("omit", [None, True, False])
    def test_a_server_that_fails_is_an_error_in_any_case(self, dataset, ours, omit):
        answering(ours, "/manifest/", "refused", 403)
        with pytest.raises(SourceError, match="403"):
            get_mesh_neuron(live_roots()[:2], omit, dataset=dataset)

    @pytest.mark.parametrize(("status", "pattern"), [(404, SHARD), (403, r"/mesh/dynamic/")])
    def test_a_missing_piece_is_one_neurons_failure(self, dataset, ours, status, pattern):
        answering(ours, pattern, status=status)
        with pytest.raises(DataMissing, match="pieces of a mesh are missing") as caught:
            get_mesh_neuron(live_roots()[0], dataset=dataset)
        assert caught.value.retryable
        assert len(get_mesh_neuron(live_roots()[:1], True, dataset=dataset)) == 0

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ("<html>a proxy's page</html>", SourceUnavailable),
            ([], SourceError),
            ({}, SourceError),
            ({"fragments": ["a"]}, SourceError),
            ({"fragments": [], "seg_ids": []}, MeshNotFound),
        ],
    )
    def test_a_manifest_that_is_none_is_an_error(self, dataset, ours, body, error):
        answering(ours, "/manifest/", body)
        with pytest.raises(error):
            get_mesh_neuron(live_roots()[0], dataset=dataset)

    def test_a_bucket_that_kept_its_description_of_meshes_back_is_asked_again(self, ours):
        fresh = source_of(register(lasting(ours.dataset.model_copy(update={"name": "fresh"})), ours.token))
        answering(ours, rf"/{names.TABLE}/mesh/info$", status=404)
        for ask in (fresh.mesh, fresh.mesh_pieces):
            with pytest.raises(SourceUnavailable, match="no description of its meshes"):
                ask(live_roots()[0])
        ours.control("DELETE", "fault")
        assert len(fresh.mesh(live_roots()[0]).faces)
        assert fresh.mesh_pieces(live_roots()[0])


class TestCompleteness:
    """Manifests leave out what has no mesh, and the answer is a 200."""

    def test_a_manifest_that_leaves_out_a_part_is_an_error_that_says_how_much(self, dataset, ours):
        whole = manifest(ours, live_roots()[0])
        largest = max(whole["seg_ids"])  # of the highest layer
        assert largest >> 56 > 2
        answering(ours, "/manifest/", without(whole, largest))
        with pytest.raises(DataMissing, match=r"lacks \d+ of \d+ L2 chunks, some [\d.]+% of its surface") as caught:
            get_mesh_neuron(live_roots()[0], dataset=dataset)
        assert (caught.value.retryable, caught.value.value) == (True, live_roots()[0])

    def test_chunks_without_a_mesh_that_nobody_can_measure_count_by_their_number(self, dataset, ours):
        answering(ours, "/l2cache/", {})
        with pytest.raises(DataMissing, match="L2 chunks"):
            get_mesh_neuron(live_roots()[0], dataset=dataset)

    def test_another_neurons_pieces_are_an_error(self, dataset, ours):
        answering(ours, "/manifest/", manifest(ours, live_roots()[1]))
        with pytest.raises(SourceError, match="is not in it"):
            get_mesh_neuron(live_roots()[0], dataset=dataset)

    def test_how_many_chunks_have_no_mesh_is_said(self, dataset, ours):
        found = get_mesh_neuron(live_roots(), dataset=dataset)
        assert found.id.tolist() == live_roots()
        for neuron in found:
            nodes = manifest(ours, neuron.id)["seg_ids"]
            graph = source_of(dataset).graph
            covered = set().union(*(graph.leaves(node, 2).tolist() if node >> 56 > 2 else [node] for node in nodes))
            assert neuron._l2_chunks_missing == len(set(graph.leaves(neuron.id, 2).tolist()) - covered)


class TestPlainPieces:
    """Tables whose pieces are files of their own, raw or Draco."""

    @pytest.fixture
    def meshes(self, ours, dataset) -> Any:
        path = f"graphene://{ours.url}/segmentation/table/{names.UNSHARDED_TABLE}"
        return open_volume(path, ours.token).mesh

    def test_pieces_say_which_node_they_are_of_and_make_up_the_neuron(self, meshes, dataset):
        root = live_roots()[1]
        pieces = meshes.pieces(root)
        assert {piece.segid for piece in pieces} == set(source_of(dataset).mesh_pieces(root))
        arrays = [Mesh(piece.vertices.astype(np.float64), piece.faces.astype(np.int64)) for piece in pieces]
        whole = get_mesh_neuron(root, dataset=dataset)
        assert area(welded(arrays)) == pytest.approx(area(Mesh(whole.vertices, whole.faces)), rel=1e-4)

    def test_of_layer_2_they_are_l2_chunks(self, meshes):
        assert {piece.segid >> 56 for piece in meshes.pieces(live_roots()[1], 2)} == {2}

    @pytest.mark.parametrize("body", ["<html>", "no mesh at all, but long enough for a count of vertices"])
    def test_a_damaged_piece_is_an_error_that_names_it(self, meshes, ours, body):
        answering(ours, rf"^/gcs/{names.UNSHARDED_TABLE}/mesh/\d+:0:", body, times=1)
        with pytest.raises(SourceError, match=r"\d+:0:.* is damaged"):
            meshes.pieces(live_roots()[1])


class TestFreshEdits:
    @pytest.fixture
    def edited(self, dataset, ours) -> Iterator[int]:
        """A root that an edit made just now."""
        done = ours.control("POST", "edit", {"operation": "toggle", "neuron": 0})
        yield max(map(int, done["new_roots"]), key=lambda root: len(source_of(dataset).graph.leaves(root, 2)))
        ours.control("POST", "reset")

    def test_what_is_meshed_already_comes(self, dataset, edited):
        assert get_mesh_neuron(edited, dataset=dataset).n_faces

    def test_a_chunk_that_is_not_meshed_yet_is_an_error_however_small_its_share(self, dataset, ours, edited):
        graph, whole = source_of(dataset).graph, manifest(ours, edited)
        leaves = graph.leaves(edited, 2)
        born = source_of(dataset).client().chunkedgraph.get_root_timestamps(leaves.tolist())
        features = graph.l2_data(leaves, ["area_nm2"])
        fresh = {l2 for l2, moment in zip(leaves.tolist(), born, strict=True) if moment == max(born)}
        large = next(l2 for l2 in fresh if features[l2]["area_nm2"] > 1e6)
        above = [
            node for node in whole["seg_ids"] if node == large or (node >> 56 > 2 and large in graph.leaves(node, 2))
        ]
        answering(ours, "/manifest/", without(whole, *above))
        with pytest.raises(DataMissing, match="within the last hour") as caught:
            get_mesh_neuron(edited, dataset=dataset)
        assert caught.value.retryable
        assert "again" in caught.value.hint

    def test_a_neuron_of_which_nothing_is_meshed_yet_may_come_later(self, dataset, ours, edited):
        answering(ours, "/manifest/", {"fragments": [], "seg_ids": []})
        with pytest.raises(DataMissing, match="within the last hour"):
            get_mesh_neuron(edited, dataset=dataset)
