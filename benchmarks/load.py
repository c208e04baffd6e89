"""A job of a million items that do nothing, and fifty people who submit at once; PostgreSQL, Redis, real processes.

The job is planned, dispatched and finished by one worker with two pool processes. Messages in the broker and the memory
of every process are looked at each second: resident, in MB, when a tenth of the items was done, at the end of the run,
and the most that was ever seen, planning and finish included (PostgreSQL's with the 128 MB that they share). Each
person has a token and sends jobs of ten items over HTTP, one after the other, all at the same time.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from statistics import quantiles

import httpx
import psutil

import tests.chaos
import tests.toy  # noqa: F401 - both before the kinds are listed
from crant_core.jobs.model import JobState, Scope
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.jobs.tables import JobRow
from crant_core.stack.network import free_port
from tests.chaos.nursery import Nursery
from tests.chaos.stand import Stand, standing, until

TITLE = "Load (wall time)"
ITEMS = {False: 50_000, True: 1_000_000}
USERS, JOBS_OF_EACH = 50, 4
_SETTINGS = {"CRANT_LEASE_SECONDS": "60", "CRANT_REHINT_SECONDS": "30", "CRANT_POLL_SECONDS": "0.25"}
_PATIENCE = 3600.0


def table(full: bool = False) -> str:
    """Measure on one stand, one after the other."""
    nursery = Nursery()
    try:
        with standing(nursery, "postgresql") as stand:
            stand.environment |= _SETTINGS
            large = _large_job(stand, ITEMS[full])
            return "\n\n".join([(__doc__ or "").strip(), large, _many_users(stand)])
    finally:
        nursery.close()


def _large_job(stand: Stand, count: int) -> str:
    worker = _start_worker(stand, "tests.toy.worker")
    began = time.monotonic()
    job = stand.engine.submit(range(1, count + 1), kind="toy")
    log = _Log(stand, worker, job)
    submitted = time.monotonic() - began
    log.follow()
    now = stand.see(job)
    assert (now.state, now.succeeded, now.total) == (JobState.SUCCEEDED, count, count), stand.logs()
    phases = [submitted, *log.phases()]
    each = 1000 * log.lasted("running") / count
    lines = [
        f"{count:,} items: submitted in {phases[0]:.1f} s, planned in {phases[1]:.0f} s, run in {phases[2]:.0f} s "
        f"({each:.2f} ms an item), finished in {phases[3]:.0f} s; {len(stand.engine.jobs.attempts(job.id))} attempts, "
        f"never more than {log.messages} messages in the broker (the window is 64).",
        "",
        "| process | MB at a tenth | at the end of the run | most ever |",
        "|---|---|---|---|",
        *(f"| {name} | {tenth:.0f} | {end:.0f} | {most:.0f} |" for name, tenth, end, most in log.memory()),
    ]
    _end(worker)
    return "\n".join(lines)


def _start_worker(stand: Stand, application: str) -> psutil.Process:
    words = ["-A", application, "worker", "--pool", "prefork", "--concurrency", "2", "-n", "load@bench", "-E"]
    process = psutil.Process(stand.start([sys.executable, "-m", "celery", *words], "load").pid)
    until(stand.engine.jobs.work_is_offered, "work is offered", stand.logs)
    until(lambda: len(process.children()) >= 2, "the pool is there", stand.logs)
    return process


def _end(process: psutil.Process) -> None:
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.kill()


class _Log:
    """What was seen of a job while it ran."""

    def __init__(self, stand: Stand, worker: psutil.Process, job: JobRow) -> None:
        self.stand, self.worker, self.job = stand, worker, job
        self.moments: dict[str, list[float]] = {}  #: of each state: when it was first and last seen
        self.sizes: dict[str, list[tuple[float, float]]] = defaultdict(list)  #: share of items done, and MB
        self.messages = 0

    def follow(self) -> None:
        """Look once a second until the job has ended."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            now = self.stand.see(self.job)
            print(f"{now.state}: {now.succeeded:,} of {now.total:,}", end="\r", file=sys.stderr)
            self.moments.setdefault(now.state, [time.monotonic()] * 2)[1] = time.monotonic()
            self._look(now.succeeded / now.total if now.state == "running" else -1.0)
            if JobState(now.state).ended:
                return
            time.sleep(1.0)
        raise TimeoutError(self.stand.logs())

    def _look(self, done: float) -> None:
        broker = self.stand.broker()
        lists = [key for key in broker.scan_iter(count=1000) if broker.type(key) == b"list"]
        self.messages = max(self.messages, sum(broker.llen(key) for key in lists))
        for name, process in self._processes():
            with suppress(psutil.NoSuchProcess):
                self.sizes[name].append((done, process.memory_info().rss / 2**20))

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        yield "worker, main process", self.worker
        yield "Redis", psutil.Process(self.stand.redis.pid)
        for backend in psutil.Process(self.stand.postgres.process.pid).children() if self.stand.postgres else ():
            yield "PostgreSQL, its largest process", backend
        for child in self.worker.children():
            yield "worker, pool process (the larger)", child

    def lasted(self, state: str) -> float:
        """Return the seconds that the job was in a state."""
        first, last = self.moments.get(state, (0.0, 0.0))
        return last - first

    def phases(self) -> list[float]:
        """Return the seconds of plan, run and finish."""
        return [self.lasted(state) for state in ("planning", "running", "finishing")]

    def memory(self) -> Iterator[tuple[str, float, float, float]]:
        """Return for each process: MB at a tenth of the run, at its end, and most ever."""
        for name, seen in self.sizes.items():
            running = [size for done, size in seen if done >= 0.1]
            first, last = running[: max(2, len(running) // 10)], running[-max(2, len(running) // 10) :]
            yield name, max(first, default=0), max(last, default=0), max(size for _, size in seen)


def _many_users(stand: Stand) -> str:
    worker, port = _start_worker(stand, "tests.chaos.worker"), free_port(0, "127.0.0.1")
    stand.start_api(port)
    tokens = TokenRepository(stand.database)
    people = [tokens.create(f"user{number}", [Scope.READ, Scope.SUBMIT]) for number in range(USERS)]
    start = threading.Barrier(USERS)
    began = time.monotonic()
    with ThreadPoolExecutor(USERS) as pool:
        answers = list(pool.map(lambda person: _submits(port, start, *person), enumerate(people)))
    accepted = time.monotonic() - began
    seconds = sorted(second for taken, _ in answers for second in taken)
    for (_, jobs), token in zip(answers, people, strict=True):
        _see_own(port, token, jobs)
    done = time.monotonic() - began
    _end(worker)
    return (
        f"{USERS} people with {JOBS_OF_EACH} jobs each: all accepted within {accepted:.1f} s, an answer took "
        f"{1000 * quantiles(seconds, n=20)[9]:.0f} ms (median), {1000 * quantiles(seconds, n=20)[18]:.0f} ms (19 of "
        f"20), {1000 * seconds[-1]:.0f} ms (longest); all {USERS * JOBS_OF_EACH} jobs had succeeded after {done:.0f} s,"
        " and each saw their own only."
    )


@contextmanager
def _client(port: int, token: str) -> Iterator[httpx.Client]:
    about = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=about, timeout=120) as client:
        yield client


def _submits(port: int, start: threading.Barrier, number: int, token: str) -> tuple[list[float], set[str]]:
    taken, jobs = [], set()
    with _client(port, token) as client:
        client.get("/healthz")
        start.wait()
        for turn in range(JOBS_OF_EACH):
            params = {"ids": [str(1 + n) for n in range(10)], "salt": 100 * number + turn}
            began = time.perf_counter()
            answer = client.post("/v1/jobs", json={"kind": "chaos", "dataset": "demo", "params": params})
            taken.append(time.perf_counter() - began)
            assert answer.status_code == 202, answer.text
            jobs.add(answer.json()["id"])
    return taken, jobs


def _see_own(port: int, token: str, jobs: set[str]) -> None:
    with _client(port, token) as client:
        until(lambda: _states(client) == dict.fromkeys(jobs, "succeeded"), "a person's jobs succeed", seconds=_PATIENCE)


def _states(client: httpx.Client) -> dict[str, str]:
    time.sleep(0.2)
    return {job["id"]: job["state"] for job in client.get("/v1/jobs").json()["jobs"]}
