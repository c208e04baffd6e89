"""The assembled sandbox at its door: info, authentication, versions, geometry, as the real clients see them."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
import requests
from caveclient import CAVEclient
from caveclient.base import AuthException
from cloudvolume import CloudVolume

from crant_core.sandbox import layout, names
from crant_core.sandbox.world.history import VERSIONS
from tests.contracts.sandbox_clients import MS, TIMES, cave, segmentation
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> CAVEclient:
    return cave(sandbox)


@pytest.fixture(scope="module")
def volume(sandbox: Sandbox) -> CloudVolume:
    return segmentation(sandbox)


class TestInfo:
    def test_all_services_are_at_one_address(self, client, sandbox):
        info = client.info.get_datastack_info()
        assert client.local_server == info["local_server"] == sandbox.url
        assert info["segmentation_source"] == f"graphene://{sandbox.url}/segmentation/table/{names.TABLE}"
        assert info["aligned_volume"]["image_source"] == f"precomputed://{sandbox.url}/gcs/em"
        assert client.info.viewer_resolution().tolist() == [8, 8, 42]

    def test_the_tables_it_names_exist(self, client):
        info = client.info.get_datastack_info()
        roles = ("synapse_table", "soma_table", "proofreading_status_table", "cell_identification_table")
        assert {info[role] for role in roles} <= set(client.materialize.get_tables())

    def test_the_datastack_is_listed_under_a_name_no_real_server_uses(self, client):
        assert client.info.get_datastacks() == ["crant_demo"]

    def test_the_aligned_volume_leads_back_to_the_datastack(self, client):
        [volume] = client.info.get_aligned_volumes()
        number = client.info.get_aligned_volume_info()["id"]
        assert client.info.get_aligned_volume_info_by_id(number)["name"] == volume
        assert client.info.get_datastacks_by_aligned_volume(volume) == [names.DATASTACK]

    def test_the_only_image_mirror_is_the_image(self, client):
        [mirror] = client.info.get_image_mirrors()
        assert mirror["image_source"] == client.info.image_source()

    def test_every_service_tells_a_version_that_its_client_accepts(self, client):
        told = {
            "info": client.info.server_version,
            "chunkedgraph": client.chunkedgraph.server_version,
            "materialize": client.materialize.server_version,
            "skeleton": client.skeleton.server_version,
            "state": client.state.server_version,
        }
        assert {name: str(version) for name, version in told.items()} == {
            "info": "4.3.3",
            "chunkedgraph": "2.21.1",
            "materialize": "5.26.4",
            "skeleton": "0.23.11",
            "state": "0.7.2",
        }

    def test_an_unknown_datastack_is_404(self, sandbox):
        with pytest.raises(requests.HTTPError, match="404"):
            CAVEclient("kronauer_ant", server_address=sandbox.url, auth_token=sandbox.token, write_server_cache=False)


class TestSchemas:
    def test_every_tables_schema_is_defined(self, client):
        used = {one["schema"] for one in client.materialize.get_tables_metadata()}
        assert used <= set(client.schema.get_schemas())
        assert all(client.schema.schema_definition(name)["definitions"] for name in used)

    def test_tables_have_the_columns_of_their_schemas(self, client):
        tables = client.materialize.get_tables_metadata()
        assert names.SYNAPSES in [table["table_name"] for table in tables]
        for table in tables:
            schema = client.schema.schema_definition(table["schema"])
            fields = schema["definitions"][schema["$ref"].rpartition("/")[2]]["properties"]
            found = client.materialize.query_table(table["table_name"], merge_reference=False, limit=1)
            assert [name for name in fields if not {name, f"{name}_position"} & set(found)] == []


class TestVersions:
    def test_the_expired_version_is_listed_only_when_asked_for(self, client):
        assert client.materialize.get_versions() == [2, 3]
        assert client.materialize.get_versions(expired=True) == [1, 2, 3]

    def test_the_newest_is_the_default(self, client):
        assert client.materialize.version == 3

    def test_their_times_keep_their_microseconds(self, client):
        for version in VERSIONS[1:]:
            assert client.materialize.get_timestamp(version.number) == version.timestamp
            assert client.materialize.get_version_metadata(version.number)["valid"] is True

    def test_all_at_once_say_which_one_has_expired(self, client):
        told = client.materialize.get_versions_metadata(expired=True)
        assert {one["version"]: (one["valid"], one["time_stamp"]) for one in told} == {
            1: (False, TIMES[1]),
            2: (True, TIMES[2]),
            3: (True, TIMES[3]),
        }

    def test_the_expired_one_answers_queries_with_410(self, client):
        with pytest.raises(requests.HTTPError, match="410"):
            client.materialize.query_table(names.NUCLEI, materialization_version=1)

    def test_an_unknown_one_is_404(self, client):
        with pytest.raises(requests.HTTPError, match="404"):
            client.materialize.get_version_metadata(99)


class TestPinned:
    @pytest.mark.parametrize("version", [2, 3])
    def test_a_client_pinned_to_a_version_takes_its_time(self, sandbox, version):
        pinned = cave(sandbox, version=version)
        assert (pinned.version, pinned.timestamp) == (version, TIMES[version])
        assert pinned.chunkedgraph.get_roots(neurons.supervoxels()).tolist() == neurons.roots_at(version)

    def test_its_tables_are_of_that_version(self, sandbox):
        pinned, newest = cave(sandbox, version=2), cave(sandbox)
        old, new = (one.materialize.query_table(names.SYNAPSES) for one in (pinned, newest))
        assert len(old) - len(new) == 93  # the synapses that were withdrawn between the two

    def test_roots_of_another_version_are_not_its_latest(self, sandbox):
        pinned = cave(sandbox, version=2)
        asked = neurons.roots_at(3)
        known = [root in neurons.roots_at(2) for root in asked]
        assert pinned.chunkedgraph.is_latest_roots(asked).tolist() == known
        assert not all(known)


class TestAuth:
    def test_health_needs_no_token(self, sandbox):
        assert httpx.get(f"{sandbox.url}/healthz").text == "ok"

    @pytest.mark.parametrize(
        ("headers", "status", "error"),
        [
            ({"X-Requested-With": "tests"}, 401, "no_token"),
            ({"Authorization": "Bearer wrong"}, 401, "invalid_token"),
            ({"Authorization": "Basic abc"}, 400, "bad_auth_header"),
        ],
    )
    def test_refusals_say_what_middle_auth_says(self, sandbox, headers, status, error):
        answer = httpx.get(f"{sandbox.url}/info/api/v2/datastacks", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    def test_a_wrong_token_stops_both_clients(self, sandbox):
        wrong = Sandbox(sandbox.url, "f" * 32, sandbox.pid)
        with pytest.raises(requests.HTTPError, match="401"):
            cave(wrong)
        with pytest.raises(requests.HTTPError, match="401"):
            segmentation(wrong)

    def test_without_a_token_caveclient_says_that_none_is_set_up(self, sandbox):
        client = CAVEclient(server_address=sandbox.url, write_server_cache=False)
        with pytest.raises(AuthException):
            client.info.get_datastacks()

    def test_the_token_is_listed_with_its_owner(self, client, sandbox):
        [token] = client.auth.get_tokens()
        assert token["token"] == sandbox.token
        [owner] = client.auth.get_user_information([token["user_id"]])
        assert owner["name"] == "Sandbox user"

    def test_nothing_redirects(self, sandbox):
        headers = {"Authorization": f"Bearer {sandbox.token}"}
        assert httpx.get(f"{sandbox.url}/info/api/v2/datastacks/", headers=headers).status_code == 404

    def test_the_bucket_is_open_and_closes_its_connections(self, sandbox):
        answer = httpx.get(f"{sandbox.url}/gcs/{names.TABLE}/info")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")


class TestGeometry:
    def test_cloudvolume_reads_our_ids(self, volume):
        for root in neurons.live_roots():
            parts = volume.meta.decode_label(np.uint64(root))
            assert (int(parts.level), int(layout.chunk_of(root).sum())) == (8, 0)

    def test_cloudvolume_finds_the_chunk_of_every_neurons_first_supervoxel(self, volume):
        supervoxels = neurons.supervoxels()
        found = [volume.meta.decode_chunk_position(one).tolist() for one in supervoxels]
        assert found == layout.chunk_of(supervoxels).tolist()

    def test_every_vertex_lies_within_the_volume(self, volume):
        places = neurons.world().frame("truth/vertices")[list("xyz")].to_numpy() / layout.RESOLUTION
        low, high = volume.bounds.minpt, volume.bounds.maxpt
        assert (places >= low).all()
        assert (places <= high).all()

    def test_the_volume_needs_exactly_its_layers(self, volume):
        longest = max(layout.SIZE_IN_CHUNKS)
        assert volume.meta.n_layers == layout.N_LAYERS == int(np.ceil(np.log2(longest))) + 2

    def test_the_volume_starts_off_the_chunk_grid(self, volume):
        assert volume.voxel_offset.tolist() == [250, 1400, 1000]
        assert list(volume.graph_chunk_size) == [512, 512, 256]

    def test_the_beginning_is_half_a_second_before_the_first_edit(self, client):
        first = neurons.world().frame("truth/lineage").timestamp.min()
        assert client.chunkedgraph.get_oldest_timestamp() == first - 500 * MS
