"""The words of the job engine: states and what may follow what. No SQL here.

A **job** is what a person submits. Its items are neurons (or whatever its kind works on). A **unit** is what one
Celery message runs: the plan, a slice of the items, or the finish.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class JobState(StrEnum):
    """Where a job stands."""

    #: accepted; the jobs it comes after have not ended yet
    WAITING = "waiting"
    #: what there is to do is being worked out
    PLANNING = "planning"
    #: items are being worked on
    RUNNING = "running"
    #: every item has ended; the job-level results are being made
    FINISHING = "finishing"
    #: held by its owner: nothing new is started, and it goes on from where it was
    PAUSED = "paused"
    #: ended, every item succeeded
    SUCCEEDED = "succeeded"
    #: ended, some items failed
    PARTIAL = "partial"
    #: ended, nothing succeeded or the job as a whole could not be done
    FAILED = "failed"
    #: ended by its owner
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in _ENDED

    @property
    def active(self) -> bool:
        """Whether its units may be worked on."""
        return self in ACTIVE


_ENDED = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})
#: states in which units are offered and claimed
ACTIVE = frozenset({JobState.PLANNING, JobState.RUNNING, JobState.FINISHING})
_STOPPED = frozenset({JobState.FAILED, JobState.CANCELLED})

#: what may follow what; from an ended state only a retry leads on
JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.WAITING: frozenset({JobState.PLANNING, JobState.PAUSED}) | _STOPPED,
    JobState.PLANNING: frozenset({JobState.RUNNING, JobState.FINISHING, JobState.PAUSED}) | _STOPPED,
    JobState.RUNNING: frozenset({JobState.FINISHING, JobState.PAUSED}) | _STOPPED,
    JobState.FINISHING: frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.PAUSED}) | _STOPPED,
    JobState.PAUSED: frozenset({JobState.WAITING}) | ACTIVE | _ENDED,  # what was running when it was paused still ends
    JobState.SUCCEEDED: frozenset(),
    JobState.PARTIAL: frozenset({JobState.RUNNING}),
    JobState.FAILED: frozenset({JobState.WAITING}) | ACTIVE,
    JobState.CANCELLED: frozenset({JobState.WAITING}) | ACTIVE,
}


class UnitState(StrEnum):
    """Where a unit stands."""

    #: waits for a worker
    QUEUED = "queued"
    #: held by the worker whose token and lease are on the row
    RUNNING = "running"
    #: its effect took place
    DONE = "done"
    #: given up; its open items failed with it
    FAILED = "failed"
    #: its worker died: two new units have half of its open items each
    SPLIT = "split"
    #: its job was cancelled
    CANCELLED = "cancelled"


UNIT_TRANSITIONS: dict[UnitState, frozenset[UnitState]] = {
    UnitState.QUEUED: frozenset({UnitState.RUNNING, UnitState.CANCELLED}),
    UnitState.RUNNING: frozenset(
        {UnitState.QUEUED, UnitState.DONE, UnitState.FAILED, UnitState.SPLIT, UnitState.CANCELLED}
    ),
    UnitState.DONE: frozenset(),
    UnitState.FAILED: frozenset(),
    UnitState.SPLIT: frozenset(),
    UnitState.CANCELLED: frozenset(),
}


class ItemState(StrEnum):
    """Where an item stands."""

    #: not ended yet
    PENDING = "pending"
    #: its result is stored
    SUCCEEDED = "succeeded"
    #: its error is stored
    FAILED = "failed"
    #: failed because every process that worked on it alone died
    QUARANTINED = "quarantined"
    #: not done, because its job was cancelled
    CANCELLED = "cancelled"


ITEM_TRANSITIONS: dict[ItemState, frozenset[ItemState]] = {
    ItemState.PENDING: frozenset({ItemState.SUCCEEDED, ItemState.FAILED, ItemState.QUARANTINED, ItemState.CANCELLED}),
    ItemState.SUCCEEDED: frozenset(),
    ItemState.FAILED: frozenset({ItemState.PENDING}),  # by a retry, as the next two
    ItemState.QUARANTINED: frozenset({ItemState.PENDING}),
    ItemState.CANCELLED: frozenset({ItemState.PENDING}),
}


class Role(StrEnum):
    """What a unit does for its job."""

    #: work out the items
    PLAN = "plan"
    #: work on some items
    RUN = "run"
    #: merge the results
    FINISH = "finish"


class Queue(StrEnum):
    """Which workers a unit waits for: each queue has its own."""

    #: waits for servers most of the time
    IO = "io"
    #: computes
    CPU = "cpu"
    #: needs more memory than other workers may use
    HEAVY = "heavy"


class Scope(StrEnum):
    """What a token allows."""

    #: see one's own jobs
    READ = "read"
    #: submit jobs and change one's own
    SUBMIT = "submit"
    #: see and change everybody's
    ADMIN = "admin"
    #: read the numbers at /metrics, and nothing else
    METRICS = "metrics"


class Overlap(StrEnum):
    """What a schedule does when a slot comes and an earlier run has not ended."""

    #: leave the slot out
    SKIP = "skip"
    #: let the new run wait until the others have ended, well or not
    QUEUE = "queue"
    #: cancel the earlier runs
    CANCEL_PREVIOUS = "cancel_previous"


class Skipped(StrEnum):
    """Why a slot made no job."""

    #: nothing looked when it came, or a later one had come by then
    MISSED = "missed"
    #: an earlier run had not ended
    OVERLAP = "overlap"
    #: the job cannot be made as the schedule says
    INVALID = "invalid"
    #: the schedule was changed or disabled before anything looked
    CHANGED = "changed"


State = TypeVar("State", bound=StrEnum)


def before(table: Mapping[State, frozenset[State]], state: State) -> list[State]:
    """List the states from which a state may be reached; every change of a state asks for one of these."""
    return [old for old, following in table.items() if state in following]


def outcome(succeeded: int, failed: int) -> JobState:
    """Say how a job ends whose items ended like this."""
    if not failed:
        return JobState.SUCCEEDED
    return JobState.PARTIAL if succeeded else JobState.FAILED
