"""Watches over the units that a worker's children are doing: keeps their leases, and ends those nobody wants."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

import structlog

from crant_core.jobs.repository.units import UnitRepository

log = structlog.get_logger()


def kill(process: int) -> None:
    """End a process at once, if it is there."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


class Watch:
    """Renews leases, and kills processes whose unit was cancelled or given to another worker.

    Such a process has some time to end by itself: it does when it records what it did, or when its science asks. The
    pool starts another one in its place.

    Parameters
    ----------
    units : UnitRepository
    renew_seconds : float
        Between two renewals.
    grace_seconds : float
        Before a process is killed.
    guard : context manager
        Held while the database is used.
    """

    def __init__(
        self,
        units: UnitRepository,
        renew_seconds: float,
        grace_seconds: float,
        guard: AbstractContextManager[Any],
        *,
        kill: Callable[[int], None] = kill,
    ) -> None:
        self.units = units
        self.renew_seconds = renew_seconds
        self.grace_seconds = grace_seconds
        self.guard = guard
        self.kill = kill
        self.renewed = float("-inf")
        self.unwanted: dict[str, float] = {}  #: tokens, and when each process will have had its time

    def turn(self, requests: Mapping[str, int | None]) -> None:
        """Look once at what is being done: tokens, and the process at each, once it has begun."""
        self.unwanted = {token: until for token, until in self.unwanted.items() if token in requests}
        if not requests:
            return
        with self.guard:
            if time.monotonic() - self.renewed >= self.renew_seconds:
                self.units.renew(requests)
                self.renewed = time.monotonic()
            gone = self.units.taken_away(requests)
        for token in gone:
            self._end(token, requests[token])

    def _end(self, token: str, process: int | None) -> None:
        until = self.unwanted.setdefault(token, time.monotonic() + self.grace_seconds)
        if process is None or time.monotonic() < until:
            return
        self.unwanted[token] = float("inf")  # once is enough
        log.warning("unit not wanted any more", action="process_killed", token=token, process=process)
        self.kill(process)
