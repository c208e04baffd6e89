"""Starts workers within a fraction of a second: a process that has imported everything, and forks when told to.

Each worker is a session of its own with its own environment and log, as if it had been started by hand; only the time
its imports take is saved, which is most of what a fault costs otherwise. Told over its standard input, a JSON object in
a line; answers with the new process's number. All it started ends with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
_DIE_WITH_PARENT = 1  #: PR_SET_PDEATHSIG


class Nursery:
    """The other side: asks a process for more processes."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.chaos.nursery"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._asking = threading.Lock()
        self._read()

    def start(self, arguments: list[str], environment: dict[str, str], log: Path) -> psutil.Process:
        """Start `celery` with these arguments and this whole environment."""
        order = {"arguments": arguments, "environment": environment, "log": str(log)}
        assert self.process.stdin is not None
        with self._asking:
            self.process.stdin.write(f"{json.dumps(order)}\n")
            self.process.stdin.flush()
            return psutil.Process(int(self._read()))

    def _read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the nursery ended"
        return line

    def close(self) -> None:
        """End it, with everything it started."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            child.kill()
        self.process.kill()
        self.process.communicate()


def _serve() -> None:
    import psycopg  # noqa: F401

    import worker.app  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if process == 0:
            _live(order)
        print(process, flush=True)


def _live(order: dict[str, Any]) -> None:
    from celery.__main__ import main

    os.setsid()
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, descriptor in {0: nothing, 1: log, 2: log}.items():
        os.dup2(descriptor, target)
    os.environ.clear()
    os.environ.update(order["environment"])
    random.seed()  # else all would draw the same
    sys.argv = ["celery", *order["arguments"]]
    sys.exit(main())


if __name__ == "__main__":
    _serve()
