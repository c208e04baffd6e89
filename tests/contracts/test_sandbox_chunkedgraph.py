"""The sandbox's chunkedgraph service as the real caveclient and the real cloud-volume see it."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
import requests
import uvicorn
from caveclient import CAVEclient
from cloudvolume import CloudVolume
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from crant_core.sandbox import layout, names
from crant_core.sandbox.answers import Refusal, base_url, refuse
from crant_core.sandbox.clock import Clock
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.graph.operations import EditRefused
from crant_core.sandbox.services import chunkedgraph

TOKEN = "0123456789abcdef0123456789abcdef"
T0 = datetime(2024, 1, 1, tzinfo=UTC)
T1 = datetime(2024, 2, 1, 12, 0, 0, 123000, tzinfo=UTC)
T2 = datetime(2024, 3, 1, 12, 0, 0, 456000, tzinfo=UTC)
T3 = datetime(2024, 4, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
ROOT = 8 << 56
UNKNOWN = ROOT + 12_345
TABLE = f"/segmentation/api/v1/table/{names.TABLE}"


def node(layer, x, segment=1):
    return int(layout.encode(layer, [x, 0, 0], segment))


A, B, C, D, E, F = (node(1, x) for x in (0, 1, 4, 5, 6, 20))


def make_graph():
    """Roots 1 = abcd, 2 = e, 3 = f; T1: 1 becomes 4 = abc and 5 = d; T2: 5 and 2 become 6 = de; T3: a failure."""
    supervoxels = np.array([A, B, C, D, E, F], dtype=np.uint64)
    found = ChunkedGraph.ingest(supervoxels, np.array([(0, 1), (1, 2), (2, 3)]), np.ones(3, bool), T0)
    found.cut([(C, D)], T1, 1, ([(16.0, 32.0, 42.0)], [(160.0, 320.0, 420.0)]))
    found.merge([(D, E)], T2, 2)
    with pytest.raises(EditRefused):
        found.merge([(D, E)], T3, 2)
    return found


async def info(request):
    base = base_url(request)
    return JSONResponse(
        {
            "aligned_volume": {"id": 1, "name": "v", "image_source": "", "description": "", "display_name": "v"},
            "segmentation_source": f"graphene://{base}/segmentation/table/{names.TABLE}",
            "local_server": base,
            "viewer_resolution_x": 8.0,
            "viewer_resolution_y": 8.0,
            "viewer_resolution_z": 42.0,
        }
    )


@pytest.fixture(scope="module")
def server():
    app = Starlette(
        routes=[
            Route("/info/version", lambda _: JSONResponse("4.3.3")),
            Route("/info/api/v2/datastack/full/{datastack}", info),
            *chunkedgraph.ROUTES,
        ],
        exception_handlers={Refusal: refuse},
    )
    app.router.redirect_slashes = False
    app.state.sandbox = SimpleNamespace(token=TOKEN, graph=make_graph(), clock=Clock())
    running = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level=logging.ERROR, lifespan="off"))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    yield SimpleNamespace(url=url, state=app.state.sandbox)
    running.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def cave(server):
    client = CAVEclient("crant_demo", server_address=server.url, auth_token=TOKEN, write_server_cache=False)
    return client.chunkedgraph


@pytest.fixture
def editable(server):
    """A graph that the test may change."""
    before, server.state.graph = server.state.graph, server.state.graph.copy()
    yield server.state.graph
    server.state.graph = before


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=server.url + TABLE) as client:
        yield client


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


class TestLineage:
    def test_lineage_graph(self, cave):
        found = cave.get_lineage_graph(ROOT + 5, timestamp_future=T3)
        nodes = {entry["id"]: entry for entry in found["nodes"]}
        assert set(nodes) == {ROOT + 1, ROOT + 5, ROOT + 6}
        assert nodes[ROOT + 1] == {"id": ROOT + 1, "timestamp": T0.timestamp(), "operation_id": 1}
        assert nodes[ROOT + 5]["operation_id"] == 2
        assert "operation_id" not in nodes[ROOT + 6]
        links = {(link["source"], link["target"]) for link in found["links"]}
        assert links == {(ROOT + 1, ROOT + 5), (ROOT + 5, ROOT + 6)}

    def test_lineage_as_networkx(self, cave):
        found = cave.get_lineage_graph(ROOT + 6, timestamp_future=T3, as_nx_graph=True)
        assert set(found.predecessors(ROOT + 6)) == {ROOT + 2, ROOT + 5}

    def test_latest_and_original_roots(self, cave):
        assert sorted(cave.get_latest_roots(ROOT + 1).tolist()) == [ROOT + 4, ROOT + 6]
        assert sorted(cave.get_original_roots(ROOT + 6).tolist()) == [ROOT + 1, ROOT + 2]
        assert cave.get_latest_roots(ROOT + 4, timestamp=T1 - MS).tolist() == [ROOT + 1]

    def test_suggested_roots_are_those_with_most_overlap(self, cave):
        assert cave.suggest_latest_roots(ROOT + 1, stop_layer=1) == ROOT + 4

    def test_unknown_roots_have_no_lineage(self, cave):
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_lineage_graph(UNKNOWN, timestamp_future=T3)

    def test_past_ids(self, cave):
        found = cave.get_past_ids([ROOT + 4, ROOT + 6, ROOT + 3])
        assert {root: sorted(old) for root, old in found["past_id_map"].items()} == {
            ROOT + 3: [ROOT + 3],
            ROOT + 4: [ROOT + 1],
            ROOT + 6: [ROOT + 1, ROOT + 2],
        }
        assert found["future_id_map"] == {ROOT + 2: ROOT + 6, ROOT + 3: ROOT + 3}  # 1 was split

    def test_past_ids_after_a_time(self, cave):
        found = cave.get_past_ids([ROOT + 6], timestamp_past=T1 + MS)
        assert sorted(found["past_id_map"][ROOT + 6]) == [ROOT + 2, ROOT + 5]
        assert found["future_id_map"] == {ROOT + 2: ROOT + 6, ROOT + 5: ROOT + 6}

    def test_past_ids_of_what_is_no_root_is_500(self, cave):
        with pytest.raises(requests.HTTPError, match="is no root"):
            cave.get_past_ids([A])
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_past_ids([UNKNOWN])


class TestLogs:
    def test_tabular_change_log(self, cave):
        found = cave.get_tabular_change_log([ROOT + 6, ROOT + 3], filtered=False)
        assert found[ROOT + 3].empty
        log = found[ROOT + 6]
        assert log["operation_id"].tolist() == [1, 2]
        assert log["timestamp"].tolist() == [1706788800123, 1709294400456]
        assert log["user_id"].tolist() == ["1", "2"]
        assert log["before_root_ids"].tolist() == [[ROOT + 1], [ROOT + 2, ROOT + 5]]
        assert log["after_root_ids"].tolist() == [[ROOT + 5], [ROOT + 6]]
        assert log["is_merge"].tolist() == [False, True]
        assert log["in_neuron"].tolist() == log["is_relevant"].tolist() == [True, True]
        assert {"user_name", "user_affiliation"} <= set(log.columns)

    def test_the_filtered_log_hides_what_does_not_matter(self, cave, editable):
        editable.cut([(D, E)], T3 + MS, 1)  # the merger of d and e did not last
        (root,) = editable.roots([E], T3 + MS).tolist()
        whole = cave.get_tabular_change_log([root], filtered=False)[root]
        assert whole["operation_id"].tolist() == [1, 2, 4]
        assert whole["in_neuron"].tolist() == [False, False, True]
        shown = cave.get_tabular_change_log([root])[root]
        assert shown["operation_id"].to_dict() == {"2": 4}  # the row keeps its number
        assert not {"in_neuron", "is_relevant"} & set(shown.columns)

    def test_the_log_is_json_in_json(self, http):
        answer = http.request("GET", "/tabular_change_log_many", content=json.dumps({"root_ids": [ROOT + 4]}))
        assert json.loads(answer.json()[str(ROOT + 4)])["operation_id"] == {"0": 1}

    def test_the_log_of_an_unknown_root_is_500(self, cave):
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_tabular_change_log([UNKNOWN])

    def test_change_log(self, cave):
        assert cave.get_change_log(ROOT + 6, filtered=False) == {
            "n_splits": 1,
            "n_mergers": 1,
            "user_info": {"1": {"n_splits": 1, "n_mergers": 0}, "2": {"n_splits": 0, "n_mergers": 1}},
            "operations_ids": [1, 2],
            "past_ids": [ROOT + 1, ROOT + 2, ROOT + 5],
        }

    def test_merge_log(self, cave):
        assert cave.get_merge_log(ROOT + 6) == {"merge_edges": [[[D, E]]], "merge_edge_coords": [[[], []]]}

    def test_last_edit(self, http):
        assert http.get(f"/root/{ROOT + 4}/last_edit").json() == {"iso": "2024-02-01 12:00:00.123000+00:00"}

    def test_operation_details(self, cave):
        found = cave.get_operation_details([1, 2, 99])
        assert set(found) == {"1", "2"}
        assert found["1"]["removed_edges"] == [[C, D]]
        assert found["1"]["roots"] == [ROOT + 4, ROOT + 5]
        assert (found["1"]["source_ids"], found["1"]["sink_ids"], found["1"]["user"]) == ([C], [D], "1")
        assert found["1"]["source_coords"] == [[1, 2, 1]]  # voxels
        assert found["1"]["sink_coords"] == [[10, 20, 10]]
        assert found["1"]["timestamp"] == "2024-02-01 12:00:00.123000+00:00"
        assert found["1"]["operation_status"] == 0
        assert found["2"]["added_edges"] == [[D, E]]
        assert cave.get_operation_details([99]) == {}

    def test_a_failed_operation_has_details(self, cave):
        found = cave.get_operation_details([3])["3"]
        assert (found["operation_status"], found["roots"]) == (2, [])
        assert "different objects" in found["operation_exception"]

    def test_user_operations(self, cave, http):
        assert cave.get_user_operations(2, T0, timestamp_end=T3)["operation_id"].tolist() == [2, 3]
        everybody = cave.get_user_operations(0, T1 + MS, timestamp_end=T2)
        assert everybody["operation_id"].tolist() == [2]
        assert everybody["timestamp"].tolist() == [T2]
        assert http.get("/user_operations", params={"user_id": 2}).status_code == 400  # no end_time

    def test_undone_operations_are_listed_only_on_request(self, http, editable):
        editable.undo(2, T3 + MS, 1)

        def listed(**params):
            answer = http.get("/user_operations", params={"end_time": (T3 + timedelta(days=1)).timestamp(), **params})
            return list(answer.json()["operation_id"].values())

        assert listed() == [1, 3]
        assert listed(include_undone="True") == [1, 2, 3, 4]


class TestEdits:
    def test_merge(self, cave, editable):
        done = cave.do_merge([C, D], [[1, 2, 3], [4, 5, 6]], resolution=(16, 16, 42))
        assert done == {"operation_id": 4, "new_root_ids": [ROOT + 7]}
        assert cave.get_roots([A, E]).tolist() == [ROOT + 7] * 2
        assert cave.is_latest_roots([ROOT + 4, ROOT + 7]).tolist() == [False, True]
        operation = cave.get_operation_details([4])["4"]
        assert (operation["source_coords"], operation["sink_coords"]) == ([[1, 2, 3]], [[4, 5, 6]])
        assert editable.operations[-1].edges == ((C, D),)

    def test_merge_of_one_neuron_is_400_and_stays_in_the_log(self, cave, editable):
        with pytest.raises(requests.HTTPError, match=r"400.*different objects"):
            cave.do_merge([A, B], [[0, 0, 0]] * 2)
        assert editable.operations[-1].status == 2

    def test_merge_over_more_than_3_chunks_is_400(self, cave, editable):
        with pytest.raises(requests.HTTPError, match="Chebyshev"):
            cave.do_merge([E, F], [[0, 0, 0]] * 2)
        assert len(editable.operations) == 3

    def test_points_of_roots_mean_their_nearest_supervoxel(self, cave, editable):
        points = [(layout.chunk_start([x, 0, 0]) + 10).tolist() for x in (4, 5)]
        cave.do_merge([ROOT + 4, ROOT + 6], points, resolution=(1, 1, 1))
        assert editable.operations[-1].edges == ((C, D),)

    def test_split_and_its_preview(self, cave, editable):
        points = [np.zeros((1, 3)), np.zeros((1, 3))]
        source, sink, success = cave.preview_split(*points, ROOT + 4, [A], [C])
        assert success
        assert A in source
        assert C in sink
        assert sorted(source + sink) == [A, B, C]
        operation_id, new_roots = cave.execute_split(*points, ROOT + 4, [A], [C])
        assert (operation_id, new_roots) == (4, [ROOT + 7, ROOT + 8])
        assert set(cave.get_roots([A, C]).tolist()) == set(new_roots)

    def test_split_between_neurons_is_400(self, cave, editable):
        points = [np.zeros((1, 3)), np.zeros((1, 3))]
        for call in (cave.preview_split, cave.execute_split):
            with pytest.raises(requests.HTTPError, match=r"400.*same object"):
                call(*points, ROOT + 4, [A], [E])

    def test_undo_and_redo(self, cave, http, editable):
        assert cave.undo_operation(2) == {"operation_id": 4, "new_root_ids": [ROOT + 7, ROOT + 8]}
        assert http.post("/redo", json={"operation_id": 2}).json() == {"operation_id": 5, "new_root_ids": [ROOT + 9]}
        details = cave.get_operation_details([4, 5])
        assert (details["4"]["undo_operation_id"], details["5"]["redo_operation_id"]) == (2, 2)
        with pytest.raises(requests.HTTPError, match="400"):
            cave.undo_operation(99)

    def test_edits_within_one_tick_of_the_clock_follow_each_other(self, http, server, editable):
        clock, server.state.clock = server.state.clock, SimpleNamespace(now=lambda: T3 + timedelta(days=1))
        try:
            assert http.post("/undo", json={"operation_id": 2}).status_code == 200
            new = http.post("/redo", json={"operation_id": 2}).json()["new_root_ids"]
            assert http.post("/is_latest_roots", json={"node_ids": new}).json() == {"is_latest": [True]}
            assert http.post("/roots", json={"node_ids": [D]}).json() == {"root_ids": new}
        finally:
            server.state.clock = clock

    def test_edits_before_the_last_one_are_400(self, http, server, editable):
        clock, server.state.clock = server.state.clock, SimpleNamespace(now=lambda: T1)
        try:
            assert http.post("/undo", json={"operation_id": 2}).status_code == 400
        finally:
            server.state.clock = clock

    @pytest.mark.parametrize("body", [[[1, 0, 0, 0]], []])
    def test_a_merge_has_two_ends(self, http, body):
        assert http.post("/merge", json=body).status_code == 500


class TestTransport:
    def test_replies_are_packed_for_those_who_accept_it(self, http):
        request = {"node_ids": [ROOT + 4]}
        packed = http.post("/is_latest_roots", json=request, headers={"Accept-Encoding": "gzip"})
        plain = http.post("/is_latest_roots", json=request, headers={"Accept-Encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.json() == plain.json() == {"is_latest": [True]}

    @pytest.mark.parametrize("path", ["/oldest_timestamp/", "/nothing"])
    def test_unknown_paths_are_404_and_never_redirected(self, http, path):
        assert http.get(path).status_code == 404

    def test_binary_roots_are_called_html(self, http):
        answer = http.post("/roots_binary", content=np.array([A], dtype="<u8").tobytes())
        assert answer.headers["content-type"].startswith("text/html")
        assert np.frombuffer(answer.content, dtype="<u8").tolist() == [ROOT + 4]

    def test_binary_ids_are_taken_where_the_real_server_takes_them(self, http):
        body = np.array([ROOT + 4, ROOT + 1], dtype="<u8").tobytes()
        assert http.post("/is_latest_roots?is_binary=true", content=body).json() == {"is_latest": [True, False]}

    def test_ids_are_strings_on_request(self, http):
        answer = http.get(f"/node/{ROOT + 4}/lvl2_graph?int64_as_str=true")
        assert answer.json()["edge_graph"][0] == [str(node(2, 0)), str(node(2, 1))]
