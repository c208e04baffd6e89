"""Sums of what the service's processes counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from crant_core.jobs.counting import Counts
from crant_core.jobs.database import Database
from crant_core.jobs.tables import CounterRow, table_of

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class CounterRepository:
    """Adds counts up and reads the sums."""

    def __init__(self, database: Database) -> None:
        self.database = database
        fresh = _INSERT[database.engine.dialect.name](table_of(CounterRow))
        added = {"value": table_of(CounterRow).c.value + fresh.excluded.value}
        self._add = fresh.on_conflict_do_update(index_elements=["name", "labels"], set_=added)

    def add(self, counts: Counts) -> None:
        """Add to the sums. In one order for everybody, so that no two processes wait for each other."""
        rows = [{"name": name, "labels": labels, "value": value} for (name, labels), value in sorted(counts.items())]
        if rows:
            with self.database.writing() as session:
                session.connection().execute(self._add, rows)

    def sums(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Return each metric's name, labels and sum."""
        with self.database.reading() as session:
            rows = session.execute(select(CounterRow.name, CounterRow.labels, CounterRow.value)).all()
        return ((name, json.loads(labels), value) for name, labels, value in rows)
