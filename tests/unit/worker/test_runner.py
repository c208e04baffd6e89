from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select

from crant_core.errors import MeshNotFound, SourceUnavailable, VersionNotFound
from crant_core.jobs.model import ItemState, JobState
from crant_core.jobs.queue import MemoryQueue
from crant_core.jobs.tables import EdgeRow
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem
from crant_core.kinds.files import columns, parquet
from tests.unit.worker.house import House
from worker import runner as runner_module
from worker.dispatcher import Dispatcher


def test_a_job_is_planned_run_and_finished(house: House, science: SimpleNamespace) -> None:
    job = house.finish(ids=[11, 22], at="mat_7")
    assert (job.state, job.succeeded, job.version) == (JobState.SUCCEEDED, 2, 7)
    files = {artifact.name: house.store.get(artifact.sha256) for artifact in house.engine.jobs.artifacts(job.id)}
    assert files["all.txt"] == b"xx"
    assert set(files) == {"11.txt", "22.txt", "all.txt", "manifest.json"}


def test_the_whole_job_looks_at_one_point_in_time(house: House, science: SimpleNamespace) -> None:
    seen = []
    plan, run = science.plan, science.run
    science.plan = lambda context, ids: (seen.append(context.time), plan(context, ids))[1]
    science.run = lambda context, key: (seen.append(context.time), run(context, key))[1]
    job = house.finish(ids=[1, 2, 3], at="live")
    assert len(seen) == 4
    assert {moment.timestamp for moment in seen} == {job.timestamp}
    assert house.source.calls.count("resolve_time") == 1


def test_the_manifest_says_what_there_is_and_what_failed(house: House, science: SimpleNamespace) -> None:
    run = science.run
    science.run = lambda context, key: run(context, key) if key == "1" else _raise(MeshNotFound(f"no mesh {key}"))
    job = house.finish(ids=[1, 2], at="mat_7")
    manifest = json.loads(house.store.get(house.engine.jobs.artifact(job.id, "manifest.json").sha256))
    assert job.state == JobState.PARTIAL
    assert manifest["failed"] == [{"key": "2", "code": "mesh_not_found", "message": "no mesh 2"}]
    assert manifest["time"] == {"asked": "mat_7", "timestamp": "2026-01-01T00:00:00+00:00", "materialization": 7}
    for file in manifest["files"]:
        assert len(house.store.get(file["sha256"])) == file["size"]
    assert [file["name"] for file in manifest["files"]] == ["1.txt", "all.txt"]


def test_a_bug_in_one_item_is_stored_and_the_others_go_on(house: House, science: SimpleNamespace) -> None:
    run = science.run
    science.run = lambda context, key: run(context, key) if key != "2" else 1 / 0
    job = house.finish(ids=[1, 2, 3])
    assert (job.state, job.succeeded) == (JobState.PARTIAL, 2)
    [item] = [item for item in house.engine.jobs.items(job.id) if item.key == "2"]
    assert (item.error_code, item.error_message) == ("internal", "ZeroDivisionError: division by zero")
    assert "ZeroDivisionError" in (item.traceback or "")


def test_an_error_that_may_pass_is_tried_again(
    house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([SourceUnavailable("503"), None])
    run = science.run

    def flaky(context: Context, key: str) -> ItemResult:
        if error := next(answers):
            raise error
        return run(context, key)

    science.run = flaky
    job = house.engine.submit(ids=[1])
    house.work(3)
    assert house.engine.see(job).state == JobState.RUNNING
    monkeypatch.setattr(house.engine.database, "now", lambda: datetime(2100, 1, 1, tzinfo=UTC))
    house.work()
    assert house.engine.see(job).state == JobState.SUCCEEDED
    assert [attempt.outcome for attempt in house.engine.jobs.attempts(job.id)][::-1][1] == "postponed"


def test_a_version_that_does_not_exist_fails_the_job(house: House, science: SimpleNamespace) -> None:
    job = house.finish(ids=[1], at="mat_8")
    assert (job.state, job.error_code) == (JobState.FAILED, VersionNotFound.code)


def test_a_job_at_a_time_to_come_is_refused(house: House, science: SimpleNamespace) -> None:
    """Its answer would be today's, and be kept as that time's."""
    job = house.finish(ids=[1], at="2999-01-01")
    assert (job.state, job.error_code, job.total) == (JobState.FAILED, "invalid_time", 0)


def test_a_bug_in_the_plan_fails_the_job_and_is_not_hidden(house: House, science: SimpleNamespace) -> None:
    science.plan = lambda context, ids: 1 / 0
    job = house.engine.submit(ids=[1])
    with pytest.raises(ZeroDivisionError):
        house.work()
    assert house.engine.see(job).error_code == "internal"


def test_a_hint_for_something_done_is_stale(house: House, science: SimpleNamespace) -> None:
    house.engine.submit(ids=[1])
    [due] = house.engine.dispatch.due()
    assert house.runner.execute(due.id, "a", "test") == "done"
    assert house.runner.execute(due.id, "b", "test") == "stale"


def test_offers_the_broker_did_not_take_are_made_again_at_once(house: House) -> None:
    class Broken(MemoryQueue):
        def send(self, unit: object) -> None:
            raise OSError("broker is gone")

    job = house.engine.submit(ids=[1])
    broken = Dispatcher(house.engine.dispatch, Broken(), "test")
    with pytest.raises(OSError, match="gone"):
        broken.turn()
    assert house.dispatcher.repository.due()[0].job_id == job.id


def test_a_broker_that_is_away_does_not_keep_what_silent_workers_hold(clocked: House) -> None:
    class Away(MemoryQueue):
        def waiting(self) -> int:
            raise OSError("broker is gone")

    clocked.engine.submit(ids=[1])
    held = clocked.engine.claimed()
    clocked.engine.database.pass_time(clocked.engine.lease_seconds + 1)
    with pytest.raises(OSError, match="gone"):
        Dispatcher(clocked.engine.dispatch, Away(), "test").turn()
    assert not clocked.engine.units.renew([held.token]), "the lease ran out, though nothing can be offered"


MANY = "neuropil_matrices"  #: a kind whose units have several items


class TestPrepare:
    """What a kind does for the items of a unit together."""

    def test_it_is_done_once_per_unit_and_the_items_have_it(self, house: House, science: SimpleNamespace) -> None:
        asked, seen = [], []
        science.prepare = lambda context, keys: (asked.append((context.prepared, keys)), {"of": keys})[1]
        run = science.run
        science.run = lambda context, key: (seen.append((key, context.prepared)), run(context, key))[1]
        job = house.finish(ids=range(1, 61), kind=MANY)
        keys = [str(number) for number in range(1, 61)]
        assert (job.state, job.succeeded) == (JobState.SUCCEEDED, 60)
        assert sorted(asked, key=lambda one: -len(one[1])) == [(None, keys[:50]), (None, keys[50:])]
        assert [key for key, _ in seen] == keys
        assert [prepared["of"] for _, prepared in seen] == [keys[:50]] * 50 + [keys[50:]] * 10

    def test_a_kind_without_it_has_nothing_prepared(self, house: House, science: SimpleNamespace) -> None:
        seen, run = [], science.run
        science.run = lambda context, key: (seen.append(context.prepared), run(context, key))[1]
        assert house.finish(ids=[1, 2], kind=MANY).state == JobState.SUCCEEDED
        assert seen == [None, None]

    def test_neither_plan_nor_finish_needs_it(self, house: House, science: SimpleNamespace) -> None:
        seen: list[object] = []
        plan, finish = science.plan, science.finish
        science.prepare = lambda context, keys: "prepared"
        science.plan = lambda context, ids: (seen.append(context.prepared), plan(context, ids))[1]
        science.finish = lambda context, items: (seen.append(context.prepared), finish(context, items))[1]
        assert house.finish(ids=[1], kind=MANY).state == JobState.SUCCEEDED
        assert seen == [None, None]

    def test_an_error_that_may_pass_gives_the_unit_back_untouched(
        self, house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers, ran, run = iter([SourceUnavailable("503"), None]), [], science.run
        science.prepare = lambda context, keys: _raise(error) if (error := next(answers)) else "ready"
        science.run = lambda context, key: (ran.append(context.prepared), run(context, key))[1]
        job = house.engine.submit(ids=[1, 2], kind=MANY)
        house.work(3)
        assert house.engine.see(job).state == JobState.RUNNING
        assert ran == []
        monkeypatch.setattr(house.engine.database, "now", lambda: datetime(2100, 1, 1, tzinfo=UTC))
        house.work()
        assert house.engine.see(job).state == JobState.SUCCEEDED
        assert ran == ["ready", "ready"]
        outcomes = [attempt.outcome for attempt in house.engine.jobs.attempts(job.id)]
        assert outcomes.count("source_unavailable") == 1

    @pytest.mark.parametrize("error", [MeshNotFound("no mesh 2"), ZeroDivisionError("bug")])
    def test_after_any_other_error_the_guilty_item_fails_alone(
        self, house: House, science: SimpleNamespace, error: Exception
    ) -> None:
        run, seen = science.run, []

        def prepare(context: Context, keys: list[str]) -> str:
            if "2" in keys:
                raise error
            return "prepared"

        def alone(context: Context, key: str) -> ItemResult:
            seen.append((key, context.prepared))
            assert context.prepared or prepare(context, [key])
            return run(context, key)

        science.prepare, science.run = prepare, alone
        job = house.finish(ids=[1, 2, 3], kind=MANY)
        assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 2, 1)
        assert seen == [("1", None), ("2", None), ("3", None)]
        [failed] = [item for item in house.engine.jobs.items(job.id) if item.error_code]
        assert failed.key == "2"
        assert failed.error_code == getattr(error, "code", "internal")
        assert "done" in {attempt.outcome for attempt in house.engine.jobs.attempts(job.id)}

    def test_only_open_items_are_prepared_again(
        self, house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked, run, answers = [], science.run, iter([SourceUnavailable("503"), None])
        science.prepare = lambda context, keys: asked.append(keys)

        def flaky(context: Context, key: str) -> ItemResult:
            if key == "2" and (error := next(answers)):
                raise error
            return run(context, key)

        science.run = flaky
        job = house.engine.submit(ids=[1, 2, 3], kind=MANY)
        house.work(3)
        monkeypatch.setattr(house.engine.database, "now", lambda: datetime(2100, 1, 1, tzinfo=UTC))
        house.work()
        assert house.engine.see(job).state == JobState.SUCCEEDED
        assert asked == [["1", "2", "3"], ["2"]]


def _raise(error: Exception) -> None:
    raise error


class TestTime:
    """Units whose time is up."""

    def test_a_unit_is_halved_until_the_slow_item_stands_alone(self, clocked: House, science: SimpleNamespace) -> None:
        run = science.run
        science.run = lambda context, key: _raise(SoftTimeLimitExceeded()) if key == "3" else run(context, key)
        job = clocked.engine.submit(ids=range(1, 9), kind=MANY)
        clocked.work_through_pauses()
        job = clocked.engine.see(job)
        assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 7, 1)
        [slow] = clocked.engine.jobs.items(job.id, state=ItemState.FAILED)
        assert (slow.key, slow.error_code, slow.state) == ("3", "time_limit", ItemState.FAILED)

    def test_it_may_be_up_while_items_are_prepared(self, clocked: House, science: SimpleNamespace) -> None:
        science.prepare = lambda context, keys: _raise(SoftTimeLimitExceeded()) if "2" in keys else None
        job = clocked.engine.submit(ids=[1, 2, 3], kind=MANY)
        clocked.work_through_pauses()
        job = clocked.engine.see(job)
        assert (job.succeeded, job.failed) == (2, 1)
        assert clocked.engine.jobs.error_counts(job.id) == {"time_limit": 1}


def test_science_that_asks_learns_that_nobody_wants_its_result(
    house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_CHECK_SECONDS", 0.0)
    asked = []

    def run(context: Context, key: str) -> ItemResult:
        context.check()
        asked.append(key)
        house.engine.control.cancel(job.id)
        context.check()
        raise AssertionError("went on")

    science.run = run
    job = house.engine.submit(ids=[1, 2, 3], kind=MANY)
    house.work()
    assert asked == ["1"]
    now = house.engine.see(job)
    assert (now.state, now.cancelled, now.failed) == (JobState.CANCELLED, 3, 0)


def test_a_plan_may_be_a_generator_of_many_items(house: House, science: SimpleNamespace) -> None:
    science.plan = lambda context, ids: (PlannedItem(key=str(number)) for number in range(12_001))
    job = house.engine.submit(ids=[1], kind=MANY)
    house.work(1)
    job = house.engine.see(job)
    assert (job.state, job.total) == (JobState.RUNNING, 12_001)
    assert [item.key for item in house.engine.jobs.items(job.id, after=11_998)] == ["11999", "12000"]


def test_an_item_says_how_long_its_files_took_to_store(house: House, science: SimpleNamespace) -> None:
    run = science.run
    science.run = lambda context, key: run(context, key) if key == "1" else ItemResult(metrics={"length": 1})
    with_files, without = house.engine.jobs.items(house.finish(ids=[1, 2]).id)
    assert with_files.metrics.keys() == {"length", "storage_seconds"}
    assert 0 < with_files.metrics["storage_seconds"] <= with_files.seconds
    assert without.metrics.keys() == {"length"}


class TestResultsOfOtherJobs:
    """A kind may read what another job made, if that is the same owner's."""

    def test_they_are_read_by_name(self, house: House, science: SimpleNamespace) -> None:
        made = house.finish(ids=[1], parameters={"formats": ["swc"]})
        seen = []

        def run(context: Context, key: str) -> ItemResult:
            other = context.results_of(made.id)
            seen.append((other.kind, other.parameters, other.read("1.txt")))
            return ItemResult()

        science.run = run
        assert house.finish(ids=[2]).state == JobState.SUCCEEDED
        assert seen == [("skeletonize", {"formats": ["swc"]}, b"x")]

    def test_a_strangers_job_does_not_exist(self, house: House, science: SimpleNamespace) -> None:
        made = house.finish(ids=[1], owner="bob")
        science.run = lambda context, key: ItemResult(metrics={"n": len(context.results_of(made.id).read("1.txt"))})
        job = house.finish(ids=[2])
        assert house.engine.jobs.error_counts(job.id) == {"not_found": 1}


@pytest.mark.parametrize(("most", "stored"), [(2, 2), (1, 0)])
def test_rows_of_the_finish_go_to_sql_and_the_manifest_says_whether(
    house: House, science: SimpleNamespace, most: int, stored: int
) -> None:
    edges = columns({name: ("int64", [1, 2]) for name in ("pre", "post", "weight")})
    science.finish = lambda context, items: [parquet("edges.parquet", edges, {}, sql="edges")]
    house.runner.sql_rows = most
    job = house.finish(ids=[1])
    manifest = json.loads(house.store.get(house.engine.jobs.artifact(job.id, "manifest.json").sha256))
    described = {"table": "edges", "file": "edges.parquet", "rows": 2, "most": most, "in_sql": bool(stored)}
    assert manifest["sql"] == [described]
    with house.engine.database.reading() as session:
        assert len(session.scalars(select(EdgeRow.post).where(EdgeRow.job_id == job.id)).all()) == stored


def test_a_finish_reads_its_items_a_page_at_a_time_and_again(
    house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.done._PAGE", 3)
    seen = []

    def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
        seen.extend([(item.key, item.files) for item in items] for _ in range(2))
        return []

    science.finish = finish
    assert house.finish(ids=range(1, 9)).state == JobState.SUCCEEDED
    assert seen == [[(str(key), (f"{key}.txt",)) for key in range(1, 9)]] * 2


def test_the_manifest_of_a_second_finish_names_each_file_once(house: House, science: SimpleNamespace) -> None:
    run = science.run
    science.run = lambda context, key: run(context, key) if key == "1" else _raise(MeshNotFound(f"no mesh {key}"))
    job = house.finish(ids=[1, 2])
    science.run = run
    house.engine.control.retry(job.id)
    house.work()
    manifest = json.loads(house.store.get(house.engine.jobs.artifact(job.id, "manifest.json").sha256))
    assert [file["name"] for file in manifest["files"]] == ["1.txt", "2.txt", "all.txt"]
    assert (manifest["failed"], manifest["counts"]["succeeded"]) == ([], 2)


def test_a_unit_ends_early_for_a_job_that_waits(
    house: House, science: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(house.engine.units, "is_awaited", lambda unit: len(ran) == 2)
    ran, run = [], science.run
    science.run = lambda context, key: (ran.append(key), run(context, key))[1]
    job = house.engine.submit(ids=[1, 2, 3, 4], kind=MANY)
    house.work()
    assert (house.engine.see(job).state, ran) == (JobState.SUCCEEDED, ["1", "2", "3", "4"])
    assert [attempt.items for attempt in house.engine.jobs.attempts(job.id) if attempt.items] == [2, 2]
    science.prepare = lambda context, keys: ran.clear() or "what others would fetch again"
    job = house.finish(ids=[5, 6, 7, 8], kind=MANY)
    assert [attempt.items for attempt in house.engine.jobs.attempts(job.id) if attempt.items] == [4]
