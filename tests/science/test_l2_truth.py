"""L2 functions and meshes against the shapes the sandbox was made of."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import navis
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from crant_core.l2 import (
    find_anchor_loc,
    get_l2_chunk_info,
    get_l2_dotprops,
    get_l2_graph,
    get_l2_info,
    get_l2_meshes,
    get_l2_skeleton,
)
from crant_core.mesh import Mesh
from crant_core.meshes import get_mesh_neuron
from crant_core.meshes.welding import area
from crant_core.registry import register
from crant_core.sandbox import layout
from crant_core.sandbox.anatomy import Anatomy
from crant_core.sandbox.world.navis_data import BODY_IDS
from crant_core.segmentation import locs_to_segments
from crant_core.skeleton.surface import weld
from tests.fixtures import voxels
from tests.fixtures.neurons import graph, live_roots, world
from tests.fixtures.sandbox import Sandbox

REAL = range(len(BODY_IDS))
MADE_UP = (10, 37, 64)
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _own_store(monkeypatch, tmp_path):
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))


@pytest.fixture
def dataset(sandbox: Sandbox):
    return register(sandbox.dataset, sandbox.token)


@cache
def truth(name: str) -> pd.DataFrame:
    return world().frame(f"truth/{name}")


def root_of(neuron: int) -> int:
    members = world().segmentation.ids[world().segmentation.neuron == neuron]
    [root] = np.unique(graph().roots(members, NOW))
    return int(root)


@cache
def l2_of_supervoxels() -> np.ndarray:
    """Return the L2 chunk of every supervoxel, now."""
    return graph().roots(world().segmentation.ids, NOW, 2)


@cache
def sizes() -> dict[int, int]:
    """Count every L2 chunk's grains in the volume, and return their volume, nm³."""
    found = world().segmentation
    ids, counts = np.unique(l2_of_supervoxels()[found.of_voxel], return_counts=True)
    return dict(zip(ids.tolist(), (counts * voxels.GRAIN.prod()).tolist(), strict=True))


def true_mesh(root: int) -> Mesh:
    found = Anatomy(world(), graph()).surface(root)
    assert found is not None
    return weld(found)


def as_mesh(neuron: navis.MeshNeuron) -> Mesh:
    return Mesh(np.asarray(neuron.vertices), np.asarray(neuron.faces))


def parts_of(count: int, edges: np.ndarray) -> int:
    links = coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    return int(connected_components(links, directed=False)[0])


def edges_of(mesh: Mesh) -> np.ndarray:
    return np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=1)


def open_edges(mesh: Mesh) -> int:
    return int((np.unique(edges_of(mesh), axis=0, return_counts=True)[1] == 1).sum())


class TestMeshes:
    @pytest.mark.parametrize("neuron", [*REAL, *MADE_UP])
    def test_a_mesh_has_the_area_extent_parts_and_holes_of_the_true_surface(self, dataset, neuron):
        root = root_of(neuron)
        found, true = as_mesh(get_mesh_neuron(root, dataset=dataset)), true_mesh(root)
        assert area(found) == pytest.approx(area(true), rel=1e-3)  # Draco rounds to the nm
        for end in (np.min, np.max):
            assert np.abs(end(found.vertices, axis=0) - end(true.vertices, axis=0)).max() < 1
        assert cKDTree(true.vertices).query(found.vertices)[0].max() < 1
        assert cKDTree(found.vertices).query(true.vertices)[0].max() < 1
        assert parts_of(len(found.vertices), edges_of(found)) == parts_of(len(true.vertices), edges_of(true))
        assert open_edges(found) == open_edges(true)

    def test_every_vertex_is_in_the_mesh_of_its_l2_chunk_and_in_no_other(self, dataset):
        rows = truth("vertices")[lambda every: (every.neuron == 1) & ~every.on_border]
        places = np.searchsorted(world().segmentation.ids, rows.supervoxel_id.to_numpy())
        members = rows.assign(l2=l2_of_supervoxels()[places].astype(np.int64))
        meshes = get_l2_meshes(root_of(1), dataset=dataset)
        assert meshes.id.tolist() == sorted(meshes.id)
        assert set(members.l2) <= set(meshes.id.tolist())
        assert {str(neuron.units) for neuron in meshes} == {"1 nanometer"}
        trees = {neuron.id: cKDTree(neuron.vertices) for neuron in meshes}
        for l2_id, some in members.groupby("l2"):
            assert trees[l2_id].query(some[list("xyz")].to_numpy())[0].max() < 1
        everything, owner = members[list("xyz")].to_numpy(), members.l2.to_numpy()
        for l2_id, tree in list(trees.items())[::20]:
            assert tree.query(everything[owner != l2_id])[0].min() > 0

    def test_l2_meshes_lie_in_their_chunks_and_add_up_to_the_neuron(self, dataset):
        root = root_of(2)
        meshes = get_l2_meshes(root, dataset=dataset)
        for neuron in meshes:
            low = layout.chunk_start(layout.chunk_of(np.uint64(neuron.id)))
            assert (neuron.vertices >= low - 1).all()
            assert (neuron.vertices <= low + layout.chunk_nm() + 1).all()
        assert sum(area(as_mesh(neuron)) for neuron in meshes) == pytest.approx(area(true_mesh(root)), rel=1e-3)


class TestTables:
    def test_chunks_have_the_volume_of_their_voxels_and_a_point_inside(self, dataset):
        roots = [root_of(neuron) for neuron in (*REAL, *MADE_UP)]
        table = get_l2_chunk_info(roots, dataset=dataset)
        expected = [l2_id for root in roots for l2_id in sorted(graph().l2_of(root).tolist())]
        assert table.l2_id.tolist() == expected
        assert table.size_nm3.tolist() == [sizes()[l2_id] for l2_id in expected]
        inside = (table[["x", "y", "z"]].to_numpy() + 0.5) * (8, 8, 42)
        supervoxels = voxels.at(inside)
        own = l2_of_supervoxels()[np.searchsorted(world().segmentation.ids, supervoxels)]
        assert (own == table.l2_id).all()

    def test_directions_are_the_first_principal_axis_of_the_voxels(self, dataset):
        table = get_l2_chunk_info(root_of(0), dataset=dataset).set_index("l2_id")
        owner = l2_of_supervoxels()[world().segmentation.of_voxel]
        large = table.index[(table.size_nm3 > 50 * voxels.GRAIN.prod()).to_numpy()][::25]
        for l2_id in large:
            points = voxels.grains()[owner == l2_id].astype(float)
            variances, axes = np.linalg.eigh(np.cov(points.T))
            if variances[2] > 2 * variances[1]:
                found = table.loc[l2_id, ["vec_x", "vec_y", "vec_z"]].to_numpy(dtype=float)
                assert abs(found @ axes[:, 2]) > 0.99
        axes = table[["vec_x", "vec_y", "vec_z"]].dropna()
        assert len(axes) > 300
        assert np.linalg.norm(axes, axis=1) == pytest.approx(1)

    def test_sums_are_those_of_the_voxels(self, dataset):
        roots = [root_of(neuron) for neuron in (*MADE_UP, *REAL)]
        table = get_l2_info(roots, dataset=dataset)
        assert table.root_id.tolist() == roots
        for row in table.itertuples():
            chunks = graph().l2_of(row.root_id).tolist()
            assert (row.l2_chunks, row.chunks_missing) == (len(chunks), 0)
            assert row.size_um3 == pytest.approx(sum(sizes()[l2_id] for l2_id in chunks) / 1e9)
            surface = true_mesh(row.root_id)
            assert 1.0 < row.area_um2 * 1e6 / area(surface) < 2.0  # steps of voxels are longer than what they follow
            low, high = np.array(row.bounds_nm).reshape(3, 2).T
            assert (low >= surface.vertices.min(axis=0) - voxels.GRAIN).all()
            assert (high <= surface.vertices.max(axis=0) + voxels.GRAIN).all()

    def test_an_anchor_is_in_the_neurons_largest_chunk(self, dataset):
        roots = [root_of(neuron) for neuron in (*REAL, *MADE_UP)]
        table = find_anchor_loc(roots, dataset=dataset)
        places = table[["x", "y", "z"]].to_numpy(dtype=float) + 0.5
        assert locs_to_segments(places, coordinates="voxel", dataset=dataset).tolist() == roots
        supervoxels = voxels.at(places * (8, 8, 42))
        own = l2_of_supervoxels()[np.searchsorted(world().segmentation.ids, supervoxels)]
        for root, l2_id in zip(roots, own.tolist(), strict=True):
            assert sizes()[l2_id] == max(sizes()[chunk] for chunk in graph().l2_of(root).tolist())


class TestGraphs:
    @pytest.mark.parametrize("neuron", [0, 3, 37])
    def test_nodes_and_links_are_those_of_the_chunkedgraph(self, dataset, neuron):
        root = root_of(neuron)
        found = get_l2_graph(root, dataset=dataset)
        assert set(found.nodes) == set(graph().l2_of(root).tolist())
        assert {frozenset(edge) for edge in found.edges} == set(map(frozenset, graph().lvl2_graph(root).tolist()))


class TestSkeletons:
    @pytest.mark.parametrize("neuron", [0, 3, *MADE_UP])
    def test_nodes_are_in_the_neuron_and_linked_as_the_graph_says_without_circles(self, dataset, neuron):
        root = root_of(neuron)
        found = get_l2_skeleton(root, l2_node_ids=True, dataset=dataset)
        nodes = found.nodes
        assert set(nodes.node_id) == set(graph().l2_of(root).tolist())
        places = nodes[["x", "y", "z"]].to_numpy()
        assert set(locs_to_segments(places, dataset=dataset)) == {root}
        linked = nodes[nodes.parent_id >= 0]
        edges = set(map(frozenset, zip(linked.node_id, linked.parent_id, strict=True)))
        allowed = set(map(frozenset, graph().lvl2_graph(root).tolist()))
        assert edges <= allowed
        numbers = np.searchsorted(graph().l2_of(root), graph().lvl2_graph(root))
        assert found.n_trees == parts_of(len(nodes), numbers)
        assert len(edges) == len(nodes) - found.n_trees

    @pytest.mark.parametrize("neuron", [*REAL, *MADE_UP])
    def test_the_root_is_the_largest_chunk(self, dataset, neuron):
        found = get_l2_skeleton(root_of(neuron), l2_node_ids=True, dataset=dataset)
        largest = max(graph().l2_of(root_of(neuron)).tolist(), key=lambda l2_id: sizes()[l2_id])
        assert sizes()[largest] in {sizes()[int(root)] for root in found.root}
        assert found.nodes.parent_id.iloc[0] == -1

    @pytest.mark.parametrize("neuron", REAL)
    def test_it_follows_the_true_skeleton_coarsely(self, dataset, neuron):
        rows = truth("skeletons")[lambda every: every.neuron == neuron].set_index("node")
        points = rows[list("xyz")].to_numpy()
        children = rows[rows.parent >= 0]
        steps = children[list("xyz")].to_numpy() - rows.loc[children.parent, list("xyz")].to_numpy()
        found = get_l2_skeleton(root_of(neuron), dataset=dataset)
        assert 0.5 < found.cable_length / np.linalg.norm(steps, axis=1).sum() < 0.75  # without twigs inside a chunk
        nodes = found.nodes[["x", "y", "z"]].to_numpy()
        assert np.median(cKDTree(points).query(nodes)[0]) < 500  # nm; chunks are 8,192 nm wide
        assert cKDTree(nodes).query(points)[0].max() < np.linalg.norm(layout.chunk_nm())

    def test_radii_are_the_largest_inner_radii_of_chunks(self, dataset):
        found = get_l2_skeleton(root_of(0), l2_node_ids=True, dataset=dataset).nodes
        true = Anatomy(world(), graph())
        assert found.radius.tolist() == [true.attributes(int(l2_id))["max_dt_nm"] for l2_id in found.node_id]


class TestDotprops:
    def test_points_and_directions_are_the_chunks(self, dataset):
        root = root_of(4)
        [found] = get_l2_dotprops(root, dataset=dataset)
        table = get_l2_chunk_info(root, dataset=dataset).dropna()
        assert found.points.shape == found.vect.shape == (len(table), 3)
        assert (np.floor(found.points / (8, 8, 42)) == table[["x", "y", "z"]].to_numpy()).all()
        assert np.allclose(found.vect, table[["vec_x", "vec_y", "vec_z"]].to_numpy())

    def test_nblast_finds_the_sister_neurons_more_alike_than_a_made_up_one(self, dataset):
        roots = [*live_roots()[:2], root_of(10)]
        found = get_l2_dotprops(roots, dataset=dataset)
        scores = navis.nblast(found / 1000, found / 1000, progress=False, n_cores=1)
        assert np.diag(scores) == pytest.approx(1)
        assert scores.iloc[0, 1] > scores.iloc[0, 2]
