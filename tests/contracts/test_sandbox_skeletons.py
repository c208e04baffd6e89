"""L2 features and skeletons of the assembled sandbox, against voxels, surfaces and skeletons that are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import requests
from caveclient import CAVEclient
from cloudvolume import Skeleton

from crant_core.sandbox import layout
from crant_core.sandbox.objects.segmentation import supervoxels_at
from crant_core.sandbox.world import voxels as vx
from tests.contracts.sandbox_clients import REAL, TIMES, cave, ids_by_neuron, supervoxels_of, truth
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, run_sandbox

UNKNOWN_L2 = (2 << 56) | 12_345
UNKNOWN = (8 << 56) | 12_345


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> CAVEclient:
    return cave(sandbox)


@pytest.fixture(scope="module")
def mine() -> Iterator[Sandbox]:
    """A sandbox whose skeletons may be made."""
    with run_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def skeletons(mine):
    return cave(mine).skeleton


@pytest.fixture(scope="module")
def features(client) -> dict[int, dict]:
    """L2 features of all real neurons' chunks."""
    l2_ids = [client.chunkedgraph.get_leaves(root, stop_layer=2) for root in neurons.live_roots()]
    return {int(one): found for one, found in client.l2cache.get_l2data(np.concatenate(l2_ids).tolist()).items()}


def of_neuron(features: dict[int, dict], client, neuron: int) -> list[dict]:
    root = neurons.live_roots()[neuron]
    return [features[one] for one in client.chunkedgraph.get_leaves(root, stop_layer=2).tolist()]


def true_length(neuron: int) -> float:
    """Return a neuron's cable length, nm."""
    rows = truth("skeletons")[lambda every: every.neuron == neuron].reset_index(drop=True)
    child = rows[rows.parent >= 0]
    ends = rows.loc[child.parent, list("xyz")].to_numpy()
    return float(np.linalg.norm(child[list("xyz")].to_numpy() - ends, axis=1).sum())


def length(vertices, edges) -> float:
    ends = np.asarray(vertices, dtype=float)[np.asarray(edges)]
    return float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum())


class TestL2Cache:
    def test_the_segmentation_has_one(self, client):
        assert client.l2cache.has_cache()
        assert {"rep_coord_nm", "size_nm3", "area_nm2", "pca"} <= set(client.l2cache.attributes)

    def test_the_representative_point_lies_on_the_chunks_supervoxels(self, features, client):
        points = np.array([found["rep_coord_nm"] for found in features.values()])
        on = supervoxels_at(neurons.world(), points)
        assert client.chunkedgraph.get_roots(on, stop_layer=2).tolist() == list(features)
        assert (layout.chunk_at(points) == layout.chunk_of(list(features))).all()

    @pytest.mark.parametrize("neuron", range(REAL))
    def test_sizes_add_up_to_the_neurons_voxels(self, features, client, neuron):
        total = sum(found["size_nm3"] for found in of_neuron(features, client, neuron))
        assert total == np.count_nonzero(neurons.world().segmentation.voxels.neuron == neuron) * vx.VOXEL_NM.prod()

    def test_areas_are_those_of_the_voxels_that_are_seen_from_outside(self, features, client):
        found = neurons.world().segmentation.voxels
        mine = found.keys[found.neuron == 4]
        touching = [np.isin(mine + vx.key_of(step), mine).sum() for step in np.eye(3, dtype=np.int64)]
        x, y, z = vx.VOXEL_NM
        seen = 2 * (len(mine) - np.array(touching)) @ [y * z, x * z, x * y]
        assert sum(one["area_nm2"] for one in of_neuron(features, client, 4)) == seen

    def test_principal_axes_are_at_right_angles_and_sorted(self, features):
        whole = [found for found in features.values() if len(found.get("pca", ())) == 3]
        assert len(whole) > 0.9 * len(features)
        for found in whole[::20]:
            axes = np.array(found["pca"])
            assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-6)
            assert found["pca_val"] == sorted(found["pca_val"], reverse=True)

    def test_the_thickest_chunk_holds_the_soma(self, features, client):
        trees = truth("skeletons")
        for neuron in (1, 2):
            tree = trees[trees.neuron == neuron]
            soma = tree.loc[tree.radius.idxmax(), list("xyz")].to_numpy(dtype=float)
            thickest = max(of_neuron(features, client, neuron), key=lambda found: found["max_dt_nm"])
            assert np.linalg.norm(np.array(thickest["rep_coord_nm"]) - soma) < 8000  # about a chunk

    def test_chunks_of_older_versions_keep_their_features(self, features, client):
        supervoxels = supervoxels_of(3)
        old = np.unique(client.chunkedgraph.get_roots(supervoxels, stop_layer=2, timestamp=TIMES[2]))
        found = client.l2cache.get_l2data(old.tolist(), attributes=["size_nm3"])
        assert set(old.tolist()) - features.keys()
        now = sum(one["size_nm3"] for one in of_neuron(features, client, 3))
        assert sum(one["size_nm3"] for one in found.values()) == now

    def test_unknown_chunks_have_nothing_and_known_ones_only_what_was_asked_for(self, client):
        l2_id = int(client.chunkedgraph.get_leaves(neurons.live_roots()[0], stop_layer=2)[0])
        found = client.l2cache.get_l2data([UNKNOWN_L2, l2_id], attributes=["rep_coord_nm"])
        assert found[str(UNKNOWN_L2)] == {}
        assert list(found[str(l2_id)]) == ["rep_coord_nm"]


class TestSkeletons:
    @pytest.mark.parametrize("neuron", [*range(REAL), 20])
    def test_a_skeleton_is_one_tree_through_all_l2_chunks(self, skeletons, client, neuron):
        import networkx as nx

        root = int(client.chunkedgraph.get_roots(supervoxels_of(neuron)[:1])[0])
        found = skeletons.get_skeleton(root)
        tree = nx.Graph(np.asarray(found["edges"]).tolist())
        assert nx.is_tree(tree)
        assert len(tree) == len(found["vertices"])
        assert set(found["lvl2_ids"]) == set(client.chunkedgraph.get_leaves(root, stop_layer=2).tolist())
        assert set(ids_by_neuron().loc[supervoxels_at(neurons.world(), np.array(found["vertices"]))]) == {neuron}

    @pytest.mark.parametrize("neuron", range(REAL))
    def test_it_is_about_as_long_as_the_true_one(self, skeletons, neuron):
        found = skeletons.get_skeleton(neurons.live_roots()[neuron])
        assert 0.5 < length(found["vertices"], found["edges"]) / true_length(neuron) < 1.2

    def test_a_neuron_with_its_soma_is_rooted_there(self, skeletons):
        tree = truth("skeletons")[lambda rows: rows.neuron == 1]
        soma = tree.loc[tree.radius.idxmax(), list("xyz")].to_numpy(dtype=float)
        found = skeletons.get_skeleton(neurons.live_roots()[1])
        start = int(found["root"])
        assert found["compartment"][start] == 1
        assert np.linalg.norm(np.array(found["vertices"])[start] - soma) < 8000

    def test_swc_is_the_same_tree_in_micrometres(self, skeletons):
        root = neurons.live_roots()[0]
        flat, swc = skeletons.get_skeleton(root), skeletons.get_skeleton(root, output_format="swc")
        assert isinstance(swc, pd.DataFrame)
        assert swc.parent.tolist().count(-1) == 1
        assert (swc.parent < swc.id).all()
        child = swc[swc.parent >= 0]
        edges = np.stack([child.id, child.parent], axis=1)
        assert length(swc[list("xyz")].to_numpy() * 1000, edges) == pytest.approx(
            length(flat["vertices"], flat["edges"]), rel=0.001
        )

    def test_neuroglancers_form_is_read_by_cloud_volume(self, mine, skeletons):
        root, info = neurons.live_roots()[0], skeletons.get_precomputed_skeleton_info(4)
        data = requests.get(
            f"{mine.url}/skeletoncache/api/v1/crant_demo/precomputed/skeleton/4/{root}",
            headers={"Authorization": f"Bearer {mine.token}"},
            timeout=30,
        ).content
        found, flat = (
            Skeleton.from_precomputed(data, vertex_attributes=info["vertex_attributes"]),
            skeletons.get_skeleton(root),
        )
        assert found.vertices.tolist() == flat["vertices"].tolist()
        assert found.radius.tolist() == pytest.approx(flat["radius"].tolist())
        assert len(found.components()) == 1

    def test_roots_of_older_versions_have_skeletons_of_their_own(self, skeletons, client):
        parts = np.unique(client.chunkedgraph.get_roots(supervoxels_of(4), timestamp=TIMES[3])).tolist()
        found = [skeletons.get_skeleton(part) for part in parts]
        assert len(parts) == 3
        chunks = [set(one["lvl2_ids"]) for one in found]
        assert [chunks[0] & chunks[1], chunks[0] & chunks[2], chunks[1] & chunks[2]] == [set(), set(), set()]

    def test_unknown_ids_are_refused(self, skeletons, client):
        l2_id = int(client.chunkedgraph.get_leaves(neurons.live_roots()[0], stop_layer=2)[0])
        for wrong in (UNKNOWN, l2_id):
            with pytest.raises((requests.HTTPError, ValueError), match=r"400|[Ii]nvalid"):
                skeletons.get_skeleton(wrong)


class TestCache:
    def test_what_was_current_at_the_last_version_is_there_until_others_are_ordered(self, mine):
        mine.control("POST", "reset")
        skeletons, live = cave(mine).skeleton, neurons.live_roots()
        ready = {root: root in neurons.roots_at(3) for root in live}
        assert sorted(ready.values()) == [False] * 3 + [True] * 2
        assert skeletons.skeletons_exist(root_ids=live) == ready
        assert skeletons.skeletons_exist(root_ids=live[0]) is True

        assert {int(root) for root in skeletons.get_bulk_skeletons(live)} >= {root for root in live if ready[root]}
        assert {int(root) for root in skeletons.fetch_skeletons(live)} == {root for root in live if ready[root]}

        assert skeletons.generate_bulk_skeletons_async(live, skeleton_version=4) == 60.0
        assert all(skeletons.skeletons_exist(root_ids=live).values())
        fetched = skeletons.fetch_skeletons(live)
        assert {int(root): len(one["vertices"]) for root, one in fetched.items()} == {
            root: len(skeletons.get_skeleton(root)["vertices"]) for root in live
        }
        contents = skeletons.get_cache_contents(root_id_prefixes=[str(root) for root in live])
        assert contents["num_found"] == REAL

    def test_bulk_swc_equals_single_swc(self, skeletons):
        root = neurons.live_roots()[0]
        [bulk] = skeletons.get_bulk_skeletons([root], output_format="swc").values()
        single = skeletons.get_skeleton(root, output_format="swc")
        assert bulk.to_numpy().tolist() == single.to_numpy().tolist()

    def test_there_is_no_refused_id(self, skeletons):
        assert len(skeletons.get_refusal_list()) == 0
