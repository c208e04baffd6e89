"""Keeps programs alive with supervisord, and leaves nothing behind when it ends.

supervisord starts, restarts and stops the programs and rotates their logs. What it does not do is ours: it is told to
stop when this process dies (on Linux), and what a killed supervisord leaves is found by its session and ended.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from crant_core.errors import StackError
from crant_core.stack.programs import Program

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 60
_START_SECONDS = 30  #: who dies earlier did not start; on a busy machine imports alone take ten
_LOG_LINES = 15
_ON_LINUX = sys.platform == "linux"


class Supervisor:
    """supervisord and its programs.

    Parameters
    ----------
    programs : sequence of Program
        In the order in which they start; they stop in the opposite order.
    directory : Path
        Where the programs run.
    runtime : Path
        A private, short-lived folder for sockets and configuration.
    logs : Path
        Where each program's output goes.
    """

    def __init__(self, programs: Sequence[Program], *, directory: Path, runtime: Path, logs: Path) -> None:
        self.programs = programs
        self.directory = directory
        self.runtime = runtime
        self.logs = logs
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start supervisord with the programs' environment, which never stands on a command line."""
        path = self.runtime / "supervisord.conf"
        path.write_text(self.configuration())
        with (self.logs / "supervisord.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(path)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for us, we stop the rest in order; and the session marks what is ours
                start_new_session=True,
                preexec_fn=_die_with_parent if _ON_LINUX else None,  # noqa: PLW1509 - one system call, no threads yet
            )

    def configuration(self) -> str:
        """Write supervisord's configuration."""
        own: dict[str, Any] = {
            "logfile": "/dev/null",  # it speaks to its standard output, which is our log
            "logfile_maxbytes": 0,
            "pidfile": self.runtime / "supervisord.pid",
            "childlogdir": self.logs,
        }
        if os.geteuid() == 0:
            own["user"] = "root"  # or it warns that it runs as root
        socket: dict[str, Any] = {"file": self.runtime / "supervisor.sock", "chmod": "0700"}
        rpc: dict[str, Any] = {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"}
        sections = [("supervisord", own), ("unix_http_server", socket), ("rpcinterface:supervisor", rpc)]
        sections += [(f"program:{p.name}", self._section(p, order)) for order, p in enumerate(self.programs)]
        return "\n\n".join(_section_text(name, values) for name, values in sections) + "\n"

    def _section(self, program: Program, order: int) -> dict[str, Any]:
        return {
            "command": shlex.join(program.command),
            "directory": self.directory,
            "environment": ",".join(f'{name}="{value}"' for name, value in program.environment.items()),
            "priority": order + 1,
            "autorestart": "true",
            "startsecs": _START_SECONDS,
            "startretries": 2,
            "stopwaitsecs": program.stop_seconds,
            "stopasgroup": str(not program.warm_stop).lower(),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": self.logs / f"{program.name}.log",
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": 3,
        }

    def check(self) -> None:
        """Make sure that everything runs or is being restarted.

        Raises
        ------
        StackError
            A program kept dying, or supervisord itself is gone.
        """
        if self._process is None or self._process.poll() is not None:
            raise StackError("supervisord ended", hint=f"what it said: {self.tail('supervisord')}")
        for name, state in self.states().items():
            if state == "FATAL":
                raise StackError(f"{name} does not start", value=name, hint=f"the end of its log:\n{self.tail(name)}")

    def states(self) -> dict[str, str]:
        """Return each program's state in supervisord's words; nothing while supervisord is starting."""
        transport = SupervisorTransport(None, None, f"unix://{self.runtime / 'supervisor.sock'}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as server:
                found: Any = server.supervisor.getAllProcessInfo()
        except (OSError, Fault):
            return {}
        return {info["name"]: info["statename"] for info in found}

    def is_up(self, program: Program) -> bool:
        """Say whether a program runs and does its work."""
        return self.states().get(program.name) in ("STARTING", "RUNNING") and program.is_ready()

    def tail(self, name: str) -> str:
        """Return the last lines of a program's log."""
        path = self.logs / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        return "\n".join(lines[-_LOG_LINES:])

    def stop(self) -> None:
        """Stop every program in order; end what does not stop, and what a killed supervisord left."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        left = list(_session(self._process.pid))
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=5)


def _session(leader: int) -> Iterator[psutil.Process]:
    """Find every process of a session. Nothing else marks them all: Redis overwrites its environment."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader:
                yield process
        except OSError:  # it ended just now
            continue


def _section_text(name: str, values: Mapping[str, Any]) -> str:
    lines = (f"{key}={str(value).replace('%', '%%')}" for key, value in values.items())
    return "\n".join([f"[{name}]", *lines])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
