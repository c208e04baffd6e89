from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crant_core.errors import SourceError, SourceTokenMissing, SourceUnavailable
from crant_core.sandbox import demo_dataset
from crant_core.sources import cave, sessions
from crant_core.sources.cave import CaveSource
from tests.fixtures.answering import saying, server
from tests.fixtures.neurons import live_roots

TOKEN = "0123456789abcdef" * 2
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    secrets = tmp_path / ".cloudvolume" / "secrets"
    secrets.mkdir(parents=True)
    return secrets


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_final_and_names_the_server(status):
    with server(saying(b"{}", status)) as url, pytest.raises(SourceError, match=url) as caught:
        CaveSource(demo_dataset(url), TOKEN).root_layer()
    assert not caught.value.retryable
    assert caught.value.value == status
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 501, 503])
def test_a_busy_server_is_worth_another_try(status):
    with server(saying(b"<html>busy</html>", status)) as url, pytest.raises(SourceUnavailable) as caught:
        CaveSource(demo_dataset(url), TOKEN).root_layer()
    assert caught.value.retryable


def test_an_html_page_instead_of_json_is_worth_another_try():
    with server(saying(b"<html>login</html>")) as url, pytest.raises(SourceUnavailable):
        CaveSource(demo_dataset(url), TOKEN).root_layer()


def test_a_server_that_is_not_there_is_worth_another_try():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(SourceUnavailable, match="did not answer"):
        CaveSource(demo_dataset(url), TOKEN).root_layer()


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(sessions, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceUnavailable):
        CaveSource(demo_dataset(f"http://127.0.0.1:{silent.getsockname()[1]}"), TOKEN).root_layer()


def test_unaccepted_terms_are_reported_and_no_browser_opens(monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda url: pytest.fail(f"opened {url}"))
    body = json.dumps({"error": "missing_tos", "data": {"tos_form_url": "https://form.invalid"}}).encode()
    with (
        server(saying(body, 403, Content_Type="application/json")) as url,
        pytest.raises(SourceError, match=r"form\.invalid") as caught,
    ):
        CaveSource(demo_dataset(url), TOKEN).root_layer()
    assert not caught.value.retryable


def test_without_a_token_the_error_says_where_to_put_one(home):
    with pytest.raises(SourceTokenMissing, match=r"cave-secret\.json"):
        CaveSource(demo_dataset("http://127.0.0.1:9"), None).root_layer()


@pytest.mark.parametrize("per_server", [True, False])
def test_the_token_is_read_from_caveclients_files(home, sandbox, per_server):
    name = sandbox.url.removeprefix("http://") + "-cave-secret.json" if per_server else "cave-secret.json"
    (home / name).write_text(json.dumps({"token": sandbox.token}))
    assert CaveSource(sandbox.dataset).root_layer() == 8
    assert [path.name for path in home.iterdir()] == [name]


def test_many_ids_are_asked_in_several_requests(sandbox, monkeypatch):
    monkeypatch.setattr(cave, "_IDS_PER_REQUEST", 2)
    unknown = (8 << 56) | (1 << 30)
    asked = [*live_roots(), unknown, live_roots()[0]]
    assert CaveSource(sandbox.dataset, sandbox.token).is_latest(asked, NOW) == [True] * 5 + [False, True]


def test_clients_time_out_once_connected(sandbox):
    source = CaveSource(sandbox.dataset, sandbox.token)
    source.root_layer()
    for part in (source._client.info, source._client.chunkedgraph, source._client.materialize):
        adapter = part.session.get_adapter(sandbox.url)
        assert isinstance(adapter, sessions.BoundedAdapter)
        assert adapter.max_retries.total == 3
