"""Connections to a database server whose other end may vanish without a goodbye."""

from __future__ import annotations

import os
import socket

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from crant_core.jobs import database
from crant_core.jobs.database import Database


def test_both_ends_of_a_connection_notice_within_half_a_minute_that_the_other_is_gone(postgres: str) -> None:
    found = Database(postgres)
    try:
        with found.reading() as session:
            said = {
                name: session.execute(sa.text(f"SHOW {name}")).scalar_one()
                for name in ("tcp_user_timeout", "tcp_keepalives_idle", "idle_in_transaction_session_timeout")
            }
            descriptor = session.connection().connection.driver_connection.pgconn.socket  # type: ignore[union-attr]
            ours = socket.socket(fileno=os.dup(descriptor))
            options = [
                ours.getsockopt(socket.IPPROTO_TCP, name) for name in (socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE)
            ]
            keeps_alive = ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            ours.close()
    finally:
        found.close()
    assert (said["tcp_user_timeout"], said["tcp_keepalives_idle"]) == ("30000", "10")
    assert said["idle_in_transaction_session_timeout"] == "2min"
    assert options == [30_000, 10], "TCP_USER_TIMEOUT in ms, TCP_KEEPIDLE in s"
    assert keeps_alive


def test_a_server_that_accepts_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database._HEALTHY, "connect_timeout", 2)  # ten seconds else
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        found = Database(f"postgresql+psycopg://crant@127.0.0.1:{frozen.getsockname()[1]}/crant")
        with pytest.raises(OperationalError, match="timeout"):
            found.now()
        found.close()
