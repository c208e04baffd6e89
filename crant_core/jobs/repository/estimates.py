"""What a job would be, from what is known already. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select

from crant_core.jobs.database import Database
from crant_core.jobs.repository.among import among
from crant_core.jobs.repository.costs import Costs, measured
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.tables import JobRow, ResultRow

_AT_ONCE = 10_000  #: addresses in one statement: more make it no cheaper, and they are in memory


class EstimateRepository:
    """Looks up what an estimate needs."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def known(self, addresses: Iterable[str]) -> int:
        """Count the results that exist."""
        with self.database.reading() as session:
            there = select(func.count()).where(ResultRow.item_id.isnot(None))
            counts = (
                session.scalars(there.where(among(session, ResultRow.address, batch))).one()
                for batch in batches(addresses, _AT_ONCE)
            )
            return sum(counts)

    def costs(self, kind: str, code_version: int, dataset: str) -> Costs | None:
        """Say what an item costs, if that was measured."""
        with self.database.reading() as session:
            return measured(session, kind, code_version, dataset)

    def moment_of(self, dataset: str, version: int) -> datetime | None:
        """Say when a materialization version was made, if a job used it before."""
        used = select(JobRow.timestamp).where(JobRow.dataset == dataset, JobRow.version == version)
        with self.database.reading() as session:
            return session.scalar(used.where(JobRow.timestamp.isnot(None)).limit(1))
