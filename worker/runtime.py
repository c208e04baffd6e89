"""What a worker process works with, made once in each process after any fork."""

from __future__ import annotations

import os
import time

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.notifying import Notifier
from crant_core.jobs.repository.counters import CounterRepository
from crant_core.jobs.repository.dispatch import DispatchRepository
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.units import UnitRepository
from crant_core.jobs.settings import Settings
from crant_core.kinds.registry import all_kinds
from crant_core.sources import limits, watching
from worker.counts import Counts, Ears
from worker.limiter import of_broker
from worker.runner import Runner
from worker.schedules import Schedules
from worker.sources import SourceBook

_ABANDONED_SECONDS = 3600.0  #: no upload takes this long


class Runtime:
    """The repositories, the store and the runner of one process."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings.database_url)
        if shared := of_broker(settings.broker_url):
            limits.install(shared)
        self.counts = Counts(CounterRepository(self.database))
        watching.install(Ears(self.counts))
        self.units = UnitRepository(
            self.database,
            lease_seconds=settings.lease_seconds,
            max_attempts=settings.max_attempts,
            releases={kind.name: kind.code_version for kind in all_kinds().values()},
        )
        self.dispatch = DispatchRepository(self.units, window=settings.window, rehint_seconds=settings.rehint_seconds)
        self.store = CloudStore(settings.artifacts_url)
        jobs = JobRepository(self.database)
        self.schedules = Schedules(
            jobs,
            settings.datasets,
            tick_seconds=settings.tick_seconds,
            grace_seconds=settings.slot_grace_seconds,
        )
        self.notifier = Notifier(jobs, self.store, settings.public_url)
        self.runner = Runner(
            self.units,
            jobs,
            self.store,
            SourceBook(settings).open,
            sql_rows=settings.sql_rows,
            heavy_vertices=settings.heavy_vertices,
            counts=self.counts,
        )

    def notify(self) -> int:
        """Tell people of jobs that have ended, and count the messages that were tried."""
        return self.notifier.send_due()

    def sweep(self) -> int:
        """Delete drafts of artifacts whose writers died, and count them."""
        limit = time.time() - _ABANDONED_SECONDS
        abandoned = [draft for draft in self.store.drafts() if draft.stat().st_mtime < limit]
        for draft in abandoned:
            draft.unlink(missing_ok=True)
        return len(abandoned)


_of_process: dict[int, Runtime] = {}


def current_runtime(settings: Settings) -> Runtime:
    """Return this process's runtime.

    A forked child makes its own and never touches its parent's, whose connections it inherited: using or closing
    those would disturb the parent.
    """
    process = os.getpid()
    if process not in _of_process:
        _of_process[process] = Runtime(settings)
    return _of_process[process]
