"""The Python client against the API behind a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from api.limits import RateLimit
from crant_core import answers
from crant_core.client import Crant, ServiceProblem
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.jobs import Viewer
from tests.engine import ROOT

MANY = 100_001  #: one more than a request may have


@pytest.fixture
def crant(live: str, app: FastAPI) -> Iterator[Crant]:
    service = Crant(live, app.state.services.tokens.create("alice", [Scope.READ, Scope.SUBMIT]))
    yield service
    service.http.close()


def test_any_number_of_ids_is_one_call(crant: Crant, app: FastAPI) -> None:
    job = crant.submit("meshes", dataset="demo", ids=range(ROOT, ROOT + MANY), label="many")
    assert (job.view.given, job.view.label) == (MANY, "many")
    row = app.state.services.jobs.recent(Viewer(owner="alice"))[0]
    assert app.state.services.jobs.input_ids(row) == list(range(ROOT, ROOT + MANY))
    assert crant.estimate("meshes", dataset="demo", ids=range(ROOT, ROOT + MANY)).items == MANY


def test_a_list_can_be_uploaded_once_and_named_often(crant: Crant) -> None:
    name = crant.upload([ROOT, str(2**63 - 1)])
    assert [crant.submit("meshes", dataset="demo", input=name).view.given for _ in range(2)] == [2, 2]


def test_among_many_ids_the_one_that_is_none_is_named(crant: Crant) -> None:
    with pytest.raises(ServiceProblem, match="row 100001") as refused:
        crant.submit("meshes", dataset="demo", ids=[*range(1, MANY), 5.76e17])
    assert refused.value.code == "invalid_id"


def test_a_job_says_what_it_is_and_where_to_look(crant: Crant, live: str) -> None:
    job = crant.submit("skeletonize", dataset="demo", ids=[ROOT])
    assert repr(job) == f"<Job {job.id}: skeletonize on demo, planning, 0 of 0 items>"
    assert job.page == f"{live}/jobs/{job.id}"
    assert job.neuroglancer is not None
    assert job.neuroglancer.startswith(f"{live}/precomputed/jobs/{job.id}~")
    assert crant.submit("update_ids", dataset="demo", ids=[ROOT]).neuroglancer is None


@pytest.fixture
def waits(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let a token make three requests in a minute, of a clock that runs while the client waits."""
    waited: list[float] = []
    app.state.services.limits = RateLimit(3, clock=lambda: sum(waited))
    monkeypatch.setattr(answers, "_wait", waited.append)
    return waited


def test_who_asks_too_often_waits_as_told_and_goes_on(crant: Crant, waits: list[float]) -> None:
    assert {crant.me().owner for _ in range(5)} == {"alice"}
    assert waits == [20, 20]
    assert crant.submit("meshes", dataset="demo", ids=[ROOT]).view.given == 1, "a body is sent again"
    assert waits == [20, 20, 20]


def test_who_would_have_to_wait_for_long_is_told_so(crant: Crant, app: FastAPI, waits: list[float]) -> None:
    app.state.services.limits = RateLimit(1, clock=lambda: 0.0)  # it never fills again
    crant.me()
    with pytest.raises(ServiceProblem, match="requests a minute") as refused:
        crant.me()
    assert refused.value.code == "rate_limited"
    assert 60 <= sum(waits) <= 300
