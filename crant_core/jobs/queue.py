"""The port through which units are offered to workers. A message is a hint: it may be lost, doubled or late."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from crant_core.jobs.repository.dispatch import DueUnit


class Queue(Protocol):
    """Offers units to workers."""

    def send(self, unit: DueUnit) -> None:
        """Offer one unit; raises `OSError` or the broker's own error when the broker cannot be reached."""

    def waiting(self) -> int:
        """Count the messages that nobody has taken yet; raises as `send` does."""


@dataclass
class MemoryQueue:
    """A queue for tests: it remembers what was offered, and hands it over only when told to."""

    offered: list[DueUnit] = field(default_factory=list)

    def send(self, unit: DueUnit) -> None:
        """Remember the offer."""
        self.offered.append(unit)

    def waiting(self) -> int:
        """Count what was offered and not delivered."""
        return len(self.offered)

    def deliver(self, execute: Callable[[int, str], object]) -> None:
        """Run everything offered so far, each under a token of its own."""
        offered, self.offered = self.offered, []
        for unit in offered:
            execute(unit.id, f"{unit.job_id}-{unit.id}-{secrets.token_hex(4)}")
