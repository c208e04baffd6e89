"""Rows of results that people query in SQL. Called inside the transaction that ends a job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from crant_core.jobs.repository.events import append
from crant_core.jobs.tables import Base, EdgeRow, JobRow, RefreshChangeRow, TypeSumRow

#: tables for results, by name
TABLES: Mapping[str, type[Base]] = {row.__tablename__: row for row in (EdgeRow, TypeSumRow, RefreshChangeRow)}


@dataclass(frozen=True, kw_only=True)
class ResultRows:
    """Rows of one of a job's files that go to a table as well, unless they are too many."""

    table: str
    file: str
    count: int
    most: int  #: rows that a job may put into a table
    batches: Callable[[], Iterable[list[dict[str, Any]]]]  #: reads them, from the beginning

    @property
    def fit(self) -> bool:
        """Whether they go to the table: all of them or none."""
        return self.count <= self.most

    def described(self) -> dict[str, Any]:
        """Say where the rows are."""
        return {"table": self.table, "file": self.file, "rows": self.count, "in_sql": self.fit, "most": self.most}


def replace_rows(session: Session, job: JobRow, results: Sequence[ResultRows], now: datetime) -> None:
    """Put a job's rows into their tables, in the place of those of an earlier finish; say so of what is too large."""
    purge(session, job.id)
    for one in results:
        if not one.fit:
            append(session, job, now, "not_in_sql", table=one.table, file=one.file, rows=one.count, most=one.most)
            continue
        for batch in one.batches():
            session.execute(insert(TABLES[one.table]), [{"job_id": job.id, **row} for row in batch])


def purge(session: Session, job_id: str) -> None:
    """Forget a job's rows in all tables for results."""
    for row in TABLES.values():
        session.execute(delete(row).where(row.__table__.c.job_id == job_id))
