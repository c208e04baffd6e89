"""Meshes and vertex maps of a dataset's client, against the sandbox, with the real clients.

D… are defects of cortical-tools (reference/cortical-tools.md, 10).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from caveclient import CAVEclient
from cloudvolume import Bbox
from cloudvolume.mesh import Mesh as CloudMesh

from crant_core import MeshClient
from crant_core.access import source_of
from crant_core.caching.meshes import clear_meshes, mesh_store
from crant_core.dataset_client import DatasetClient
from crant_core.errors import (
    DataMissing,
    InvalidId,
    InvalidInput,
    InvalidParameters,
    MeshNotFound,
    NotARoot,
    SourceError,
)
from crant_core.meshes import get_mesh_neuron
from crant_core.registry import register
from crant_core.sandbox import names
from crant_core.vertex_map import Method, SegmentationLookup, VertexAssigner
from tests.fixtures.neurons import live_roots, supervoxels
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox
from tests.fixtures.vertex_truth import is_right, true_surfaces

UNKNOWN = (8 << 56) | 12_345


@pytest.fixture(scope="module")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that this module's tests break, edit and mend."""
    with run_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """Where this module's tests keep meshes."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def client(ours: Sandbox, monkeypatch, folder: str) -> Iterator[DatasetClient]:
    monkeypatch.setenv("CRANT_CACHE_FOLDER", folder)
    yield DatasetClient.of(register(lasting(ours.dataset), ours.token))
    ours.control("DELETE", "fault")


@pytest.fixture
def mesh(client: DatasetClient) -> MeshClient:
    return client.mesh


@pytest.fixture
def nothing_kept(client: DatasetClient) -> None:
    clear_meshes()


def cave(sandbox: Sandbox) -> CAVEclient:
    return CAVEclient(names.DATASTACK, server_address=sandbox.url, auth_token=sandbox.token, write_server_cache=False)


def path(sandbox: Sandbox, table: str = names.TABLE) -> str:
    return f"graphene://{sandbox.url}/segmentation/table/{table}"


def unmeshed(sandbox: Sandbox) -> None:
    body = {"fragments": [], "seg_ids": []}
    sandbox.control("POST", "fault", {"pattern": "/manifest/", "status": 200, "body": body})


class TestMeshes:
    def test_a_mesh_is_cloud_volumes_whole_and_in_nm(self, client, mesh):
        root = live_roots()[0]
        found = mesh.get_mesh(np.int64(root))
        neuron = get_mesh_neuron(root, dataset=client._described)
        assert isinstance(found, CloudMesh)
        assert (found.vertices.dtype, found.faces.dtype, found.segid) == (np.float32, np.uint32, root)
        assert np.abs(found.vertices - neuron.vertices).max() < 0.1
        assert found.faces.tolist() == neuron.faces.tolist()

    def test_many_come_by_root_each_once_in_input_order(self, mesh):
        one, two = live_roots()[1::-1]
        found = mesh.get_meshes([one, str(two), one], fuse=True)
        assert list(found) == [one, two]
        assert [len(found[root].vertices) for root in found] == [len(mesh.get_mesh(root)) for root in (one, two)]

    @pytest.mark.usefixtures("nothing_kept")
    def test_d21_what_came_whole_is_kept_up_to_the_limit_and_nobody_asked_again(self, mesh, ours):
        first = mesh.get_mesh(live_roots()[0])
        ours.control("DELETE", "log")
        second = mesh.get_mesh(live_roots()[0])
        assert ours.control("GET", "log")["entries"] == []
        assert first == second
        first.vertices[:] = 0
        assert mesh.get_mesh(live_roots()[0]).vertices.any()
        assert 0 < mesh_store().size <= mesh_store().most_bytes

    def test_making_one_and_its_dataset_client_asks_nothing(self):
        assert DatasetClient("x", "https://nowhere.invalid").mesh.mesh_l2_mappings == {}
        assert MeshClient(cv_path="graphene://https://nowhere.invalid/segmentation/table/x").mesh_l2_mappings == {}
        with pytest.raises(InvalidInput, match="nowhere"):
            MeshClient()

    def test_a_caveclient_a_dataset_and_a_path_lead_to_the_same_meshes(self, mesh, ours):
        root, expected = live_roots()[2], mesh.get_mesh(live_roots()[2])
        assert MeshClient(cave(ours)).get_mesh(root) == expected
        assert MeshClient.of(lasting(ours.dataset)).get_mesh(root) == expected
        elsewhere = MeshClient(cave(ours), path(ours, names.UNSHARDED_TABLE)).get_mesh(root)
        assert len(elsewhere.vertices) == pytest.approx(len(expected.vertices), rel=0.03)  # tears

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [(UNKNOWN, NotARoot), (5.0, InvalidId), ([1], InvalidId), (int(supervoxels()[0]), InvalidId)],
    )
    def test_what_is_no_root_is_an_error(self, mesh, wrong, error):
        with pytest.raises(error):
            mesh.get_mesh(wrong)

    # D23: None or an IndexError, depending on an argument of another library's
    @pytest.mark.usefixtures("nothing_kept")
    def test_d23_a_missing_mesh_is_an_error_unless_it_may_be_missing(self, mesh, ours):
        unmeshed(ours)
        root = live_roots()[0]
        with pytest.raises(MeshNotFound):
            mesh.get_mesh(root)
        assert mesh.get_mesh(root, allow_missing=True) is None
        assert mesh.get_meshes([root], allow_missing=True) == {root: None}
        with pytest.raises(NotARoot):
            mesh.get_mesh(UNKNOWN, allow_missing=True)

    @pytest.mark.usefixtures("nothing_kept")
    def test_a_missing_piece_is_an_error_also_if_the_mesh_may_be_missing(self, mesh, ours):
        ours.control("POST", "fault", {"pattern": r"\.shard$", "status": 404})
        with pytest.raises(DataMissing):
            mesh.get_mesh(live_roots()[0], allow_missing=True)

    # D23: the flag of the shared volume stayed set after an error
    @pytest.mark.usefixtures("nothing_kept")
    @pytest.mark.parametrize("options", [{}, {"remove_duplicate_vertices": True}])
    def test_d23_a_bar_is_one_calls_alone(self, mesh, ours, options):
        before = mesh.cv.config.progress
        ours.control("POST", "fault", {"pattern": "/manifest/", "status": 403, "body": "no"})
        with pytest.raises(SourceError, match="403"):
            mesh.get_mesh(live_roots()[0], progress=True, **options)
        assert mesh.cv.config.progress == before == False  # noqa: E712 - it is the volume's own flag

    def test_cloud_volumes_own_arguments_reach_it(self, mesh):
        root, whole = live_roots()[0], mesh.get_mesh(live_roots()[0])
        middle = np.median(whole.vertices, axis=0)
        box = Bbox(((middle - 5000) / (16, 16, 42)).astype(int), ((middle + 5000) / (16, 16, 42)).astype(int))
        part = mesh.get_mesh(root, bounding_box=box, remove_duplicate_vertices=True)
        assert 0 < len(part.vertices) < len(whole.vertices)
        with pytest.raises(InvalidParameters, match="level_of_detail"):
            mesh.get_mesh(root, level_of_detail=3)


class TestMaps:
    def test_a_neurons_vertices_get_their_l2_ids(self, mesh):
        root = live_roots()[0]
        found, assigner = mesh.compute_vertex_to_l2_mapping(root, return_assigner=True)
        assert isinstance(assigner, VertexAssigner)
        assert found.dtype == np.int64
        assert found is assigner.mesh_label
        assert set(found.tolist()) <= set(assigner.lvl2_ids.tolist())
        assert assigner.coverage.share == 1
        assert is_right(root, assigner.vertices, found)[assigner.method == Method.SOLO].mean() > 0.999
        assert mesh.mesh_l2_mappings[root] is found

    def test_what_the_caller_has_is_not_asked_for(self, mesh, ours):
        root = live_roots()[0]
        whole = mesh.get_mesh(root)
        expected, assigner = mesh.compute_vertex_to_l2_mapping(root, return_assigner=True)
        l2 = assigner.l2
        ours.control("DELETE", "log")
        order = np.random.default_rng(0).permutation(len(l2.ids))
        found = mesh.compute_vertex_to_l2_mapping(root, whole.vertices, whole.faces, l2.ids[order], l2.points[order])
        assert ours.control("GET", "log")["entries"] == []
        assert (found == expected).mean() > 0.999  # single precision

    def test_a_path_alone_is_enough_for_who_has_the_l2_ids(self, client, ours):
        root, alone = live_roots()[0], MeshClient(cv_path=path(ours))
        expected, assigner = client.mesh.compute_vertex_to_l2_mapping(root, return_assigner=True)
        both, l2 = (assigner.vertices, assigner.faces), assigner.l2
        with pytest.raises(InvalidInput, match="no L2 ids"):
            alone.compute_vertex_to_l2_mapping(root, *both)
        found = MeshClient(cave(ours), path(ours)).compute_vertex_to_l2_mapping(root, *both, l2.ids, l2.points)
        assert found.tolist() == expected.tolist()
        assert alone.compute_vertex_to_l2_mapping(root, *both, l2.ids, l2.points).tolist() == expected.tolist()

    # D16: one L2 id that the cache does not know yet, and the peer had a KeyError for the neuron
    def test_d16_a_neuron_of_fresh_edits_has_a_map(self, client, mesh, ours):
        root = live_roots()[0]
        whole, ids = mesh.get_mesh(root), client.get_l2_ids(root)
        before, fresh = mesh.compute_vertex_to_l2_mapping(root), set(ids[::20].tolist())
        known = client.get_l2data([l2_id for l2_id in ids.tolist() if l2_id not in fresh], as_dataframe=False)
        body = {str(l2_id): features for l2_id, features in known.items()} | {str(l2_id): {} for l2_id in fresh}
        ours.control("POST", "fault", {"pattern": "/l2cache/", "status": 200, "body": body})
        found, assigner = mesh.compute_vertex_to_l2_mapping(root, whole.vertices, whole.faces, return_assigner=True)
        assert assigner.coverage.l2_ids_without_point == len(fresh)
        assert assigner.coverage.share == 1
        assert (found == before).mean() > 0.9
        assert fresh & set(found.tolist())  # those alone in their chunk

    def test_d16_a_cache_that_knows_nothing_leaves_what_is_alone_in_its_chunk(self, mesh, ours):
        root = live_roots()[0]
        whole = mesh.get_mesh(root)
        ours.control("POST", "fault", {"pattern": "/l2cache/", "status": 200, "body": {}})
        found, assigner = mesh.compute_vertex_to_l2_mapping(
            root, whole.vertices, whole.faces, return_assigner=True, hop_limit=0
        )
        assert assigner.coverage.l2_ids_without_point == len(assigner.lvl2_ids)
        assert {Method(code).name for code in np.unique(assigner.method)} == {"NONE", "SOLO"}
        assert is_right(root, whole.vertices, found)[found > 0].mean() > 0.999

    # D21: halves of pairs were dropped, `mesh_kwargs` never used
    @pytest.mark.parametrize(
        "arguments",
        [
            {"vertices": np.zeros((3, 3))},
            {"faces": np.array([[0, 1, 2]])},
            {"lvl2_ids": [2 << 56 | 1]},
            {"lvl2_pts": np.zeros((1, 3))},
            {"vertices": np.zeros((3, 3)), "faces": np.array([[0, 1, 2]]), "mesh_kwargs": {"allow_missing": True}},
            {"vertices": np.zeros((3, 2)), "faces": np.array([[0, 1, 2]])},
            {"vertices": np.zeros((3, 3)), "faces": np.array([[0, 1, 3]])},
            {"vertices": np.full((3, 3), np.nan), "faces": np.array([[0, 1, 2]])},
            {"vertices": np.zeros((3, 3)), "faces": np.array([[0.0, 1, 2]])},
            {"lvl2_ids": [2 << 56 | 1], "lvl2_pts": np.zeros((2, 3))},
            {"max_distance": -1},
            {"ratio_better": 0},
            {"ratio_better": float("nan")},
            {"hop_limit": -1},
        ],
    )
    def test_d21_what_cannot_be_used_is_an_error_and_not_dropped(self, mesh, arguments):
        with pytest.raises(InvalidParameters):
            mesh.compute_vertex_to_l2_mapping(live_roots()[0], **arguments)

    @pytest.mark.parametrize("ids", [[3 << 56 | 1], [2 << 56 | 1] * 2, [2.0]])
    def test_what_is_no_l2_id_is_an_error(self, mesh, ids):
        with pytest.raises(InvalidId):
            mesh.compute_vertex_to_l2_mapping(live_roots()[0], lvl2_ids=ids, lvl2_pts=np.zeros((len(ids), 3)))

    # D21: four processes at most, each with a copy of the mesh
    def test_d21_no_process_is_begun_and_n_jobs_changes_nothing(self, mesh, monkeypatch):
        root = live_roots()[0]
        expected = mesh.compute_vertex_to_l2_mapping(root)

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a process was begun")

        for begin in ("os.fork", "subprocess.Popen.__init__", "multiprocessing.process.BaseProcess.start"):
            monkeypatch.setattr(begin, refuse)
        assert (mesh.compute_vertex_to_l2_mapping(root, n_jobs=8) == expected).all()

    def test_d21_the_meshs_arguments_are_used(self, mesh):
        root = live_roots()[0]
        pieces = mesh.get_mesh(root, deduplicate_chunk_boundaries=False)
        found = mesh.compute_vertex_to_l2_mapping(root, mesh_kwargs={"deduplicate_chunk_boundaries": False})
        assert len(found) == len(pieces.vertices) > len(mesh.get_mesh(root).vertices)

    @pytest.mark.usefixtures("nothing_kept")
    def test_a_missing_mesh_and_a_root_that_never_was_are_errors(self, mesh, ours):
        with pytest.raises(NotARoot):
            mesh.compute_vertex_to_l2_mapping(UNKNOWN)
        unmeshed(ours)
        with pytest.raises(MeshNotFound):
            mesh.compute_vertex_to_l2_mapping(live_roots()[0])
        with pytest.raises(MeshNotFound):
            mesh.compute_vertex_to_l2_mapping(live_roots()[0], mesh_kwargs={"allow_missing": True})

    def test_not_more_maps_are_remembered_than_may_be(self, mesh, monkeypatch):
        monkeypatch.setattr("crant_core.dataset_client.meshes._REMEMBERED", 2)
        triangle, ids = (np.zeros((3, 3)), np.array([[0, 1, 2]])), ([], np.empty((0, 3)))
        for root in live_roots()[:3]:
            mesh.compute_vertex_to_l2_mapping(root, *triangle, *ids)
        assert list(mesh.mesh_l2_mappings) == live_roots()[1:3]


class TestLookup:
    def test_a_surface_is_of_the_l2_id_whose_voxels_are_beside_it_or_of_none(self, client):
        surfaces = true_surfaces(live_roots()[2])
        one, other = sorted(surfaces, key=lambda l2_id: len(surfaces[l2_id]))[-2:]
        look = SegmentationLookup(source_of(client._described))
        assert look(np.array([one, other]), [surfaces[other], surfaces[one]]).tolist() == [1, 0]
        assert look(np.array([one]), [surfaces[other]]).tolist() == [-1]
        assert look(np.array([2 << 56 | 7]), [surfaces[one]]).tolist() == [-1]


class TestTruth:
    """The share of right vertices, of which the sandbox knows the L2 chunks."""

    def test_most_vertices_are_right_and_those_alone_in_their_chunk_nearly_all(self, mesh):
        right, methods = [], []
        for root in live_roots():
            found, assigner = mesh.compute_vertex_to_l2_mapping(root, return_assigner=True)
            right.append(is_right(root, assigner.vertices, found))
            methods.append(assigner.method)
        all_right, method = np.concatenate(right), np.concatenate(methods)
        assert all_right.mean() > 0.86  # the sandbox cuts pieces of surface up where other neurons' voxels overlap
        assert all_right[method == Method.SOLO].mean() > 0.999
        assert all_right[method == Method.WINDING].mean() > 0.81

    def test_looked_up_more_are_right(self, mesh):
        root = live_roots()[0]
        found, assigner = mesh.compute_vertex_to_l2_mapping(root, cloudvolume_fallback=True, return_assigner=True)
        right = is_right(root, assigner.vertices, found)
        assert right[assigner.method == Method.LOOKUP].mean() > 0.99
        assert right.mean() > 0.93
