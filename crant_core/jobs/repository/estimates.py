"""What a job would be, from what is known already. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select

from crant_core.jobs.database import Database
from crant_core.jobs.repository.costs import Costs, measured
from crant_core.jobs.repository.reuse import batches
from crant_core.jobs.tables import JobRow, ResultRow


class EstimateRepository:
    """Looks up what an estimate needs."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def known(self, addresses: Iterable[str]) -> int:
        """Count the results that exist."""
        with self.database.reading() as session:
            return sum(
                session.scalars(
                    select(func.count()).where(ResultRow.address.in_(batch), ResultRow.item_id.isnot(None))
                ).one()
                for batch in batches(addresses)
            )

    def costs(self, kind: str, code_version: int, dataset: str) -> Costs | None:
        """Say what an item costs, if that was measured."""
        with self.database.reading() as session:
            return measured(session, kind, code_version, dataset)

    def moment_of(self, dataset: str, version: int) -> datetime | None:
        """Say when a materialization version was made, if a job used it before."""
        used = select(JobRow.timestamp).where(JobRow.dataset == dataset, JobRow.version == version)
        with self.database.reading() as session:
            return session.scalar(used.where(JobRow.timestamp.isnot(None)).limit(1))
