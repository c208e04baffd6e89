"""Downloads that break off, and what the client says of results, against a server that does it on purpose."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from crant_core import download as download_module
from crant_core.client import Crant, Job, ServiceUnreachable
from crant_core.errors import CrantError, NotFound
from crant_core.jobs.wire import ArtifactView, JobView

ROOT = 9223372036854775807
SWC = b"# made by hand\n1 1 0 0 0 5 -1\n2 3 8 0 0 1 1\n3 3 16 6 0 1 2\n"


def a_table() -> bytes:
    stream = BytesIO()
    write_table(pa.table({"root_id": pa.array([ROOT, None], pa.int64()), "length": [1.5, 2.5]}), stream)
    return stream.getvalue()


FILES = {f"{ROOT}.swc": SWC, "neurons.parquet": a_table(), "big.bin": bytes(range(256)) * 4000}
NOW = "2026-11-21T12:00:00Z"


class Server(ThreadingHTTPServer):
    """Serves the files of one job. `breaks` answers end in the middle; then `asked` has the ranges that were wanted."""

    breaks = 0
    ignores_ranges = False
    lies = False
    asked: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name == "artifacts":
            self.answer(200, json.dumps({"artifacts": [view(name) for name in FILES], "next": None}).encode())
            return
        data, wanted = FILES[name], self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and not self.server.ignores_ranges else 0
        part = data[start:]
        self.answer(206 if start else 200, part[::-1] if self.server.lies else part)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status in (200, 206) and len(body) > 100_000 and self.server.breaks:
            self.server.breaks -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def view(name: str) -> dict[str, object]:
    digest = hashlib.sha256(FILES[name]).hexdigest()
    about = {"id": 1, "name": name, "media_type": "x/y", "size": len(FILES[name]), "sha256": digest}
    return about | {"meta": {}, "created_at": NOW}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download_module, "RECONNECT_SECONDS", 0.01)
    with Server(("127.0.0.1", 0), Handler) as found:
        found.asked = []
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def job(server: Server) -> Iterator[Job]:
    service = Crant(f"http://127.0.0.1:{server.server_port}", "token")
    yield Job(service, JobView.model_construct(id="j"))
    service.http.close()


def big(folder: Path) -> bytes:
    return (folder / "big.bin").read_bytes()


def test_a_download_that_breaks_goes_on_where_it_broke(server: Server, job: Job, tmp_path: Path) -> None:
    server.breaks = 2
    job.fetch(tmp_path)
    assert big(tmp_path) == FILES["big.bin"]
    assert [wanted for wanted in server.asked if wanted] == ["bytes=512000-", "bytes=768000-"]
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_the_next_run_goes_on_with_what_an_earlier_one_left(server: Server, job: Job, tmp_path: Path) -> None:
    digest = hashlib.sha256(FILES["big.bin"]).hexdigest()
    (tmp_path / f"big.bin.{digest[:12]}.part").write_bytes(FILES["big.bin"][:1000])
    job.fetch(tmp_path)
    assert big(tmp_path) == FILES["big.bin"]
    assert [wanted for wanted in server.asked if wanted] == ["bytes=1000-"]
    asked = len(server.asked)
    job.fetch(tmp_path)
    assert len(server.asked) == asked  # all there and sound


def test_a_store_without_ranges_sends_all_again(server: Server, job: Job, tmp_path: Path) -> None:
    server.breaks, server.ignores_ranges = 1, True
    job.fetch(tmp_path)
    assert big(tmp_path) == FILES["big.bin"]


def test_a_damaged_file_is_never_left_in_place(server: Server, job: Job, tmp_path: Path) -> None:
    server.lies = True
    with pytest.raises(CrantError, match="arrived damaged"):
        job.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "a/..", "/", "", ".", "x\0y"])
def test_a_name_that_leads_out_of_the_folder_is_refused(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told = ArtifactView.model_validate(view("big.bin") | {"name": name})
    monkeypatch.setattr(job, "artifacts", lambda: iter([told]))
    with pytest.raises(CrantError, match="no place"):
        job.fetch(tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_files_of_one_name_do_not_replace_each_other(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big.bin").write_bytes(FILES["big.bin"])
    told = [ArtifactView.model_validate(view("big.bin") | {"name": name}) for name in ("a/big.bin", "../b/big.bin")]
    monkeypatch.setattr(job, "artifacts", lambda: iter(told))
    with pytest.raises(CrantError, match="no place"):
        job.fetch(tmp_path)


def test_a_service_that_is_gone_is_said(server: Server, job: Job, tmp_path: Path) -> None:
    artifact = ArtifactView.model_validate(view("big.bin"))
    server.shutdown()
    server.server_close()
    with pytest.raises(ServiceUnreachable):
        download_module.download(job.service.http, "/big.bin", artifact, tmp_path / "big.bin")


def test_tables_come_as_pandas_with_exact_ids_even_where_some_are_missing(job: Job) -> None:
    table = job.table("neurons")
    assert str(table.dtypes["root_id"]) == "Int64"
    assert int(table["root_id"][0]) == ROOT


def test_skeletons_come_as_navis_neurons_with_exact_ids(job: Job) -> None:
    (neuron,) = job.skeletons()
    assert (neuron.id, neuron.n_nodes, neuron.cable_length) == (ROOT, 3, 18)
    assert str(neuron.units) == "1 nanometer"


def test_a_job_without_skeletons_says_so(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(FILES, f"{ROOT}.swc")
    with pytest.raises(NotFound, match="no skeletons"):
        job.skeletons()


def test_the_client_and_the_command_line_load_nothing_heavy() -> None:
    script = (
        "import sys, crant_core.client, crant_core.cli\n"
        "heavy = {'navis', 'pandas', 'numpy', 'pyarrow', 'sqlalchemy', 'celery', 'fastapi', 'caveclient'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
