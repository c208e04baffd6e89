"""Where CAVE's clients go wrong without a word: no time-outs (G3), shared caches (G4), cut answers (G5). Each trap
with the bare client, then with ours (reference/cave-server.md, 3.1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from caveclient import CAVEclient

from crant_core.errors import SourceUnavailable, Truncated
from crant_core.sandbox import names
from crant_core.sources import caches, sessions, transport
from crant_core.sources.answers import limit_expected
from crant_core.sources.cave import CaveSource
from crant_core.sources.failures import translated
from tests.contracts.source_guards.bare import bare_client
from tests.fixtures.neurons import live_roots, supervoxels, world
from tests.fixtures.sandbox import Sandbox, run_sandbox


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
        with pytest.raises(SourceUnavailable, match="did not answer"):
            ask(source)


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
