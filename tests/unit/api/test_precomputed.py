"""Skeletons for Neuroglancer, read by cloud-volume over real HTTP."""

from __future__ import annotations

import json
from urllib.parse import unquote

import numpy as np
import pytest
from cloudvolume import CloudVolume
from fastapi import FastAPI

from crant_core.jobs.model import Scope
from crant_core.skeleton import Skeleton
from crant_core.skeleton.precomputed import to_precomputed
from crant_core.skeleton.swc import to_swc
from tests.engine import ROOT, Engine
from tests.unit.api.conftest import Caller, caller, skeletonized
from tests.unit.api.test_jobs import problem

TREE = Skeleton(
    nodes=np.array([[1e6, 2e6, 3e6], [1e6, 2e6, 3.001e6], [1e6, 2.002e6, 3.001e6]]),
    radii=np.array([300.0, 200.0, 100.0]),
    parents=np.array([-1, 0, 1]),
)
BIG = str(2**63 - 5)
SWC = to_swc(TREE, {}, soma=0)
BOTH = {str(ROOT): {"swc": SWC}, BIG: {"swc": SWC}}


def links_of(response) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in response.json()["links"]}


@pytest.mark.parametrize("files", [{"swc": SWC}, {"precomputed": to_precomputed(TREE)}], ids=["swc", "precomputed"])
def test_cloud_volume_reads_a_jobs_skeletons_by_the_jobs_link(
    live: str, app: FastAPI, engine: Engine, alice: Caller, files: dict[str, bytes]
) -> None:
    job = skeletonized(app, engine, {BIG: files})
    source = links_of(alice("GET", f"/v1/jobs/{job.id}"))["precomputed"]
    volume = CloudVolume(f"precomputed://{live}{source}/volume", progress=False, parallel=1)
    found = volume.skeleton.get(int(BIG))
    assert found.vertices.tolist() == TREE.nodes.tolist()
    assert found.radius.tolist() == TREE.radii.tolist()
    assert found.cable_length() == pytest.approx(3000)


def test_the_link_shows_the_first_neurons_in_the_datasets_scene(app: FastAPI, engine: Engine, alice: Caller) -> None:
    job = skeletonized(app, engine, BOTH, label="two of them")
    links = links_of(alice("GET", f"/v1/jobs/{job.id}"))
    answer = Caller(app, None)("GET", links["neuroglancer"])
    assert answer.status_code == 307
    site, _, state = answer.headers["location"].partition("/#!")
    scene = json.loads(unquote(state))
    assert site == "https://neuroglancer-demo.appspot.com"
    [layer] = [layer for layer in scene["layers"] if layer["name"] == "two of them"]
    assert layer["source"] == f"precomputed://http://crant.test{links['precomputed']}"
    assert layer["segments"] == [str(ROOT), BIG]


def test_info_is_the_jobs_own_or_made_on_the_fly(app: FastAPI, engine: Engine, alice: Caller) -> None:
    job = skeletonized(app, engine, BOTH)
    answer = alice("GET", f"/precomputed/jobs/{job.id}/info")
    assert answer.json()["@type"] == "neuroglancer_skeletons"
    assert [attribute["id"] for attribute in answer.json()["vertex_attributes"]] == ["radius"]
    assert answer.json()["crant"]["timestamp"].startswith("2026-11-01T12:00:00")
    again = alice("GET", f"/precomputed/jobs/{job.id}/info", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_any_site_may_read_and_errors_too(app: FastAPI, engine: Engine, alice: Caller) -> None:
    job = skeletonized(app, engine, BOTH)
    path, nobody = links_of(alice("GET", f"/v1/jobs/{job.id}"))["precomputed"], Caller(app, None)
    origin = {"Origin": "https://neuroglancer-demo.appspot.com"}
    for rest, status in (("/info", 200), (f"/{ROOT}", 200), ("/5", 404), ("/x", 422)):
        answer = nobody("GET", path + rest, headers=origin)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*")
    asked = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    assert nobody("OPTIONS", f"{path}/info", headers=asked).status_code == 200
    assert "access-control-allow-origin" not in alice("GET", "/v1/me", headers=origin).headers
    assert nobody("HEAD", f"{path}/{ROOT}").headers["content-length"] == str(len(to_precomputed(TREE)))


def test_only_the_jobs_own_key_opens_it(app: FastAPI, engine: Engine, alice: Caller, bob: Caller) -> None:
    mine, other = skeletonized(app, engine, BOTH), skeletonized(app, engine, {BIG: {"swc": SWC}})
    for ref in (f"{mine.id}~", f"{mine.id}~{other.share_key}", f"{mine.id}~x", f"{mine.id}~é", "..%2f..~x"):
        problem(Caller(app, None)("GET", f"/precomputed/jobs/{ref}/info"), 404, "not_found")
    problem(Caller(app, None)("GET", f"/precomputed/jobs/{mine.id}/info"), 401, "token_missing")
    problem(bob("GET", f"/precomputed/jobs/{mine.id}/info"), 404, "not_found")
    problem(caller(app, "eve", Scope.SUBMIT)("GET", f"/precomputed/jobs/{mine.id}/info"), 403, "access_denied")
    assert alice("GET", f"/precomputed/jobs/{mine.id}/{BIG}").status_code == 200


def test_jobs_without_skeletons_have_no_such_link(app: FastAPI, engine: Engine, alice: Caller) -> None:
    job = engine.submit(kind="meshes", parameters={"formats": ["ply"]})
    assert not {"precomputed", "neuroglancer"} & links_of(alice("GET", f"/v1/jobs/{job.id}")).keys()
    problem(alice("GET", f"/precomputed/jobs/{job.id}/info"), 404, "not_found")
