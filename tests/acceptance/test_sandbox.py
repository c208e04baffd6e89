"""The command `crant sandbox`, as people and supervisors start and stop it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

CRANT = str(Path(sys.executable).with_name("crant"))

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_who_ends_the_command_ends_the_server(how):
    environment = os.environ | {"CRANT_SANDBOX_TOKEN": secrets.token_hex(16)}
    with subprocess.Popen([CRANT, "sandbox"], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        first = next(line for line in process.stdout if line.startswith("sandbox CAVE on "))
        url = first.split()[-1]
        assert httpx.get(f"{url}/_sandbox/world", timeout=30).status_code == 200
        process.send_signal(how)
        process.wait(30)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=5)


def test_a_taken_port_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [CRANT, "sandbox", "--port", str(port)], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in done.stderr
    assert "--port 0" in done.stderr
