"""What a worker of this suite loads: the service's, with one more kind, and with what a fault needs of its machine.

The environment says what: a clock that is wrong, a limit of memory, a dispatcher that always thinks it leads.
"""

from __future__ import annotations

import os
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from celery.signals import worker_process_init

import tests.chaos  # noqa: F401 - before the kinds are listed
from crant_core.jobs import database
from crant_core.jobs.repository import dispatch
from worker import app as app_module


class SkewedClock(datetime):
    """A clock that is wrong by what a file says, as seconds: the file may change at any time."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        """Return the time that this machine takes it to be."""
        return datetime.now(UTC) + timedelta(seconds=float(Path(os.environ["CHAOS_CLOCK"]).read_text()))


@worker_process_init.connect
def _limit_memory(**_: Any) -> None:
    """Let a pool process have so many bytes more than it has."""
    if more := os.environ.get("CHAOS_MEMORY"):
        limit = psutil.Process().memory_info().vms + int(more)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if "CHAOS_CLOCK" in os.environ:
    database.datetime = SkewedClock  # type: ignore[attr-defined]
if "CHAOS_TWO_LEADERS" in os.environ:
    dispatch._REIGN = timedelta(0)
if "CHAOS_SWEEP_SECONDS" in os.environ:
    app_module.SWEEP_SECONDS = float(os.environ["CHAOS_SWEEP_SECONDS"])
if "CHAOS_GRACE" in os.environ:
    app_module._GRACE_SECONDS = int(os.environ["CHAOS_GRACE"])

from worker.main import app  # noqa: E402 - after what it reads was changed

__all__ = ["app"]
