"""Refreshes against the offline CAVE: what is carried over is what would be computed, whatever happens meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from crant_core.errors import WorkerLost
from crant_core.jobs.model import JobState, Role
from crant_core.jobs.tables import JobRow
from crant_core.registry import register
from tests.fixtures.neurons import world
from tests.fixtures.refreshes import FAST, Night
from tests.fixtures.sandbox import Sandbox, run_sandbox

pytestmark = pytest.mark.timeout(240)

STEPS = ["update_ids", "skeletonize", "attach_synapses", "neuropil_matrices"]
SOME = (0, 2, 5, 6)  #: of the neurons: real ones, and some of their partners


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch, run_sandbox() as started:
        patch.setenv("CRANT_CACHE_FOLDER", str(tmp_path_factory.mktemp("cache")))
        register(started.dataset, started.token)
        yield started


@pytest.fixture
def night(running: Sandbox, tmp_path: Path) -> Iterator[Night]:
    running.control("POST", "reset")
    night = Night(running, tmp_path)
    night.materialize()  # what was edited since the last version is not news
    yield night
    night.close()


def some(night: Night) -> list[int]:
    everybody = night.neurons()
    return [everybody[number] for number in SOME]


def connectors(night: Night, job: JobRow) -> pd.DataFrame:
    table = night.table(night.steps(job)["attach_synapses"], "connectors.parquet")
    return table.sort_values(["root_id", "type", "synapse_id"], ignore_index=True)


def weights(night: Night, job: JobRow) -> pd.DataFrame:
    table = night.table(job, "connections.parquet")
    return table.sort_values(["neuropil", "pre", "post"], ignore_index=True)


def kept(night: Night, job: JobRow, step: str) -> set[int]:
    """The neurons of a step whose result is that of a run before."""
    return {int(item.key) for item in night.engine.jobs.items(night.steps(job)[step].id) if "as_of" in item.metrics}


def renewed(night: Night, job: JobRow, step: str) -> set[int]:
    """The neurons of a step whose result was to be made from that of the run before."""
    return {int(item.key) for item in night.engine.jobs.items(night.steps(job)[step].id) if "earlier" in item.metrics}


def measured(night: Night, job: JobRow, step: str) -> dict[str, dict[str, Any]]:
    """What is said of each neuron of a step in numbers, but for where results came from and how long it took."""
    items = night.engine.jobs.items(night.steps(job)[step].id)
    own = {"as_of", "earlier", "storage_seconds"}
    return {item.key: {name: value for name, value in item.metrics.items() if name not in own} for item in items}


def test_a_second_night_without_edits_computes_nothing_and_asks_little(night) -> None:
    ids = some(night)
    first = night.refresh(ids)
    assert (first.state, first.total, first.failed) == (JobState.SUCCEEDED, 4 * len(ids), 0)
    night.materialize()
    jobs: list[JobRow] = []
    few = night.asked(lambda: jobs.append(night.refresh(ids)))
    [second] = jobs
    assert second.previous_id == first.id
    for step in STEPS[1:]:
        row = night.steps(second)[step]
        assert (row.state, row.reused) == (JobState.SUCCEEDED, row.total), step
    assert not [name for name in few if "query" in name or "gcs" in name or "l2cache" in name], "no synapses, no meshes"
    report = night.report(second)
    assert set(report["numbers"].values()) == {0}
    assert report["summary"]["changed_percent"] == 0
    many_ids = night.neurons()[5:20]
    night.refresh(many_ids, label="all")
    night.materialize()
    many = night.asked(lambda: jobs.append(night.refresh(many_ids, label="all")))
    assert many.total() == few.total(), "the number of requests does not depend on the number of neurons"


def test_after_an_edit_the_results_are_those_of_computing_everything(night) -> None:
    ids = some(night)
    night.refresh(ids)
    edit = night.edit(2)
    night.materialize()
    second = night.refresh(ids)
    whole = night.refresh(ids, label="from nothing", reuse=False)
    pd.testing.assert_frame_equal(connectors(night, second), connectors(night, whole))
    pd.testing.assert_frame_equal(weights(night, second), weights(night, whole))
    assert night.steps(second)["skeletonize"].reused == len(ids) - 1
    told = night.report(second)
    assert [one["old_id"] for one in told["edited"]] == edit["old_roots"]
    assert told["edited"][0]["new_id"] in edit["new_roots"]
    assert told["numbers"]["added"] == told["numbers"]["gone"] == 0


def test_an_edit_elsewhere_is_noticed_by_its_partners_and_by_nobody_else(night) -> None:
    everybody, some = night.neurons(), range(12, 22)  # all of them partners of each other, none of them neuron 0
    ids = [everybody[number] for number in some]
    night.refresh(ids, label="partners")
    night.edit(0)
    night.materialize()
    second = night.refresh(ids, label="partners")
    whole = night.refresh(ids, label="from nothing", reuse=False)
    pd.testing.assert_frame_equal(connectors(night, second), connectors(night, whole))
    pd.testing.assert_frame_equal(weights(night, second), weights(night, whole))
    truth = world().frame("truth/synapse_neurons")
    receiving, sending = set(truth.post[truth.pre == 0]), set(truth.pre[truth.post == 0])
    untouched = {everybody[number] for number in some if number not in receiving | sending}
    assert kept(night, second, "attach_synapses") == untouched > set()
    silent = {everybody[number] for number in some if number not in sending}
    assert kept(night, second, "neuropil_matrices") == silent
    assert night.steps(second)["skeletonize"].reused == len(ids)
    assert renewed(night, second, "attach_synapses") == set(ids) - untouched
    assert renewed(night, second, "neuropil_matrices") == set(ids) - silent
    for step in STEPS[2:]:
        assert measured(night, second, step) == measured(night, whole, step)


def test_a_result_of_before_that_vanishes_meanwhile_is_made_anew(night, monkeypatch) -> None:
    ids = [night.neurons()[number] for number in range(12, 15)]
    steps = ["skeletonize", "attach_synapses"]
    first = night.steps(night.refresh(ids, steps=steps))["attach_synapses"]
    files = [file.sha256 for file in night.engine.jobs.item_artifacts(first.id)]
    night.edit(0)
    night.materialize()
    look, vanished = night.runner.looker.earlier, []

    def vanish(job: JobRow, addresses: Any) -> Any:
        found = look(job, addresses)
        vanished.extend(night.store.remove(files.pop(), timedelta(0), really=True) for _ in files[:])
        return found

    monkeypatch.setattr(night.runner.looker, "earlier", vanish)
    second = night.refresh(ids, steps=steps)
    assert vanished
    assert (second.state, second.failed) == (JobState.SUCCEEDED, 0)
    whole = night.refresh(ids, label="from nothing", reuse=False, steps=steps)
    pd.testing.assert_frame_equal(connectors(night, second), connectors(night, whole))


@pytest.mark.parametrize("threshold", [1, 3])
def test_results_are_renewed_night_by_night_through_splits_and_merges(night, threshold) -> None:
    ids = [night.neurons()[number] for number in range(12, 22)]
    chosen = {
        "attach_synapses": {"threshold": threshold, "clean": False},
        "neuropil_matrices": FAST["neuropil_matrices"] | {"threshold": threshold, "include_other": False},
    }
    night.refresh(ids, label=f"threshold {threshold}", **chosen)
    for _ in range(2):  # a split, and the merge that undoes it
        night.edit(0)
        night.edit(2)
        night.materialize()
        last = night.refresh(ids, label=f"threshold {threshold}", **chosen)
        whole = night.refresh(ids, label="from nothing", reuse=False, **chosen)
        pd.testing.assert_frame_equal(connectors(night, last), connectors(night, whole))
        pd.testing.assert_frame_equal(weights(night, last), weights(night, whole))
        for step in STEPS[2:]:
            assert measured(night, last, step) == measured(night, whole, step)
            assert bool(renewed(night, last, step)) == (threshold == 1), "else a pair's other synapses are not known"


def test_a_run_that_reuses_nothing_takes_nothing_from_the_run_before(night) -> None:
    ids = [night.neurons()[number] for number in range(12, 22)]
    night.refresh(ids, label="forced")
    night.edit(0)
    night.materialize()
    forced = night.refresh(ids, label="forced", reuse=False)
    for step in STEPS[2:]:
        assert not kept(night, forced, step) | renewed(night, forced, step)
        assert night.steps(forced)[step].reused == 0


def test_a_result_that_was_removed_is_made_anew_and_not_renewed(night) -> None:
    ids = [night.neurons()[number] for number in range(12, 22)]
    first = night.refresh(ids, label="removed")
    night.edit(0)
    night.materialize()
    submitted = night.submit(ids, label="removed")
    files = night.folder / "artifacts"

    def lose(unit: Any) -> None:
        step = night.steps(first)["attach_synapses"]
        for item in night.engine.jobs.items(step.id):
            sha256 = night.engine.jobs.artifact(step.id, f"{item.key}.connectors.parquet").sha256
            for path in files.rglob(f"*{sha256[-20:]}*"):
                path.unlink()

    second = night.work(submitted, before=lose)
    whole = night.refresh(ids, label="from nothing", reuse=False)
    assert second.state == JobState.SUCCEEDED
    pd.testing.assert_frame_equal(connectors(night, second), connectors(night, whole))


def test_results_of_many_nights_ago_still_serve(night) -> None:
    ids = night.neurons()[5:9]
    first = night.refresh(ids)
    for _ in range(2):
        night.materialize()
        last = night.refresh(ids)
    items = night.engine.jobs.items(night.steps(last)["attach_synapses"].id)
    assert {item.metrics["as_of"] for item in items} == {first.timestamp.isoformat()}
    assert night.steps(last)["attach_synapses"].reused == len(ids)


def test_other_parameters_are_not_given_old_results(night) -> None:
    ids = night.neurons()[5:9]
    night.refresh(ids)
    night.materialize()
    second = night.refresh(ids, attach_synapses={"threshold": 2})
    assert night.steps(second)["attach_synapses"].reused == 0
    assert night.steps(second)["skeletonize"].reused == len(ids)


def test_an_edit_that_is_made_meanwhile_is_the_next_nights(night) -> None:
    ids, edits = night.neurons()[:2], list[dict[str, Any]]()

    def edit_once(unit: Any) -> None:
        if unit.kind == "skeletonize" and not edits:
            edits.append(night.edit(0))

    job = night.work(night.submit(ids, at="live"), edit_once)
    assert edits
    assert sorted(night.table(job, "neurons.parquet")["root_id"]) == sorted(ids)
    assert {step.timestamp for step in night.steps(job).values()} == {job.timestamp}
    found = connectors(night, job)
    gone, new = ({int(one) for one in edits[0][name]} for name in ("old_roots", "new_roots"))
    assert not set(found.partner_id) & new
    later = night.refresh(ids, at="live")
    assert {int(one["old_id"]) for one in night.report(later)["edited"]} == gone & set(ids)


def test_neurons_come_by_criteria_and_that_nobody_fits_is_an_answer(night) -> None:
    chosen = night.refresh(criteria={"cell_class": "olfactory_projection_neuron"}, steps=[], label="c")
    assert chosen.state == JobState.SUCCEEDED
    assert len(night.engine.jobs.input_ids(chosen)) == night.report(chosen)["summary"]["neurons_after"] > 0
    nobody = night.refresh(criteria={"cell_class": "nobody"}, label="n")
    assert (nobody.state, nobody.total) == (JobState.SUCCEEDED, 0)
    assert b"No neuron fits" in night.read(nobody, "report.html")
    assert night.steps(nobody) == {}


def test_when_nobody_fits_any_more_all_are_gone(night) -> None:
    ids = night.neurons()[:2]
    first = night.refresh(ids, steps=[])
    last = night.refresh(criteria={"cell_class": "nobody"}, compare_with=first.id, label="other")
    assert sorted(night.report(last)["gone"]) == sorted(map(str, ids))


def test_a_field_that_does_not_exist_fails_the_job_and_names_the_nearest(night) -> None:
    job = night.refresh(criteria={"cell_clas": "x"})
    assert (job.state, job.error_code) == (JobState.FAILED, "filtering_error")
    assert "cell_class" in (job.error_message or "")


def test_only_runs_of_the_same_sort_can_be_compared_with(night) -> None:
    other = night.engine.submit(kind="update_ids")
    job = night.refresh(night.neurons()[:1], compare_with=other.id)
    assert (job.state, job.error_code) == (JobState.FAILED, "invalid_parameters")


def test_a_process_that_dies_at_any_unit_costs_a_retry_and_changes_nothing(night) -> None:
    ids = night.neurons()[5:7]
    died: Counter[tuple[str, Role]] = Counter()

    def die_once(unit: Any) -> None:
        name = (unit.kind, unit.role)
        if not died[name] and night.engine.units.claim(unit.id, f"dead-{unit.id}", "dead"):
            died[name] += 1
            night.engine.units.give_back(f"dead-{unit.id}", WorkerLost())

    job = night.work(night.submit(ids), die_once)
    assert (job.state, job.total, job.succeeded) == (JobState.SUCCEEDED, 4 * len(ids), 4 * len(ids))
    whole = {(kind, role) for kind in STEPS for role in Role} | {("refresh", Role.PLAN), ("refresh", Role.FINISH)}
    assert set(died) == whole
    assert set(night.steps(job)) == set(STEPS)
    clean = night.refresh(ids, label="clean", reuse=False)
    pd.testing.assert_frame_equal(connectors(night, job), connectors(night, clean))


def test_a_refresh_that_is_cancelled_half_way_goes_on_where_it_was(night) -> None:
    ids = night.neurons()[5:8]
    job = night.submit(ids)

    def cancel_at_synapses(unit: Any) -> None:
        if unit.kind == "attach_synapses":
            night.engine.control.cancel(job.id)

    assert night.work(job, cancel_at_synapses).state == JobState.CANCELLED
    before = night.steps(job)
    assert before["skeletonize"].state == JobState.SUCCEEDED
    assert before["attach_synapses"].state == JobState.CANCELLED
    night.engine.control.retry(job.id)
    done = night.work(job)
    assert (done.state, done.succeeded, done.cancelled) == (JobState.SUCCEEDED, 4 * len(ids), 0)
    assert night.steps(job)["skeletonize"].id == before["skeletonize"].id


def test_a_neuron_that_cannot_be_done_is_reported_and_the_rest_is_there(night) -> None:
    never = (8 << 56) + 5_000_000
    job = night.refresh([*night.neurons()[5:7], never])
    assert (job.state, job.failed) == (JobState.PARTIAL, 1)
    [failure] = night.report(job)["failures"]
    assert (failure["step"], failure["key"], failure["code"]) == ("update_ids", str(never), "not_a_root")
    assert len(night.table(job, "neurons.parquet")) == 2
