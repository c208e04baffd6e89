"""Roots, times and nodes as the real caveclient and the real cloud-volume see them."""

from __future__ import annotations

import time
from datetime import timedelta

import httpx
import numpy as np
import pytest
import requests
from cloudvolume import CloudVolume

from crant_core.sandbox import layout, names
from tests.contracts.sandbox_chunkedgraph.made_up import (
    MS,
    ROOT,
    T0,
    T1,
    T2,
    T3,
    TOKEN,
    UNKNOWN,
    A,
    B,
    C,
    D,
    E,
    F,
    node,
)


@pytest.fixture(scope="module")
def volume(server):
    path = f"graphene://{server.url}/segmentation/table/{names.TABLE}"
    return CloudVolume(path, secrets={"token": TOKEN}, use_https=True, progress=False)


def box(low, high):
    """Bounds (3, 2) in voxels that reach from L2 chunk `low` to the end of `high` along x."""
    start, size = np.array(layout.VOXEL_OFFSET), np.array(layout.CHUNK_SIZE)
    return np.stack([start + np.array([low * size[0], 0, 0]), start + np.array([(high + 1) * size[0], 1, 1])], axis=1)


class TestInfo:
    def test_caveclient_reads_versions_and_the_segmentations_description(self, cave):
        assert str(cave.server_version) == "2.21.1"
        assert cave.api_version == 1
        assert cave.base_resolution == [16, 16, 42]
        assert cave.segmentation_info["graph"]["n_layers"] == 8

    def test_info_describes_sharded_meshes_and_image_chunks(self, cave, server):
        found = cave.segmentation_info
        assert found["mesh_metadata"] == {
            "max_meshed_layer": 5,
            "uniform_draco_grid_size": 1,
            "unsharded_mesh_dir": "dynamic",
        }
        assert (found["mesh"], found["sharded_mesh"], found["verify_mesh"]) == ("mesh", True, True)
        assert found["data_dir"] == f"{server.url}/gcs/{names.TABLE}"
        assert found["scales"][0]["chunk_sizes"] == [[64, 64, 64]]

    def test_cloud_volume_decodes_ids_with_it(self, volume):
        assert volume.meta.decode_layer_id(E) == 1
        assert np.array(volume.meta.decode_chunk_position(node(2, 6))).tolist() == [6, 0, 0]
        assert volume.meta.n_layers == 8
        assert volume.meta.point_to_chunk_position(layout.offset_nm() / layout.RESOLUTION, mip=0).tolist() == [0, 0, 0]

    def test_an_unknown_table_is_500(self, server):
        answer = httpx.post(f"{server.url}/segmentation/api/v1/table/other/is_latest_roots", json={"node_ids": []})
        assert answer.status_code == 500
        assert set(answer.json()) == {"timestamp", "duration", "code", "message", "traceback"}
        assert httpx.get(f"{server.url}/segmentation/table/other/info").status_code == 500


class TestRoots:
    def test_roots_at_the_exact_time_of_an_edit_are_those_after_it(self, cave):
        assert cave.get_roots([A, D], timestamp=T1 - MS).tolist() == [ROOT + 1, ROOT + 1]
        assert cave.get_roots([A, D], timestamp=T1).tolist() == [ROOT + 4, ROOT + 5]
        assert cave.get_roots([A, D]).tolist() == [ROOT + 4, ROOT + 6]

    def test_mixed_layers_unknown_ids_and_zero(self, cave):
        ids = [A, node(2, 0), ROOT + 1, UNKNOWN, node(1, 19), 0]
        assert cave.get_roots(ids).tolist() == [ROOT + 4, ROOT + 4, ROOT + 1, UNKNOWN, 0, 0]

    def test_where_nothing_resolves_the_ids_come_back(self, cave):
        assert cave.get_roots([A, B], timestamp=T0 - MS).tolist() == [A, B]

    def test_stop_layer(self, cave):
        assert cave.get_roots([A, C], stop_layer=2).tolist() == [node(2, 0), node(2, 4, 2)]
        assert cave.get_roots([A, C], stop_layer=3).tolist() == [node(3, 0), node(4, 1, 2)]
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_roots([A], stop_layer=9)

    def test_one_root(self, cave):
        assert cave.get_root_id(A) == ROOT + 4
        assert cave.get_root_id(A, level2=True) == node(2, 0)
        assert cave.get_root_id(UNKNOWN) == UNKNOWN

    def test_the_root_of_an_unknown_supervoxel_is_a_late_500(self, cave):
        start = time.monotonic()
        with pytest.raises(requests.HTTPError, match="Cannot find root id"):
            cave.get_root_id(node(1, 19))
        assert time.monotonic() - start > 0.5

    def test_json_roots(self, http):
        assert http.post("/roots", json={"node_ids": [A]}).json() == {"root_ids": [ROOT + 4]}
        answer = http.post("/roots", params={"int64_as_str": "true"}, json={"node_ids": [str(A)]})
        assert answer.json() == {"root_ids": [str(ROOT + 4)]}

    def test_an_iso_timestamp_is_400(self, http):
        answer = http.post("/roots", params={"timestamp": "2024-01-01T00:00:00"}, json={"node_ids": [A]})
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("[400]: Timestamp parameter timestamp is not a valid unix timestamp")
        assert "traceback" not in answer.json()

    def test_half_an_id_is_500(self, http):
        assert http.post("/roots_binary", content=b"1234").status_code == 500

    @pytest.mark.parametrize("body", ["", "[]", '{"other": []}', '{"node_ids": [-1]}', '{"node_ids": ["x"]}'])
    def test_what_is_no_list_of_ids_is_500(self, http, body):
        assert http.post("/is_latest_roots", content=body).status_code == 500

    def test_cloud_volume_gets_roots(self, volume):
        assert volume.get_roots([A, D, 0]).tolist() == [ROOT + 4, ROOT + 6, 0]
        assert volume.get_roots([A], stop_layer=2).tolist() == [node(2, 0)]

    def test_cloud_volume_rounds_times_up_to_seconds(self, volume):
        before = T1 - timedelta(seconds=1)
        assert volume.get_roots([A], timestamp=before).tolist() == [ROOT + 1]
        assert volume.get_roots([A], timestamp=T1 - MS).tolist() == [ROOT + 4]  # its doing, not the server's

    def test_cloud_volume_packs_many_ids(self, volume):
        many = np.array([A, *(node(1, 19, segment) for segment in range(1, 130_000))], dtype=np.uint64)  # over 1 MB
        found = volume.get_roots(many)
        assert (found[0], set(found[1:].tolist())) == (ROOT + 4, {0})


class TestTimes:
    def test_a_root_superseded_at_t_is_still_latest_at_t(self, cave):
        assert cave.is_latest_roots([ROOT + 1, ROOT + 4], timestamp=T1).tolist() == [True, False]
        assert cave.is_latest_roots([ROOT + 1, ROOT + 4], timestamp=T1 + MS).tolist() == [False, True]

    def test_is_latest_of_other_ids(self, cave):
        assert cave.is_latest_roots([UNKNOWN, 0, A, node(2, 0), node(2, 4, 2)]).tolist() == [False] * 3 + [True] * 2
        assert cave.is_latest_roots([]).tolist() == []

    def test_root_timestamps(self, cave):
        assert cave.get_root_timestamps([ROOT + 1, ROOT + 4]).tolist() == [T0, T1]

    def test_latest_timestamps_are_the_end_or_the_moment_asked_about(self, cave):
        found = cave.get_root_timestamps([ROOT + 1, ROOT + 4], latest=True, timestamp=T3)
        assert found.tolist() == [T1 - MS, T3 - MS]  # the client takes a millisecond off

    def test_timestamps_of_unknown_ids(self, cave, http):
        assert cave.get_root_timestamps([UNKNOWN]).tolist() == []
        with pytest.raises(requests.HTTPError, match=f"500.*{UNKNOWN}"):
            cave.get_root_timestamps([ROOT + 1, UNKNOWN])
        assert http.post("/root_timestamps?latest=True", json={"node_ids": [UNKNOWN]}).status_code == 500

    def test_latest_before_a_root_was_made_is_500(self, cave):
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_root_timestamps([ROOT + 4], latest=True, timestamp=T1 - MS)

    def test_valid_nodes_are_those_with_a_row(self, cave):
        ids = [A, node(2, 0), ROOT + 1, ROOT + 6, 1, 3, 4, UNKNOWN]
        assert cave.is_valid_nodes(ids).tolist() == [True] * 6 + [False] * 2  # 1 and 3 are operations

    def test_valid_nodes_in_a_time(self, cave):
        ids = [ROOT + 1, ROOT + 3, ROOT + 4, ROOT + 6]
        assert cave.is_valid_nodes(ids, T0 + MS, T2).tolist() == [True, False, True, False]

    def test_delta_roots(self, cave, http):
        old, new = cave.get_delta_roots(T1, T2)
        assert (set(old.tolist()), new.tolist()) == ({ROOT + 1, ROOT + 2, ROOT + 5}, [ROOT + 4, ROOT + 5, ROOT + 6])
        assert http.get("/delta_roots").status_code == 400

    def test_oldest_timestamp(self, cave, http):
        assert cave.get_oldest_timestamp() == T1 - timedelta(seconds=0.5)
        assert http.get("/oldest_timestamp?delimiter=T").json() == {"iso": "2024-02-01T11:59:59.623000+00:00"}


class TestNodes:
    def test_children(self, cave):
        assert cave.get_children(node(2, 0)).tolist() == [A]
        assert cave.get_children(A).tolist() == []
        assert cave.get_children(UNKNOWN).tolist() == []

    def test_leaves(self, cave):
        assert cave.get_leaves(ROOT + 4).tolist() == [A, B, C]
        assert cave.get_leaves(ROOT + 4, stop_layer=2).tolist() == [node(2, 0), node(2, 1), node(2, 4, 2)]
        assert cave.get_leaves(ROOT + 4, stop_layer=3).tolist() == [node(3, 0)]
        assert cave.get_leaves(ROOT + 4, bounds=box(0, 0)).tolist() == [A]
        assert cave.get_leaves(UNKNOWN).tolist() == []

    def test_leaves_of_many(self, cave, http):
        found = cave.get_leaves_many([ROOT + 4, ROOT + 6, UNKNOWN], stop_layer=1)
        assert {root: leaves.tolist() for root, leaves in found.items()} == {
            ROOT + 4: [A, B, C],
            ROOT + 6: [D, E],
            UNKNOWN: [],
        }
        assert http.post("/leaves_many", json={"node_ids": [ROOT + 3]}).json() == {str(ROOT + 3): [F]}

    def test_minimal_covering_nodes(self, cave, http):
        l2 = cave.get_leaves(ROOT + 4, stop_layer=2)
        assert cave.get_minimal_covering_nodes(l2).tolist() == [ROOT + 4]
        assert cave.get_minimal_covering_nodes(l2[:2]).tolist() == [node(4, 0)]
        assert http.post("/minimal_covering_nodes", json={"node_ids": [node(2, 20)]}).json() == [ROOT + 3]

    def test_level_2_graph(self, cave):
        assert cave.level2_chunk_graph(ROOT + 4) == [[node(2, 0), node(2, 1)], [node(2, 1), node(2, 4, 2)]]
        assert cave.level2_chunk_graph(ROOT + 3) == []
        assert cave.level2_chunk_graph(UNKNOWN) == []

    def test_level_2_graph_in_bounds(self, cave, http):
        assert cave.level2_chunk_graph(ROOT + 4, bounds=box(0, 1)) == [[node(2, 0), node(2, 1)]]
        assert http.get(f"/node/{ROOT + 4}/lvl2_graph").headers["Used-Bounds"] == "False"
        assert http.get(f"/node/{ROOT + 4}/lvl2_graph?bounds=nonsense").status_code == 500

    def test_subgraph(self, cave):
        nodes, affinities, areas = cave.get_subgraph(ROOT + 4, None)
        assert nodes.tolist() == [[A, B], [B, C]]
        assert len(affinities) == len(areas) == 2

    def test_find_path(self, cave):
        ends = (layout.chunk_start([x, 0, 0]) + 10 for x in (0, 4))
        centroids, path, failed = cave.find_path(ROOT + 4, *ends)
        assert path.tolist() == [node(2, 0), node(2, 1), node(2, 4, 2)]
        middles = layout.chunk_start([[0, 0, 0], [1, 0, 0], [4, 0, 0]]) + layout.chunk_nm() / 2
        np.testing.assert_array_equal(centroids, middles)
        assert failed.tolist() == []

    def test_find_path_uses_positions_of_l2_ids_where_the_state_knows_them(self, cave, server):
        places = {node(2, 0): 100.0, node(2, 1): 0.0}  # swapped: a is farther along x than b
        server.state.l2_positions = lambda l2: np.array([[places.get(n, np.nan)] * 3 for n in l2.tolist()])
        try:
            centroids, path, _ = cave.find_path(ROOT + 4, np.array([0.0] * 3), np.array([100.0] * 3))
        finally:
            del server.state.l2_positions
        assert path.tolist() == [node(2, 1), node(2, 0)]
        assert centroids.tolist() == [[0.0] * 3, [100.0] * 3]

    def test_no_path_between_neurons_is_500(self, http):
        ends = [[node(1, 0), 0, 0, 0], [F, 0, 0, 0]]
        assert http.post("/graph/find_path", json=ends).status_code == 500

    def test_contact_sites_are_refused_clearly(self, cave):
        with pytest.raises(requests.HTTPError, match="501"):
            cave.get_contact_sites(ROOT + 4, box(0, 1))

    def test_cloud_volume_gets_leaves_and_chunk_mappings(self, volume):
        assert volume.get_leaves(ROOT + 4, volume.bounds, mip=0).tolist() == [A, B, C]
        assert volume.get_leaves(ROOT + 4, volume.bounds, mip=0, stop_layer=2).size == 3
        assert volume.get_chunk_mappings(node(2, 4, 0), timestamp=T1 - timedelta(seconds=1)) == {node(2, 4): [C]}
        assert volume.get_chunk_mappings(node(2, 4, 0)) == {node(2, 4): [C], node(2, 4, 2): [C]}

    def test_the_chunk_of_another_layer_is_500(self, http):
        assert http.get(f"/l2_chunk_children_binary/{node(3, 0)}?as_array=True").status_code == 500
