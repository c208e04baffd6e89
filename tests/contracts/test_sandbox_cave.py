"""The sandbox as the real caveclient and the real cloud-volume see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
import requests
from caveclient import CAVEclient
from cloudvolume import CloudVolume
from trimesh import Trimesh

from crant_core.sandbox import layout, surfaces, world
from crant_core.sandbox.graph import supervoxel_of
from tests.fixtures.sandbox import Sandbox

MISSING = (8 << 56) | 12_345
OTHER_MISSING = MISSING + 1


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> CAVEclient:
    return CAVEclient(world.DATASTACK, server_address=sandbox.url, auth_token=sandbox.token, write_server_cache=False)


@pytest.fixture(scope="module")
def volume(sandbox: Sandbox) -> CloudVolume:
    path = f"graphene://{sandbox.url}/segmentation/table/{world.TABLE}"
    return CloudVolume(path, secrets={"token": sandbox.token}, use_https=True, progress=False)


class TestInfo:
    def test_the_client_connects_and_finds_the_services_at_the_same_address(self, client, sandbox):
        assert client.local_server == sandbox.url
        assert client.info.segmentation_source().startswith(f"graphene://{sandbox.url}/")
        assert client.info.viewer_resolution().tolist() == [8, 8, 42]

    def test_the_datastack_is_listed_under_a_name_no_real_server_uses(self, client):
        assert client.info.get_datastacks() == ["crant_demo"]

    def test_an_unknown_datastack_is_404(self, sandbox):
        with pytest.raises(requests.HTTPError, match="404"):
            CAVEclient("kronauer_ant", server_address=sandbox.url, auth_token=sandbox.token, write_server_cache=False)


class TestMaterialization:
    def test_versions(self, client):
        assert client.materialize.get_versions() == [1, 2]
        assert client.materialize.version == 2

    def test_version_timestamps_keep_their_microseconds(self, client):
        for version in world.VERSIONS:
            assert client.materialize.get_timestamp(version.number) == version.timestamp
            assert client.materialize.get_version_metadata(version.number)["valid"] is True

    def test_all_versions_at_once(self, client):
        assert [entry["version"] for entry in client.materialize.get_versions_metadata()] == [1, 2]

    def test_a_client_pinned_to_a_version_takes_its_time(self, sandbox):
        pinned = CAVEclient(
            world.DATASTACK,
            server_address=sandbox.url,
            auth_token=sandbox.token,
            version=1,
            write_server_cache=False,
        )
        assert pinned.timestamp == world.VERSIONS[0].timestamp
        assert pinned.chunkedgraph.is_latest_roots(list(world.ROOT_IDS)).sum() == 4

    def test_an_unknown_version_is_404(self, client):
        with pytest.raises(requests.HTTPError, match="404"):
            client.materialize.get_version_metadata(99)


class TestChunkedgraph:
    def test_is_latest(self, client):
        asked = [*world.ROOT_IDS, MISSING, supervoxel_of(world.NEURONS[0])]
        assert client.chunkedgraph.is_latest_roots(asked).tolist() == [True] * 5 + [False] * 2

    def test_current_l2_ids_are_latest_too(self, client):
        l2_id = int(client.chunkedgraph.get_roots([supervoxel_of(world.NEURONS[0])], stop_layer=2)[0])
        assert l2_id >> 56 == 2
        assert client.chunkedgraph.is_latest_roots([l2_id]).tolist() == [True]

    def test_is_latest_of_nothing_is_nothing(self, client):
        assert client.chunkedgraph.is_latest_roots([]).tolist() == []

    def test_roots_of_supervoxels_and_of_roots(self, client):
        asked = [supervoxel_of(neuron) for neuron in world.NEURONS]
        assert client.chunkedgraph.get_roots(asked).tolist() == list(world.ROOT_IDS)
        assert client.chunkedgraph.get_roots(world.ROOT_IDS).tolist() == list(world.ROOT_IDS)

    def test_unknown_ids_resolve_to_0_beside_a_known_one_and_to_themselves_alone(self, client):
        known, unknown = supervoxel_of(world.NEURONS[0]), (1 << 56) | 99
        assert client.chunkedgraph.get_roots([known, unknown, 0]).tolist() == [world.ROOT_IDS[0], 0, 0]
        assert client.chunkedgraph.get_roots([unknown, 0]).tolist() == [unknown, 0]

    def test_roots_before_they_existed_are_echoed(self, client):
        supervoxel = supervoxel_of(world.NEURONS[0])
        before = world.NEURONS[0].created - timedelta(days=1)
        assert client.chunkedgraph.get_roots([supervoxel], timestamp=before).tolist() == [supervoxel]

    def test_root_timestamps(self, client):
        created = [neuron.created for neuron in world.NEURONS]
        assert client.chunkedgraph.get_root_timestamps(list(world.ROOT_IDS)).tolist() == created

    def test_the_latest_timestamp_of_a_current_root_is_the_one_asked_about(self, client):
        at = datetime(2026, 3, 1, tzinfo=UTC)
        found = client.chunkedgraph.get_root_timestamps([world.ROOT_IDS[0]], latest=True, timestamp=at)
        assert found.tolist() == [at - timedelta(milliseconds=1)]  # caveclient's own safety margin

    def test_timestamps_of_unknown_ids_are_empty_or_an_error(self, client):
        assert client.chunkedgraph.get_root_timestamps([MISSING, OTHER_MISSING]).tolist() == []
        with pytest.raises(requests.HTTPError, match=str(MISSING)):
            client.chunkedgraph.get_root_timestamps([world.ROOT_IDS[0], MISSING])

    @pytest.mark.parametrize(
        ("query", "status"), [("timestamp=2026-01-01", 400), ("timestamp=1e300", 400), ("stop_layer=9", 500)]
    )
    def test_bad_queries_are_refused_like_the_real_ones(self, sandbox, query, status):
        url = f"{sandbox.url}/segmentation/api/v1/table/{world.TABLE}/roots_binary?{query}"
        answer = httpx.post(url, content=b"", headers={"Authorization": f"Bearer {sandbox.token}"})
        assert answer.status_code == status
        assert {"timestamp", "duration", "code", "message"} <= answer.json().keys()

    def test_an_unknown_table_is_500_not_404(self, sandbox):
        url = f"{sandbox.url}/segmentation/table/other/info"
        assert httpx.get(url, headers={"Authorization": f"Bearer {sandbox.token}"}).status_code == 500


class TestMeshes:
    @pytest.mark.parametrize("neuron", world.NEURONS, ids=lambda neuron: str(neuron.body_id))
    def test_area_and_extent_are_the_sources(self, volume, neuron):
        found, stored = volume.mesh.get(neuron.root_id)[neuron.root_id], surfaces.read_surface(neuron.body_id)
        source = Trimesh(stored.vertices, stored.faces, process=False)
        fetched = Trimesh(found.vertices, found.faces, process=False)
        assert fetched.area == pytest.approx(source.area, rel=0.001)
        assert np.abs(fetched.bounds - source.bounds).max() < 1

    def test_a_root_without_mesh_has_none(self, volume):
        with pytest.raises(IndexError, match="No mesh"):
            volume.mesh.get(MISSING)

    def test_the_bucket_closes_its_connections(self, sandbox):
        answer = httpx.get(f"{sandbox.url}/gcs/{world.TABLE}/mesh/info")
        assert (answer.status_code, answer.headers["connection"]) == (404, "close")


class TestGeometry:
    def test_cloudvolume_reads_our_ids(self, volume):
        assert volume.meta.n_layers == layout.N_LAYERS
        for neuron in world.NEURONS:
            assert volume.meta.decode_label(neuron.root_id) == (8, 0, 0, 0, neuron.body_id)

    def test_cloudvolume_agrees_on_chunks(self, volume):
        position = surfaces.read_surface(world.NEURONS[0].body_id).vertices[0]
        label = volume.meta.decode_label(supervoxel_of(world.NEURONS[0]))
        assert (label.level, label.segid) == (1, 1)
        assert volume.meta.point_to_chunk_position(position).tolist() == [int(label.x), int(label.y), int(label.z)]

    def test_every_neuron_lies_within_the_volume(self, volume):
        start = np.array(layout.VOXEL_OFFSET) * layout.RESOLUTION
        end = start + np.array(layout.volume_size()) * layout.RESOLUTION
        for neuron in world.NEURONS:
            vertices = surfaces.read_surface(neuron.body_id).vertices
            assert (vertices >= start).all()
            assert (vertices <= end).all()

    def test_the_volumes_chunks_need_exactly_these_layers(self):
        assert int(np.ceil(np.log2(max(layout.SIZE_IN_CHUNKS)))) + 2 == layout.N_LAYERS


class TestAuth:
    def test_health_needs_no_token(self, sandbox):
        assert httpx.get(f"{sandbox.url}/healthz").status_code == 200

    @pytest.mark.parametrize(
        ("headers", "status", "error"),
        [
            ({}, 401, "no_token"),
            ({"Authorization": "Bearer " + "0" * 32}, 401, "invalid_token"),
            ({"Authorization": "Basic abc"}, 400, "bad_auth_header"),
        ],
    )
    def test_refusals_say_what_middle_auth_says(self, sandbox, headers, status, error):
        answer = httpx.get(f"{sandbox.url}/info/version", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    def test_a_wrong_token_stops_both_clients(self, sandbox):
        with pytest.raises(requests.HTTPError, match="401"):
            CAVEclient(world.DATASTACK, server_address=sandbox.url, auth_token="0" * 32, write_server_cache=False)
        with pytest.raises(requests.HTTPError, match="401"):
            CloudVolume(
                f"graphene://{sandbox.url}/segmentation/table/{world.TABLE}",
                secrets={"token": "0" * 32},
                progress=False,
            )

    def test_nothing_redirects(self, sandbox):
        answer = httpx.get(f"{sandbox.url}/info/version/", headers={"Authorization": f"Bearer {sandbox.token}"})
        assert answer.status_code == 404
