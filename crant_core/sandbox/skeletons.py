"""The skeleton service's cache: what is made already, and what is being made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta


class SkeletonCache:
    """Remembers when each root's skeleton is, or was, ready.

    Parameters
    ----------
    delay : float
        Seconds it takes to make one.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.refused: set[int] = set()
        self._ready: dict[int, datetime] = {}

    def fill(self, roots: Iterable[int], now: datetime) -> None:
        """Take skeletons as made long ago."""
        self._ready |= dict.fromkeys(roots, now)

    def has(self, root: int, now: datetime) -> bool:
        """Say whether a skeleton is ready."""
        return root in self._ready and self._ready[root] <= now

    def ready(self, now: datetime) -> list[int]:
        """List the roots whose skeletons are ready."""
        return sorted(root for root, when in self._ready.items() if when <= now)

    def order(self, root: int, now: datetime) -> float:
        """Have one made unless it is; return how many seconds to wait."""
        ready = self._ready.setdefault(root, now + timedelta(seconds=self.delay))
        return max(0.0, (ready - now).total_seconds())
