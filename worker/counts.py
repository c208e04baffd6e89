"""What a worker's process counts, on its way to SQL; and the ears with which it hears of requests."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit

import structlog

from crant_core.jobs import tracing
from crant_core.jobs.counting import Tally
from crant_core.jobs.database import OUTAGE
from crant_core.jobs.repository.counters import CounterRepository
from worker.endpoints import endpoint_of

log = structlog.get_logger()

_SECONDS = 5.0  #: between two times that counts are handed on
_NO_ANSWER = "no answer"


class Counts(Tally):
    """A tally that is handed on to SQL now and then. An outage of the database delays it, and loses nothing."""

    def __init__(self, repository: CounterRepository) -> None:
        super().__init__()
        self.repository = repository
        self._handed_on = float("-inf")
        self._thread: threading.Thread | None = None

    def hand_on(self, guard: AbstractContextManager[Any] | None = None, *, at_once: bool = True) -> None:
        """Add what was counted to the sums; not at once: if it was not done just now."""
        if not at_once and time.monotonic() - self._handed_on < _SECONDS:
            return
        self._handed_on = time.monotonic()
        taken = self.take()
        try:
            with guard or nullcontext():
                self.repository.add(taken)
        except OUTAGE as error:
            log.warning("outage", action="counts_kept", error=str(error))
            self.put_back(taken)

    def keep_handing_on(self) -> None:
        """Do that from a thread of its own, in a process that forks no others."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on, name="counts", daemon=True)
            self._thread.start()

    def _go_on(self) -> None:
        while True:
            time.sleep(_SECONDS)
            self.hand_on()


class Ears:
    """Counts requests and looks into caches, and makes spans of requests."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def answered(self, method: str, url: str, status: int | None, began: float, seconds: float) -> None:
        """Count a request."""
        server, endpoint, how = urlsplit(url).netloc, endpoint_of(url), _NO_ANSWER if status is None else str(status)
        self.tally.add("crant_cave_requests_total", server=server, endpoint=endpoint, method=method, status=how)
        self.tally.observe("crant_cave_request_seconds", seconds, server=server, endpoint=endpoint)
        tracing.record(f"{method} {endpoint}", began, seconds, server=server, status=how)

    def received(self, url: str, size: int) -> None:
        """Count the bytes of an answer."""
        server, endpoint = urlsplit(url).netloc, endpoint_of(url)
        self.tally.add("crant_cave_received_bytes_total", size, server=server, endpoint=endpoint)

    def looked_up(self, cache: str, *, found: bool, times: int = 1) -> None:
        """Count a look into a cache, or so many."""
        self.tally.add("crant_cache_lookups_total", times, cache=cache, found="yes" if found else "no")
