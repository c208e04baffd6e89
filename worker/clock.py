"""Beat's scheduler: the built-in one, which also writes down that it is alive. What is due stands in SQL, not here."""

from __future__ import annotations

import socket
from typing import Any

import structlog
from celery.beat import PersistentScheduler
from sqlalchemy.exc import SQLAlchemyError

from crant_core.jobs.database import Database
from crant_core.jobs.repository.ticks import BEAT, TickRepository

log = structlog.get_logger()


class NotedScheduler(PersistentScheduler):
    """Notes every tick in the database, so that people can be told when beat is dead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ticks = TickRepository(Database(self.app.settings.database_url))

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; an outage of the database is waited out."""
        seconds = float(super().tick(*args, **kwargs))
        try:
            self.ticks.note(BEAT, socket.gethostname())
        except SQLAlchemyError as error:
            log.warning("outage", action="beat_unnoted", error=str(error))
        return min(seconds, float(self.app.settings.tick_seconds))
