"""When what has to be done again and again was done last, and by whom."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from crant_core.jobs.database import Database
from crant_core.jobs.schedule_tables import TickRow

BEAT = "beat"  #: beat sent something
LOOK = "schedules"  #: somebody looked for schedules that are due
_SILENT_TICKS = 6  #: a clock that did not tick for so long is taken for dead


class TickRepository:
    """Remembers the last time of each thing."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def note(self, name: str, holder: str) -> None:
        """Write down that it was done now."""
        values = {"at": self.database.now(), "holder": holder[:128]}
        again = update(TickRow).where(TickRow.name == name).values(**values).returning(TickRow.name)
        try:
            with self.database.writing() as session:
                if session.execute(again).one_or_none() is None:
                    session.add(TickRow(name=name, **values))
        except IntegrityError:  # two did it for the first time at one moment: either's time will do
            return

    def is_silent(self, name: str, tick_seconds: float) -> bool:
        """Say whether it was not done for so long that it will not be."""
        last = self.last(name)
        return last is None or self.database.now() - last > timedelta(seconds=_SILENT_TICKS * tick_seconds)

    def last(self, name: str) -> datetime | None:
        """Return when it was done last; None if never."""
        with self.database.reading() as session:
            return session.scalar(select(TickRow.at).where(TickRow.name == name))
