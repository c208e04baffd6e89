"""Where CAVE's clients go wrong without a word, each trap shown with the bare client and then with ours.

G1 parallel downloads mix up bytes, G2 missing data becomes zeros, G3 nothing has a time-out, G4 caches are shared
between servers, G5 a cut answer looks whole (reference/cave-server.md, 3.1).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from caveclient import CAVEclient
from cloudvolume import CloudVolume
from trimesh import Trimesh

from crant_core.errors import DataMissing, InvalidInput, OutOfBounds, SourceError, SourceUnavailable, Truncated
from crant_core.sandbox import layout, names
from crant_core.sandbox.anatomy import Anatomy
from crant_core.sources import caches, sessions, transport
from crant_core.sources.answers import limit_expected
from crant_core.sources.cave import CaveSource
from crant_core.sources.failures import translated
from crant_core.sources.volumes import cutout, open_volume
from tests.fixtures.neurons import graph, live_roots, supervoxels, world
from tests.fixtures.sandbox import Sandbox, run_sandbox

pytestmark = pytest.mark.xdist_group("guards")
FEW_SECONDS = 8  # far less than a hang or a drip of the sandbox takes


@pytest.fixture(scope="module")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that this module's tests break and mend."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def cave(ours: Sandbox) -> Iterator[Sandbox]:
    yield ours
    ours.control("DELETE", "fault")
    ours.control("POST", "bucket", {"keep_alive": False})


@pytest.fixture
def source(cave: Sandbox) -> CaveSource:
    return CaveSource(cave.dataset, cave.token)


def bare_client(sandbox: Sandbox) -> CAVEclient:
    return CAVEclient(names.DATASTACK, server_address=sandbox.url, auth_token=sandbox.token, write_server_cache=False)


def path_of(sandbox: Sandbox, table: str) -> str:
    return f"graphene://{sandbox.url}/segmentation/table/{table}"


def bare_volume(sandbox: Sandbox, table: str = names.TABLE, **options: Any) -> CloudVolume:
    """What someone gets who does not know better, but for the parallel downloads."""
    secrets = {"token": sandbox.token}
    return CloudVolume(path_of(sandbox, table), secrets=secrets, use_https=True, progress=False, parallel=1, **options)


@cache
def true_mesh(root: int) -> tuple[int, float]:
    """Return the number of faces and the area in nm² of a neuron as the world has it."""
    surface = Anatomy(world(), graph()).surface(root)
    assert surface is not None
    return len(surface.faces), Trimesh(surface.vertices, surface.faces, process=False).area


class TestParallelDownloads:
    """G1."""

    def test_threads_sharing_a_source_get_exact_meshes_over_kept_alive_connections(self, cave, source):
        cave.control("POST", "bucket", {"keep_alive": True})
        roots = live_roots() * 4
        with ThreadPoolExecutor(4) as threads:
            meshes = list(threads.map(source.mesh, roots))
        for root, mesh in zip(roots, meshes, strict=True):
            faces, area = true_mesh(root)
            assert len(mesh.faces) == faces
            assert Trimesh(mesh.vertices, mesh.faces, process=False).area == pytest.approx(area, rel=1e-4)

    @pytest.mark.parametrize("path", ["graphene", "precomputed"])
    def test_our_volumes_neither_fork_nor_fill_nor_keep(self, cave, path):
        address = path_of(cave, names.TABLE) if path == "graphene" else f"precomputed://{cave.url}/gcs/em"
        volume = open_volume(address, cave.token)
        assert (volume.parallel, volume.fill_missing, volume.bounded, volume.cache.enabled) == (1, False, True, False)

    def test_the_given_description_is_used_and_left_alone(self, cave):
        info = bare_client(cave).chunkedgraph.segmentation_info
        before = json.dumps(info)
        cave.control("DELETE", "log")
        volume = open_volume(path_of(cave, names.TABLE), cave.token, info)
        volume.meta.info["scales"] = []
        assert json.dumps(info) == before
        assert "/segmentation/" not in json.dumps(cave.control("GET", "log")["entries"])


def breaking(sandbox: Sandbox, pattern: str, status: int, **more: Any) -> None:
    """Let one object that matches be missing or forbidden."""
    sandbox.control("POST", "fault", {"pattern": pattern, "status": status, "times": 1, **more})


SHARD = rf"^/gcs/{names.TABLE}/mesh/initial/.*\.shard$"
DYNAMIC = rf"^/gcs/{names.TABLE}/mesh/dynamic/"
PLAIN = rf"^/gcs/{names.UNSHARDED_TABLE}/mesh/\d+:0:"
CHUNK = rf"^/gcs/{names.TABLE}/.*/\d+-\d+_\d+-\d+_\d+-\d+$"


@pytest.mark.parametrize("status", [403, 404])
class TestIncompleteMeshes:
    """G2."""

    @pytest.mark.parametrize(("pattern", "piece"), [(SHARD, r"/.*\.shard, bytes \d+ to \d+"), (DYNAMIC, r"\d+:0:")])
    def test_a_missing_piece_is_an_error_that_names_it(self, cave, source, status, pattern, piece):
        root = live_roots()[0]
        breaking(cave, pattern, status)
        with pytest.raises(DataMissing, match=rf"gave no .*{piece}.*: 1 of \d+ pieces") as caught:
            source.mesh(root)
        assert caught.value.retryable
        assert len(source.mesh(root).faces) == true_mesh(root)[0]

    def test_the_bare_client_breaks_on_a_missing_shard(self, cave, status):
        volume = bare_volume(cave)
        breaking(cave, SHARD, status)
        with pytest.raises(TypeError):
            volume.mesh.get(live_roots()[0])

    def test_a_missing_plain_piece_is_an_error_that_names_it(self, cave, status):
        volume, root = open_volume(path_of(cave, names.UNSHARDED_TABLE), cave.token), live_roots()[0]
        breaking(cave, PLAIN, status)
        with pytest.raises(DataMissing, match=r"gave no .*mesh/\d+:0:.*: 1 of \d+ pieces"):
            volume.mesh.get(root, deduplicate_chunk_boundaries=False)
        whole = volume.mesh.get(root, deduplicate_chunk_boundaries=False)[root]
        assert len(whole.faces) == true_mesh(root)[0]

    def test_the_bare_client_leaves_out_a_missing_plain_piece(self, cave, status):
        volume, root = bare_volume(cave, names.UNSHARDED_TABLE), live_roots()[0]
        breaking(cave, PLAIN, status)
        found = volume.mesh.get(root, deduplicate_chunk_boundaries=False)[root]
        assert 0 < len(found.faces) < true_mesh(root)[0]


class TestManifests:
    """G2."""

    @pytest.mark.parametrize(
        ("manifest", "error"),
        [({"fragments": ["a"], "seg_ids": [1, 2]}, SourceError), ({"fragments": [""], "seg_ids": [1]}, DataMissing)],
    )
    def test_a_manifest_that_names_too_few_files_is_an_error(self, cave, source, manifest, error):
        breaking(cave, "/manifest/", 200, body=manifest)
        with pytest.raises(error, match="manifest") as caught:
            source.mesh(live_roots()[0])
        assert type(caught.value) is error


class TestDamagedMeshes:
    """G1, G2: bytes that are not those the manifest speaks of."""

    @pytest.mark.parametrize("body", ["all of the file", ""])
    def test_another_number_of_bytes_is_an_error_that_names_the_piece(self, cave, source, body):
        breaking(cave, SHARD, 200, body=body)
        with pytest.raises(SourceError, match=r"\.shard, bytes \d+ to \d+"):
            source.mesh(live_roots()[0])


def middle() -> np.ndarray:
    """Return the middle of the first neuron's known supervoxel, voxels."""
    index = int(np.searchsorted(world().segmentation.ids, supervoxels()[0]))
    return (world().features.middle[index] // layout.RESOLUTION).astype(int)


class TestCutouts:
    """G2."""

    @pytest.fixture
    def volume(self, cave) -> CloudVolume:
        return open_volume(path_of(cave, names.TABLE), cave.token)

    def test_a_box_has_the_supervoxels_of_storage(self, volume):
        found = cutout(volume, middle() - 40, middle() + 40)
        assert (found.shape, found.dtype) == ((80, 80, 80), np.uint64)
        assert found[40, 40, 40] == supervoxels()[0]

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_missing_chunk_is_an_error_that_names_it(self, cave, volume, status):
        breaking(cave, CHUNK, status)
        with pytest.raises(DataMissing, match=r"gave no .*\d+-\d+_\d+-\d+_\d+-\d+"):
            cutout(volume, middle() - 40, middle() + 40)
        assert cutout(volume, middle() - 40, middle() + 40)[40, 40, 40] == supervoxels()[0]

    @pytest.mark.parametrize("status", [403, 404])
    def test_the_bare_client_makes_zeros_of_a_missing_chunk(self, cave, status):
        volume = bare_client(cave).info.segmentation_cloudvolume(progress=False, agglomerate=False)
        cave.control("POST", "fault", {"pattern": CHUNK, "status": status})
        low, high = middle(), middle() + 1
        assert not np.any(volume[low[0] : high[0], low[1] : high[1], low[2] : high[2]])

    @pytest.mark.parametrize("shift", [0, 5, 1_000_000])
    def test_a_box_that_leaves_the_volume_is_an_error(self, volume, shift):
        low = np.array(layout.VOXEL_OFFSET) + layout.volume_size() - [4, 4, 4] + shift
        with pytest.raises(OutOfBounds, match="is not inside"):
            cutout(volume, low, low + 8)

    def test_an_empty_box_is_an_error(self, volume):
        with pytest.raises(InvalidInput, match="empty"):
            cutout(volume, middle(), middle() + np.array([8, 8, 0]))


def ask_roots(source: CaveSource) -> None:
    with translated("cave"):
        source.client().chunkedgraph.get_roots(supervoxels())


def ask_roots_of_the_volume(source: CaveSource) -> None:
    with translated("cave"):
        source._segmentation().get_roots(supervoxels())


def ask_mesh(source: CaveSource) -> None:
    source.mesh(live_roots()[0])


def ask_layer(source: CaveSource) -> None:
    source.root_layer()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "READ_SECONDS", 0.25)
    monkeypatch.setattr(sessions, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(transport, "RETRY_SECONDS", 0.2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["hang", "drip"])
class TestTimeLimits:
    """G3."""

    @pytest.mark.parametrize(
        ("path", "ask"),
        [
            ("/segmentation/api/versions", ask_layer),
            ("/materialize/api/versions", ask_layer),
            ("/materialize/version", ask_layer),
            ("/segmentation/table/", ask_layer),
            ("/roots_binary", ask_roots),
            ("/roots_binary", ask_roots_of_the_volume),
            ("/manifest/", ask_mesh),
            (f"/gcs/{names.TABLE}/mesh/info", ask_mesh),
            (f"/gcs/{names.TABLE}/mesh/initial/", ask_mesh),
        ],
    )
    def test_a_server_that_does_not_finish_is_given_up(self, cave, source, kind, path, ask: Callable[..., None]):
        rule: dict[str, Any] = {"path": path, "kind": kind}
        cave.control("POST", "fault", rule | ({"bytes_per_second": 5} if kind == "drip" else {}))
        begin = time.monotonic()
        with pytest.raises(SourceUnavailable, match="did not answer"):
            ask(source)
        assert time.monotonic() - begin < FEW_SECONDS


class TestSwallowedFailures:
    """G3: what caveclient's missing time-outs and its missing answers have in common is that nobody hears of them."""

    def test_the_bare_client_goes_on_with_an_old_api_when_the_versions_are_not_told(self, cave):
        cave.control("POST", "fault", {"path": "/materialize/api/versions", "status": 503})
        assert bare_client(cave).materialize.api_version == 2

    def test_ours_fails_and_speaks_the_newest_api_later(self, cave, source):
        cave.control("POST", "fault", {"path": "/materialize/api/versions", "status": 503, "times": 1})
        with pytest.raises(SourceUnavailable, match="503"):
            source.root_layer()
        source.root_layer()
        assert source.client().materialize.api_version == 3

    def test_parts_made_later_are_bounded_too(self, cave, source):
        source.root_layer()
        cave.control("POST", "fault", {"path": "/schema/versions", "status": 503, "times": 1})
        client = source.client()
        with pytest.raises(requests.HTTPError, match="503"):
            _ = client.schema
        for part in (client.skeleton, client.l2cache, client.annotation, client.schema, client.state):
            assert isinstance(part.session.get_adapter(cave.url), sessions.BoundedAdapter)

    def test_other_peoples_clients_are_left_alone(self, cave, source):
        source.root_layer()
        adapter = bare_client(cave).chunkedgraph.session.get_adapter(cave.url)
        assert not isinstance(adapter, sessions.BoundedAdapter)


class TestCutBodies:
    """A compressed body that stops early is silent in urllib3."""

    def test_requests_gives_fewer_roots(self, cave):
        url, asked = f"{cave.url}/segmentation/api/v1/table/{names.TABLE}/roots_binary", world().segmentation.ids[:1000]
        cave.control("POST", "fault", {"path": "/roots_binary", "kind": "truncated_gzip", "times": 1})
        found = requests.post(url, asked.tobytes(), headers={"Authorization": f"Bearer {cave.token}"}, timeout=10)
        assert found.ok
        assert 0 < len(found.content) < 8 * len(asked)

    @pytest.mark.parametrize("keep", [0, 10, None])
    def test_ours_does_not(self, cave, source, keep):
        source.root_layer()
        rule = {"path": "/roots_binary", "kind": "truncated_gzip", "times": 1, "keep": keep}
        cave.control("POST", "fault", rule)
        with pytest.raises(SourceUnavailable, match="before it is whole"):
            ask_roots(source)
        ask_roots(source)


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Sandbox]]:
    """Two servers, each with a table `notes`: one of tags, one of synapses."""
    with run_sandbox() as one, run_sandbox() as other:
        for sandbox, schema in ((one, "bound_tag"), (other, "synapse")):
            client = bare_client(sandbox)
            client.annotation.create_table("notes", schema, "Notes", voxel_resolution=[8, 8, 42])
            sandbox.control("POST", "materialize")
        yield [one, other]


class TestSharedCaches:
    """G4."""

    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        caches.forget()
        yield
        caches.forget()

    @staticmethod
    def fields(client: CAVEclient) -> set[str]:
        return set(client.materialize.tables["notes"]().fields)

    def test_the_bare_client_takes_one_servers_table_for_the_others(self, servers):
        one, other = (self.fields(bare_client(server)) for server in servers)
        assert "tag" in one
        assert other == one

    def test_ours_asks_again_whoever_comes_first(self, servers):
        for ordered in (servers, servers[::-1]):
            fields = {server: self.fields(CaveSource(server.dataset, server.token).client()) for server in ordered}
            assert "tag" in fields[servers[0]]
            assert "tag" not in fields[servers[1]]
            assert "pre_pt_root_id" in fields[servers[1]]

    def test_sources_that_take_turns_do_not_mix(self, servers):
        sources = [CaveSource(server.dataset, server.token) for server in servers]
        for source in sources:
            source.client()
        one, other = (self.fields(source.client()) for source in sources)
        assert ("tag" in one, "tag" in other) == (True, False)

    def test_one_source_keeps_what_it_learnt(self, servers):
        source = CaveSource(servers[0].dataset, servers[0].token)
        source.client().materialize.get_versions_metadata()
        servers[0].control("DELETE", "log")
        source.client().materialize.get_versions_metadata()
        assert servers[0].control("GET", "log")["entries"] == []

    def test_a_changed_token_is_read_again(self, servers, tmp_path: Path, monkeypatch):
        from cloudvolume import secrets

        one, other = (CaveSource(server.dataset, server.token) for server in servers)
        one.client()
        monkeypatch.setattr(secrets, "CLOUD_VOLUME_DIR", str(tmp_path))
        file = tmp_path / "secrets" / "cave-secret.json"
        file.parent.mkdir()
        file.write_text(json.dumps({"token": "old"}))
        assert secrets.cave_credentials("somewhere") == {"token": "old"}
        file.write_text(json.dumps({"token": "new"}))
        assert secrets.cave_credentials("somewhere") == {"token": "old"}
        other.client()
        assert secrets.cave_credentials("somewhere") == {"token": "new"}


class TestRowLimits:
    """G5."""

    @pytest.fixture(autouse=True)
    def short(self, cave):
        assert len(bare_client(cave).materialize.query_table(names.SYNAPSES)) > 1000
        cave.control("POST", "profile", {"name": "truncate"})

    def test_the_bare_client_gives_the_first_rows_as_if_they_were_all(self, cave):
        assert len(bare_client(cave).materialize.query_table(names.SYNAPSES)) == 1000

    def test_ours_refuses_them(self, source):
        with pytest.raises(Truncated, match="1000 rows") as caught, translated("cave"):
            source.client().materialize.query_table(names.SYNAPSES)
        assert (caught.value.value, caught.value.retryable) == (1000, False)

    def test_whoever_asks_for_so_many_gets_them(self, source):
        client = source.client()
        with limit_expected():
            assert len(client.materialize.query_table(names.SYNAPSES, limit=7)) == 7
        with pytest.raises(Truncated):
            client.materialize.query_table(names.SYNAPSES)
