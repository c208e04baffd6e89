"""The kind `vertex_l2_map` through broker and worker."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.model import JobState
from tests.fixtures.neurons import live_roots
from tests.fixtures.service import Service

NO_ROOT = (8 << 56) + 5_000_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_job_maps_each_neuron_and_one_that_cannot_be_mapped_fails_alone(service: Service, tmp_path: Path) -> None:
    service.environment["CRANT_CACHE_FOLDER"] = str(tmp_path)
    service.start_worker()
    roots = live_roots()[:2]
    job = service.ended(service.engine.submit([*roots, NO_ROOT], kind="vertex_l2_map", parameters={}, at="live"))
    assert (job.state, job.succeeded, job.failed) == (JobState.PARTIAL, 2, 1), service.logs()
    items = {item.key: item for item in service.engine.jobs.items(job.id)}
    assert items[str(NO_ROOT)].error_code == "not_a_root"
    store = CloudStore(service.environment["CRANT_ARTIFACTS_URL"])
    files = {artifact.name: store.get(artifact.sha256) for artifact in service.engine.jobs.artifacts(job.id)}
    stored = {f"{root}.{part}.parquet" for root in roots for part in ("vertices", "faces")}
    assert set(files) == stored | {"neurons.parquet", "manifest.json"}
    neurons = pq.read_table(BytesIO(files["neurons.parquet"]))
    assert sorted(neurons["root_id"].to_pylist()) == sorted(roots)
    for root, count in zip(neurons["root_id"].to_pylist(), neurons["n_vertices"].to_pylist(), strict=True):
        assert pq.read_table(BytesIO(files[f"{root}.vertices.parquet"])).num_rows == count
