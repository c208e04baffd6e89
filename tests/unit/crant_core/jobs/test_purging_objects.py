"""`python -m crant_core.jobs purge` where the store is an object store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crant_core.errors import StoreUnavailable
from crant_core.jobs import schema
from crant_core.jobs.__main__ import app
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.repository.planning import NewItem
from tests.engine import ClockedDatabase, Engine, a_file, an_outcome
from tests.fixtures.bucket import Bucket, serving


class Lab:
    def __init__(self, folder: Path, bucket: Bucket) -> None:
        url = f"s3://lab-{bucket.server_port}/crant"
        self.environment = {"CRANT_DATABASE_URL": f"sqlite:///{folder}/jobs.sqlite", "CRANT_ARTIFACTS_URL": url}
        self.environment |= {"CRANT_BROKER_URL": "redis://127.0.0.1:1/0"}
        self.bucket, self.store = bucket, CloudStore(url)
        self.database = ClockedDatabase(self.environment["CRANT_DATABASE_URL"])
        schema.upgrade(self.database)
        self.engine = Engine(self.database)

    def job_with_a_file(self, data: bytes) -> str:
        made = a_file("result.bin")
        found = type(made)(**{**vars(made), "sha256": self.store.put(data), "size": len(data)})
        job = self.engine.submit()
        self.engine.plan(self.engine.claim_plan(job), [NewItem(key="1")])
        unit = self.engine.claim_run(job)
        self.engine.units.complete_run(unit, [an_outcome(item) for item in unit.items])
        self.engine.units.complete_finish(self.engine._claim(job, "finish"), [found])  # type: ignore[arg-type]
        return found.sha256

    def purge(self, *options: str) -> Any:
        return CliRunner().invoke(app, ["purge", "--keep", "1", *options], env=self.environment)

    def digests(self) -> set[str]:
        return {path.rpartition("/")[2] for path in self.bucket.objects}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with serving(Bucket()) as bucket:
        for name, value in bucket.environment().items():
            monkeypatch.setenv(name, value)
        lab = Lab(tmp_path, bucket)
        yield lab
        lab.database.close()


def test_what_nobody_has_goes_after_its_days_of_grace_and_nothing_else(lab: Lab) -> None:
    kept, stray = lab.job_with_a_file(b"of a job"), lab.store.put(b"of nobody")
    lab.store._write("ab/notes.txt", b"of somebody else")
    lab.bucket.age(25 * 3600)
    young = lab.store.put(b"of a unit that is at it")
    for options in ((), ("--grace-hours", "26", "--really")):
        said = lab.purge(*options)
        assert lab.digests() == {kept, stray, young, "notes.txt"}
        assert f"and {0 if options else 1} files" in said.output
    assert "and 1 files (9 bytes): removed" in lab.purge("--really").output
    assert lab.digests() == {kept, young, "notes.txt"}
    assert "and 0 files" in lab.purge("--really").output


def test_more_objects_than_a_page_has_are_all_looked_at(lab: Lab) -> None:
    lab.bucket.page = 10
    kept = lab.job_with_a_file(b"of a job")
    strays = [f"{n:064x}" for n in range(25)]
    lab.bucket.objects |= {f"lab-{lab.bucket.server_port}/crant/{s[:2]}/{s}": (b"x", 0.0) for s in strays}
    lab.bucket.age(25 * 3600)
    assert "and 25 files (25 bytes): removed" in lab.purge("--really").output
    assert lab.digests() == {kept}


def test_a_store_that_does_not_answer_ends_it_and_takes_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crant_core.sources.transport.RETRY_SECONDS", 0.2)
    lab.store.put(b"of nobody")
    lab.bucket.age(25 * 3600)
    lab.bucket.status = 403
    said = lab.purge("--really")
    assert isinstance(said.exception, StoreUnavailable)
    assert said.exit_code == 1
    assert len(lab.digests()) == 1
