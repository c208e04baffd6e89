"""The broker and the database: killed, emptied, frozen."""

from __future__ import annotations

import psutil

from tests.chaos.faults.base import Fault, Scene
from tests.chaos.stand import frozen, kill_tree

_POSTGRES = ("postgresql",)  # SQLite is no process


def kill_the_broker(scene: Scene) -> None:
    scene.stand.redis.kill()
    scene.stand.redis.wait()
    scene.wait(1, 15)
    scene.stand.start_broker()


def empty_the_broker(scene: Scene) -> None:
    for _ in range(3):
        scene.stand.broker().flushall()
        scene.wait(0.3, 1)


def freeze_the_broker(scene: Scene) -> None:
    with frozen(psutil.Process(scene.stand.redis.pid)):
        scene.wait(2, 30)


def freeze_postgres(scene: Scene) -> None:
    assert scene.stand.postgres is not None
    with frozen(psutil.Process(scene.stand.postgres.process.pid)):
        scene.wait(4, 30)


def kill_postgres(scene: Scene) -> None:
    assert scene.stand.postgres is not None
    kill_tree(psutil.Process(scene.stand.postgres.process.pid))
    scene.stand.postgres.process.wait()
    scene.wait(1, 15)
    scene.stand.postgres.start()


FAULTS = [
    Fault(name="broker-killed", what="Redis is killed, and starts again empty", inject=kill_the_broker),
    Fault(name="broker-emptied", what="Redis is emptied (FLUSHALL), three times", inject=empty_the_broker),
    Fault(name="broker-frozen", what="Redis hangs (SIGSTOP, 30 s)", inject=freeze_the_broker, databases=_POSTGRES),
    Fault(name="database-frozen", what="PostgreSQL hangs (SIGSTOP, 30 s)", inject=freeze_postgres, databases=_POSTGRES),
    Fault(
        name="database-killed", what="PostgreSQL is killed, and starts again", inject=kill_postgres, databases=_POSTGRES
    ),
]
