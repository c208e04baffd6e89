"""Looks at what the service stands on: database, broker, store, CAVE tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
from kombu import Connection
from kombu.exceptions import KombuError
from sqlalchemy.exc import SQLAlchemyError

from crant_core.datasets import by_name
from crant_core.errors import CrantError
from crant_core.jobs import schema
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.settings import Settings

_PATIENCE = 5.0  #: seconds
_REFUSED = (401, 403)
_PROBE = b"crant doctor"
_BROKERS = {"redis": "Redis", "rediss": "Redis", "amqp": "RabbitMQ", "amqps": "RabbitMQ", "pyamqp": "RabbitMQ"}
_BROKEN = (SQLAlchemyError, KombuError, OSError, CrantError, ValueError, LookupError)  #: the last: no such transport

Finding = dict[str, Any]  #: name, is_well, says, hint


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing that is found broken keeps the rest from being looked at."""
    checks: tuple[tuple[str, Callable[[Settings], str], str], ...] = (
        ("database", _database, "check CRANT_DATABASE_URL; then: python -m crant_core.jobs db upgrade"),
        ("broker", _broker, f"is {_broker_name(settings.broker_url)} running? check CRANT_BROKER_URL"),
        ("store", _store, "check CRANT_ARTIFACTS_URL: that the folder or bucket is there, writable and not full"),
    )
    return [_tried(name, check, hint, settings) for name, check, hint in checks] + list(_tokens(settings))


def _tried(name: str, check: Callable[[Settings], str], hint: str, settings: Settings) -> Finding:
    try:
        return {"name": name, "is_well": True, "says": check(settings), "hint": ""}
    except _BROKEN as error:
        says = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return {"name": name, "is_well": False, "says": says, "hint": hint}


def _database(settings: Settings) -> str:
    database = Database(settings.database_url)
    try:
        if not schema.is_usable(database):
            raise CrantError("it has an older release's schema, or none")
        whose = "this release's" if schema.is_current(database) else "a newer release's"
        return f"{database.engine.dialect.name}, with {whose} schema"
    finally:
        database.close()


def _broker_name(url: str) -> str:
    """Return what an operator has to look for: `redis+socket` is a way to Redis."""
    return _BROKERS.get(url.partition(":")[0].partition("+")[0], "the broker")


def _broker(settings: Settings) -> str:
    with Connection(settings.broker_url, connect_timeout=_PATIENCE) as connection:
        connection.ensure_connection(max_retries=1, timeout=_PATIENCE)
        return f"{connection.transport.driver_type} answers"


def _store(settings: Settings) -> str:
    store = CloudStore(settings.artifacts_url)
    if store.get(store.put(_PROBE)) != _PROBE:
        raise CrantError("what was written is not what is read")
    return "can be written and read"


def _tokens(settings: Settings) -> Iterator[Finding]:
    """Ask each server that a token is set for, who it belongs to. The token is never shown."""
    servers = {dataset.server.rstrip("/") for dataset in by_name(settings.datasets).values()}
    for server in sorted(servers):
        token = settings.token(server)
        if token is not None:
            yield _token(server, token)


def _token(server: str, token: str) -> Finding:
    name, hint = f"CAVE token for {server}", "get a new one and set it in CRANT_CAVE_TOKENS"
    try:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(
            f"{server}/auth/api/v1/user/cache", headers=headers, timeout=_PATIENCE, follow_redirects=False
        )
    except httpx.HTTPError as error:
        says, hint = f"no answer: {type(error).__name__}", "is the server up, and is this machine online?"
        return {"name": name, "is_well": False, "says": says, "hint": hint}
    refused = answer.status_code in _REFUSED or answer.is_redirect  # to a page to sign in on
    says = "refused" if refused else "accepted" if answer.is_success else f"cannot be checked ({answer.status_code})"
    return {"name": name, "is_well": not refused, "says": says, "hint": hint if refused else ""}
