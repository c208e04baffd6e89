"""A service of one's own: database, broker, store and workers as processes, to be killed, frozen and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
from sqlalchemy.exc import OperationalError

from crant_core.jobs import schema
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState
from crant_core.jobs.tables import JobRow
from crant_core.sandbox import demo_dataset
from crant_core.stack.programs import find_redis
from tests.chaos.nursery import ROOT, Nursery
from tests.engine import Engine
from tests.fixtures.database import PostgresServer

LEASE_SECONDS = 2.0
PATIENCE = 150.0  #: seconds after which a job counts as hanging
SHORT = {
    "CRANT_LEASE_SECONDS": str(LEASE_SECONDS),
    "CRANT_REHINT_SECONDS": "1",
    "CRANT_GRACE_SECONDS": "0.5",
    "CRANT_POLL_SECONDS": "0.05",
}


_migrating = threading.Lock()  #: Alembic works on one database of a process at a time


class Hangs(AssertionError):
    """Something that must happen did not."""


class Stand:
    """Everything a job needs but CAVE; `cave` makes the service use that one."""

    def __init__(self, folder: Path, nursery: Nursery, postgres: PostgresServer | None = None) -> None:
        self.folder, self.nursery, self.postgres = folder, nursery, postgres
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir()
        self.database = Database(postgres.url if postgres else f"sqlite:///{folder}/crant.sqlite")
        with _migrating:
            schema.upgrade(self.database)
        self.engine = Engine(self.database, lease_seconds=LEASE_SECONDS)
        self.store = CloudStore(f"file://{self.artifacts}")
        self.workers: list[psutil.Process] = []
        self.leaving: list[psutil.Process] = []  #: workers that were told to end when they are done
        self.others: list[subprocess.Popen[bytes]] = []
        self.settings: dict[str, str] = {}  #: of the workers that run
        self.started = 0
        self.environment = SHORT | {
            "CRANT_DATABASE_URL": self.database.engine.url.render_as_string(hide_password=False),
            "CRANT_BROKER_URL": self.broker_url,
            "CRANT_ARTIFACTS_URL": f"file://{self.artifacts}",
        }
        self.cave("http://127.0.0.1:9", "nobody is there")
        self.start_broker()

    # CAVE

    def cave(self, url: str, token: str) -> None:
        """Let workers that are started from now on use this CAVE."""
        dataset, tokens = demo_dataset(url), f'{{"{url}": "{token}"}}'
        self.environment |= {"CRANT_DATASETS": f"[{dataset.model_dump_json()}]", "CRANT_CAVE_TOKENS": tokens}

    # the broker

    @property
    def broker_url(self) -> str:
        """Its address, as Celery wants it."""
        return f"redis+socket://{self.folder}/redis.sock?virtual_host=0"

    @property
    def broker_options(self) -> list[str]:
        """Where it listens."""
        return ["--port", "0", "--unixsocket", str(self.folder / "redis.sock")]

    def start_broker(self) -> None:
        """Start a Redis that forgets everything when it ends."""
        options = [*self.broker_options, "--save", "", "--dir", str(self.folder)]
        self.redis = self.start([find_redis(), *options], "redis")
        until(self._broker_answers, "Redis starts")

    def broker(self) -> redis.Redis:
        """A connection to the broker."""
        return redis.Redis(unix_socket_path=str(self.folder / "redis.sock"))

    def _broker_answers(self) -> bool:
        try:
            return bool(self.broker().ping())
        except redis.RedisError:
            return False

    # workers

    def have_workers(self, count: int = 2, **settings: str) -> None:
        """Have so many workers with two pool processes each, and these settings; those that fit stay as they are."""
        fits = settings == self.settings and len(self.workers) == count and all(map(is_alive, self.workers))
        if not fits:
            self.kill_workers()
            self.settings = settings
            for _ in range(count):
                self.start_worker()
        until(self._workers_are_up, "workers start", self.logs)

    def _workers_are_up(self) -> bool:
        """Look whether all have their processes; who was still ending when it was counted is replaced."""
        for worker in [one for one in self.workers if not is_alive(one)]:
            self.workers.remove(worker)
            self.start_worker()
        try:
            return all(len(worker.children()) >= 2 for worker in self.workers)
        except psutil.NoSuchProcess:
            return False

    def start_worker(self, **settings: str) -> psutil.Process:
        """Start one more worker, without waiting until it is there."""
        self.started += 1
        name = f"w{self.started}"
        arguments = ["-A", "tests.chaos.worker", "worker", "--pool", "prefork", "--concurrency", "2"]
        worker = self.nursery.start(
            [*arguments, "-n", f"{name}@chaos", "-E"], self._whole(settings), self.folder / f"{name}.log"
        )
        self.workers.append(worker)
        return worker

    sandbox: Any = None  #: the offline CAVE, where there is one
    front: Any = None  #: what speaks TLS for it

    def _whole(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), **self.environment, **self.settings, **settings}

    def kill_worker(self, worker: psutil.Process) -> None:
        """`kill -9`, main process first; its children notice by themselves, and are killed if they do not."""
        self.workers.remove(worker)
        kill_tree(worker)

    def kill_workers(self) -> None:
        """Kill them all."""
        for worker in list(self.workers):
            self.kill_worker(worker)
        for worker in self.leaving:
            kill_tree(worker)
        self.leaving.clear()

    def children(self) -> list[psutil.Process]:
        """The pool processes of all workers."""
        return [child for worker in self.workers for child in worker.children()]

    # anything else

    def start(self, command: list[str], name: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a process of the stand."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self._whole(settings), stdout=log, stderr=subprocess.STDOUT
            )
        self.others.append(process)
        return process

    def start_api(self, port: int) -> subprocess.Popen[bytes]:
        """Start the API on a port of this machine, and wait until it answers."""
        server = [sys.executable, "-m", "uvicorn", "--factory", "tests.chaos.api:create_app", "--port", str(port)]
        api = self.start(server, "api")
        until(lambda: _answers(f"http://127.0.0.1:{port}/healthz"), "the API starts", self.logs)
        return api

    # jobs

    def submit(self, count: int, *, first: int = 1, **parameters: Any) -> JobRow:
        """Submit a job of the kind `chaos`; its salt makes its results its own."""
        kind = import_module("crant_core.kinds.chaos.spec").SPEC  # all_kinds may have been asked before it was there
        usual = {"salt": time.time_ns(), "seconds": 0.02, "size": 2000}
        given = kind.parameters.model_validate({"ids": [first], **usual, **parameters})
        stored = given.model_dump(mode="json", exclude={"ids"})
        ids = range(first, first + count)
        return self.engine.submit(ids, kind="chaos", code_version=kind.code_version, parameters=stored)

    def done(self, job: JobRow) -> int:
        """Count the items that have ended; a database that is away is asked again."""
        now = self.see(job)
        return now.succeeded + now.failed

    def see(self, job: JobRow) -> JobRow:
        """Look at a job, once the database answers."""
        while True:
            with suppress(OperationalError):
                return self.engine.see(job)
            time.sleep(0.1)

    def until_done(self, job: JobRow, count: int) -> None:
        """Wait until so many items have ended."""
        until(lambda: self.done(job) >= count, f"{count} items end", self.logs)

    def until_ended(self, job: JobRow) -> JobRow:
        """Wait until a job has ended."""
        until(lambda: JobState(self.see(job).state).ended, "the job ends", lambda: self._explained(job))
        return self.see(job)

    def _explained(self, job: JobRow) -> str:
        now = self.see(job)
        return f"{now.state}: {now.succeeded} + {now.failed} of {now.total}; {self.logs()}"

    def logs(self) -> str:
        """What the processes said last."""
        files = sorted(self.folder.glob("*.log"), key=lambda path: path.stat().st_mtime)[-5:]
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in files)

    def close(self) -> None:
        """End everything."""
        self.kill_workers()
        for process in self.others[::-1]:
            if process.poll() is None:
                kill_tree(psutil.Process(process.pid))
            process.wait(10)
        self.database.close()


@contextmanager
def standing(nursery: Nursery, database: str) -> Iterator[Stand]:
    """Start a stand on `sqlite` or `postgresql`; its folder is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)  # PostgreSQL runs as somebody else
    postgres = _postgres(folder) if database == "postgresql" else None
    stand = None
    try:
        stand = Stand(folder, nursery, postgres)
        yield stand
    finally:
        if stand:
            stand.close()
        if postgres:
            kill_tree(psutil.Process(postgres.process.pid))
            postgres.process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _postgres(folder: Path) -> PostgresServer:
    (folder / "pg").mkdir()
    server = PostgresServer(folder / "pg")
    server.start()
    return server


def until(
    condition: Callable[[], object], what: str, explain: Callable[[], str] = str, seconds: float = PATIENCE
) -> None:
    """Wait for something; raises `Hangs`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Hangs(f"waited {seconds:.0f} s until {what}\n{explain()}")
        time.sleep(0.02)


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_tree(process: psutil.Process) -> None:
    """`kill -9` a process and whatever it started."""
    with suppress(psutil.NoSuchProcess):
        children = process.children(recursive=True)
        process.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs([process, *children], timeout=10)


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """Stop a process and all it started (SIGSTOP); it goes on afterwards."""
    family = [process, *process.children(recursive=True)]
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).is_success
    except httpx.HTTPError:
        return False
