"""Results by address, whoever made them: what services that give results out go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import delete, select

from crant_core.jobs.database import Database
from crant_core.jobs.model import ItemState
from crant_core.jobs.repository.reuse import batches, known
from crant_core.jobs.tables import ArtifactRow, ItemRow, JobRow, ResultRow

_PAGE = 5000


class EndedRow(NamedTuple):
    """What is read of an item that has ended: of rows that are whole objects, a refresh spends seconds."""

    position: int
    key: str
    state: ItemState
    metrics: dict[str, Any]
    address: str | None
    error_code: str | None
    error_message: str | None


class StoredRepository:
    """Finds results that exist."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def results(self, addresses: Iterable[str]) -> dict[str, ResultRow]:
        """Map those addresses whose results exist to them."""
        with self.database.reading() as session:
            return known(session, addresses)

    def items(self, addresses: Iterable[str]) -> dict[str, int]:
        """Map those addresses whose results exist to the items whose files they are."""
        return {address: row.item_id for address, row in self.results(addresses).items() if row.item_id}

    def files(self, item_ids: Iterable[int]) -> dict[int, list[ArtifactRow]]:
        """Map items to their files."""
        found: dict[int, list[ArtifactRow]] = {}
        with self.database.reading() as session:
            for batch in batches(item_ids):
                for row in session.scalars(select(ArtifactRow).where(ArtifactRow.item_id.in_(batch))):
                    found.setdefault(row.item_id or 0, []).append(row)
        return found

    def forget(self, lost: Mapping[str, int]) -> None:
        """Let results be made again: addresses, and the items whose files are gone; newer results stay."""
        with self.database.writing() as session:
            for address, item_id in sorted(lost.items()):
                session.execute(delete(ResultRow).where(ResultRow.address == address, ResultRow.item_id == item_id))

    def job_of_key(self, owner: str, key: str) -> JobRow | None:
        """Find an owner's job by its idempotency key."""
        with self.database.reading() as session:
            return session.scalar(select(JobRow).where(JobRow.owner == owner, JobRow.idempotency_key == key))

    def ended(self, job_id: str) -> Iterator[EndedRow]:
        """Read the items of a job that have ended, in their order, a page at a time."""
        after = -1
        fields = [getattr(ItemRow, name) for name in EndedRow._fields]
        query = select(*fields).where(ItemRow.job_id == job_id, ItemRow.state != ItemState.PENDING)
        while True:
            with self.database.reading() as session:
                page = session.execute(query.where(ItemRow.position > after).order_by(ItemRow.position).limit(_PAGE))
                rows = list(map(EndedRow._make, page))
            yield from rows
            if len(rows) < _PAGE:
                return
            after = rows[-1].position

    def item(self, job_id: str, key: str) -> ItemRow | None:
        """Find an item of a job."""
        with self.database.reading() as session:
            return session.scalar(select(ItemRow).where(ItemRow.job_id == job_id, ItemRow.key == key))
