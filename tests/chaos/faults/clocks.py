"""Time that jumps, two who lead at once, and two releases at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from celery import Celery

from tests.chaos.faults.base import Fault, Scene
from tests.chaos.stand import Stand, until

_HOUR = 3600


@contextmanager
def a_clock_of_its_own(stand: Stand) -> Iterator[None]:
    """Let one worker have a clock that can be moved, as one host of several; on SQLite all have it: one machine."""
    clock = {"CHAOS_CLOCK": str(_clock_of(stand))}
    set_clock(stand, 0)
    stand.kill_workers()
    if stand.postgres is None:
        stand.environment |= clock
        stand.have_workers(2)
    else:
        stand.have_workers(1)
        stand.start_worker(**clock)
        stand.have_workers(2)
    try:
        yield
    finally:
        stand.kill_workers()
        stand.environment.pop("CHAOS_CLOCK", None)


def _clock_of(stand: Stand) -> Path:
    return stand.folder / "clock"


def set_clock(stand: Stand, seconds: int) -> None:
    """Move the clock in one step: who reads it at that moment sees one time or the other."""
    new = stand.folder / "clock.new"
    new.write_text(str(seconds))
    new.replace(_clock_of(stand))


def jump(seconds: int) -> Callable[[Scene], None]:
    """Make a fault that moves the clock, then kills who holds units and leads: what they left must not last."""

    def inject(scene: Scene) -> None:
        set_clock(scene.stand, seconds)
        scene.wait(1, 5)
        moved = scene.stand.workers[-1]
        scene.stand.kill_worker(moved)
        scene.stand.start_worker()

    return inject


def two_leaders(scene: Scene) -> None:
    """Kill a process, so that both have leases to take back and units to offer."""
    for child in scene.stand.children()[:2]:
        child.kill()


@contextmanager
def an_older_release(stand: Stand) -> Iterator[None]:
    """Let one worker be of the release before, and lead; jobs are submitted by the one that begins to plan them."""
    stand.kill_workers()
    stand.settings = {}
    stand.start_worker(CHAOS_CODE_VERSION="0")
    until(stand.engine.jobs.work_is_offered, "the older worker leads")
    stand.start_worker()
    try:
        yield
    finally:
        stand.kill_workers()


def a_message_of_another_release(scene: Scene) -> None:
    """Send what no task of ours takes: more arguments, another kind, no number."""
    celery = Celery(broker=scene.stand.environment["CRANT_BROKER_URL"])
    for name, arguments in {"chaos.run": [1, "and more"], "not_known_here.run": [1], "chaos.plan": ["x"]}.items():
        celery.send_task(name, args=arguments)
    celery.close()


FAULTS = [
    Fault(
        name="clock-forward",
        what="a clock jumps an hour ahead, then its worker is killed",
        inject=jump(_HOUR),
        setting=a_clock_of_its_own,
    ),
    Fault(
        name="clock-back",
        what="a clock jumps an hour back, then its worker is killed",
        inject=jump(-_HOUR),
        setting=a_clock_of_its_own,
    ),
    Fault(
        name="two-dispatchers",
        what="two dispatchers lead and take leases back at once",
        inject=two_leaders,
        settings={"CHAOS_TWO_LEADERS": "1"},
        kills=True,
    ),
    Fault(
        name="two-releases",
        what="a worker of the release before leads, and messages of another come",
        inject=a_message_of_another_release,
        setting=an_older_release,
    ),
]
