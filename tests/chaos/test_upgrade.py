"""An upgrade with work going on: workers of the release before go on while the newest migration is applied."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from crant_core.jobs import schema
from crant_core.jobs.database import Database
from crant_core.stack.programs import find_redis
from tests.chaos.stand import kill_tree, until

ROOT = Path(__file__).parents[2]
VERSIONS = "crant_core/jobs/migrations/versions"
NOWHERE = "http://127.0.0.1:9"
SUBMIT = """
import sys, os, tests.toy
from crant_core.jobs.database import Database
from tests.engine import Engine
job = Engine(Database(os.environ["CRANT_DATABASE_URL"])).submit(
    range(int(sys.argv[1]), int(sys.argv[2])), kind="toy", parameters={"seconds": 0.03})
print(job.id)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it was before the newest migration came: the last that works, as not every commit must."""
    try:
        came = _git("log", "--first-parent", "--format=%H", "-1", "--", VERSIONS).decode().strip()
        before = _git("rev-list", "--first-parent", "-n", "12", f"{came}^").decode().split()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the release before is taken from git's history, which is not here: {error}")
    folders = (_unpacked(revision, tmp_path_factory.mktemp("older")) for revision in before)
    return next(folder for folder in folders if _works(folder))


def _unpacked(revision: str, folder: Path) -> Path:
    with tarfile.open(fileobj=BytesIO(_git("archive", revision))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _works(code: Path) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(code)}
    command = [
        sys.executable,
        "-c",
        "import worker.app, tests.toy, tests.engine, crant_core.kinds.registry as r; r.all_kinds()",
    ]
    return subprocess.run(command, cwd=code, env=environment, check=False, capture_output=True).returncode == 0


def _git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


@cache
def _dataset(code: Path) -> str:
    """Return a dataset as a release writes it."""
    words = f"from crant_core.sandbox import demo_dataset; print(demo_dataset({NOWHERE!r}).model_dump_json())"
    environment = {**os.environ, "PYTHONPATH": str(code)}
    return subprocess.run(
        [sys.executable, "-c", words], cwd=code, env=environment, check=True, capture_output=True, text=True
    ).stdout


class Upgrade:
    """A service whose code can be of two releases."""

    def __init__(self, folder: Path, older: Path, url: str) -> None:
        self.folder, self.older, self.url = folder, older, url
        self.engine = sa.create_engine(url)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            "CRANT_DATABASE_URL": url,
            "CRANT_BROKER_URL": f"redis+socket://{folder}/redis.sock?virtual_host=0",
            "CRANT_ARTIFACTS_URL": f"file://{folder}/artifacts",
            "CRANT_CAVE_TOKENS": json.dumps({NOWHERE: "nobody is there"}),
        }
        self.start([find_redis(), "--port", "0", "--unixsocket", f"{folder}/redis.sock", "--save", ""], ROOT)

    def start(self, command: list[str], code: Path) -> subprocess.Popen[bytes]:
        """Start a process that runs this code."""
        with (self.folder / f"log-{len(self.processes)}").open("wb") as log:
            process = subprocess.Popen(command, cwd=code, env=self._whole(code), stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def start_worker(self, code: Path) -> None:
        """Start a worker of a release."""
        words = ["-A", "tests.toy.worker", "worker", "--pool", "prefork", "--concurrency", "2", "-n", f"{code.name}@x"]
        self.start([sys.executable, "-m", "celery", *words], code)

    def run(self, code: Path, *words: str) -> str:
        """Run a program of a release to its end."""
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=code, env=self._whole(code), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _whole(self, code: Path) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(code), **self.environment, "CRANT_DATASETS": f"[{_dataset(code)}]"}

    def see(self, query: str, **values: Any) -> list[Any]:
        """Ask the database, in words that both releases understand."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(query), values))

    def done(self, job: str) -> int:
        [(count,)] = self.see("SELECT count(*) FROM items WHERE job_id = :job AND state = 'succeeded'", job=job)
        return int(count)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.folder.glob("log-*"))

    def until_done(self, job: str, count: int) -> None:
        until(lambda: self.done(job) >= count, f"{count} items are done", self.logs)
        if count == 300:
            until(lambda: self.see("SELECT state FROM jobs WHERE id = :job", job=job) == [("succeeded",)], "it ends")

    def outcomes(self, job: str) -> Counter[str | None]:
        return Counter(row[0] for row in self.see("SELECT outcome FROM attempts WHERE job_id = :job", job=job))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                kill_tree(psutil.Process(process.pid))
            process.wait(10)
        self.engine.dispose()


@pytest.fixture
def upgrade(tmp_path: Path, older: Path, database_url: str) -> Iterator[Upgrade]:
    upgrade = Upgrade(tmp_path, older, database_url)
    yield upgrade
    upgrade.close()


def test_workers_of_the_release_before_go_on_while_the_newest_migration_is_applied(upgrade: Upgrade) -> None:
    upgrade.run(upgrade.older, "-m", "crant_core.jobs", "db", "upgrade")
    upgrade.start_worker(upgrade.older)
    job = upgrade.run(upgrade.older, "-c", SUBMIT, "1", "301")
    upgrade.until_done(job, 20)
    newer = Database(upgrade.url)
    assert not schema.is_current(newer)
    schema.upgrade(newer)
    assert schema.is_current(newer)
    newer.close()
    assert upgrade.done(job) < 300, "it was in the middle of its run"
    upgrade.until_done(job, 300)
    upgrade.until_done(upgrade.run(upgrade.older, "-c", SUBMIT, "1000", "1300"), 300)
    upgrade.until_done(upgrade.run(ROOT, "-c", SUBMIT, "2000", "2300"), 300)
    upgrade.start_worker(ROOT)
    upgrade.until_done(upgrade.run(ROOT, "-c", SUBMIT, "3000", "3300"), 300)
    assert set(upgrade.outcomes(job)) == {"done"}, upgrade.logs()
