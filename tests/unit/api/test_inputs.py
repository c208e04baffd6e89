"""Lists of ids as files: every format exactly, and what is refused."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv as pa_csv
from pyarrow import ipc
from pyarrow import parquet as pq

from api.idlists import Format, read_ids
from crant_core.errors import CrantError, InvalidId, InvalidInput, TooManyIds
from crant_core.ids import parse_id, unpack
from crant_core.jobs.model import Scope
from tests.engine import ALICE, ROOT, Engine
from tests.unit.api.conftest import Caller, caller
from tests.unit.api.test_jobs import problem

EXACT = [2**53 + 1, 2**63 - 1, ROOT, 1, ROOT]
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}


def as_parquet(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def as_stream(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    with ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return stream.getvalue()


def as_file(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    with ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return stream.getvalue()


def as_csv(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pa_csv.write_csv(table, stream)
    return stream.getvalue()


WRITERS = {"parquet": as_parquet, "arrow": as_stream, "arrow-file": as_file, "csv": as_csv}
COLUMNS = {
    "int64": pa.array(EXACT, pa.int64()),
    "uint64": pa.array(EXACT, pa.uint64()),
    "text": pa.array([str(one) for one in EXACT]),
    "large_text": pa.array([str(one) for one in EXACT], pa.large_string()),
    "dictionary": pa.array([str(one) for one in EXACT]).dictionary_encode(),
}


def ids_of(data: bytes, form: str, tmp_path: Path, column: str | None = None, most: int = 10**6) -> list[int]:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return unpack(read_ids(path, Format(form.removesuffix("-file")), column=column, most=most))


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("form", WRITERS)
def test_ids_are_exact_in_every_format_and_type(form: str, kind: str, tmp_path: Path) -> None:
    table = pa.table({"name": ["x"] * len(EXACT), "root_id": COLUMNS[kind]})
    assert ids_of(WRITERS[form](table), form, tmp_path) == EXACT
    table = pa.table({"root_id": [1.5] * len(EXACT), "mine": COLUMNS[kind]})
    assert ids_of(WRITERS[form](table), form, tmp_path, column="mine") == EXACT


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("csv", "{0}\n{1}\n"),
        ("csv", "name;root_id\na;{0}\nb;{1}\n"),
        ("csv", "\ufeffroot_id\tname\r\n{0}\ta\r\n\r\n{1}\tb\r\n"),
        ("csv", 'segment\n"{0}"\n {1} \n'),
        ("ndjson", "{0}\n\n{1}\n"),
        ("ndjson", '"{0}"\n"{1}"\n'),
        ("ndjson", '{{"x": 1, "id": {0}}}\n{{"id": "{1}"}}'),
    ],
)
def test_text_is_read_as_people_write_it(form: str, data: str, tmp_path: Path) -> None:
    assert ids_of(data.format(*EXACT).encode(), form, tmp_path) == EXACT[:2]


@pytest.mark.parametrize(
    ("form", "data", "told"),
    [
        ("csv", b"1\n2\n5.76E+17\n", "row 3"),
        ("csv", b"root_id,name\n1,a\n,b\n", "row 2"),
        ("csv", b"a,root_id\nx,1\ny\n", "row 2"),
        ("ndjson", b"1\n2.0\n", "row 2"),
        ("ndjson", b"1\ntrue\n", "row 2"),
        ("ndjson", b"1\nnull\n", "row 2"),
        ("parquet", as_parquet(pa.table({"id": pa.array([1.0, 2.0])})), "row 1"),
        ("parquet", as_parquet(pa.table({"id": pa.array([5, None], pa.int64())})), "row 2"),
        ("parquet", as_parquet(pa.table({"id": pa.array([5, 2**63], pa.uint64())})), "row 2"),
        ("parquet", as_parquet(pa.table({"id": ["5", "0x10"]})), "row 2"),
        ("arrow", as_stream(pa.table({"id": [7, 0]})), "row 2"),
        ("arrow", as_stream(pa.table({"id": [[7], [0]]})), "row 1"),
    ],
)
def test_what_is_no_id_is_refused_with_its_row(form: str, data: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidId, match=told):
        ids_of(data, form, tmp_path)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("csv", b""), ("csv", b"\n\n"), ("csv", b"root_id\n"), ("csv", b"\xff\xfe\x00"), ("csv", b"x" * 200_000),
        ("ndjson", b"[" * 70_000), ("ndjson", b"[" * 60_000), ("ndjson", b"{"), ("ndjson", b"{}"),
        ("parquet", b"PAR1" + b"\0" * 90 + b"PAR1"), ("parquet", b""), ("parquet", as_parquet(pa.table({}))),
        ("arrow", b"ARROW1xxxxxxxxx"), ("arrow", b"\0" * 64), ("arrow", as_stream(pa.table({"id": [1]}))[:90]),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(form: str, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        ids_of(data, form, tmp_path)


@given(st.text(alphabet='"0123456789 +-.e\\u\u0663\u2028', max_size=22))
def test_a_line_is_read_as_json_is(tmp_path_factory: pytest.TempPathFactory, line: str) -> None:
    path = tmp_path_factory.getbasetemp() / "line"
    path.write_text(f"7\n{line}\n", encoding="utf-8")
    try:
        meant = [7, parse_id(json.loads(line))] if line.strip() else [7]
    except (ValueError, InvalidId):
        with pytest.raises(InvalidInput):
            read_ids(path, Format.NDJSON, column=None, most=10)
    else:
        assert unpack(read_ids(path, Format.NDJSON, column=None, most=10)) == meant


@pytest.mark.parametrize("form", WRITERS)
def test_too_many_ids_and_unknown_columns_are_refused(form: str, tmp_path: Path) -> None:
    data = WRITERS[form](pa.table({"a": EXACT}))
    with pytest.raises(TooManyIds):
        ids_of(data, form, tmp_path, most=4)
    with pytest.raises(InvalidInput, match="no column 'b'"):
        ids_of(data, form, tmp_path, column="b")


@given(st.sampled_from(list(Format)), st.binary(max_size=300))
def test_no_bytes_are_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, form: Format, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    with contextlib.suppress(CrantError):
        assert read_ids(path, form, column=None, most=1000)


def test_a_million_ids_become_a_job(alice: Caller, engine: Engine) -> None:
    table = pa.table({"root_id": pa.array(range(ROOT, ROOT + 1_000_000), pa.int64())})
    sent = alice("POST", "/v1/inputs", content=as_parquet(table), headers=PARQUET)
    assert sent.status_code == 201
    name = sent.json()["id"]
    assert sent.json()["count"] == alice("GET", sent.headers["location"]).json()["count"] == 1_000_000
    answer = alice("POST", "/v1/jobs", json={"kind": "meshes", "dataset": "demo", "params": {"input": name}})
    assert (answer.status_code, answer.json()["given"]) == (202, 1_000_000)
    ids = engine.jobs.input_ids(engine.jobs.get(answer.json()["id"], ALICE))
    assert (len(ids), ids[0], ids[-1]) == (1_000_000, ROOT, ROOT + 999_999)


def test_an_input_is_the_ids_it_was_made_of(alice: Caller, bob: Caller, engine: Engine) -> None:
    names = [
        alice("POST", f"/v1/inputs?{query}", content=data).json()["id"]
        for query, data in (("format=csv", b"5\n7\n"), ("format=ndjson", b"5\n7\n"))
    ]
    assert names[0] == names[1]
    request = {"kind": "skeletonize", "dataset": "demo", "params": {"input": names[0], "heal": False}}
    estimate = bob("POST", "/v1/jobs?dry_run=true", json=request).json()
    assert (estimate["given"], estimate["items"]) == (2, 2)
    job = bob("POST", "/v1/jobs", json=request).json()
    assert (job["params"]["heal"], "input" in job["params"]) == (False, False)
    given_inline = alice.submit(5, 7).json()
    ids = [engine.jobs.recent(ALICE)[0].input_id, names[0]]
    assert ids == [names[0]] * 2
    assert given_inline["given"] == 2


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"input": "a" * 64}, "no input"),
        ({"input": 7}, "no input"),
        ({"input": {"a": 1}}, "no input"),
        ({"input": "a", "ids": [1]}, "both"),
        ({"input": "", "wave": 3}, "no input"),
    ],
)
def test_an_input_that_is_none_is_refused(alice: Caller, params: dict[str, object], told: str) -> None:
    request = {"kind": "skeletonize", "dataset": "demo", "params": params}
    assert told in problem(alice("POST", "/v1/jobs", json=request), 422, "invalid_parameters")["detail"]


def test_who_may_not_submit_may_not_upload(app: FastAPI, alice: Caller) -> None:
    reader = caller(app, "eve", Scope.READ)
    problem(reader("POST", "/v1/inputs?format=csv", content=b"5"), 403, "access_denied")
    problem(Caller(app, None)("POST", "/v1/inputs?format=csv", content=b"5"), 401, "token_missing")
    problem(alice("POST", "/v1/inputs", content=b"5"), 415, "unsupported_media_type")
    problem(alice("POST", "/v1/inputs?format=xlsx", content=b"5"), 422, "invalid_input")
    problem(alice("GET", "/v1/inputs/x"), 404, "not_found")


def test_an_upload_that_is_too_large_is_refused_while_it_comes(alice: Caller, app: FastAPI) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(400):
            sent += 1
            yield b"1\n" * 2**19

    problem(alice("POST", "/v1/inputs?format=csv", content=body()), 413, "request_entity_too_large")
    assert sent <= 258
