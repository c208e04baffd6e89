"""RabbitMQ as the broker, killed in the middle of a job; the other faults of brokers are tried on Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

import tests.chaos  # noqa: F401 - before the kinds are listed
from crant_core.stack.network import free_port
from tests.chaos.faults import try_on
from tests.chaos.faults.base import Fault, Inject, Scene
from tests.chaos.nursery import Nursery
from tests.chaos.stand import Stand, kill_tree, until

# Not the one that changes users, which Debian has in PATH.
SERVER = shutil.which("rabbitmq-server", path=f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}")

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(SERVER is None, reason="RabbitMQ is not installed"),
]


class OnRabbitMQ(Stand):
    """A stand whose broker is a RabbitMQ of its own; what it keeps is in the folder."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.port, self.other, self.epmd = (free_port(0, "127.0.0.1") for _ in range(3))
        (folder / "plugins").write_text("[].")
        super().__init__(folder, nursery)

    @property
    def broker_url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start_broker(self) -> None:
        settings = {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self.epmd),
            "RABBITMQ_NODENAME": "chaos@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.other),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
        }
        self.rabbit = self.start([str(SERVER)], "rabbitmq", **settings)
        until(self._broker_answers, "RabbitMQ starts", self.logs)

    def kill_broker(self) -> None:
        kill_tree(psutil.Process(self.rabbit.pid))
        self.rabbit.wait()

    def _broker_answers(self) -> bool:
        try:
            with Connection(self.broker_url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
        except (OperationalError, OSError):
            return False
        return True

    def close(self) -> None:
        super().close()
        subprocess.run(["epmd", "-port", str(self.epmd), "-kill"], check=False, capture_output=True)  # else it stays


@pytest.fixture(scope="module")
def stand() -> Iterator[OnRabbitMQ]:
    nursery = Nursery()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        stand = OnRabbitMQ(Path(folder), nursery)
        try:
            yield stand
        finally:
            stand.close()
            nursery.close()


def killed(scene: Scene) -> None:
    assert isinstance(scene.stand, OnRabbitMQ)
    scene.stand.kill_broker()
    scene.stand.start_broker()


def killed_and_emptied(scene: Scene) -> None:
    assert isinstance(scene.stand, OnRabbitMQ)
    scene.stand.kill_broker()
    shutil.rmtree(scene.stand.folder / "mnesia")
    scene.stand.start_broker()


@pytest.mark.parametrize("inject", [killed, killed_and_emptied])
def test_nothing_is_lost_or_doubled_with_rabbitmq(stand: OnRabbitMQ, inject: Inject) -> None:
    fault = Fault(name="rabbitmq", what="RabbitMQ is killed", inject=inject, parameters={"seconds": 0.1})
    try_on(stand, "sqlite", fault, whole=False)
