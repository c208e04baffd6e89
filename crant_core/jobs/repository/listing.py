"""Jobs as a list to choose from: filtered, counted, page by page. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, select

from crant_core.jobs.database import Database
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.tables import JobRow


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which jobs are asked for; what is None does not matter."""

    state: str | None = None
    kind: str | None = None
    owner: str | None = None


class ListingRepository:
    """Lists jobs for people who look through them. Every read is scoped to a viewer."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def jobs(self, viewer: Viewer, wanted: Wanted, *, before: int | None = None, limit: int = 50) -> list[JobRow]:
        """List jobs, newest first; `before` is the number of the last one seen."""
        conditions = [*_conditions(viewer, wanted), *([JobRow.number < before] if before is not None else [])]
        query = select(JobRow).where(*conditions).order_by(JobRow.number.desc()).limit(limit)
        with self.database.reading() as session:
            return list(session.scalars(query))

    def counts(self, viewer: Viewer, wanted: Wanted) -> dict[JobState, int]:
        """Count the jobs in each state, whichever of them is asked for."""
        conditions = _conditions(viewer, replace(wanted, state=None))
        query = select(JobRow.state, func.count()).where(*conditions).group_by(JobRow.state)
        with self.database.reading() as session:
            found = {state: count for state, count in session.execute(query)}  # noqa: C416 - rows are no tuples to mypy
        return {state: found.get(state, 0) for state in JobState}

    def kinds(self, viewer: Viewer) -> list[str]:
        """List the kinds of which there are jobs."""
        query = select(JobRow.kind).where(*_conditions(viewer, Wanted())).distinct().order_by(JobRow.kind)
        with self.database.reading() as session:
            return list(session.scalars(query))

    def owners(self, viewer: Viewer) -> list[str]:
        """List the people who have jobs."""
        query = select(JobRow.owner).where(*_conditions(viewer, Wanted())).distinct().order_by(JobRow.owner)
        with self.database.reading() as session:
            return list(session.scalars(query))


def _conditions(viewer: Viewer, wanted: Wanted) -> Iterable[ColumnElement[bool]]:
    if not viewer.sees_all:
        yield JobRow.owner == viewer.owner
    for column, value in ((JobRow.state, wanted.state), (JobRow.kind, wanted.kind), (JobRow.owner, wanted.owner)):
        if value is not None:
            yield column == value
