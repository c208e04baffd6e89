"""Connections to PostgreSQL that do not wait for ever for a server that has stopped saying anything.

The kernel answers for a server that hangs (stopped, or waiting for its disk), so time-outs of TCP do not notice, and
`statement_timeout` is the server's own.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import ConnectionTimeout
from sqlalchemy import Engine, event

SECONDS = 60.0  #: of silence, after which it is asked whether anybody is there
T = TypeVar("T")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that, when a statement takes long, looks whether its server lets somebody else in.

    A server that does is busy with the statement, and is waited for. One that does not is given up: the connection is
    closed and `OperationalError` raised, as if it had broken. What the statement did is then not known, as ever.
    """

    options: dict[str, Any]  #: it was opened with

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """Do what a statement waits for; psycopg comes through here with each."""
        return super().wait(self._listening(gen), *args, **options)

    def _listening(self, gen: PQGen[T]) -> PQGen[T]:
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted  # nothing: some tenths of a second have passed
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SECONDS:
                    self._look()
                    heard = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result

    def _look(self) -> None:
        try:
            psycopg.connect(**self.options).close()
        except ConnectionTimeout as error:
            self.close()
            raise psycopg.OperationalError("the database server has stopped answering") from error
        except psycopg.OperationalError:
            return  # it says why not, so it is there


def patient(engine: Engine) -> Engine:
    """Let an engine on psycopg open such connections."""
    event.listen(engine, "do_connect", _connected)
    return engine


def _connected(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> PatientConnection:
    connection = PatientConnection.connect(*arguments, **options)
    connection.options = options
    return connection
