"""API tokens. Only their hashes are stored: a stolen database opens nothing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from crant_core.errors import TokenInvalid
from crant_core.jobs.database import Database
from crant_core.jobs.model import Scope
from crant_core.jobs.tables import TokenRow


@dataclass(frozen=True)
class Identity:
    """Whose request it is, and what they may do."""

    owner: str
    scopes: frozenset[Scope]


class TokenRepository:
    """Creates tokens and recognises them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, owner: str, scopes: Iterable[Scope], *, label: str = "", lifetime: timedelta | None = None) -> str:
        """Create a token and return it; it cannot be read again."""
        token, now = f"crant_{secrets.token_urlsafe(32)}", self.database.now()
        row = TokenRow(hash=_hash(token), owner=owner, scopes=" ".join(sorted(scopes)), label=label, created_at=now)
        row.expires_at = now + lifetime if lifetime else None
        with self.database.writing() as session:
            session.add(row)
        return token

    def identify(self, token: str) -> Identity:
        """Say whose token this is.

        Raises
        ------
        TokenInvalid
        """
        with self.database.reading() as session:
            row = session.get(TokenRow, _hash(token))
        if row is None or (row.expires_at is not None and row.expires_at <= self.database.now()):
            raise TokenInvalid(hint="make one with: python -m crant_core.jobs token create --owner NAME")
        return Identity(row.owner, frozenset(Scope(word) for word in row.scopes.split()))

    def count(self) -> int:
        """Count the tokens there are."""
        with self.database.reading() as session:
            return session.scalars(select(func.count()).select_from(TokenRow)).one()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()  # tokens are long and random: no slow hash is needed
