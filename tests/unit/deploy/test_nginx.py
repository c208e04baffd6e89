"""The proxy, as a real nginx does it."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from crant_core.stack.network import free_port

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "nginx" / "crant.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@contextmanager
def upstream(name: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{name} {self.path} {self.headers['X-Request-ID']} {self.headers['Host']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("nginx")) as address:
        yield address


@contextmanager
def running(folder: Path) -> Iterator[str]:
    port = free_port(0, "127.0.0.1")
    with upstream("api") as api, upstream("flower") as flower:
        text = CONFIGURATION.read_text().replace("listen 8080;", f"listen 127.0.0.1:{port};")
        text = text.replace("http://api:8000", f"http://127.0.0.1:{api}")
        (folder / "crant.conf").write_text(text.replace("http://flower:5555", f"http://127.0.0.1:{flower}"))
        paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in _TEMPORARY)
        (folder / "nginx.conf").write_text(
            f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{paths}include {folder}/crant.conf;\n}}\n"
        )
        command = [str(NGINX), "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "warn" not in checked.stderr
        with subprocess.Popen(command) as server:
            _await(f"http://127.0.0.1:{port}/")
            yield f"http://127.0.0.1:{port}"
            server.terminate()


_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _await(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx.get(url)
            return
        except httpx.ConnectError:
            time.sleep(0.05)
    raise TimeoutError(url)


@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/v1/jobs/abc/events", "/healthz", "/docs"])
def test_it_leads_to_the_api_and_names_the_request(proxy: str, path: str) -> None:
    name, seen, request, host = httpx.get(f"{proxy}{path}").text.split()
    assert (name, seen, f"http://{host}") == ("api", path, proxy)
    assert len(request) == 32


def test_flower_is_below_its_prefix_which_stays(proxy: str) -> None:
    assert httpx.get(f"{proxy}/flower/workers?x=1").text.split()[:2] == ["flower", "/flower/workers?x=1"]
    answer = httpx.get(f"{proxy}/flower")
    assert (answer.status_code, httpx.URL(answer.headers["location"]).path) == (308, "/flower/")


@pytest.mark.parametrize("path", ["/metrics", "/flower/metrics", "/flower/healthcheck"])
def test_what_is_not_for_everybody_is_not_there(proxy: str, path: str) -> None:
    assert httpx.get(f"{proxy}{path}").status_code == 404


def test_a_body_that_is_too_large_ends_here(proxy: str) -> None:
    connection = HTTPConnection(httpx.URL(proxy).netloc.decode())
    connection.putrequest("POST", "/v1/inputs")
    connection.putheader("Content-Length", str(300 * 2**20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_who_asks_too_often_is_told_so_in_the_word_that_clients_know(tmp_path: Path) -> None:
    with running(tmp_path) as address, httpx.Client() as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: client.get(f"{address}/v1/jobs").status_code, range(600))
        assert set(answers) == {200, 429}
