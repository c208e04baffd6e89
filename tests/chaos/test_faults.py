"""The shorter part of the faults, with all tests: each for a second or so, on the database where it matters more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tests.chaos  # noqa: F401 - before the kinds are listed
from tests.chaos.faults import FAULTS, try_on
from tests.chaos.faults.cave import offline_cave
from tests.chaos.faults.store import may_mount
from tests.chaos.nursery import Nursery
from tests.chaos.schedules import DATABASES, draw, run
from tests.chaos.stand import Stand, standing

ON = {"postgresql": ("worker", "broker-emptied", "database-killed"), "sqlite": ("store-full", "cave-half")}
SLOW = {"postgresql": ("database-frozen", "two-releases"), "sqlite": ("all-workers", "clock-back")}
TRIED = [
    pytest.param(database, name, marks=marks)
    for faults, marks in ((ON, ()), (SLOW, pytest.mark.slow))
    for database, names in faults.items()
    for name in names
]  # others have their tests in tests/integration

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def postgresql(nursery: Nursery) -> Iterator[Stand]:
    with standing(nursery, "postgresql") as stand:
        yield stand


@pytest.fixture(scope="module")
def sqlite(nursery: Nursery) -> Iterator[Stand]:
    with standing(nursery, "sqlite") as stand, offline_cave(stand):
        yield stand


@pytest.mark.parametrize(("database", "name"), TRIED)
def test_nothing_is_lost_doubled_or_torn(request: pytest.FixtureRequest, database: str, name: str) -> None:
    if name.startswith("store") and not may_mount():
        pytest.skip("a store that is full or read-only needs a disk of its own, and only root can mount one")
    try_on(request.getfixturevalue(database), database, FAULTS[name], whole=False)


def test_a_schedule_follows_from_its_seed() -> None:
    assert draw(17) == draw(17)
    assert draw(17) != draw(19)
    assert {draw(seed).database for seed in range(1, 200)} == set(DATABASES)


@pytest.mark.slow
def test_a_job_survives_a_schedule_of_random_faults(postgresql: Stand) -> None:
    run(postgresql, draw(8, "postgresql"))
