"""A job whose results lie in an object store that has a bad day: it waits, and ends right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from crant_core.jobs.model import JobState
from crant_core.jobs.tables import JobRow
from tests.chaos.kinds.chaos.spec import content
from tests.fixtures.bucket import Bucket, serving
from tests.fixtures.service import Service, running_service, until

COUNT = 200
BUCKET = "lab-of-a-bad-day"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving(Bucket()) as server:
        yield server


@pytest.fixture
def service(bucket: Bucket, tmp_path: Path) -> Iterator[Service]:
    with running_service(f"sqlite:///{tmp_path}/crant.sqlite") as found:
        found.environment |= bucket.environment() | {"CRANT_ARTIFACTS_URL": f"s3://{BUCKET}/results"}
        found.start_worker("tests.chaos.worker")
        yield found


def begun(service: Service) -> JobRow:
    """Submit a job, and wait until some of it is done."""
    parameters = {"seconds": 0.01, "size": 500}
    job = service.engine.submit(range(1, COUNT + 1), kind="chaos", reuse=False, parameters=parameters)
    until(lambda: service.engine.see(job).succeeded > 0, service.logs)
    return job


def refused(bucket: Bucket, requests: int) -> None:
    """Wait until so many requests were made from now on."""
    seen = len(bucket.requests)
    until(lambda: len(bucket.requests) >= seen + requests)


def assert_ends_right(service: Service, job: JobRow, bucket: Bucket) -> None:
    ended = service.ended(job)
    assert (ended.state, ended.succeeded, ended.failed) == (JobState.SUCCEEDED, COUNT, 0), service.logs()
    artifacts = {artifact.name: artifact.sha256 for artifact in service.engine.jobs.artifacts(job.id)}
    expected = {f"{n}.bin": hashlib.sha256(content(str(n), 0, 500)).hexdigest() for n in range(1, COUNT + 1)}
    assert artifacts.items() >= expected.items()
    assert len(artifacts) == COUNT + 2, "the sums and the manifest"
    for digest in artifacts.values():
        data, _ = bucket.objects[f"{BUCKET}/results/{digest[:2]}/{digest}"]
        assert hashlib.sha256(data).hexdigest() == digest


def test_a_store_that_is_busy_and_then_gone_for_a_while_costs_time_only(service: Service, bucket: Bucket) -> None:
    job = begun(service)
    bucket.status = 503
    refused(bucket, 4)
    bucket.shutdown()
    bucket.server_close()
    bucket.status = None
    with serving_again(bucket) as other:
        assert_ends_right(service, job, other)


def test_a_store_that_refuses_for_a_while_gives_units_back_and_they_are_done_later(
    service: Service, bucket: Bucket
) -> None:
    job = begun(service)
    bucket.status = 403
    refused(bucket, 4)
    until(lambda: "item_postponed" in [event.type for event in service.engine.jobs.events(job.id)], service.logs)
    bucket.status = None
    assert_ends_right(service, job, bucket)


def serving_again(before: Bucket) -> AbstractContextManager[Bucket]:
    other = Bucket(before.server_port)
    other.objects = before.objects
    return serving(other)
