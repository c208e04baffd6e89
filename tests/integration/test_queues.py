"""Queues, bounds of memory and orderly ends, with real workers on a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from crant_core.jobs.model import ItemState, JobState, Queue
from crant_core.jobs.tables import AttemptRow, JobRow
from tests.fixtures.service import Service, running_service, until

TOY = "tests.toy.worker"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(f"sqlite:///{tmp_path_factory.mktemp('queues')}/crant.sqlite") as service:
        yield service


@pytest.fixture
def service(house: Service) -> Iterator[Service]:
    """All but workers, which end with the test that started them."""
    yield house
    house.stop(house.processes[1:])


def submit(service: Service, count: int = 1, queue: Queue = Queue.CPU, **parameters: Any) -> JobRow:
    return service.engine.submit(range(1, count + 1), kind="toy", queue=queue, reuse=False, parameters=parameters)


def attempts(service: Service, job: JobRow) -> list[AttemptRow]:
    return service.engine.jobs.attempts(job.id)


def working(service: Service, job: JobRow) -> None:
    """Wait until its items are being worked on."""
    until(lambda: any("-run-" in a.token for a in attempts(service, job)), service.logs)


def test_each_worker_does_its_own_queues_and_what_needs_more_memory_goes_where_that_is(service: Service) -> None:
    usual = service.start_worker(TOY, 1, "-Q", "cpu", CRANT_CHILD_MEGABYTES="600")
    waiting = submit(service, queue=Queue.IO)
    small, large = submit(service, 3, megabytes=10), submit(service, 1, megabytes=900)
    child = {child.pid for child in usual.children()}
    assert service.ended(small).state == JobState.SUCCEEDED
    until(lambda: any(a.outcome == "postponed" for a in attempts(service, large)), service.logs)
    assert {child.pid for child in usual.children()} == child, "asking for too much costs no process"
    assert service.engine.see(waiting).state == JobState.PLANNING, "nobody serves its queue"
    service.start_worker(TOY, 1, "-Q", "io,heavy")
    ended = service.ended(large)
    assert (ended.state, ended.succeeded) == (JobState.SUCCEEDED, 1), service.logs()
    assert service.ended(waiting).state == JobState.SUCCEEDED
    [other] = {a.worker for a in attempts(service, waiting)}
    runs = {a.outcome: a.worker for a in attempts(service, large) if "-run-" in a.token}
    assert runs.keys() == {"postponed", "done"}
    assert runs["done"] == other != runs["postponed"]


def test_what_fits_nowhere_fails_by_itself_and_says_so(service: Service) -> None:
    service.start_worker(TOY, 1, CRANT_CHILD_MEGABYTES="600")
    job = service.ended(submit(service, 1, megabytes=900))
    assert (job.state, job.failed) == (JobState.FAILED, 1), service.logs()
    [item] = service.engine.jobs.items(job.id, state=ItemState.FAILED)
    assert item.error_code == "internal"
    assert "MemoryError" in str(item.error_message)


def test_a_worker_told_to_stop_ends_short_units_and_hands_long_ones_back_at_once(service: Service) -> None:
    stopped = service.start_worker(TOY, 2, CRANT_SHUTDOWN_SECONDS="8", CRANT_LEASE_SECONDS="600")
    long, short = submit(service, 1, seconds=3600), submit(service, 1, seconds=4)
    working(service, long)
    working(service, short)
    children = stopped.children()
    stopped.terminate()
    until(lambda: not stopped.is_running() or stopped.status() == psutil.STATUS_ZOMBIE, service.logs)
    assert not any(child.is_running() for child in children)
    assert [a.outcome for a in attempts(service, short) if "-run-" in a.token] == ["done"], service.logs()
    [handed_back] = [a for a in attempts(service, long) if "-run-" in a.token]
    assert handed_back.outcome == "handed_back", service.logs()
    assert service.engine.claim_run(long).items[0].key == "1", "it can be had at once"
    [item] = service.engine.jobs.items(long.id)
    assert (item.crashes, item.attempts) == (0, 0), "nothing is held against it"
