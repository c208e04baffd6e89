"""What the Python client makes of a job's files, without a service."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crant_core.client import Crant
from crant_core.errors import InvalidInput
from crant_core.job import Job
from crant_core.jobs.wire import JobView

BIG = 2**60 + 1
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _job(files: dict[str, bytes]) -> Job:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=files[request.url.path.rpartition("/")[2]])

    service = Crant("http://nowhere.example", "token")
    service.http = httpx.Client(base_url="http://nowhere.example", transport=httpx.MockTransport(answer))
    return Job(service, JobView.model_construct(id="abc"))


def _parquet(table: pa.Table) -> bytes:
    stored = BytesIO()
    pq.write_table(table, stored)
    return stored.getvalue()


def test_a_table_has_the_types_of_its_file_names_and_times_too() -> None:
    columns = {
        "root_id": pa.array([BIG, None]),
        "neuropil": pa.array(["LH", None]).dictionary_encode(),  # as counts.parquet and the maps of vertices have it
        "created": pa.array([NOON, None], pa.timestamp("us", tz="UTC")),  # as exported tables have it
        "share": pa.array([1.0, 1.0]),
        "changed": pa.array([True, None]),
    }
    found = _job({"counts.parquet": _parquet(pa.table(columns))}).table("counts")
    kinds = ["Int64", "category", "datetime64[us, UTC]", "Float64", "boolean"]
    assert [str(kind) for kind in found.dtypes] == kinds
    assert (found["root_id"][0], found["neuropil"][0], found["created"][0]) == (BIG, "LH", NOON)
    assert found.drop(columns="share").isna().iloc[1].all()


def test_files_are_not_fetched_into_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("5")
    for place in (tmp_path / "ids.csv", tmp_path / "ids.csv" / "below"):
        with pytest.raises(InvalidInput, match="no folder to write to"):
            _job({}).fetch(place)
