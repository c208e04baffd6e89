"""Processes of ours that are killed: `kill -9`, without a last word."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
from sqlalchemy import select

from crant_core.jobs.model import Scope
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.jobs.tables import InputRow, LeaderRow
from crant_core.stack.network import free_port
from tests.chaos.faults.base import Fault, Scene
from tests.chaos.stand import Stand, until

_UPLOADED = 50_000  #: ids
_NDJSON = {"Content-Type": "application/x-ndjson"}


def kill_a_child(scene: Scene) -> None:
    scene.stand.children()[0].kill()


def kill_the_leader(scene: Scene) -> None:
    with scene.stand.database.reading() as session:
        holder = session.scalars(select(LeaderRow.holder)).one()
    leader = next(one for one in scene.stand.workers if str(one.pid) == holder.rpartition(":")[2])
    scene.stand.kill_worker(leader)
    scene.stand.start_worker()


def kill_all_workers(scene: Scene) -> None:
    count = len(scene.stand.workers)
    scene.stand.kill_workers()
    scene.wait(0.5, 10)
    for _ in range(count):
        scene.stand.start_worker()


def kill_beat(scene: Scene) -> None:
    """Beat is killed after its first tick; another one goes on, and what it sweeps is swept."""
    for number in range(2):
        draft = scene.stand.artifacts / "00" / f"abandoned-{number}.draft"
        draft.parent.mkdir(exist_ok=True)
        draft.write_bytes(b"half of a")
        long_ago = time.time() - 7200
        os.utime(draft, (long_ago, long_ago))
        schedule = str(scene.stand.folder / "beat")
        command = [sys.executable, "-m", "celery", "-A", "tests.chaos.worker", "beat", "--schedule", schedule]
        beat = scene.stand.start([*command, "--pidfile="], "beat")
        until(lambda draft=draft: not draft.exists(), "the sweep comes", scene.stand.logs)
        beat.kill()
        beat.wait()


def kill_the_api(scene: Scene) -> None:
    """The API is killed while a list of ids is being uploaded; the upload is made again, and its job is done."""
    stand, port = scene.stand, free_port(0, "127.0.0.1")
    token = TokenRepository(stand.database).create("alice", [Scope.READ, Scope.SUBMIT])
    about = {"base_url": f"http://127.0.0.1:{port}", "headers": {"Authorization": f"Bearer {token}"}, "timeout": 30}
    inputs = _inputs(stand)
    api = stand.start_api(port)

    def torn() -> Iterator[bytes]:
        half = _UPLOADED // 2
        yield _lines(0, half)
        api.kill()
        yield _lines(half, _UPLOADED)

    with httpx.Client(**about) as client, suppress(httpx.HTTPError):
        client.post("/v1/inputs", content=torn(), headers=_NDJSON)
    api.wait(10)
    assert _inputs(stand) == inputs, "half a list was stored"
    _upload_again(stand, port, about)


def _upload_again(stand: Stand, port: int, about: dict[str, object]) -> None:
    api = stand.start_api(port)
    with httpx.Client(**about) as client:
        told = client.post("/v1/inputs", content=_lines(0, _UPLOADED), headers=_NDJSON)
        assert told.status_code == 201, told.text
        assert told.json()["count"] == _UPLOADED
    api.kill()
    api.wait(10)


def _lines(first: int, last: int) -> bytes:
    return "".join(f'{{"root_id": "{576460752303423488 + number}"}}\n' for number in range(first, last)).encode()


def _inputs(stand: Stand) -> int:
    with stand.database.reading() as session:
        return len(session.scalars(select(InputRow.id)).all())


FAULTS = [
    Fault(name="pool-child", what="a pool process is killed", inject=kill_a_child, kills=True),
    Fault(name="worker", what="the worker that leads is killed", inject=kill_the_leader, kills=True),
    Fault(name="all-workers", what="all workers are killed", inject=kill_all_workers, kills=True),
    Fault(
        name="beat",
        what="beat is killed, twice",
        inject=kill_beat,
        databases=("postgresql",),
        settings={"CHAOS_SWEEP_SECONDS": "0.5"},
        parameters={"seconds": 0.1},
    ),
    Fault(
        name="api",
        what="the API is killed in mid-upload",
        inject=kill_the_api,
        parameters={"seconds": 0.1},
    ),
]
