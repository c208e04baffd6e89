"""What a fault is, and how one is tried on a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field

from crant_core.jobs.model import JobState
from crant_core.jobs.tables import JobRow
from tests.chaos.stand import Stand
from tests.chaos.truth import Verdict, Witness, assert_right, assert_store_is_sound

BOTH = ("sqlite", "postgresql")
ITEMS = 150


@dataclass(frozen=True)
class Scene:
    """A job in the middle of its run, on a stand where something is about to happen."""

    stand: Stand
    job: JobRow
    whole: bool  #: as long as in reality, or a few seconds

    def wait(self, short: float, whole: float) -> None:
        """Let a fault last."""
        time.sleep(whole if self.whole else short)


Inject = Callable[[Scene], None]
Setting = Callable[[Stand], AbstractContextManager[object]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong, and what must be seen of it.

    Attributes
    ----------
    name, what : str
        For the command line, and for the table.
    inject : callable
        Does it, and undoes it; called when some items have ended. Left out: the items themselves are what is wrong.
    databases : tuple of str
        Where it can happen, or where it matters.
    setting : callable
        What the stand needs while the job runs.
    parameters, workers, settings
        Of the job, and of the workers.
    failing : mapping
        Items that must fail, and with which code; all others succeed.
    kills : bool
        Whether attempts must have been lost.
    retried : bool
        Whether `inject` let the job be retried after it had ended.
    """

    name: str
    what: str
    inject: Inject = lambda _: None
    databases: tuple[str, ...] = BOTH
    setting: Setting = lambda _: nullcontext()
    items: int = ITEMS
    parameters: Mapping[str, object] = field(default_factory=dict)
    workers: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    failing: Mapping[int, str] = field(default_factory=dict)
    kills: bool = False
    retried: bool = False


_TRIES = 3


@dataclass(frozen=True)
class Seen:
    """What was seen: seconds until work went on after the fault, and until the job had ended."""

    fault: Fault
    database: str
    recovered: float
    took: float
    verdict: Verdict


def try_on(stand: Stand, database: str, fault: Fault, *, whole: bool) -> Seen:
    """Let a fault happen to a job, and hold the job to everything that was promised.

    What was to be killed may have been between two units at that moment; then it is done once more to another job.
    """
    for _ in range(_TRIES):
        seen = _tried(stand, database, fault, whole=whole)
        if seen.verdict.deaths or not fault.kills:
            return seen
    raise AssertionError(f"nothing was killed in {_TRIES} jobs: the fault misses")


def _tried(stand: Stand, database: str, fault: Fault, *, whole: bool) -> Seen:
    with ExitStack() as around:
        around.enter_context(fault.setting(stand))
        stand.have_workers(fault.workers, **fault.settings)
        began = time.monotonic()
        job = stand.submit(fault.items, **{"seconds": 0.02, "size": 2000, **fault.parameters})
        stand.until_done(job, fault.items // 10)
        fault.inject(Scene(stand, job, whole))
        recovered = _seconds_until_work_goes_on(stand, job)
        stand.until_ended(job)
        took = time.monotonic() - began
        verdict = assert_right(Witness(stand.database, job.id, stand.store), fault.failing, retried=fault.retried)
        assert_store_is_sound(stand.store)
    return Seen(fault, database, recovered, took, verdict)


def _seconds_until_work_goes_on(stand: Stand, job: JobRow) -> float:
    began, done = time.monotonic(), stand.done(job)
    while stand.done(job) == done and not JobState(stand.see(job).state).ended:
        assert time.monotonic() - began < 150, f"no work goes on\n{stand.logs()}"
        time.sleep(0.02)
    return time.monotonic() - began
