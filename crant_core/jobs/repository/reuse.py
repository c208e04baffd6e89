"""Results that serve again: found by address, claimed while they are made, published when they are there.

An address names a result completely (kind, code version, dataset, key, parameters, maybe a time). One row for each
says whose files it is or, while nobody has made it, which attempt is at it. A claim is worth as much as its attempt: if
that does not run any more, the next one takes the claim over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from crant_core.jobs.model import ItemState, UnitState
from crant_core.jobs.repository.events import append
from crant_core.jobs.tables import ArtifactRow, ItemRow, JobRow, ResultRow, UnitRow

#: a unit looks again after this for what another one is making
LOOK_AGAIN = timedelta(seconds=2)

_MANY = 500  #: values in one list: SQLite and PostgreSQL both bound them
T = TypeVar("T")


def batches(values: Iterable[T], size: int = _MANY) -> Iterator[list[T]]:
    """Cut values into lists of a size that databases take."""
    values = iter(values)
    while batch := list(islice(values, size)):
        yield batch


def known(session: Session, addresses: Iterable[str], *, hold: bool = False) -> dict[str, ResultRow]:
    """Find the results that are there, by address; `hold` keeps them there until the transaction ends."""
    found: dict[str, ResultRow] = {}
    for batch in batches(addresses):
        made = select(ResultRow).where(ResultRow.address.in_(batch), ResultRow.item_id.isnot(None))
        if hold:
            made = made.order_by(ResultRow.address).with_for_update(read=True)
        found |= {row.address: row for row in session.scalars(made)}
    return found


def share_out(session: Session, job: JobRow, token: str, items: Sequence[ItemRow], now: datetime) -> list[ItemRow]:
    """Settle items whose results are there, claim what nobody is making, and return what is this unit's to do."""
    by_address = {item.address: item for item in items if item.address is not None}
    found = known(session, by_address, hold=True)
    _settle(session, job, [(by_address[address], row) for address, row in found.items()], now)
    mine = _claim(session, token, sorted(by_address.keys() - found.keys()))
    return [item for item in items if item.address is None or item.address in mine]


def _settle(session: Session, job: JobRow, pairs: Sequence[tuple[ItemRow, ResultRow]], now: datetime) -> None:
    for item, result in pairs:
        done = {"state": ItemState.SUCCEEDED, "finished_at": now, "metrics": item.metrics | result.metrics}
        session.execute(
            update(ItemRow).where(ItemRow.id == item.id).values(**done, error_code=None, error_message=None)
        )
        job.succeeded, job.reused = job.succeeded + 1, job.reused + 1
        append(session, job, now, "item_succeeded", key=item.key, seconds=0.0, reused=True)
    copy_files(session, job, [item.id for item, _ in pairs], now)


def copy_files(session: Session, job: JobRow, item_ids: Iterable[int], now: datetime) -> None:
    """Give items the files of their results: rows that point to the same bytes."""
    made = ArtifactRow.__table__.alias("made")
    shared = (made.c.name, made.c.media_type, made.c.size, made.c.sha256, made.c.meta)
    names = ("job_id", "item_id", "created_at", *(column.name for column in shared))
    for batch in batches(item_ids):
        files = (
            select(literal(job.id), ItemRow.id, literal(now, ArtifactRow.created_at.type), *shared)
            .join(ResultRow, ResultRow.address == ItemRow.address)
            .join(made, made.c.item_id == ResultRow.item_id)
            .where(ItemRow.id.in_(batch))
        )
        session.execute(insert(ArtifactRow).from_select(names, files))


def _claim(session: Session, token: str, addresses: Sequence[str]) -> set[str]:
    """Put this attempt's token on results that nobody is making; in order, so that two units never block each other."""
    mine: set[str] = set()
    for batch in batches(addresses):
        rows = [{"address": address, "token": token, "metrics": {}} for address in batch]
        session.execute(_insert(session).on_conflict_do_nothing(), rows)
        wanted = (ResultRow.address.in_(batch), ResultRow.item_id.is_(None))
        alive = select(UnitRow.token).where(UnitRow.token == ResultRow.token, UnitRow.state == UnitState.RUNNING)
        session.execute(update(ResultRow).where(*wanted, ~alive.exists()).values(token=token))
        mine |= set(session.scalars(select(ResultRow.address).where(*wanted, ResultRow.token == token)))
    return mine


class Made(NamedTuple):
    """A result that others may use."""

    address: str
    item_id: int
    metrics: dict[str, Any]


def publish(session: Session, token: str | None, made: Iterable[Made], now: datetime) -> None:
    """Let others use these results; the newest counts, as who computes again by force has a reason."""
    in_order = sorted(made, key=attrgetter("address"))
    rows = [one._asdict() | {"token": token, "made_at": now} for one in in_order]
    if rows:
        new = _insert(session)
        changed = {name: new.excluded[name] for name in ("item_id", "token", "metrics", "made_at")}
        session.execute(new.on_conflict_do_update(index_elements=["address"], set_=changed), rows)


def _insert(session: Session) -> Any:
    """INSERT in the words of the database: both know ON CONFLICT, SQLAlchemy's common language does not."""
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[session.get_bind().dialect.name]
    return dialect.insert(ResultRow)
