"""The process's one pool of connections: however many clients and threads there are, servers see a bounded few."""

from __future__ import annotations

import os
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager

CONNECTIONS = 64  #: to one server at a time; who needs another one waits
SERVERS = 16  #: whose connections are kept; a dataset has three or four
WAIT_SECONDS = 600.0  # for a connection, as long as the longest answer takes: who gets none by then never would

# By process, because two processes cannot share a connection: a fork finds its parent's, and makes its own. It could
# inherit a closed lock, so there is none: of two threads that are first, `setdefault` keeps one's; nothing is lost.
_pools: dict[int, PoolManager] = {}
_proxies: dict[int, dict[str, Any]] = {}


class _Plain(HTTPConnectionPool):
    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        return super().urlopen(*args, **_patient(kwargs))


class _Secure(HTTPSConnectionPool):
    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        return super().urlopen(*args, **_patient(kwargs))


def connections() -> PoolManager:
    """Return the pool of this process; servers, and what is asked of their certificates, are kept apart in it."""
    return _pools.get(os.getpid()) or _pools.setdefault(os.getpid(), _made())


def proxies() -> dict[str, Any]:
    """Return the pools of this process to servers behind proxies, by the proxy's address."""
    return _proxies.setdefault(os.getpid(), {})


def _made() -> PoolManager:
    pool = PoolManager(SERVERS, maxsize=CONNECTIONS, block=True)
    pool.pool_classes_by_scheme = {"http": _Plain, "https": _Secure}
    return pool


def _patient(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Bound how long a request waits for a connection; `requests` cannot say it."""
    return kwargs | {"pool_timeout": kwargs.get("pool_timeout") or WAIT_SECONDS}
