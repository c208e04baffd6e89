"""What a purge takes: old runs and files of nobody, and never what anybody refers to."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crant_core.jobs import purging, schema
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.model import ItemState, JobState
from crant_core.jobs.purging import purge
from crant_core.jobs.repository.retention import RetentionRepository
from crant_core.jobs.tables import ArtifactRow, DependencyRow, ItemRow, JobRow, ResultRow
from tests.engine import ClockedDatabase, Engine

OLD = time.time() - 7 * 86400
GRACE = timedelta(hours=24)


class Lab:
    """A database and a store, filled by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "artifacts"
        self.database = ClockedDatabase(f"sqlite:///{folder}/jobs.sqlite")
        schema.upgrade(self.database)
        self.engine, self.store = Engine(self.database), CloudStore(f"file://{self.folder}")
        self.repository = RetentionRepository(self.database)

    def file(self, content: str, *, old: bool = True) -> str:
        digest = self.store.put(content.encode())
        if old:
            os.utime(self.path(digest), (OLD, OLD))
        return digest

    def path(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest

    def job(
        self, kind: str = "refresh", state: str = "succeeded", parent: JobRow | None = None, **fields: Any
    ) -> JobRow:
        job = self.engine.submit(kind=kind, **{"label": "night"} | fields)
        with self.database.writing() as session:
            row = session.get(JobRow, job.number)
            assert row is not None
            row.state, row.parent_id, row.step = state, parent and parent.id, parent and kind
            return row

    def item(self, job: JobRow, key: str, content: str, *, serves: bool = False) -> str:
        """Add an item with a file, whose address is what the file says; `serves`: others get the result from it."""
        digest, address = self.file(content), hashlib.sha256(f"address of {content}".encode()).hexdigest()
        with self.database.writing() as session:
            row = ItemRow(job_id=job.id, position=int(key), key=key, state=ItemState.SUCCEEDED, address=address)
            session.add(row)
            session.flush()
            made = {"name": f"{key}.swc", "media_type": "text/plain", "size": len(content), "sha256": digest}
            session.add(ArtifactRow(job_id=job.id, item_id=row.id, created_at=self.database.now(), **made))
            known = session.get(ResultRow, address)
            if known is None:
                session.add(ResultRow(address=address, item_id=row.id, metrics={}))
            elif serves:
                known.item_id = row.id
        return digest

    def purge(self, keep: int = 1, **options: Any) -> Any:
        return purge(self.repository, self.store, keep=keep, **{"really": True} | options)

    def jobs(self) -> set[str]:
        with self.database.reading() as session:
            return set(session.scalars(select(JobRow.id)))

    def check(self) -> None:
        """Everything that anybody refers to is there."""
        with self.database.reading() as session:
            for artifact in session.scalars(select(ArtifactRow)):
                assert self.path(artifact.sha256).is_file()
            for result in session.scalars(select(ResultRow)):
                item = session.get(ItemRow, result.item_id)
                assert item is not None
                assert item.address == result.address
                assert session.scalars(select(ArtifactRow).where(ArtifactRow.item_id == item.id)).all()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.database.close()


def test_a_dry_run_says_what_would_go_and_takes_nothing(lab) -> None:
    old, new = lab.job(), lab.job()
    stray = lab.file("of nobody")
    found = lab.purge(really=False)
    assert [job.id for job in found.runs] == [old.id]
    assert (found.files, found.size) == ([stray], len("of nobody"))
    assert lab.jobs() == {old.id, new.id}
    assert lab.path(stray).is_file()


def test_the_newest_runs_with_results_stay_and_others_only_if_they_are_newer(lab) -> None:
    states = ["succeeded", "failed", "partial", "cancelled", "succeeded", "failed"]
    runs = [lab.job(state=state) for state in states]
    lab.purge(keep=2)
    assert lab.jobs() == {job.id for job in runs[2:]}


def test_each_series_keeps_its_own(lab) -> None:
    kept = [lab.job(label=label, owner=owner) for label in "ab" for owner in ("alice", "bob")]
    lab.purge(keep=1)
    assert lab.jobs() == {job.id for job in kept}


def test_jobs_that_are_no_runs_stay(lab) -> None:
    jobs = [lab.job(kind="skeletonize") for _ in range(3)]
    lab.purge(keep=1)
    assert lab.jobs() == {job.id for job in jobs}


def test_a_run_goes_with_its_steps_and_the_files_that_only_they_had(lab) -> None:
    old = lab.job()
    step = lab.job("skeletonize", parent=old)
    only, both = lab.item(step, "1", "old"), lab.item(step, "2", "both")
    new = lab.job()
    again = lab.job("skeletonize", parent=new)
    lab.item(again, "1", "both")
    lab.purge()
    assert lab.jobs() == {new.id, again.id}
    assert not lab.path(only).exists()
    assert lab.path(both).is_file()
    lab.check()


@pytest.mark.parametrize("how", ["after", "skeletons", "compare_with", "previous", "step"])
def test_a_run_that_somebody_needs_who_goes_on_stays(lab, how) -> None:
    old = lab.job()
    step = lab.job("skeletonize", parent=old)
    lab.job()
    named = {"skeletons": {"skeletons": step.id}, "compare_with": {"compare_with": old.id}}.get(how, {})
    user = lab.job("attach_synapses", state="running", parameters=named)
    with lab.database.writing() as session:
        if how == "after":
            session.add(DependencyRow(job_id=user.id, after_id=step.id))
        if how == "previous":
            session.get(JobRow, user.number).previous_id = old.id
        if how == "step":
            session.get(JobRow, step.number).state = JobState.RUNNING
    assert lab.purge().runs == []
    assert old.id in lab.jobs()


def test_files_that_were_just_written_or_written_again_stay(lab) -> None:
    young, renewed = lab.file("young", old=False), lab.file("renewed")
    lab.store.put(b"renewed")
    assert lab.purge().files == []
    assert lab.path(young).is_file()
    assert lab.path(renewed).is_file()


def test_what_is_not_ours_is_never_touched(lab) -> None:
    ours = lab.file("ours")
    foreign = [lab.folder / "README", lab.folder / "ab" / "notes.txt", lab.folder / "ab" / ("f" * 63)]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        os.utime(path, (OLD, OLD))
    assert lab.purge().files == [ours]
    assert all(path.is_file() for path in foreign)


def test_a_file_that_is_made_young_while_it_leaves_is_put_back(lab, monkeypatch) -> None:
    digest = lab.file("wanted")
    rename = Path.rename

    def renewed_first(self: Path, target: Path) -> Path:
        lab.store.put(b"wanted")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renewed_first)
    assert lab.purge().files == []
    assert lab.store.get(digest) == b"wanted"


def test_a_purge_that_died_half_way_is_ended_by_the_next(lab) -> None:
    wanted, unwanted = lab.file("wanted", old=False), lab.file("unwanted")
    for digest in (wanted, unwanted):
        lab.path(digest).rename(lab.path(digest).with_name(f"{digest}.0000.leaving"))
    lab.purge()
    assert lab.store.get(wanted) == b"wanted"
    assert not list(lab.folder.glob("*/*.leaving"))
    assert not lab.path(unwanted).exists()


def test_two_purges_at_once_take_each_file_and_run_once(lab, monkeypatch) -> None:
    for _ in range(3):
        lab.job()
    lab.file("of nobody")
    found: list[Any] = []
    remove = CloudStore.remove

    def with_another(self: CloudStore, *args: Any, **options: Any) -> int | None:
        monkeypatch.undo()
        found.append(purge(lab.repository, lab.store, keep=1, really=True))
        return remove(self, *args, **options)

    monkeypatch.setattr(CloudStore, "remove", with_another)
    found.append(lab.purge())
    assert sum(len(one.files) for one in found) == 1
    assert sum(len(one.runs) for one in found) == 2


def test_a_purge_says_what_it_does_on_the_command_line(lab, monkeypatch) -> None:
    from typer.testing import CliRunner

    from crant_core.jobs.__main__ import app

    lab.job()
    lab.job()
    monkeypatch.setenv("CRANT_DATABASE_URL", f"sqlite:///{lab.folder.parent}/jobs.sqlite")
    monkeypatch.setenv("CRANT_ARTIFACTS_URL", f"file://{lab.folder}")
    monkeypatch.setenv("CRANT_BROKER_URL", "memory://")
    said = CliRunner().invoke(app, ["purge", "--keep", "1"])
    assert said.output.endswith("1 runs and 0 files (0 bytes): would go; with --really they do\n"), said.output
    assert len(lab.jobs()) == 2
    CliRunner().invoke(app, ["purge", "--keep", "1", "--really"])
    assert len(lab.jobs()) == 1


RUN = st.tuples(
    st.sampled_from(["refresh", "skeletonize"]),
    st.sampled_from(["succeeded", "partial", "failed", "running"]),
    st.sampled_from(["a", "b"]),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=4, unique_by=lambda one: one[0]),
    st.none() | st.integers(0, 5),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(runs=st.lists(RUN, max_size=7), keep=st.integers(1, 3))
def test_whatever_refers_to_what_nothing_goes_that_is_referred_to(tmp_path_factory, runs, keep) -> None:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    made: list[JobRow] = []
    for kind, state, label, items, named in runs:
        parameters = {"skeletons": made[named % len(made)].id} if named is not None and made else {}
        made.append(lab.job(kind, state, label=label, parameters=parameters))
        step = lab.job("skeletonize", state, parent=made[-1], label=label) if kind == "refresh" else made[-1]
        for number, serves in items:
            lab.item(step, str(number), f"content {number}", serves=serves)
    needed = {job.parameters.get("skeletons") for job in made if job.state == "running"}
    lab.purge(keep=keep)
    lab.check()
    left = lab.jobs()
    for job in made:
        newer = [o for o in made if o.kind == "refresh" and o.label == job.label and o.number > job.number]
        with_results = [other for other in newer if other.state in ("succeeded", "partial")]
        goes = job.kind == "refresh" and job.state != "running" and len(with_results) >= keep and job.id not in needed
        assert (job.id in left) != goes
    with lab.database.reading() as session:
        referred = set(session.scalars(select(ArtifactRow.sha256)))
    assert set(lab.store.stored()) == referred
    lab.database.close()


def test_the_kinds_whose_runs_follow_each_other_are_the_pipelines() -> None:
    from crant_core.kinds.registry import all_kinds

    assert {name for name, kind in all_kinds().items() if kind.is_pipeline} == set(purging.RUNS)
