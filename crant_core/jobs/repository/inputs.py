"""Lists of ids that were sent before a job: stored once by content, named by their checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crant_core import ids as identifiers
from crant_core.errors import NotFound
from crant_core.jobs.database import Database
from crant_core.jobs.tables import InputRow

_BYTES = 8


def stored(session: Session, ids: Sequence[int]) -> str:
    """Store ids within a transaction and return their name; the same list is the same name."""
    data = identifiers.pack(ids)
    digest = hashlib.sha256(data).hexdigest()
    if session.get(InputRow, digest) is None:
        session.add(InputRow(id=digest, count=len(ids), data=data))
        session.flush()
    return digest


class InputRepository:
    """Keeps lists of ids. Who knows a list's checksum has the list, so anybody may name it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def store(self, data: bytes) -> str:
        """Store packed ids and return their name; the same list is the same name."""
        digest = hashlib.sha256(data).hexdigest()
        try:
            with self.database.writing() as session:
                if session.scalar(select(InputRow.count).where(InputRow.id == digest)) is None:
                    session.add(InputRow(id=digest, count=len(data) // _BYTES, data=data))
        except IntegrityError:  # the same list arrived twice at one moment
            self.count(digest)
        return digest

    def count(self, input_id: str) -> int:
        """Count the ids of a list.

        Raises
        ------
        NotFound
        """
        with self.database.reading() as session:
            count = session.scalar(select(InputRow.count).where(InputRow.id == input_id))
        if count is None:
            hint = "upload it with POST /v1/inputs"
            raise NotFound(f"there is no input {input_id}", value=input_id, hint=hint)
        return count

    def ids(self, input_id: str, most: int | None = None) -> list[int]:
        """Return the ids of a list, or its first ones."""
        data = InputRow.data if most is None else func.substr(InputRow.data, 1, most * _BYTES)
        with self.database.reading() as session:
            return identifiers.unpack(bytes(session.scalars(select(data).where(InputRow.id == input_id)).one()))
