"""What workers count, and how endpoints are called."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from crant_core.jobs.counting import Counts as Counted
from crant_core.jobs.database import Database
from crant_core.jobs.repository.counters import CounterRepository
from worker.counts import Counts, Ears
from worker.endpoints import endpoint_of

CAVE = "https://cave.example"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (
            "/segmentation/api/v1/table/crant/node/576460754037774276/leaves?stop_layer=2",
            "/segmentation/api/v1/table/*/node/*/leaves",
        ),
        (
            "/materialize/api/v3/datastack/crant/version/3/table/synapses/query",
            "/materialize/api/v3/datastack/*/version/*/table/*/query",
        ),
        ("/meshing/api/v1/table/crant/manifest/576460754037774276:0?verify=True", "/meshing/api/v1/table/*/manifest/*"),
        ("/bucket/meshes/initial/2/1234-5.shard", "(object)"),
        ("/some-lab-bucket/512_512_512/0-64", "(object)"),
    ],
)
def test_endpoints_have_no_numbers_and_no_names_of_datasets(path: str, name: str) -> None:
    assert endpoint_of(f"{CAVE}{path}") == name


def test_a_table_is_no_endpoint() -> None:
    one, other = (endpoint_of(f"{CAVE}/l2cache/api/v1/table/{name}/attributes") for name in ("a_1", "b_2"))
    assert one == other == "/l2cache/api/v1/table/*/attributes"


class Broken(CounterRepository):
    """A repository whose database is away for a while."""

    away = True

    def add(self, counts: Counted) -> None:
        if self.away:
            raise OperationalError("", {}, OSError("away"))
        super().add(counts)


def test_an_outage_of_the_database_loses_no_count(sqlite: Database) -> None:
    repository = Broken(sqlite)
    counts = Counts(repository)
    ears = Ears(counts)
    ears.answered("GET", f"{CAVE}/info/api/v2/datastack/full/x", 200, 0.0, 0.2)
    counts.hand_on()
    ears.answered("GET", f"{CAVE}/info/api/v2/datastack/full/x", None, 0.0, 9.0)
    ears.received(f"{CAVE}/info/api/v2/datastack/full/x", 700)
    repository.away = False
    counts.hand_on()
    counts.hand_on()
    found = {(name, labels.get("status")): value for name, labels, value in repository.sums()}
    assert found["crant_cave_requests_total", "200"] == 1
    assert found["crant_cave_requests_total", "no answer"] == 1
    assert found["crant_cave_received_bytes_total", None] == 700


def test_it_is_handed_on_now_and_then_only(sqlite: Database) -> None:
    counts = Counts(CounterRepository(sqlite))
    for _ in range(3):
        counts.add("crant_hints_stale_total")
        counts.hand_on(at_once=False)
    assert [value for _, _, value in counts.repository.sums()] == [1]
