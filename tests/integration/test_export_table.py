"""The kind `export_table` through broker and worker: jobs with ids, and without."""

from __future__ import annotations

from io import BytesIO

import pyarrow.parquet as pq
import pytest

from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.model import JobState
from crant_core.sandbox import names
from tests.fixtures.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_job_without_ids_stores_the_table_and_one_with_ids_their_rows(service: Service) -> None:
    service.start_worker()
    parameters = {"table": names.SYNAPSES}
    everything = service.engine.submit([], kind="export_table", parameters=parameters, at="3")
    whole = _table(service, everything)
    ids = whole["id"].to_pylist()[::7]
    some = _table(
        service,
        service.engine.submit(ids, kind="export_table", parameters=parameters | {"id_column": "id"}, at="3"),
    )
    assert whole.num_rows > 1000
    assert sorted(some["id"].to_pylist()) == sorted(ids)


def _table(service: Service, job):
    ended = service.ended(job)
    assert (ended.state, ended.total) == (JobState.SUCCEEDED, 1), service.logs()
    [item] = service.engine.jobs.items(job.id)
    store = CloudStore(service.environment["CRANT_ARTIFACTS_URL"])
    files = {artifact.name: store.get(artifact.sha256) for artifact in service.engine.jobs.artifacts(job.id)}
    assert set(files) == {f"{names.SYNAPSES}.v3.00000.parquet", "manifest.json"}
    found = pq.read_table(BytesIO(files[f"{names.SYNAPSES}.v3.00000.parquet"]))
    assert item.metrics["n_rows"] == found.num_rows
    return found
