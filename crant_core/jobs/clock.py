"""The time of the database server: what all hosts agree on, however wrong their own clocks are.

A worker whose clock is an hour ahead would take every lease away, and what it leaves behind when it dies (a lease, the
dispatcher's post) would last for an hour.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

_ASK_SECONDS = 10.0  #: how long an answer is good for: clocks of computers drift by microseconds in that time
_SOON_SECONDS = 1.0  #: after an answer that did not come


class ServerClock:
    """Asks a database server for its time now and then, and counts on between.

    Parameters
    ----------
    engine : Engine
        Opens a connection of its own for each question, so that it never waits for one of the pool.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._start: datetime | None = None  #: the server's time when this machine had been up for no time at all
        self._ask_at = float("-inf")

    def now(self) -> datetime:
        """Return the server's time; raises `OperationalError` if it was never heard."""
        if self._start is None or _uptime() >= self._ask_at:
            with self._lock:
                self._ask_if_due()
        if self._start is None:
            raise RuntimeError("the clock was read before it was set")
        return self._start + timedelta(seconds=_uptime())

    def _ask_if_due(self) -> None:
        if self._start is not None and _uptime() < self._ask_at:
            return  # another thread was faster
        try:
            self._start, self._ask_at = self._asked(), _uptime() + _ASK_SECONDS
        except OperationalError:
            if self._start is None:
                raise
            self._ask_at = _uptime() + _SOON_SECONDS

    def _asked(self) -> datetime:
        with self._engine.connect() as connection:
            began = _uptime()
            theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            ours = (began + _uptime()) / 2
        return theirs.astimezone(UTC) - timedelta(seconds=ours)


def _uptime() -> float:
    """Count seconds, on and on whatever people do to the clock, also while the machine sleeps where it can be known."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
