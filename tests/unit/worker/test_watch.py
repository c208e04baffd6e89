"""What the worker's main process does about units that nobody wants any more."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from crant_core.jobs.database import Database
from tests.engine import ClockedDatabase, Engine, an_outcome
from worker.watch import Watch


@pytest.fixture
def engine(sqlite: Database, sqlite_url: str) -> Engine:
    return Engine(ClockedDatabase(sqlite_url))


def watch(engine: Engine, killed: list[int], grace: float = 0.0) -> Watch:
    return Watch(engine.units, 0.0, grace, nullcontext(), kill=killed.append)


def test_it_keeps_leases(engine: Engine) -> None:
    engine.planned(["1"])
    unit = engine.claimed()
    engine.database.pass_time(59)
    watch(engine, []).turn({unit.token: 77})
    engine.database.pass_time(59)
    assert engine.dispatch.expire() == 0


def test_it_kills_what_was_cancelled_once(engine: Engine) -> None:
    job, killed = engine.planned(["1", "2"]), []
    doomed, other = engine.claimed(), engine.claimed()
    watching = watch(engine, killed)
    requests = {doomed.token: 77, other.token: 78, "not begun": None}
    watching.turn(requests)
    assert killed == []
    engine.control.cancel(job.id)
    watching.turn({doomed.token: 77})
    watching.turn({doomed.token: 77})
    assert killed == [77]


def test_it_gives_a_unit_time_to_end_by_itself(engine: Engine) -> None:
    job, killed = engine.planned(["1"]), []
    unit = engine.claimed()
    engine.control.cancel(job.id)
    watching = watch(engine, killed, grace=3600)
    watching.turn({unit.token: 77})
    watching.turn({unit.token: 77})
    assert killed == []
    watching.turn({})
    assert watching.unwanted == {}


def test_it_kills_a_zombie_but_nobody_who_is_done(engine: Engine) -> None:
    engine.planned(["1", "2"])
    done, zombie = engine.claimed(), engine.claimed()
    engine.units.complete_run(done, [an_outcome(done.items[0])])
    engine.database.pass_time(61)
    engine.dispatch.expire()
    killed: list[int] = []
    watch(engine, killed).turn({done.token: 76, zombie.token: 77})
    assert killed == [77]
