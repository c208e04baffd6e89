"""The engine with real workers on a real broker: cancelling, poison, fairness, and work shared between jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crant_core.jobs.model import ItemState, JobState
from crant_core.jobs.tables import JobRow
from tests.fixtures.service import Service, running_service, until

TOY = "tests.toy.worker"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker for all tests here."""
    with running_service(f"sqlite:///{tmp_path_factory.mktemp('engine')}/crant.sqlite") as service:
        service.worker = service.start_worker(TOY)
        yield service


def submit(
    service: Service, count: int, *, first: int = 1, owner: str = "alice", reuse: bool = True, **parameters: Any
) -> JobRow:
    fields = {"kind": "toy", "owner": owner, "parameters": parameters, "reuse": reuse}
    return service.engine.submit(range(first, first + count), **fields)


def test_work_that_was_cancelled_ends_before_its_time_and_the_worker_works_on(service: Service, tmp_path: Path) -> None:
    worker = service.worker
    log = tmp_path / "log"
    job = submit(service, 1, seconds=600, log=str(log))
    until(log.exists, service.logs)
    children = {child.pid for child in worker.children()}
    service.engine.control.cancel(job.id)
    until(lambda: len(children & {child.pid for child in worker.children()}) == 1, service.logs)
    assert service.ended(submit(service, 3)).state == JobState.SUCCEEDED, "the worker works on"
    assert service.engine.see(job).state == JobState.CANCELLED


@pytest.mark.slow
def test_a_poisonous_item_is_found_and_the_others_are_done(service: Service) -> None:
    job = service.ended(submit(service, 12, first=4000, deadly=[4006]))
    assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 11, 1), service.logs()
    [poison] = service.engine.jobs.items(job.id, state=ItemState.FAILED)
    assert (poison.key, poison.state, poison.error_code) == ("4006", ItemState.QUARANTINED, "quarantined")
    ends = Counter(e.data["key"] for e in events(service, job) if e.type in ("item_succeeded", "item_failed"))
    assert (len(ends), set(ends.values())) == (12, {1})


def events(service: Service, job: JobRow) -> list[Any]:
    found, after = [], 0
    while page := service.engine.jobs.events(job.id, after=after):
        found += page
        after = page[-1].id
    return found


def test_one_item_behind_a_hundred_thousand_does_not_wait_for_them(service: Service) -> None:
    large = submit(service, 100_000, seconds=0.002)
    until(lambda: service.engine.see(large).succeeded > 0, service.logs)
    small = service.ended(submit(service, 1, owner="bob"))
    assert small.state == JobState.SUCCEEDED
    assert service.engine.see(large).state == JobState.RUNNING
    assert service.engine.see(large).succeeded < 50_000, "it was not nearly done before"
    service.engine.control.cancel(large.id)


def test_two_jobs_at_once_compute_each_result_once(service: Service, tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = [submit(service, 60, owner=owner, seconds=0.02, log=str(log)) for owner in ("alice", "bob")]
    for job in jobs:
        ended = service.ended(job)
        assert (ended.state, ended.succeeded) == (JobState.SUCCEEDED, 60), service.logs()
    assert sorted(Counter(log.read_text().split()).values()) == [1] * 60
    assert sum(service.engine.see(job).reused for job in jobs) == 60
    forced = service.ended(submit(service, 60, reuse=False, seconds=0.02, log=str(log)))
    assert (forced.succeeded, forced.reused) == (60, 0)
    assert set(Counter(log.read_text().split()).values()) == {2}
