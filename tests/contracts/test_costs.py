"""What work costs: counted where it is done, learnt by kind and dataset, and said before the next job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.jobs.database import Database
from crant_core.jobs.repository.costs import Costs, Effort, Spread, _spread
from crant_core.jobs.repository.estimates import EstimateRepository
from crant_core.jobs.repository.pipelines import PipelineRepository
from crant_core.kinds.meshes.spec import SPEC
from crant_core.sources.cave import CaveSource
from tests.engine import Engine
from tests.fixtures.neurons import live_roots
from tests.fixtures.sandbox import Sandbox
from tests.unit.worker.house import House

MB = 10**6


def measured(engine: Engine, **what: Any) -> Costs | None:
    job = {"kind": "skeletonize", "code_version": 1, "dataset": "demo"} | what
    return EstimateRepository(engine.database).costs(**job)


def unit_done(engine: Engine, seconds: float, received: int | None) -> None:
    unit = engine.run_unit(seconds=seconds)
    if received is not None:
        engine.units.note_cost(unit.token, seconds=seconds, requests=3, received=received)


def test_bytes_are_learnt_by_kind_version_and_dataset(engine: Engine) -> None:
    engine.planned(["1", "2", "3", "4"], items_per_unit=2)
    assert measured(engine) is None
    unit_done(engine, 4.0, 2 * MB)
    unit_done(engine, 8.0, 6 * MB)
    found = measured(engine)
    assert found == Costs(
        seconds=Spread(mean=3.0, low=1.0, high=9.0),
        received=Spread(mean=2 * MB, low=pytest.approx(2 * MB / 3), high=6 * MB),
        items=4,
    )
    for other in ({"kind": "meshes"}, {"code_version": 2}, {"dataset": "other"}):
        assert measured(engine, **other) is None


def test_units_of_workers_that_did_not_count_bytes_say_nothing_about_them(engine: Engine) -> None:
    engine.planned(["1", "2"])
    unit_done(engine, 1.0, None)
    found = measured(engine)
    assert found is not None
    assert (found.items, found.received) == (1, None)
    unit_done(engine, 1.0, MB)
    found = measured(engine)
    assert found is not None
    assert (found.items, found.received) == (2, Spread(mean=MB, low=MB / 3, high=3 * MB))


def test_more_bytes_than_fit_into_31_bits_are_counted(engine: Engine) -> None:
    job = engine.planned(["1"])
    unit_done(engine, 1.0, 5 * 10**12)
    assert PipelineRepository(engine.database).spent(job.id) == Effort(1.0, 3, 5 * 10**12)


@given(st.lists(st.tuples(st.integers(1, 100), st.floats(0, 1e12)), min_size=1))
def test_a_range_is_within_what_was_seen_and_around_the_mean(units: list[tuple[int, float]]) -> None:
    found = _spread(units)
    assert found is not None
    assert 0 <= found.low <= found.mean <= found.high
    each = [amount / items for items, amount in units]
    if len(units) >= 5:
        slack = 1e-9 * max(each)
        assert min(each) - slack <= found.low
        assert found.high <= max(each) + slack


def test_what_is_counted_is_what_cave_and_its_buckets_sent(
    own_sandbox: Sandbox, sqlite: Database, tmp_path: Path
) -> None:
    house = House(sqlite, tmp_path)
    house.source = CaveSource(own_sandbox.dataset, own_sandbox.token)
    own_sandbox.control("DELETE", "log")
    parameters = SPEC.parameters.model_validate({"ids": [1]}).model_dump(mode="json", exclude={"ids"})
    fields = {"kind": SPEC.name, "code_version": SPEC.code_version, "parameters": parameters, "at": "mat"}
    job = house.finish(ids=live_roots()[:3], **fields)
    assert (job.state, job.succeeded) == ("succeeded", 3)
    spent = PipelineRepository(sqlite).spent(job.id)
    asked = own_sandbox.control("GET", "log")["counts"].values()
    assert spent.requests == sum(count["requests"] for count in asked)
    assert spent.received == sum(count["bytes_out"] for count in asked)
    costs = measured(house.engine, kind=SPEC.name, code_version=SPEC.code_version)
    assert costs is not None
    assert costs.received is not None
    assert 10_000 < costs.received.low <= costs.received.mean <= spent.received / 3
