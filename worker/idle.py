"""Notices that a process has become free and finds nothing to do, so that work is looked for at once.

What follows a plan, or the last unit of a job, or a step of a pipeline, is offered by the dispatcher's next turn; small
jobs would spend much of their time waiting for it. Of units that end in other workers the leader does not hear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from celery.worker import state
from kombu.exceptions import OperationalError as BrokerError


class Doing(NamedTuple):
    """What this worker's processes did since ever, and do."""

    ended: int
    held: int


def doing() -> Doing:
    """Look at what this worker does."""
    return Doing(ended=state.all_total_count[0] - len(state.active_requests), held=len(state.reserved_requests))


class Idle:
    """Says whether to look for work before it is time: something ended, a process is free, and nothing waits for it.

    Parameters
    ----------
    processes : int
        Of this worker.
    waiting : callable
        Counts the messages that no worker has taken yet.
    look : callable, optional
        Says what this worker does.
    """

    def __init__(self, processes: int, waiting: Callable[[], int], look: Callable[[], Doing] = doing) -> None:
        self.processes = processes
        self.waiting = waiting
        self.look = look
        self._ended = look().ended

    def __call__(self) -> bool:
        """Look; of each end it is said once at most."""
        found = self.look()
        if found.ended == self._ended or found.held >= self.processes:
            return False
        self._ended = found.ended
        try:
            return self.waiting() == 0
        except BrokerError:  # the next turn says so
            return False
