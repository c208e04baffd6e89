"""Engines and sessions for the jobs database: SQLite on one machine, PostgreSQL in service.

SQLite needs three things to serve several writing processes without "database is locked": WAL, a busy time-out, and
transactions that take the write lock when they begin. A transaction that reads first and writes later is refused at
once however long the time-out is, so writers say BEGIN IMMEDIATE.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from crant_core.jobs.clock import ServerClock

OUTAGE = (OperationalError, InterfaceError, PoolTimeout)  #: what a database raises that is away, or comes back

_BUSY_SECONDS = 30
#: Who vanishes without a goodbye (a host, a network, a frozen machine) must not hold others up: a worker notices that
#: its server is gone, and the server that its worker is, which may have left with a job's row locked. Seconds and ms.
_HEALTHY = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
    "options": "-c idle_in_transaction_session_timeout=120s -c tcp_user_timeout=30s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4",
}
_DISCREET: dict[str, Any] = {
    "hide_parameters": True
}  # errors and logs do not repeat a thousand rows, or what people wrote in them


class Database:
    """The jobs database: transactions that write, and transactions that only read.

    Make one per process, after any fork.
    """

    def __init__(self, url: str) -> None:
        is_file = make_url(url).get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if is_file else _server_engine(url, pool_pre_ping=True)
        self._server_clock = None if is_file else ServerClock(_server_engine(url, poolclass=NullPool))
        self._reading = self.engine.execution_options(read_only=True)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that may write; it commits when the block ends without an error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that only reads, and on SQLite waits for nobody."""
        with Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    def now(self) -> datetime:
        """Return the time by which leases are counted: the server's, as hosts may differ; SQLite has one host."""
        return self._server_clock.now() if self._server_clock else datetime.now(UTC)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _server_engine(url: str, **options: Any) -> Engine:
    from crant_core.jobs.silence import patient  # needs psycopg, which a database in a file does not

    return patient(create_engine(url, connect_args=_HEALTHY, **_DISCREET, **options))


def _sqlite_engine(url: str) -> Engine:
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, **_DISCREET)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
