"""Composes the embedded stack: folder, ports, environment, programs; ready when all of it is."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import httpx

import crant_core
from crant_core.errors import StackError
from crant_core.running import announce, withdraw
from crant_core.sandbox import demo_dataset
from crant_core.stack import programs
from crant_core.stack.folder import DataFolder
from crant_core.stack.network import free_port
from crant_core.stack.programs import Program
from crant_core.stack.supervisor import Supervisor
from crant_core.stack.worldbuild import WorldBuild

_READY_SECONDS = 90
_FLOWER_USER = "crant"

Notice = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """What to start, and where."""

    data: Path
    sandbox: bool = False  #: the offline CAVE with the dataset `demo`
    host: str = "127.0.0.1"
    port: int = 8000  #: another one is chosen if it is taken
    flower_port: int = 5555  #: likewise
    workers: int = os.cpu_count() or 1  #: pool processes
    public_url: str | None = None  #: where people reach the API, if not where it listens


@dataclass(frozen=True, kw_only=True)
class RunningStack:
    """Where everything is. The password and tokens are for whoever started it."""

    url: str
    public_url: str | None
    token: str
    is_first_start: bool
    flower_url: str
    flower_user: str
    flower_password: str
    sandbox_url: str | None
    data: Path
    wait: Callable[[], None]  #: returns never; raises `StackError` when a part cannot be kept alive


class Stack:
    """The stack as a context: started and ready inside, gone without a trace of a process after.

    Parameters
    ----------
    options : StackOptions
    notice : callable, optional
        Told what is going on, in one line each.

    Raises
    ------
    StackError
        On entering: the folder is in use, this is no checkout, or a part does not start.
    """

    def __init__(self, options: StackOptions, notice: Notice = lambda _: None) -> None:
        self.options = options
        self.notice = notice
        self.checkout = _checkout()
        self.folder = DataFolder(options.data)
        self.port = self._port("API", options.port)
        self.flower_port = self._port("Flower", options.flower_port)
        self.sandbox_port = free_port(0, "127.0.0.1") if options.sandbox else None

    def _port(self, name: str, wanted: int) -> int:
        port = free_port(wanted, self.options.host)
        if wanted not in (0, port):
            self.notice(f"port {wanted} is taken; {name} uses {port}")
        return port

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://{self.options.host}:{self.port}"

    @property
    def flower_url(self) -> str:
        """Flower's address."""
        return f"http://{self.options.host}:{self.flower_port}"

    @property
    def sandbox_url(self) -> str | None:
        """The offline CAVE's address, if there is one."""
        return f"http://127.0.0.1:{self.sandbox_port}" if self.sandbox_port else None

    def __enter__(self) -> RunningStack:
        """Start everything and return when it is ready."""
        with ExitStack() as undo:
            self.folder.lock()
            undo.callback(self.folder.unlock)
            # A unix socket's path may not be longer than about 100 bytes, so it cannot lie in the data folder.
            self.runtime = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="crant-")))
            environment = self._environment()
            world = undo.enter_context(WorldBuild(self.notice)) if self.sandbox_url else None
            self._operate(environment, "db", "upgrade")
            logs = self.folder.path / "logs"
            self.supervisor = Supervisor(self._programs(), directory=self.checkout, runtime=self.runtime, logs=logs)
            undo.callback(self.supervisor.stop)
            self.supervisor.start(environment)
            if world:
                world.wait()  # others start meanwhile
            self._await_readiness()
            running = self._describe(environment)
            announce(self.folder.path)
            undo.callback(withdraw)
            self._undo = undo.pop_all()
        return running

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self.notice("stopping")
        self._undo.close()

    def _environment(self) -> dict[str, str]:
        """Add what the parts need to the environment; addresses the user set stay as they are."""
        data = self.folder.path
        defaults = {
            "CRANT_DATABASE_URL": f"sqlite:///{data}/crant.sqlite",
            "CRANT_BROKER_URL": f"redis+socket://{self.runtime}/redis.sock?virtual_host=0",
            "CRANT_ARTIFACTS_URL": f"file://{data}/artifacts",
        }
        own = {
            "CRANT_FLOWER_URL": self.flower_url,
            "FLOWER_BASIC_AUTH": f"{_FLOWER_USER}:{self.folder.secret('flower')}",
            "PYTHONUNBUFFERED": "1",
        }
        if self.options.public_url:
            own["CRANT_PUBLIC_URL"] = self.options.public_url
        self._made_up = {name: value for name, value in defaults.items() if name not in os.environ}
        return defaults | os.environ | own | self._sandbox_environment(os.environ)

    def _sandbox_environment(self, given: Mapping[str, str]) -> dict[str, str]:
        if self.sandbox_url is None:
            return {}
        token, dataset = self.folder.secret("sandbox"), demo_dataset(self.sandbox_url)
        datasets = [*json.loads(given.get("CRANT_DATASETS") or "[]"), dataset.model_dump(mode="json")]
        tokens = json.loads(given.get("CRANT_CAVE_TOKENS") or "{}") | {self.sandbox_url: token}
        return {
            "CRANT_SANDBOX_TOKEN": token,
            "CRANT_DATASETS": json.dumps(datasets),
            "CRANT_CAVE_TOKENS": json.dumps(tokens),
        }

    def _programs(self) -> list[Program]:
        host, data = self.options.host, self.folder.path
        found = [programs.redis(self.runtime / "redis.sock", data / "redis")] if _needs_redis() else []
        found += [programs.sandbox(self.sandbox_port)] if self.sandbox_port else []
        found += [programs.api(host, self.port), programs.worker(self.options.workers, self.url)]
        return [*found, programs.beat(data / "beat" / "schedule", self.url), programs.flower(host, self.flower_port)]

    def _await_readiness(self) -> None:
        began = time.monotonic()
        for program in self.supervisor.programs:
            while not self.supervisor.is_up(program):
                self.supervisor.check()
                if time.monotonic() - began > _READY_SECONDS:
                    hint = f"the end of its log:\n{self.supervisor.tail(program.name)}"
                    raise StackError(f"{program.name} was not ready after {_READY_SECONDS} s", hint=hint)
                time.sleep(0.1)
            self.notice(f"{program.name} ready after {time.monotonic() - began:.1f} s")

    def _describe(self, environment: Mapping[str, str]) -> RunningStack:
        known = self.folder.known().get("token")
        token = known if known and self._accepts(known) else self._new_token(environment)
        running = RunningStack(
            url=self.url,
            public_url=self.options.public_url,
            token=token,
            is_first_start=token != known,
            flower_url=self.flower_url,
            flower_user=_FLOWER_USER,
            flower_password=self.folder.secret("flower"),
            sandbox_url=self.sandbox_url,
            data=self.folder.path,
            wait=self._wait,
        )
        facts = ("url", "token", "flower_url", "flower_user", "flower_password", "sandbox_url")
        self.folder.remember(**{name: getattr(running, name) for name in facts}, **self._settings())
        return running

    def _settings(self) -> dict[str, str | None]:
        """Say where the parts are that the stack set up itself, for `crant doctor`; what the user set may be secret."""
        names = ("CRANT_DATABASE_URL", "CRANT_BROKER_URL", "CRANT_ARTIFACTS_URL")
        return {name: self._made_up.get(name) for name in names}

    def _accepts(self, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.url}/v1/me", headers=headers, trust_env=False).status_code == httpx.codes.OK

    def _new_token(self, environment: Mapping[str, str]) -> str:
        scopes = [word for scope in ("read", "submit", "admin") for word in ("--scope", scope)]
        return self._operate(environment, "token", "create", "--owner", _person(), "--label", "first", *scopes).strip()

    def _operate(self, environment: Mapping[str, str], *words: str) -> str:
        command = [sys.executable, "-m", "crant_core.jobs", *words]
        ran = subprocess.run(command, env=environment, cwd=self.checkout, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise StackError(f"the jobs database cannot be used ({words[0]} {words[1]})", hint=ran.stderr[-2000:])
        return ran.stdout

    def _wait(self) -> None:
        while True:
            self.supervisor.check()
            time.sleep(1)


def _needs_redis() -> bool:
    return "CRANT_BROKER_URL" not in os.environ


def _checkout() -> Path:
    """Find the folder that holds the applications, which are not part of the installed library."""
    folder = Path(crant_core.__file__).parents[1]
    if not (folder / "api").is_dir() or not (folder / "worker").is_dir():
        hint = "clone the repository and run `make install`; api/ and worker/ are applications, not in the package"
        raise StackError(f"there is no service beside {folder / 'crant_core'}", hint=hint)
    return folder


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return f"user-{os.getuid()}"
