"""Meshes of the assembled sandbox as cloud-volume fetches them, against the surfaces they were made from."""

from __future__ import annotations

import struct

import httpx
import numpy as np
import pytest
from cloudvolume import Bbox, CloudVolume
from scipy.spatial import cKDTree

from crant_core.sandbox import layout, names
from crant_core.sandbox.world.morphology import Morphology
from crant_core.sandbox.world.navis_data import BODY_IDS, read_surface, read_volume
from crant_core.sandbox.world.tubes import tube_mesh
from tests.contracts.sandbox_clients import (
    REAL,
    TIMES,
    cave,
    segmentation,
    shape,
    stored,
    supervoxels_of,
    truth,
)
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

UNKNOWN = (8 << 56) | 12_345
MADE_UP = (10, 37, 64)


@pytest.fixture(scope="module")
def client(sandbox: Sandbox):
    return cave(sandbox)


@pytest.fixture(scope="module")
def volume(sandbox: Sandbox) -> CloudVolume:
    return segmentation(sandbox)


@pytest.fixture(scope="module", params=[names.TABLE, names.UNSHARDED_TABLE])
def either(sandbox: Sandbox, request) -> CloudVolume:
    """The sharded and the unsharded table."""
    return segmentation(sandbox, request.param)


@pytest.fixture(scope="module")
def neuropils(sandbox: Sandbox) -> CloudVolume:
    return stored(sandbox, "neuropils")


def mesh_of(volume: CloudVolume, node: int, **how):
    [found] = volume.mesh.get(node, **how).values()
    return found


def roots_at(client, neuron: int, version: int) -> list[int]:
    return np.unique(client.chunkedgraph.get_roots(supervoxels_of(neuron), timestamp=TIMES[version])).tolist()


def tree_of(neuron: int) -> Morphology:
    rows = truth("skeletons")[lambda all_rows: all_rows.neuron == neuron]
    return Morphology(rows[list("xyz")].to_numpy(), rows.radius.to_numpy(), rows.parent.to_numpy())


class TestRealNeurons:
    @pytest.mark.parametrize("neuron", range(REAL))
    def test_area_and_extent_are_the_sources(self, either, neuron):
        root, source = neurons.live_roots()[neuron], shape(read_surface(BODY_IDS[neuron]))
        fetched = shape(mesh_of(either, root))
        assert fetched.area == pytest.approx(source.area, rel=0.001)
        assert np.abs(fetched.bounds - source.bounds).max() < 1

    @pytest.mark.parametrize("neuron", range(REAL))
    def test_every_vertex_is_one_of_the_true_ones_and_none_is_missing(self, volume, neuron):
        rows = truth("vertices")[lambda every: every.neuron == neuron]
        fetched = mesh_of(volume, neurons.live_roots()[neuron]).vertices
        true = rows[list("xyz")].to_numpy()
        assert cKDTree(true).query(fetched)[0].max() < 1
        assert cKDTree(fetched).query(true)[0].max() < 1

    @pytest.mark.parametrize("neuron", range(REAL))
    def test_every_vertex_belongs_to_an_l2_chunk_of_the_neuron(self, client, neuron):
        rows = truth("vertices")[lambda every: every.neuron == neuron]
        l2_ids = client.chunkedgraph.get_roots(rows.supervoxel_id, stop_layer=2)
        assert set(l2_ids) <= set(client.chunkedgraph.get_leaves(neurons.live_roots()[neuron], stop_layer=2))

    def test_parts_of_an_older_version_add_up_to_the_whole(self, client, volume):
        parts = roots_at(client, 3, 2)
        fetched = [shape(mesh_of(volume, part)) for part in parts]
        source = shape(read_surface(BODY_IDS[3]))
        assert len(parts) == 4
        assert sum(part.area for part in fetched) == pytest.approx(source.area, rel=0.001)
        assert np.abs(np.min([part.bounds[0] for part in fetched], axis=0) - source.bounds[0]).max() < 1

    def test_the_false_merger_had_the_surfaces_of_both_neurons(self, client, volume):
        parts = set(roots_at(client, 0, 1)) | set(roots_at(client, 1, 1))
        sources = [shape(read_surface(body)) for body in BODY_IDS[:2]]
        area = sum(shape(mesh_of(volume, part)).area for part in parts)
        assert area == pytest.approx(sum(source.area for source in sources), rel=0.001)
        assert len(parts) == 4  # 2 and 3, one of them shared


class TestParts:
    def test_an_l2_mesh_has_the_vertices_of_its_supervoxels(self, client, volume):
        rows = truth("vertices")[lambda every: every.neuron == 0]
        l2_of = client.chunkedgraph.get_roots(rows.supervoxel_id, stop_layer=2)
        alone = rows[~rows.on_border.to_numpy()].assign(l2=l2_of[~rows.on_border.to_numpy()])
        for l2_id, members in list(alone.groupby("l2"))[::40]:
            fetched = mesh_of(volume, int(l2_id)).vertices
            assert cKDTree(fetched).query(members[list("xyz")].to_numpy())[0].max() < 1
            others = alone[alone.l2 != l2_id][list("xyz")].to_numpy()
            assert cKDTree(others).query(fetched)[0].min() > 0

    def test_l2_meshes_lie_in_their_chunks_and_add_up_to_the_neuron(self, client, either):
        root = neurons.live_roots()[1]
        parts = either.mesh.get(client.chunkedgraph.get_leaves(root, stop_layer=2), allow_missing=True)
        for l2_id, part in parts.items():
            low = layout.chunk_start(layout.chunk_of(l2_id))
            assert (part.vertices >= low - 1).all()
            assert (part.vertices <= low + layout.chunk_nm() + 1).all()
        area = sum(shape(part).area for part in parts.values())
        assert area == pytest.approx(shape(read_surface(BODY_IDS[1])).area, rel=0.001)

    def test_byte_ranges_and_the_shards_own_index_lead_to_the_same_mesh(self, client, volume):
        l2_ids = client.chunkedgraph.get_leaves(neurons.live_roots()[2], stop_layer=2)
        chosen = [int(one) for one in l2_ids[layout.chunk_of(l2_ids).sum(axis=1) % 5 == 0]][:10]
        ranges, index = (volume.mesh.get(chosen, bypass=bypass, allow_missing=True) for bypass in (False, True))
        assert len(index) > 5
        for node, mesh in index.items():
            assert (mesh.vertices == ranges[node].vertices).all()

    def test_a_box_limits_a_mesh_to_its_chunks(self, client, either):
        root = neurons.live_roots()[0]
        chunk = layout.chunk_of(client.chunkedgraph.get_leaves(root, stop_layer=2)[100])
        low = chunk * layout.CHUNK_SIZE + layout.VOXEL_OFFSET
        fetched = mesh_of(either, root, bounding_box=Bbox(low, low + layout.CHUNK_SIZE)).vertices
        inside = (layout.chunk_at(truth("vertices")[list("xyz")]) == chunk).all(axis=1)
        rows = truth("vertices")[inside & (truth("vertices").neuron == 0)]
        start = layout.chunk_start(chunk)
        assert (fetched >= start - 1).all()
        assert (fetched <= start + layout.chunk_nm() + 1).all()
        assert cKDTree(fetched).query(rows[list("xyz")].to_numpy())[0].max() < 1

    def test_an_unknown_root_has_no_mesh(self, either):
        with pytest.raises(IndexError, match="No mesh"):
            either.mesh.get(UNKNOWN)

    def test_a_shard_is_fetched_in_parts(self, sandbox, client):
        root = neurons.live_roots()[0]
        answer = httpx.request(
            "GET",
            f"{sandbox.url}/meshing/api/v1/table/{names.TABLE}/manifest/{root}:0",
            params={"verify": True, "return_seg_ids": 1},
            headers={"Authorization": f"Bearer {sandbox.token}"},
            content=b'{"start_layer": 5}',
        ).json()
        assert len(answer["fragments"]) == len(answer["seg_ids"])
        name = next(one for one in answer["fragments"] if one.startswith("~"))
        path, offset, size = name[1:].rsplit(":", 2)
        last = int(offset) + int(size) - 1
        url = f"{sandbox.url}/gcs/{names.TABLE}/mesh/initial/{path}"
        part = httpx.get(url, headers={"Range": f"bytes={offset}-{last}"})
        assert (part.status_code, len(part.content), part.content[:5]) == (206, int(size), b"DRACO")


class TestMadeUpNeurons:
    @pytest.mark.parametrize("neuron", MADE_UP)
    def test_area_and_extent_are_those_of_tubes_around_the_skeleton(self, client, either, neuron):
        [root] = roots_at(client, neuron, 3)
        fetched, source = shape(mesh_of(either, root)), shape(tube_mesh(tree_of(neuron)))
        assert fetched.area == pytest.approx(source.area, rel=0.001)
        assert np.abs(fetched.bounds - source.bounds).max() < 1


def winding_number(points: np.ndarray, mesh) -> np.ndarray:
    """Sum up the solid angles of all triangles, in units of the sphere's (van Oosterom and Strackee)."""
    corners = np.asarray(mesh.vertices)[mesh.faces][None] - points[:, None, None]
    a, b, c = np.moveaxis(corners, 2, 0)
    la, lb, lc = (np.linalg.norm(one, axis=-1) for one in (a, b, c))
    below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2((a * np.cross(b, c)).sum(-1), below).sum(axis=1) / (2 * np.pi)


class TestNeuropils:
    def test_the_lateral_horn_is_the_real_one(self, neuropils):
        fetched, source = shape(neuropils.mesh.get(16)[16]), shape(read_volume("lh"))
        assert fetched.area == pytest.approx(source.area, rel=0.001)
        assert np.abs(fetched.bounds - source.bounds).max() < 1

    def test_every_neuropil_is_closed_and_turned_outward(self, neuropils):
        for number in neurons.world().frame("neuropils").number.tolist():
            fetched = shape(neuropils.mesh.get(number)[number])
            assert fetched.is_watertight
            assert fetched.volume > 0

    @pytest.mark.parametrize("number", [5, 8, 9, 10, 16])
    def test_it_contains_the_synapses_that_truly_lie_in_it_and_no_others(self, neuropils, number):
        synapses = neurons.world().frame(f"tables/{names.SYNAPSES}").set_index("id")
        places = synapses[[f"ctr_pt_position_{axis}" for axis in "xyz"]]
        mesh, rows = neuropils.mesh.get(number)[number], truth("synapse_neuropils")
        places = places[cKDTree(mesh.vertices).query(places)[0] > 2]  # hulls have synapses for corners
        is_inside = places.index.isin(rows[rows.neuropil == number].synapse_id)
        for ids, expected in ((places.index[is_inside], 1), (places.index[~is_inside], 0)):
            chosen = places.loc[ids].sample(60, random_state=1).to_numpy()
            assert winding_number(chosen, mesh).round().tolist() == [expected] * 60

    def test_mirrored_ones_are_empty(self):
        assert not set(truth("synapse_neuropils").neuropil) & {2, 7, 15}

    def test_the_brains_surface_is_one_raw_fragment(self, sandbox):
        data = httpx.get(f"{sandbox.url}/gcs/tissue_mesh/mesh/tissue_mesh.frag").content
        (count,) = struct.unpack_from("<I", data)
        vertices = np.frombuffer(data, "<f4", count * 3, 4).reshape(-1, 3)
        faces = np.frombuffer(data, "<u4", offset=4 + count * 12).reshape(-1, 3)
        source = read_volume("neuropil")
        assert (faces == source.faces).all()
        assert np.abs(vertices - source.vertices).max() < 1


class TestNuclei:
    def test_a_nucleus_is_a_ball_around_the_thickest_part_of_the_neuron(self, sandbox, client):
        nuclei = stored(sandbox, "nucleus")
        rows = client.materialize.query_table(names.NUCLEI)
        for row in rows.iloc[[0, 3, 10]].itertuples():
            neuron = neurons.world().segmentation.neuron[
                np.searchsorted(neurons.world().segmentation.ids, np.uint64(row.pt_supervoxel_id))
            ]
            tree = tree_of(int(neuron))
            fetched = shape(nuclei.mesh.get(int(row.pt_supervoxel_id)))
            assert np.linalg.norm(fetched.centroid - tree.nodes[tree.radii.argmax()]) < 100
            assert fetched.volume / 1e9 == pytest.approx(row.volume, rel=0.03)  # µm³; facets cut corners

    def test_there_is_one_for_every_neuron_with_a_soma(self, client):
        rows = client.materialize.query_table(names.NUCLEI)
        somata = truth("skeletons").groupby("neuron").radius.max().loc[: REAL - 1] > 2000
        assert len(rows) == 60 + somata.sum()
        assert len(set(rows.pt_root_id)) == len(rows)
