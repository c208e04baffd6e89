"""Real workers on a real broker: what they do, and what is left when they are killed."""

from __future__ import annotations

import hashlib
import signal
from collections import Counter

import psutil
import pytest

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.model import JobState
from crant_core.jobs.tables import JobRow
from crant_core.sandbox.world.history import VERSIONS
from crant_core.times import parse_at
from tests.fixtures.neurons import live_roots
from tests.fixtures.service import Service, until

MISSING = [(8 << 56) + (1 << 30) + n for n in range(40)]  #: roots that do not exist: each fails once

pytestmark = pytest.mark.timeout(180)


def submit(service: Service) -> JobRow:
    return service.engine.submit([*live_roots(), *MISSING], parameters={"heal": True}, at="mat")


def in_mid_run(service: Service, job: JobRow) -> bool:
    """Whether some items have ended and some unit is being worked on."""
    now = service.engine.see(job)
    return 0 < now.succeeded + now.failed < now.total


def assert_all_is_right(service: Service, job: JobRow) -> None:
    """Every item has exactly one result, every file is sound, nothing is left open."""
    assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 5, 40), service.logs()
    items = service.engine.jobs.items(job.id, limit=100)
    assert [item.key for item in items] == [str(root) for root in (*live_roots(), *MISSING)]
    assert Counter(item.error_code for item in items) == {None: 5, "not_a_root": 40}
    ends = Counter(e.data["key"] for e in service.engine.jobs.events(job.id) if e.type.startswith("item_"))
    assert set(ends.values()) == {1}
    assert len(ends) == 45
    store = CloudStore(service.environment["CRANT_ARTIFACTS_URL"])
    artifacts = service.engine.jobs.artifacts(job.id)
    assert {a.name for a in artifacts} >= {f"{root}.swc" for root in live_roots()} | {
        "manifest.json",
        "neurons.parquet",
    }
    for artifact in artifacts:
        assert hashlib.sha256(store.get(artifact.sha256)).hexdigest() == artifact.sha256


def outcomes(service: Service, job: JobRow) -> Counter[str | None]:
    return Counter(attempt.outcome for attempt in service.engine.jobs.attempts(job.id))


@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_a_job_goes_through_broker_and_worker(service: Service) -> None:
    service.start_worker()
    job = service.ended(submit(service))
    assert_all_is_right(service, job)
    assert job.at == parse_at("mat").text
    assert job.version == VERSIONS[-1].number
    assert set(outcomes(service, job)) == {"done"}
    assert sum(attempt.items for attempt in service.engine.jobs.attempts(job.id)) == 45


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestKilled:
    """kill -9, in the middle of a unit."""

    def test_a_pool_process(self, service: Service) -> None:
        worker = service.start_worker()
        job = submit(service)
        until(lambda: in_mid_run(service, job))
        with service.frozen_cave():
            for child in worker.children():
                child.send_signal(signal.SIGKILL)
        job = service.ended(job)
        assert_all_is_right(service, job)
        assert outcomes(service, job)["worker_lost"] >= 1, service.logs()

    @pytest.mark.slow
    def test_a_whole_worker_and_another_takes_over(self, service: Service) -> None:
        worker = service.start_worker()
        job = submit(service)
        until(lambda: in_mid_run(service, job))
        with service.frozen_cave():
            kill_tree(worker)
        assert service.engine.see(job).state == JobState.RUNNING
        service.start_worker()
        assert_all_is_right(service, service.ended(job))

    def test_the_broker_with_everything_in_it(self, service: Service) -> None:
        service.start_worker()
        job = submit(service)
        until(lambda: in_mid_run(service, job))
        service.processes[0].kill()
        service.processes[0].wait()
        service.start_redis()
        assert_all_is_right(service, service.ended(job))

    @pytest.mark.slow
    def test_jobs_submitted_while_nobody_works_are_done_later(self, service: Service) -> None:
        job = submit(service)
        service.start_worker()
        assert_all_is_right(service, service.ended(job))


def kill_tree(process: psutil.Process) -> None:
    for victim in (process, *process.children(recursive=True)):
        victim.send_signal(signal.SIGKILL)
    process.wait(10)
