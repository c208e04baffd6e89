from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pytest
from starlette.requests import Request
from starlette.responses import Response

from crant_core.sandbox.tables import arrow

EXACT = [2**53 + 1, None, 2**62 + 1]
FRAME = pd.DataFrame(
    {
        "id": pd.array(EXACT, dtype="Int64"),
        "x": pd.array([1, 2, 3], dtype="Int32"),
        "size": pd.array([1.5, None, 2.5], dtype="Float32"),
        "valid": pd.array([True, None, False], dtype="boolean"),
        "tag": pd.array(["a", None, "ü"], dtype="string"),
        "created": pd.to_datetime(["2026-01-01"] * 3, utc=True),
    }
)


def respond(accepted: str, query: str = "", **more: object) -> Response:
    scope = {"type": "http", "query_string": query.encode(), "headers": [(b"accept-encoding", accepted.encode())]}
    return arrow.answer(Request(scope), FRAME, **({"names": {"t": {"id": "id"}}, "resolution": (8, 8, 42.0)} | more))


def compression_of(body: bytes) -> str | None:
    """Return what an IPC stream's buffers are compressed by: their frames begin with magic numbers."""
    magic = {"zstd": b"\x28\xb5\x2f\xfd", "lz4": b"\x04\x22\x4d\x18"}
    return next((name for name, number in magic.items() if number in body), None)


def test_types_and_missing_values_survive_exactly():
    response = respond("zstd")
    assert response.headers["content-type"] == "data.arrow"
    with pa.ipc.open_stream(response.body) as reader:
        pd.testing.assert_frame_equal(reader.read_pandas(), FRAME)


def test_it_is_one_record_batch():
    with pa.ipc.open_stream(respond("zstd").body) as reader:
        assert len(list(reader)) == 1


@pytest.mark.parametrize(
    ("accepted", "query", "expected"),
    [("zstd", "", "zstd"), ("lz4, zstd", "", "lz4"), ("", "", None), ("zstd", "ipc_compress=False", None)],
)
def test_buffers_are_compressed_by_what_is_accepted(accepted, query, expected):
    response = respond(accepted, query)
    assert compression_of(response.body) == expected
    assert "content-encoding" not in response.headers


def test_json_is_records_with_exact_ids_beside_missing_ones():
    response = respond("", "return_pyarrow=False")
    assert response.headers["content-type"] == "application/json"
    records = json.loads(response.body)
    assert [record["id"] for record in records] == EXACT
    assert records[0] == {"id": EXACT[0], "x": 1, "size": 1.5, "valid": True, "tag": "a", "created": 1767225600000}


def test_a_body_is_gzipped_only_where_gzip_is_accepted():
    response = respond("gzip", "return_pyarrow=False")
    assert response.headers["content-encoding"] == "gzip"
    assert response.body[:2] == b"\x1f\x8b"


def test_the_resolution_is_three_headers_of_the_same_name():
    assert respond("zstd").headers.getlist("dataframe_resolution") == ["8.0", "8.0", "42.0"]
    assert respond("zstd", resolution=None).headers.getlist("dataframe_resolution") == []


def test_column_names_are_a_python_dict():
    assert respond("zstd").headers["column_names"] == "{'t': {'id': 'id'}}"


def test_warnings_are_repeated_headers_of_one_line():
    response = respond("zstd", warnings=["one\ntwo", "Ask – please"])
    assert response.headers.getlist("warning") == ["one two", "Ask \\u2013 please"]
