"""Faults at random, mixed and in quick succession, over a job of 500 items; the same seed is the same schedule."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from crant_core.jobs.model import JobState
from tests.chaos.faults.store import may_mount
from tests.chaos.stand import PATIENCE, Hangs, Stand, frozen, is_alive, kill_tree
from tests.chaos.truth import Verdict, Witness, assert_right, assert_store_is_sound

ITEMS = 500
DATABASES = ("postgresql", "sqlite")
_WORKERS = 2


@dataclass(frozen=True)
class Step:
    """One thing that is done: so many seconds after the one before, for so long, to the n-th of its kind."""

    after: float
    action: str
    lasts: float
    which: int


@dataclass(frozen=True)
class Schedule:
    """What is done to a job, and what its items are."""

    seed: int
    database: str
    steps: tuple[Step, ...]
    seconds: float  #: what an item takes on average
    size: int  #: bytes of its file on average
    bad: tuple[int, ...]  #: items that fail
    segfaulting: tuple[int, ...]  #: items that kill their process

    def __str__(self) -> str:
        steps = ", ".join(f"+{step.after:.1f} s {step.action} ({step.lasts:.1f} s)" for step in self.steps)
        return f"seed {self.seed} on {self.database}: {steps}; poison {list(self.segfaulting)}"


@dataclass(frozen=True)
class Survived:
    """A schedule that was run to its end."""

    schedule: Schedule
    took: float
    verdict: Verdict


def draw(seed: int, database: str | None = None) -> Schedule:
    """Draw a schedule; databases take turns, so that each seed has its own."""
    chance, database = random.Random(seed), database or DATABASES[seed % 2]
    actions = [name for name in ACTIONS if database == "postgresql" or not name.startswith("database")]
    steps = tuple(
        Step(chance.uniform(0.1, 2.0), chance.choice(actions), chance.uniform(0.2, 4.0), chance.randrange(100))
        for _ in range(chance.randint(2, 6))
    )
    keys = chance.sample(range(1, ITEMS + 1), 5)
    poison = tuple(keys[4:]) if chance.random() < 0.25 else ()
    return Schedule(
        seed, database, steps, chance.uniform(0.002, 0.02), chance.choice([100, 2000, 20_000]), tuple(keys[:3]), poison
    )


def run(stand: Stand, schedule: Schedule) -> Survived:
    """Do a job while a schedule is carried out, and hold it to everything that was promised."""
    stand.have_workers(_WORKERS)
    began = time.monotonic()
    job = stand.submit(
        ITEMS,
        salt=schedule.seed * 10**9 + random.randrange(10**9),  # so that a schedule can be run twice
        seconds=schedule.seconds,
        size=schedule.size,
        bad=list(schedule.bad),
        segfaulting=list(schedule.segfaulting),
    )
    for step in schedule.steps:
        time.sleep(step.after)
        if JobState(stand.see(job).state).ended:
            break
        ACTIONS[step.action](stand, step)
    try:
        stand.until_ended(job)
    except Hangs as error:
        raise Hangs(f"after {PATIENCE:.0f} s: {schedule}\n{error}") from error
    failing = dict.fromkeys(schedule.bad, "mesh_not_found") | dict.fromkeys(schedule.segfaulting, "quarantined")
    verdict = assert_right(Witness(stand.database, job.id, stand.store), failing)
    assert_store_is_sound(stand.store)
    return Survived(schedule, time.monotonic() - began, verdict)


def _one(of: list[psutil.Process], step: Step) -> psutil.Process | None:
    return of[step.which % len(of)] if of else None


def _kill_child(stand: Stand, step: Step) -> None:
    if child := _one(stand.children(), step):
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _kill_worker(stand: Stand, step: Step) -> None:
    if worker := _one(stand.workers, step):
        stand.kill_worker(worker)
        stand.start_worker()


def _kill_all(stand: Stand, step: Step) -> None:
    stand.kill_workers()
    time.sleep(step.lasts)
    for _ in range(_WORKERS):
        stand.start_worker()


def _end_worker(stand: Stand, step: Step) -> None:
    """Ask a worker to end when it is done, as an upgrade does, and start its heir at once."""
    if worker := _one(stand.workers, step):
        stand.workers.remove(worker)
        with suppress(psutil.NoSuchProcess):
            worker.send_signal(signal.SIGTERM)
        stand.leaving.append(worker)
        stand.start_worker()


def _freeze_worker(stand: Stand, step: Step) -> None:
    """Longer than its lease, often: others take its units, and it comes back as a zombie."""
    worker = _one(stand.workers, step)
    if worker and is_alive(worker):
        with frozen(worker):
            time.sleep(step.lasts)


def _freeze_child(stand: Stand, step: Step) -> None:
    child = _one(stand.children(), step)
    if child and is_alive(child):
        with frozen(child):
            time.sleep(step.lasts)


def _kill_broker(stand: Stand, step: Step) -> None:
    stand.redis.kill()
    stand.redis.wait()
    time.sleep(step.lasts / 2)
    stand.start_broker()


def _empty_broker(stand: Stand, step: Step) -> None:
    stand.broker().flushall()


def _freeze_broker(stand: Stand, step: Step) -> None:
    with frozen(psutil.Process(stand.redis.pid)):
        time.sleep(step.lasts)


def _freeze_database(stand: Stand, step: Step) -> None:
    assert stand.postgres is not None
    with frozen(psutil.Process(stand.postgres.process.pid)):
        time.sleep(step.lasts)


def _kill_database(stand: Stand, step: Step) -> None:
    assert stand.postgres is not None
    kill_tree(psutil.Process(stand.postgres.process.pid))
    stand.postgres.process.wait()
    time.sleep(step.lasts / 4)
    stand.postgres.start()


def _read_only_store(stand: Stand, step: Step) -> None:
    if may_mount() and _remounted(stand, "ro"):
        time.sleep(step.lasts)
        assert _remounted(stand, "rw")


def _remounted(stand: Stand, how: str) -> bool:
    """Change the store's disk; a moment when nobody is writing is found sooner or later, or not."""
    command = ["mount", "-o", f"remount,{how}", str(stand.artifacts)]
    for _ in range(20):
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return True
        time.sleep(0.02)
    return False


ACTIONS: dict[str, Callable[[Stand, Step], None]] = {
    "pool process killed": _kill_child,
    "worker killed": _kill_worker,
    "all workers killed": _kill_all,
    "worker told to end": _end_worker,
    "worker frozen": _freeze_worker,
    "pool process frozen": _freeze_child,
    "broker killed": _kill_broker,
    "broker emptied": _empty_broker,
    "broker frozen": _freeze_broker,
    "store read-only": _read_only_store,
    "database frozen": _freeze_database,
    "database killed": _kill_database,
}
