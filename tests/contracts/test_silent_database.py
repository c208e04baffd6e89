"""A PostgreSQL that is there and says nothing, as one whose disk hangs: it is given up, and one that is busy is not."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from crant_core.jobs import database as module
from crant_core.jobs import silence
from crant_core.jobs.database import OUTAGE, Database
from tests.fixtures.database import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of one's own, to be frozen."""
    with tempfile.TemporaryDirectory(prefix="crant-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def database(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(silence, "SECONDS", 0.3)
    monkeypatch.setitem(module._HEALTHY, "connect_timeout", 2)  # libpq knows no less
    database = Database(server.url)
    yield database
    database.close()


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Stop the server with all its processes, which keep their connections."""
    main = psutil.Process(server.process.pid)
    everybody = [main, *main.children(recursive=True)]
    for process in everybody:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in everybody:
            process.send_signal(signal.SIGCONT)


def one(database: Database) -> int:
    with database.reading() as session:
        found: int = session.execute(text("SELECT 1")).scalar_one()
    return found


def freeze_amid(database: Database, server: PostgresServer) -> None:
    with database.writing() as session:
        session.execute(text("SELECT 1"))
        with frozen(server):
            session.execute(text("SELECT 2"))


def test_a_server_that_freezes_in_mid_transaction_is_an_outage_that_ends(
    server: PostgresServer, database: Database
) -> None:
    with pytest.raises(OperationalError, match="stopped answering") as caught:
        freeze_amid(database, server)
    assert caught.value.connection_invalidated
    assert one(database) == 1, "by another connection"


def test_a_connection_of_the_pool_is_not_waited_for_either(server: PostgresServer, database: Database) -> None:
    one(database)
    with frozen(server), pytest.raises(OUTAGE):
        one(database)
    assert one(database) == 1


def test_a_server_that_is_busy_is_waited_for(database: Database) -> None:
    with database.reading() as session:
        assert session.execute(text("SELECT 7 FROM pg_sleep(1.5)")).scalar_one() == 7


def test_a_server_that_lets_nobody_else_in_is_there_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.reading() as session:
        connection = session.connection().connection.driver_connection
        assert connection is not None
        monkeypatch.setitem(connection.options, "password", "wrong")
        assert session.execute(text("SELECT 7 FROM pg_sleep(1)")).scalar_one() == 7


def test_errors_of_statements_are_what_they_were(database: Database) -> None:
    with pytest.raises(DBAPIError, match="division by zero") as caught, database.reading() as session:
        session.execute(text("SELECT 1 / 0"))
    assert not caught.value.connection_invalidated
