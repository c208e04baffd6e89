"""Scenes of the sandbox's dataset, and the state server that keeps them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from crant_core.datasets import Dataset, NeuroglancerSites
from crant_core.errors import InvalidInput, SourceError, SourceTokenMissing, SourceUnavailable
from crant_core.neuroglancer import construct_scene, decode_url, encode_url, scene_to_url
from crant_core.registry import register
from tests.contracts.sandbox_clients import cave
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

NAME = "O'Brien's True story"


@pytest.fixture
def demo(sandbox: Sandbox) -> Dataset:
    """Known as "demo" in each test: one of them registers a sandbox of its own."""
    return register(sandbox.dataset, sandbox.token)


class Elsewhere:
    """A server that is nobody's: it gives one answer, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answer: bytes = b'{"layers": []}'
        self.headers: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.headers.append(dict(self.headers))
                self.send_response(200)
                self.send_header("Content-Length", str(len(server.answer)))
                self.end_headers()
                self.wfile.write(server.answer)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def _stored_token(tmp_path, monkeypatch) -> None:
    """A token in caveclient's file for all servers."""
    secrets = tmp_path / ".cloudvolume" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "cave-secret.json").write_text(json.dumps({"token": "f" * 32}))
    monkeypatch.setenv("HOME", str(tmp_path))


def set_token(monkeypatch: pytest.MonkeyPatch, server: str, token: str) -> None:
    monkeypatch.setenv("CRANT_CAVE_TOKENS", json.dumps({server: token}))


class TestScenes:
    def test_what_the_dataset_does_not_say_is_asked_of_cave(self, sandbox, demo):
        silent = demo.model_copy(update={"image_source": None, "segmentation_source": None})
        image, segmentation = construct_scene(dataset=silent, brain_mesh=False, neuropil_mesh=False)["layers"]
        assert image["source"] == f"precomputed://{sandbox.url}/gcs/em"
        assert segmentation["source"]["url"] == f"graphene://middleauth+{sandbox.url}/segmentation/table/crant_demo_x1"

    def test_a_dataset_is_known_by_its_name(self, demo):
        assert construct_scene(dataset="demo") == construct_scene(dataset=demo)

    def test_a_link_shows_the_neurons(self, demo):
        roots = neurons.live_roots()
        assert decode_url(encode_url(roots, dataset=demo), "brief")["selected"] == [str(root) for root in roots]


class TestStateServer:
    def test_a_short_link_comes_back_as_it_was(self, sandbox, demo):
        scene = construct_scene(dataset=demo) | {"title": NAME, "flag": True}
        url = scene_to_url(scene, shorten=True, dataset=demo)
        site, _, address = url.partition("/#!middleauth+")
        assert site == "https://spelunker.cave-explorer.org"
        assert address.startswith(f"{sandbox.url}/nglstate/api/v1/")  # D16: the peer makes https:/ of https://
        assert decode_url(url, dataset=demo) == scene

    def test_it_costs_one_request(self, own_sandbox):
        mine = register(own_sandbox.dataset, own_sandbox.token)
        scene_to_url({"layers": []}, shorten=True, dataset=mine)
        entries = own_sandbox.control("GET", "log")["entries"]
        assert [(entry["method"], entry["path"]) for entry in entries] == [("POST", "/nglstate/api/v1/post")]

    def test_base_neuroglancer_gets_short_links_too(self, sandbox, demo):
        url = scene_to_url({"layers": []}, base_neuroglancer=True, shorten=True, dataset=demo)
        assert url.startswith(f"https://neuroglancer-demo.appspot.com/#!middleauth+{sandbox.url}/nglstate/api/v1/")

    def test_caveclient_reads_what_was_left_there(self, sandbox, demo):
        url = encode_url(neurons.live_roots(), shorten=True, dataset=demo)
        scene = cave(sandbox).state.get_state_json(int(url.rpartition("/")[2]))
        assert scene["layers"][1]["segments"] == [str(root) for root in neurons.live_roots()]

    @pytest.mark.parametrize(
        "link", ["https://ngl/?json_url={}", "https://ngl/#!middleauth+{}", "https://ngl/#!{}", "{}"]
    )
    def test_every_form_of_link_is_read(self, sandbox, demo, link):
        number = cave(sandbox).state.upload_state_json({"layers": [], "title": NAME})
        address = f"{sandbox.url}/nglstate/api/v1/{number}"
        assert decode_url(link.format(address), dataset=demo)["title"] == NAME

    def test_a_short_link_is_a_scene_to_add_to(self, demo):
        first, second = neurons.live_roots()[:2]
        link = encode_url(first, shorten=True, dataset=demo)
        url = encode_url(second, scene=link, dataset=demo)
        assert decode_url(url, "brief")["selected"] == [str(first), str(second)]

    def test_an_unknown_number_is_an_error(self, sandbox, demo):
        with pytest.raises(SourceError, match="answered 500"):
            decode_url(f"https://ngl/#!{sandbox.url}/nglstate/api/v1/12", dataset=demo)

    def test_a_server_that_cannot_be_reached_is_an_error_and_no_long_link(self, demo, monkeypatch, capsys):
        dead = demo.model_copy(update={"neuroglancer": NeuroglancerSites(states="http://127.0.0.1:9/nglstate")})
        set_token(monkeypatch, "http://127.0.0.1:9", "a" * 32)
        with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9 did not answer"):
            scene_to_url({"layers": []}, shorten=True, dataset=dead)
        assert capsys.readouterr().out == ""  # the peer prints, and returns the long link

    def test_a_refused_token_is_an_error(self, sandbox, demo, monkeypatch):
        wrong = demo.model_copy(update={"server": sandbox.url.replace("127.0.0.1", "localhost")})
        set_token(monkeypatch, wrong.server, "0" * 32)
        with pytest.raises(SourceError, match="refused the token with 401"):
            scene_to_url({"layers": []}, shorten=True, dataset=wrong)

    def test_an_answer_without_a_number_is_an_error(self, demo, monkeypatch, elsewhere):
        elsewhere.answer = b'"thank you"'
        odd = demo.model_copy(update={"server": elsewhere.url})
        set_token(monkeypatch, elsewhere.url, "a" * 32)
        with pytest.raises(SourceError, match="did not say where it keeps the scene"):
            scene_to_url({"layers": []}, shorten=True, dataset=odd)


@pytest.mark.usefixtures("_stored_token")
class TestSomebodyElsesLinks:
    def test_no_token_goes_to_an_unknown_server(self, demo, elsewhere):
        assert decode_url(f"https://ngl/?json_url={elsewhere.url}/state.json", dataset=demo) == {"layers": []}
        [headers] = elsewhere.headers
        assert not {"Authorization", "Cookie"} & headers.keys()

    def test_nor_if_the_link_wants_one(self, demo, elsewhere):
        with pytest.raises(SourceTokenMissing, match="name the dataset whose server it is"):
            decode_url(f"https://ngl/#!middleauth+{elsewhere.url}/nglstate/1", dataset=demo)
        assert elsewhere.headers == []

    @pytest.mark.parametrize("answer", [b"[1, 2]", b"<html>"])
    def test_what_is_no_scene_is_an_error(self, demo, elsewhere, answer):
        elsewhere.answer = answer
        with pytest.raises(SourceError):
            decode_url(f"https://ngl/#!{elsewhere.url}/state.json", dataset=demo)

    def test_a_token_that_was_set_for_a_server_is_sent_to_it(self, demo, monkeypatch, elsewhere):
        set_token(monkeypatch, elsewhere.url, "b" * 32)
        decode_url(f"https://ngl/#!middleauth+{elsewhere.url}/nglstate/1", dataset=demo)
        assert [headers["Authorization"] for headers in elsewhere.headers] == [f"Bearer {'b' * 32}"]

    def test_files_are_not_read(self, demo):
        with pytest.raises(InvalidInput, match="no address of a scene"):
            decode_url("https://ngl/#!file:///etc/passwd", dataset=demo)
