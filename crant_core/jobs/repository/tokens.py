"""API tokens. Only their hashes are stored: a stolen database opens nothing."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from crant_core.errors import NotFound, TokenInvalid
from crant_core.jobs.database import Database
from crant_core.jobs.model import Scope
from crant_core.jobs.tables import TokenRow

PREFIX = "crant_"  #: of our tokens, so that a leaked one is recognised
_NOTED = timedelta(minutes=1)  #: how exactly the last use is known: not every request writes
_ID_DIGITS = 32  #: of a hash's 64


@dataclass(frozen=True)
class Identity:
    """Whose request it is, and what they may do."""

    owner: str
    scopes: frozenset[Scope]
    token_id: str = ""


@dataclass(frozen=True)
class KnownToken:
    """What may be said of a token; the token itself is known to its owner only."""

    id: str  #: the first half of its hash's digits: names it, and opens nothing
    owner: str
    scopes: list[Scope]
    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenRepository:
    """Creates tokens and recognises them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, owner: str, scopes: Iterable[Scope], *, label: str = "", lifetime: timedelta | None = None) -> str:
        """Create a token and return it; it cannot be read again."""
        token, now = f"{PREFIX}{secrets.token_urlsafe(32)}", self.database.now()
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
        now = self.database.now()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            raise TokenInvalid(hint="make one with: python -m crant_core.jobs token create --owner NAME")
        if row.last_used_at is None or now - row.last_used_at > _NOTED:
            self._note_use(row.hash, now)
        return Identity(row.owner, _scopes(row), row.hash[:_ID_DIGITS])

    def _note_use(self, digest: str, now: datetime) -> None:
        with self.database.writing() as session:
            session.execute(update(TokenRow).where(TokenRow.hash == digest).values(last_used_at=now))

    def all(self, owner: str | None = None) -> list[KnownToken]:
        """List tokens, of one owner or of all, newest first."""
        query = select(TokenRow).order_by(TokenRow.created_at.desc())
        if owner is not None:
            query = query.where(TokenRow.owner == owner)
        with self.database.reading() as session:
            return [_known(row) for row in session.scalars(query)]

    def revoke(self, token_id: str, owner: str | None = None) -> None:
        """Delete a token, one of this owner's if one is named.

        Raises
        ------
        NotFound
        """
        wanted = func.substr(TokenRow.hash, 1, _ID_DIGITS) == token_id
        query = delete(TokenRow).where(wanted if owner is None else wanted & (TokenRow.owner == owner))
        with self.database.writing() as session:
            if not session.execute(query.returning(TokenRow.hash)).all():
                raise NotFound(f"there is no token {token_id}", value=token_id, hint="list them with GET /v1/tokens")

    def count(self) -> int:
        """Count the tokens there are."""
        with self.database.reading() as session:
            return session.scalars(select(func.count()).select_from(TokenRow)).one()


def _known(row: TokenRow) -> KnownToken:
    times = {name: getattr(row, name) for name in ("created_at", "expires_at", "last_used_at")}
    return KnownToken(row.hash[:_ID_DIGITS], row.owner, sorted(_scopes(row)), row.label, **times)


def _scopes(row: TokenRow) -> frozenset[Scope]:
    return frozenset(Scope(word) for word in row.scopes.split())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()  # tokens are long and random: no slow hash is needed
