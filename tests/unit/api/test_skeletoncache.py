"""CAVE's own client asking this service for skeletons, over real HTTP; the ids are checked by the offline CAVE."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import requests
from caveclient.auth import AuthClient
from caveclient.skeletonservice import SkeletonClient
from fastapi import FastAPI

from api.routes import skeletoncache
from crant_core.errors import MeshNotFound
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.planning import NewItem
from crant_core.skeleton.precomputed import to_precomputed
from tests.contracts.sandbox_clients import cave
from tests.engine import ALICE, Engine, an_outcome
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox
from tests.unit.api.conftest import Caller, skeletonized
from tests.unit.api.test_jobs import problem
from tests.unit.api.test_precomputed import SWC, TREE

ROOTS = neurons.live_roots()[:3]
V1 = "/skeletoncache/api/v1/crant_demo"


@pytest.fixture
def client(live: str, sandbox: Sandbox, alice: Caller) -> SkeletonClient:
    """The real client with our address and token; what it asks CAVE itself, the sandbox answers."""
    token = alice.headers["Authorization"].removeprefix("Bearer ")
    return SkeletonClient(live, "crant_demo", AuthClient(token=token, server_address=live), over_client=cave(sandbox))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeletoncache, "_LOOK_SECONDS", 0.02)


def when_ordered(engine: Engine, do: Callable[[object], None]) -> threading.Thread:
    """Play the worker: do something with the first job that comes in."""

    def work() -> None:
        until = time.monotonic() + 30
        while not (jobs := engine.jobs.recent(ALICE)) and time.monotonic() < until:
            time.sleep(0.02)
        do(jobs[0])

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("files", [{"swc": SWC}, {"precomputed": to_precomputed(TREE)}, {"swc": SWC, "parquet": b""}])
def test_a_stored_skeleton_comes_as_a_dictionary_in_nm(
    client: SkeletonClient, app: FastAPI, engine: Engine, files: dict[str, bytes]
) -> None:
    skeletonized(app, engine, {str(ROOTS[0]): files})
    found = client.get_skeleton(ROOTS[0])
    assert found["vertices"].tolist() == TREE.nodes.tolist()
    assert found["edges"].tolist() == [[1, 0], [2, 1]]
    assert found["radius"].tolist() == TREE.radii.tolist()
    assert (found["root"], found["meta"]["root_id"]) == (0, str(ROOTS[0]))
    assert ("compartment" in found) == ("swc" in files)


def test_it_comes_as_swc_in_um(client: SkeletonClient, app: FastAPI, engine: Engine) -> None:
    skeletonized(app, engine, {str(ROOTS[0]): {"swc": SWC}})
    table = client.get_skeleton(ROOTS[0], output_format="swc")
    assert table[["x", "y", "z"]].to_numpy() == pytest.approx(TREE.nodes / 1000)
    assert (table["radius"].tolist(), table["parent"].tolist()) == ([0.3, 0.2, 0.1], [-1, 0, 1])
    assert table["type"].tolist() == [1, 0, 0]


def test_a_missing_skeleton_is_made_by_a_job_and_waited_for(
    client: SkeletonClient, app: FastAPI, engine: Engine
) -> None:
    worker = when_ordered(engine, lambda _: skeletonized(app, engine, {str(ROOTS[0]): {"swc": SWC}}))
    assert len(client.get_skeleton(ROOTS[0])["vertices"]) == 3
    worker.join()
    ordered = engine.jobs.recent(ALICE)[-1]
    assert (ordered.kind, ordered.parameters["formats"]) == ("skeletonize", ["swc"])
    assert engine.jobs.input_ids(ordered) == [ROOTS[0]]


def test_one_that_cannot_be_made_says_why(client: SkeletonClient, engine: Engine) -> None:
    def fail(job: object) -> None:
        engine.plan(engine.claim_plan(job), [NewItem(key=str(ROOTS[0]))])
        unit = engine.claim_run(job)
        engine.units.complete_run(unit, [an_outcome(unit.items[0], MeshNotFound("no mesh"))])
        engine.units.complete_finish(engine.claimed(), [])

    worker = when_ordered(engine, fail)
    with pytest.raises(requests.HTTPError, match="no mesh"):
        client.get_skeleton(ROOTS[0])
    worker.join()
    assert len(engine.jobs.recent(ALICE)) == 1


def test_several_come_at_once_and_missing_ones_are_ordered_once(
    client: SkeletonClient, app: FastAPI, engine: Engine
) -> None:
    skeletonized(app, engine, {str(root): {"swc": SWC} for root in ROOTS[:2]}, owner="bob")
    assert client.skeletons_exist(root_ids=ROOTS) == {ROOTS[0]: True, ROOTS[1]: True, ROOTS[2]: False}
    assert client.skeletons_exist(root_ids=ROOTS[2]) is False
    for form in ("dict", "swc"):
        assert client.get_bulk_skeletons(ROOTS, output_format=form).keys() == {str(root) for root in ROOTS[:2]}
        assert client.fetch_skeletons(ROOTS, output_format=form).keys() == {str(root) for root in ROOTS[:2]}
    assert engine.jobs.recent(ALICE) == []
    client.get_bulk_skeletons(ROOTS, generate_missing_skeletons=True)
    client.fetch_skeletons(ROOTS, generate_missing_skeletons=True)
    assert client.generate_bulk_skeletons_async(ROOTS) > 0
    [ordered] = engine.jobs.recent(ALICE)
    assert engine.jobs.input_ids(ordered) == [ROOTS[2]]


def test_a_cancelled_order_is_made_anew(alice: Caller, engine: Engine) -> None:
    wanted = {"root_ids": [str(ROOTS[0])], "skeleton_version": 4}
    for _ in range(2):
        assert float(alice("POST", f"{V1}/bulk/gen_skeletons", json=wanted).text) == 60
        engine.control.cancel(engine.jobs.recent(ALICE)[0].id)
    assert len(engine.jobs.recent(ALICE)) == 2


def test_what_is_not_served_is_refused(app: FastAPI, alice: Caller) -> None:
    many = ",".join(str(ROOTS[0] + n) for n in range(11))
    problem(alice("GET", f"{V1}/bulk/get_skeletons/4/flatdict/False/{many}"), 413, "too_many_ids")
    problem(alice("GET", f"{V1}/async/get_skeleton/3/{ROOTS[0]}/flatdict"), 422, "invalid_input")
    problem(alice("GET", f"{V1}/async/get_skeleton/4/{2**63}/flatdict"), 422, "invalid_id")
    problem(alice("GET", f"{V1}/async/get_skeleton/4/{ROOTS[0]}/h5"), 422, "invalid_input")
    problem(alice("GET", V1.replace("demo", "x") + "/precomputed/skeleton/info"), 422, "unknown_dataset")
    many_cached = {"root_ids": [ROOTS[0] + n for n in range(501)]}
    problem(alice("POST", f"{V1}/bulk/get_cached_skeletons/4/flatdict", json=many_cached), 413, "too_many_ids")
    reader = Caller(app, app.state.services.tokens.create("eve", [Scope.READ]))
    problem(reader("GET", f"{V1}/async/get_skeleton/4/{ROOTS[0]}/flatdict"), 403, "access_denied")
    problem(Caller(app, None)("GET", f"{V1}/async/get_skeleton/4/{ROOTS[0]}/flatdict"), 401, "token_missing")


def test_a_skeleton_without_readable_files_is_missing(app: FastAPI, alice: Caller, engine: Engine) -> None:
    skeletonized(app, engine, {str(ROOTS[0]): {"parquet": b"x"}})
    asked = {"root_ids": [ROOTS[0]]}
    assert alice("POST", f"{V1}/precomputed/skeleton/exists", json=asked).json() == {str(ROOTS[0]): False}
