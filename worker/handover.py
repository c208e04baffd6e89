"""What a worker that was told to stop does with the units in its hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from crant_core.jobs.database import OUTAGE
from crant_core.jobs.repository.units import UnitRepository
from worker.watch import kill

log = structlog.get_logger()


class Handover:
    """Waits for units to end, keeping their leases; those that take too long go back to the queue at once.

    Nothing that was recorded of them is done again. Their processes are killed: what they go on with is of no use to
    anybody.

    Parameters
    ----------
    units : UnitRepository
    look_seconds : float
        Between two looks, each of which renews the leases.
    patience : float
        Seconds that units may go on.
    """

    def __init__(
        self,
        units: UnitRepository,
        look_seconds: float,
        patience: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        kill: Callable[[int], None] = kill,
    ) -> None:
        self.units = units
        self.look_seconds = look_seconds
        self.patience = patience
        self.sleep = sleep
        self.kill = kill

    def run(self, requests: Mapping[str, int | None]) -> int:
        """Return when nothing is held under these tokens any more, and how many units were handed back."""
        try:
            until = time.monotonic() + self.patience
            while requests and self.units.renew(requests) and time.monotonic() < until:
                self.sleep(self.look_seconds)
            held = [token for token in requests if self.units.hand_back([token])]
        except OUTAGE as error:
            log.warning("outage", action="not_handed_back", error=str(error))  # leases run out by themselves
            return 0
        for token in held:
            log.warning("unit handed back", action="unit_handed_back", token=token)
            if (process := requests[token]) is not None:
                self.kill(process)
        return len(held)
