from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery
from kombu.exceptions import OperationalError

from crant_core.jobs.model import Queue, Role
from crant_core.jobs.repository.dispatch import DueUnit
from crant_core.jobs.settings import Settings
from crant_core.kinds.registry import all_kinds, get_kind
from worker import app as app_module
from worker.app import create_celery
from worker.queue import CeleryQueue
from worker.runtime import Runtime


@pytest.fixture
def celery(tmp_path: Path, sqlite_url: str) -> Celery:
    artifacts = f"file://{tmp_path}/artifacts"
    return create_celery(Settings(database_url=sqlite_url, broker_url="memory://", artifacts_url=artifacts))


def test_there_is_a_task_for_every_kind_and_role(celery: Celery) -> None:
    assert {f"{kind}.{role}" for kind in all_kinds() for role in Role} <= set(celery.tasks)


def test_a_worker_serves_all_queues_unless_it_is_told_which(celery: Celery) -> None:
    assert {queue.name for queue in celery.conf.task_queues} == set(Queue)
    assert celery.conf.task_default_queue in set(Queue), "beat's ticks go where somebody listens"


@pytest.mark.parametrize("kind", all_kinds())
def test_a_kind_waits_in_a_queue_that_there_is(kind: str) -> None:
    assert get_kind(kind).queue in {Queue.IO, Queue.CPU}


def test_memory_is_bounded_between_units_and_during_one(tmp_path: Path, sqlite_url: str) -> None:
    artifacts = f"file://{tmp_path}/artifacts"
    settings = Settings(database_url=sqlite_url, broker_url="memory://", artifacts_url=artifacts, child_megabytes=1000)
    assert create_celery(settings).conf.worker_max_memory_per_child == 500 * 1024, "in kilobytes"
    code = """
from worker.memory import confine
confine(300)
try:
    bytearray(400 * 2**20)
except MemoryError:
    print("refused")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "refused\n"


def test_messages_are_hints_and_nothing_more(celery: Celery) -> None:
    assert celery.conf.task_ignore_result
    assert not celery.conf.task_acks_late
    assert celery.conf.worker_disable_prefetch
    assert celery.conf.accept_content == ["json"]
    assert celery.conf.result_backend is None


@pytest.mark.parametrize(
    ("exception", "code", "retryable", "told"),
    [
        (WorkerLostError("signal 9 (SIGKILL)"), "worker_lost", True, "SIGKILL"),
        (TimeLimitExceeded(1860), "time_limit", False, "1860"),
        (ZeroDivisionError("x"), "internal", False, "ZeroDivisionError"),
    ],
)
def test_how_a_process_ended_decides_what_becomes_of_its_unit(
    exception: Exception, code: str, retryable: bool, told: str
) -> None:
    error = app_module._explain(exception)
    assert (error.code, error.retryable) == (code, retryable)
    assert told in str(error)


def test_a_task_has_its_kinds_time_limit(celery: Celery) -> None:
    limit, task = get_kind("skeletonize").time_limit, celery.tasks["skeletonize.run"]
    assert (task.soft_time_limit, task.time_limit) == (limit, limit + 60)


def test_a_unit_of_a_kind_that_only_a_newer_release_knows_is_offered(
    celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The older dispatcher raised UnknownKind, and its worker ended, again and again, while it led.
    sent: list[str] = []
    monkeypatch.setattr(celery, "send_task", lambda name, **_: sent.append(name))
    CeleryQueue(celery).send(DueUnit(id=7, role=Role.RUN, position=3, job_id="abc", kind="not_known_here"))
    assert sent == ["not_known_here.run"]


def test_an_offer_names_its_job_and_does_not_wait(celery: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, object] = {}
    monkeypatch.setattr(celery, "send_task", lambda name, **options: sent.update(options, name=name))
    due = DueUnit(id=7, role=Role.RUN, position=3, job_id="abc", kind="skeletonize", queue=Queue.HEAVY, traceparent="t")
    CeleryQueue(celery).send(due)
    assert (sent["name"], sent["args"]) == ("skeletonize.run", [7])
    assert str(sent["task_id"]).startswith("abc-run-3-")
    assert sent["argsrepr"] == "job abc, unit 3", "what Flower shows"
    assert (sent["queue"], sent["headers"]) == ("heavy", {"traceparent": "t"})
    assert "countdown" not in sent
    assert "eta" not in sent


def test_the_first_unit_of_a_job_goes_to_the_front(celery: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    priorities: list[object] = []
    monkeypatch.setattr(celery, "send_task", lambda name, **options: priorities.append(options["priority"]))
    for urgent in (True, False):
        due = DueUnit(id=7, role=Role.RUN, position=3, job_id="abc", kind="skeletonize", urgent=urgent)
        CeleryQueue(celery).send(due)
    assert priorities == [0, 6], "Redis reads the list of 0 first"


def test_abandoned_drafts_are_swept_and_fresh_ones_kept(celery: Celery, tmp_path: Path) -> None:
    runtime = Runtime(celery.settings)
    folder = Path(str(runtime.store.folder)) / "aa"
    folder.mkdir(parents=True)
    for name in ("old.draft", "new.draft"):
        (folder / name).touch()
    os.utime(folder / "old.draft", (0, 0))
    assert runtime.sweep() == 1
    assert [path.name for path in folder.iterdir()] == ["new.draft"]


def test_messages_that_nobody_has_taken_are_counted(server: str, tmp_path: Path, sqlite_url: str) -> None:
    broker, artifacts = f"redis+socket://{server}?virtual_host=0", f"file://{tmp_path}/artifacts"
    queue = CeleryQueue(create_celery(Settings(database_url=sqlite_url, broker_url=broker, artifacts_url=artifacts)))
    assert queue.waiting() == 0
    for urgent in (True, False, False):
        queue.send(DueUnit(id=7, role=Role.RUN, position=3, job_id="abc", kind="skeletonize", urgent=urgent))
    assert queue.waiting() == 3, "of all priorities"


@pytest.mark.timeout(60)
def test_a_broker_that_is_away_is_said_soon_instead_of_waited_for(tmp_path: Path, sqlite_url: str) -> None:
    broker, artifacts = f"redis+socket://{tmp_path}/nobody.sock?virtual_host=0", f"file://{tmp_path}/artifacts"
    queue = CeleryQueue(create_celery(Settings(database_url=sqlite_url, broker_url=broker, artifacts_url=artifacts)))
    with pytest.raises(OperationalError, match=r"nobody\.sock"):
        queue.waiting()
