"""Clocks that are wrong: set back while a job runs, and different on each host."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from crant_core.errors import SourceUnavailable
from crant_core.jobs import clock
from crant_core.jobs.clock import ServerClock
from crant_core.jobs.database import Database
from tests.engine import ClockedDatabase, Engine


def set_back(engine: Engine, hours: float = 1) -> None:
    assert isinstance(engine.database, ClockedDatabase)
    engine.database.moment -= timedelta(hours=hours)


def test_a_post_outlives_its_holder_by_seconds_though_the_clock_was_set_back(engine: Engine) -> None:
    assert engine.dispatch.lead("dead")
    set_back(engine)
    assert engine.dispatch.lead("alive")


def test_a_lease_that_was_taken_before_the_clock_was_set_back_runs_out(engine: Engine) -> None:
    engine.planned(["1"])
    engine.claimed()
    set_back(engine)
    assert engine.dispatch.expire() == 1


def test_units_offered_before_the_clock_was_set_back_are_offered_again(engine: Engine) -> None:
    engine.planned(["1"])
    offered = [unit.id for unit in engine.dispatch.due()]
    set_back(engine)
    assert [unit.id for unit in engine.dispatch.due()] == offered


def test_a_pause_does_not_last_for_as_long_as_the_clock_was_set_back(engine: Engine) -> None:
    engine.planned(["1"])
    engine.units.give_back(engine.claimed().token, SourceUnavailable())
    assert engine.claim_next() is None
    set_back(engine)
    assert engine.claim_next() is not None


def test_leases_of_those_who_live_are_left_alone(engine: Engine) -> None:
    engine.planned(["1"])
    unit = engine.claimed()
    set_back(engine)
    engine.units.renew([unit.token])
    assert engine.dispatch.expire() == 0


def test_hosts_with_different_clocks_agree_on_the_servers(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AnHourAhead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=1)

    right = Database(migrated_postgres_url)
    before = right.now()
    for module in ("database", "clock"):
        monkeypatch.setattr(f"crant_core.jobs.{module}.datetime", AnHourAhead)
    wrong = Database(migrated_postgres_url)
    assert timedelta(0) < wrong.now() - before < timedelta(minutes=1)
    right.close()
    wrong.close()


def test_the_servers_time_is_known_through_an_outage(
    migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, asked = ServerClock(create_engine(migrated_postgres_url, poolclass=NullPool)), 0
    before = heard.now()

    def gone(_: ServerClock) -> None:
        nonlocal asked
        asked += 1
        raise OperationalError("SELECT", {}, OSError("gone"))

    monkeypatch.setattr(ServerClock, "_asked", gone)
    uptime = clock._uptime
    monkeypatch.setattr(clock, "_uptime", lambda: uptime() + 60)
    assert timedelta(seconds=60) <= heard.now() - before < timedelta(seconds=90)
    assert asked == 1
    assert heard.now() > before
    assert asked == 1, "the next question comes a second later"
    with pytest.raises(OperationalError):
        ServerClock(create_engine(migrated_postgres_url, poolclass=NullPool)).now()
