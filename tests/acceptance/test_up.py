"""`crant up` on a machine where things go wrong: taken ports, dying parts, kill -9. Nothing may be left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

CRANT = str(Path(sys.executable).with_name("crant"))

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever a failed test leaves running in it is ended."""
    yield tmp_path / "data"
    for process in ours(tmp_path):
        process.kill()


def _as_in_a_terminal() -> None:
    """Listen to Ctrl-C, even if these tests run in the background, where a shell has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def started(data: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [CRANT, "up", "--data", str(data), "--workers", "1", *options]
    with subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_as_in_a_terminal,  # noqa: PLW1509 - one system call
    ) as up:
        try:
            yield up
        finally:
            up.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read what it says up to these words."""
    heard = ""
    for line in process.stdout or ():
        heard += line
        if words in line:
            return heard
    raise AssertionError(heard)


def ours(folder: Path) -> list[psutil.Process]:
    """Every living process that belongs to this folder: its environment, command line or working directory says so."""
    return [process for process in psutil.process_iter() if belongs(process, str(folder))]


def belongs(process: psutil.Process, folder: str) -> bool:
    try:
        marks = [process.environ().get("CRANT_ARTIFACTS_URL", ""), *process.cmdline(), process.cwd()]
        return process.pid != os.getpid() and any(folder in mark for mark in marks)
    except psutil.Error:
        return False


def part(folder: Path, words: str) -> psutil.Process:
    """The process of the stack whose command line has these words."""
    [found, *_] = [process for process in ours(folder) if words in " ".join(process.cmdline())]
    return found


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def taken_ports() -> Iterator[tuple[int, int]]:
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        yield first.getsockname()[1], second.getsockname()[1]


def test_taken_ports_a_second_start_a_dying_part_and_ctrl_c(data: Path) -> None:
    with (
        taken_ports() as (port, flower_port),
        started(data, "--port", str(port), "--flower-port", str(flower_port)) as up,
    ):
        heard = read_until(up, "Ctrl-C")
        assert f"port {port} is taken" in heard
        assert f"port {flower_port} is taken" in heard
        check_secrets(data, heard)
        check_second_start(data, up)
        check_restart(data)
        up.send_signal(signal.SIGINT)
        assert "stopped" in read_until(up, "stopped")
        assert up.wait(30) == 0
    assert ours(data) == []


def check_secrets(data: Path, heard: str) -> None:
    known = json.loads((data / "client.json").read_text())
    assert known["token"] in heard
    for secret in ("client.json", "secrets.json"):
        assert (data / secret).stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700
    assert not [p for p in ours(data) if known["token"] in " ".join(p.cmdline())]


def check_second_start(data: Path, up: subprocess.Popen[str]) -> None:
    second = subprocess.run([CRANT, "up", "--data", str(data)], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"process {up.pid}" in second.stderr
    assert json.loads((data / "client.json").read_text())["url"] in second.stderr


def check_restart(data: Path) -> None:
    url = json.loads((data / "client.json").read_text())["url"]
    part(data, "api.main").kill()
    until(lambda: not answers(url), 5)
    until(lambda: answers(url))


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_kill_9_of_crant_up_leaves_no_process(data: Path) -> None:
    with started(data, "--port", "0", "--flower-port", "0") as up:
        read_until(up, "Ctrl-C")
        assert len(ours(data)) >= 6
        up.kill()
        until(lambda: not ours(data))


@pytest.mark.slow
def test_kill_9_of_the_supervisor_ends_everything_and_says_so(data: Path) -> None:
    with started(data, "--port", "0", "--flower-port", "0") as up:
        read_until(up, "Ctrl-C")
        part(data, "supervisord").kill()
        assert "supervisord ended" in read_until(up, "supervisord ended")
        assert up.wait(30) == 1
    assert ours(data) == []


def test_a_database_that_cannot_be_used_is_one_clear_message(data: Path) -> None:
    with started(data, CRANT_DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:9/none") as up:
        heard, _ = up.communicate(timeout=60)
    assert up.returncode == 1
    assert "database cannot be used" in heard
    assert ours(data) == []


@pytest.mark.slow
def test_a_part_that_keeps_dying_is_named_with_the_end_of_its_log(data: Path) -> None:
    with started(data, "--port", "0", "--flower-port", "0", CRANT_BROKER_URL="nonsense://") as up:
        heard, _ = up.communicate(timeout=160)
    assert up.returncode == 1
    assert "does not start" in heard
    assert "nonsense" in heard
    assert ours(data) == []
