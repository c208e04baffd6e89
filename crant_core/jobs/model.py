"""The words of the job engine: states and what may follow what. No SQL here.

A **job** is what a person submits. Its items are neurons (or whatever its kind works on). A **unit** is what one
Celery message runs: the plan, a slice of the items, or the finish.
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    #: accepted; what there is to do is being worked out
    PLANNING = "planning"
    #: items are being worked on
    RUNNING = "running"
    #: every item has ended; the job-level results are being made
    FINISHING = "finishing"
    #: ended, every item succeeded
    SUCCEEDED = "succeeded"
    #: ended, some items failed
    PARTIAL = "partial"
    #: ended, nothing succeeded or the job as a whole could not be done
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return not JOB_TRANSITIONS[self]


JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PLANNING: frozenset({JobState.RUNNING, JobState.FINISHING, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.FINISHING}),
    JobState.FINISHING: frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.PARTIAL: frozenset(),
    JobState.FAILED: frozenset(),
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


class ItemState(StrEnum):
    """Where an item stands."""

    #: not ended yet
    PENDING = "pending"
    #: its result is stored
    SUCCEEDED = "succeeded"
    #: its error is stored
    FAILED = "failed"


class Role(StrEnum):
    """What a unit does for its job."""

    #: work out the items
    PLAN = "plan"
    #: work on some items
    RUN = "run"
    #: merge the results
    FINISH = "finish"


class Scope(StrEnum):
    """What a token allows."""

    #: see one's own jobs
    READ = "read"
    #: submit jobs and change one's own
    SUBMIT = "submit"
    #: see and change everybody's
    ADMIN = "admin"


def outcome(succeeded: int, failed: int) -> JobState:
    """Say how a job ends whose items ended like this."""
    if not failed:
        return JobState.SUCCEEDED
    return JobState.PARTIAL if succeeded else JobState.FAILED
