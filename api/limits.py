"""How many requests a token may send: a bucket that fills by itself, so short bursts are fine.

Each process counts for itself; the limit is against loops that run wild, not for accounting.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from crant_core.errors import RateLimited

_SECONDS = 60.0
_MANY = 10_000  #: tokens that are remembered


class RateLimit:
    """So many requests in a minute for each token; 0 is no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self.clock = per_minute, clock
        self._left: dict[str, tuple[float, float]] = {}  # what is left, and when that was
        self._lock = threading.Lock()

    def count(self, token: str) -> None:
        """Count a request.

        Raises
        ------
        RateLimited
            Its value is how many seconds to wait.
        """
        if not self.per_minute:
            return
        with self._lock:
            left = self._refilled(token)
            self._left[token] = (left if left < 1 else left - 1, self.clock())
        if left < 1:
            seconds = math.ceil((1 - left) * _SECONDS / self.per_minute)
            hint = "wait, or ask for pages and events instead of single things"
            raise RateLimited(f"more than {self.per_minute} requests a minute", value=seconds, hint=hint)

    def _refilled(self, token: str) -> float:
        if len(self._left) > _MANY:
            self._left.clear()
        left, since = self._left.get(token, (float(self.per_minute), self.clock()))
        return min(self.per_minute, left + (self.clock() - since) * self.per_minute / _SECONDS)
