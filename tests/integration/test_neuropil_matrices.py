"""The kind `neuropil_matrices` through broker and worker."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.model import JobState
from crant_core.matrices.parquet import load_counts
from crant_core.sandbox.world.history import VERSIONS
from tests.fixtures.neurons import roots_at
from tests.fixtures.service import Service
from tests.fixtures.synapse_truth import held

NO_ROOT = (8 << 56) + 5_000_000

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_job_counts_all_outputs_of_its_neurons(service: Service, tmp_path: Path) -> None:
    service.environment["CRANT_CACHE_FOLDER"] = str(tmp_path)
    service.start_worker()
    roots = roots_at(VERSIONS[-1].number)
    types = dict.fromkeys(map(str, roots), "PN")
    parameters = {"cell_types": types, "neuropils": ["ellipsoid_body", "lateral_horn_right"]}
    ids = [*roots_at(2), *roots, NO_ROOT]
    job = service.engine.submit(ids, kind="neuropil_matrices", parameters=parameters, at="mat")
    job = service.ended(job)
    assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 5, 1), service.logs()
    items = {item.key: item for item in service.engine.jobs.items(job.id)}
    assert items[str(NO_ROOT)].error_code == "not_a_root"
    table = held(VERSIONS[-1].timestamp)
    table = table[(table.pre != table.post) & (table.post != 0)]
    for root in roots:
        assert items[str(root)].metrics["n_synapses"] == (table.pre == root).sum()
    store = CloudStore(service.environment["CRANT_ARTIFACTS_URL"])
    files = {artifact.name: store.get(artifact.sha256) for artifact in service.engine.jobs.artifacts(job.id)}
    tables = ("neurons", "cell_types", "counts", "matrices", "type_sums", *roots)
    assert set(files) == {f"{name}.parquet" for name in tables} | {"heatmaps.png", "manifest.json"}
    described = {file["name"]: file["meta"] for file in json.loads(files["manifest.json"])["files"]}
    assert {described[f"{name}.parquet"]["neuropils_absent"] for name in tables} == {""}
    shares = pd.read_parquet(BytesIO(files["neurons.parquet"]))
    assert sorted(shares["asked_id"]) == sorted({*roots_at(2), *roots})
    assert set(shares["root_id"]) == set(roots)
    assert described["neurons.parquet"]["n_partial"] == (shares["share"] < 1).sum()
    counts = load_counts(files["counts.parquet"])
    assert {int(one) for one in counts.ids} >= set(roots)
    assert [attempt.outcome for attempt in service.engine.jobs.attempts(job.id)] == ["done"] * 3
