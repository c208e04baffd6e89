"""Every slot is run once or left out once, whatever clocks, crashes and rivals do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crant_core.jobs.schedule_tables import ScheduleRow
from crant_core.jobs.slots import timetable_of
from crant_core.jobs.timetable import upcoming
from tests.contracts.schedules import DEMO, Lab, utc
from tests.engine import ClockedDatabase, Engine

ROOT = Path(__file__).parents[2]
BEGUN = utc(2026, 10, 24, 12)  #: two changes of clocks follow: Berlin's that night, New York's a week later
TIMETABLES = (
    {"cron": "0 2 * * *", "zone": "America/New_York"},
    {"cron": "30 2 * * *", "zone": "Europe/Berlin"},
    {"cron": "*/20 * * * *", "zone": "Europe/Berlin"},
    {"every_seconds": 5400, "zone": "UTC"},
)

#: what happens next: so many minutes pass, and who looks: one, two one after the other, nobody, one that crashes
STEPS = st.lists(
    st.tuples(st.integers(-30, 2000), st.sampled_from(["look", "twice", "nobody", "crash"])), min_size=1, max_size=12
)


class Crash(Exception):
    """A process died."""


def come(schedule: ScheduleRow, now: datetime) -> list[datetime]:
    """List the slots that have come, worked out here from the timetable alone."""
    return [slot for slot in upcoming(timetable_of(schedule), BEGUN, 2000) if slot <= now]


def crash(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look, and die after the job was stored and before that was committed."""
    insert = lab.engine.jobs.insert

    def dies(*given: object) -> None:
        insert(*given)  # type: ignore[arg-type]
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(lab.engine.jobs, "insert", dies)
        lab.looker.look("test")  # an error of one schedule stays its own


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Lab]:
    path = tmp_path_factory.mktemp("exactly") / "crant.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    database = ClockedDatabase(f"sqlite:///{path}")
    yield Lab(Engine(database))
    database.close()


@given(steps=STEPS, timetable=st.sampled_from(TIMETABLES), catch_up=st.sampled_from(["once", "none"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_slot_is_run_or_left_out_exactly_once(
    lab: Lab,
    steps: list[tuple[int, str]],
    timetable: dict[str, str],
    catch_up: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab.database.moment = BEGUN
    lab.made += 1
    schedule = lab.create(name=f"number {lab.made}", catch_up=catch_up, overlap="cancel_previous", **timetable)
    looked = [BEGUN]  # moments up to which slots have been dealt with
    for minutes, what in [*steps, (0, "look")]:
        lab.database.pass_time(60 * minutes)
        if what == "crash":
            crash(lab, monkeypatch)
        for _ in range({"look": 1, "twice": 2}.get(what, 0)):
            lab.another_looker().look("test")
            looked.append(lab.database.moment)
    assert_right(lab, schedule, looked, catch_up)
    lab.schedules.delete(schedule.id)


def assert_right(lab: Lab, schedule: ScheduleRow, looked: list[datetime], catch_up: str) -> None:
    run = [slot for slot in lab.slots(schedule) if slot]
    slots = come(schedule, max(looked))
    assert run == sorted(set(run))
    assert set(run) <= set(slots)
    left_out = []
    for row in lab.skip_rows(schedule):
        span = [slot for slot in slots if row.slot <= slot <= row.last_slot]
        assert (row.reason, row.count) == ("missed", len(span))
        left_out += span
    assert sorted(run + left_out) == slots, "each slot once, in one of the two"
    assert run == expected(slots, looked, None if catch_up == "once" else timedelta(seconds=lab.grace_seconds))


def expected(slots: list[datetime], looked: list[datetime], patience: timedelta | None) -> list[datetime]:
    """Work out what must be run: of the slots between two looks the last one, if it is not too late for it."""
    run, dealt_with = [], BEGUN
    for now in looked:
        new = [slot for slot in slots if dealt_with < slot <= now]
        if new:
            dealt_with = new[-1]
            if patience is None or now - new[-1] <= patience:
                run.append(new[-1])
    return run


#: a looker that is killed where it would store the job, or right after it did, before the commit
_DIES = """
import os, signal, sys
from datetime import datetime
from crant_core.datasets import Dataset
from crant_core.jobs.repository.jobs import JobRepository
from tests.engine import ClockedDatabase
from worker.schedules import Schedules

class Dying(JobRepository):
    def insert(self, session, new):
        if sys.argv[3] == "after":
            super().insert(session, new)
            session.flush()
        os.kill(os.getpid(), signal.SIGKILL)

database = ClockedDatabase(sys.argv[1])
database.moment = datetime.fromisoformat(sys.argv[2])
dataset = Dataset.model_validate_json(sys.argv[4])
Schedules(Dying(database), [dataset], tick_seconds=10, grace_seconds=300).look("dying")
"""


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_looker_killed_between_firing_and_storing_loses_nothing_and_doubles_nothing(
    engine: Engine, migrated_url: str, point: str
) -> None:
    lab, slot = Lab(engine), utc(2026, 11, 1, 7)
    schedule = lab.create()
    words = [migrated_url, slot.isoformat(), point, DEMO.model_dump_json()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run(
        [sys.executable, "-c", _DIES, *words], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert lab.runs(schedule) == []
    assert lab.see(schedule).next_slot == slot
    assert (lab.look(slot), lab.look()) == (1, 0)
    assert lab.slots(schedule) == [slot]
