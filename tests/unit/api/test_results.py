"""Results as tables and archives, artifacts in ranges, jobs that did not change."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc
from pyarrow import parquet as pq
from rocrate.model import File
from rocrate.rocrate import ROCrate

from api.crate import harmless
from api.negotiation import preferred
from crant_core.errors import MeshNotFound
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.tables import JobRow
from tests.engine import Engine, an_outcome
from tests.unit.api.conftest import Caller, stored
from tests.unit.api.test_jobs import problem

BIG = 2**53 + 1
EVIL = ["../../etc/passwd", "..", "C:\\x\\y.swc", "/abs", "a b.swc", "x\0y", "ü.swc", "~2E"]


@pytest.fixture
def job(engine: Engine) -> JobRow:
    """Three items: two with metrics of several types, one that failed with a message like a formula."""
    job = engine.planned([str(BIG), "7", "8"], items_per_unit=3)
    unit = engine.claim_run(job)
    metrics = [{"n": BIG, "share": 1, "flag": True, "state": "x"}, {"share": 0.5, "list": [1]}]
    outcomes = [an_outcome(item, metrics=found) for item, found in zip(unit.items, metrics, strict=False)]
    engine.units.record(unit, [*outcomes, an_outcome(unit.items[2], MeshNotFound("=cmd()"))])
    return engine.see(job)


EXPECTED = [
    {"key": str(BIG), "state": "succeeded", "n": BIG, "share": 1.0, "flag": True, "metric_state": "x", "list": None},
    {"key": "7", "state": "succeeded", "n": None, "share": 0.5, "flag": None, "metric_state": None, "list": "[1]"},
    {"key": "8", "state": "failed", "n": None, "share": None, "error_code": "mesh_not_found", "list": None},
]


def holds(rows: list[dict[str, object]]) -> bool:
    return [{name: row[name] for name in want} for row, want in zip(rows, EXPECTED, strict=True)] == EXPECTED


def test_results_come_in_the_format_that_is_asked_for(alice: Caller, job: JobRow) -> None:
    def get(accept: str) -> bytes:
        answer = alice("GET", f"/v1/jobs/{job.id}/results", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, accept)
        return answer.content

    assert holds(pq.read_table(io.BytesIO(get("application/vnd.apache.parquet"))).to_pylist())
    assert holds(ipc.open_stream(get("application/vnd.apache.arrow.stream")).read_all().to_pylist())
    rows = json.loads(get("application/json"))["rows"]
    assert rows[0]["n"] == str(BIG)
    assert holds([{**rows[0], "n": BIG}, *rows[1:]])
    cells = list(csv.DictReader(io.StringIO(get("text/csv").decode())))
    assert (cells[0]["key"], cells[0]["n"], cells[1]["share"]) == (str(BIG), str(BIG), "0.5")
    assert cells[2]["error_message"] == "'=cmd()"


def test_a_job_without_items_has_an_empty_table(alice: Caller, engine: Engine) -> None:
    path = f"/v1/jobs/{engine.submit().id}/results"
    assert alice("GET", path).json()["rows"] == []
    assert pq.read_table(io.BytesIO(alice("GET", f"{path}?format=parquet").content)).num_rows == 0
    assert alice("GET", f"{path}?format=csv").text.count("\n") == 1
    problem(alice("GET", path, headers={"Accept": "image/png"}), 406, "not_acceptable")
    problem(alice("GET", f"{path}?format=xml"), 422, "invalid_input")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "a/x"), ("*/*", "a/x"), ("b/y", "b/y"), ("a/*;q=0.1, b/*", "b/y"), ("a/x;q=0, */*;q=0.5", "b/y"),
        ("c/z", None), ("text/html, */*;q=0.8", "a/x"), ("a/x;q=zero", None), ("A/X", "a/x"), (";;,", None),
    ],
)  # fmt: skip
def test_accept_is_weighed(accept: str, chosen: str | None) -> None:
    assert preferred(accept, ["a/x", "b/y"]) == chosen


def test_the_archive_is_a_crate_with_every_file_in_it(
    alice: Caller, app: FastAPI, engine: Engine, tmp_path: Path
) -> None:
    job = engine.planned(["1"], label="with odd names")
    unit = engine.claim_run(job)
    files = [stored(app, name, name.encode()) for name in EVIL]
    engine.units.complete_run(unit, [an_outcome(unit.items[0], files=files)])
    answer = alice("GET", f"/v1/jobs/{job.id}/archive.zip")
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    archive.extractall(tmp_path / "out")
    crate = ROCrate(tmp_path / "out")
    assert crate.root_dataset["name"] == "with odd names"
    assert crate.version == "1.1"
    (made,) = crate.get_by_type("CreateAction")
    assert (made["agent"]["name"], made["instrument"]["name"]) == ("alice", "crant-batch")
    packed = [name for name in archive.namelist() if name != "ro-crate-metadata.json"]
    assert sorted(part.id for part in crate.root_dataset["hasPart"]) == sorted(packed)
    found = {file["name"]: (tmp_path / "out" / file.id).read_bytes() for file in files_of(crate)}
    assert found == {name: name.encode() for name in EVIL}
    assert all(hashlib.sha256(found[file["name"]]).hexdigest() == file["sha256"] for file in files_of(crate))
    crate.write(tmp_path / "copy")  # which reads every file that it describes
    assert {path.name for path in (tmp_path / "copy" / "files").iterdir()} == {
        name[6:] for name in packed if "/" in name
    }


def files_of(crate: ROCrate) -> list[File]:
    return [file for file in crate.get_by_type("File") if file.id != "items.csv"]


def test_the_archive_unpacks_below_its_folder_whatever_its_files_are_called(
    alice: Caller, app: FastAPI, engine: Engine, tmp_path: Path
) -> None:
    job = engine.planned(["1"])
    unit = engine.claim_run(job)
    engine.units.complete_run(unit, [an_outcome(unit.items[0], files=[stored(app, n, b"x") for n in EVIL])])
    archive = zipfile.ZipFile(io.BytesIO(alice("GET", f"/v1/jobs/{job.id}/archive.zip").content))
    for name in archive.namelist():  # as they are, not as `extractall` would mend them
        assert ".." not in PurePosixPath(name).parts
        assert not name.startswith("/")
        assert not set(name) & set("\\:\0")
    archive.extractall(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.joinpath("out").iterdir()) == [
        "files", "items.csv", "ro-crate-metadata.json",
    ]  # fmt: skip
    assert len(list((tmp_path / "out" / "files").iterdir())) == len(EVIL)


@given(st.text(max_size=50), st.text(max_size=50))
def test_harmless_names_stay_in_their_folder_and_differ(one: str, other: str) -> None:
    safe = harmless(one.encode("utf-8", "replace").decode())
    assert safe
    assert safe.strip(".")
    assert not set(safe) & set("/\\:\0 %?*")
    assert (safe == harmless(other.encode("utf-8", "replace").decode())) == (
        one.encode("utf-8", "replace") == other.encode("utf-8", "replace")
    )


def test_an_archive_with_a_damaged_file_breaks_off(alice: Caller, app: FastAPI, engine: Engine) -> None:
    job = engine.planned(["1"])
    unit, file = engine.claim_run(job), stored(app, "1.swc", b"sound")
    engine.units.complete_run(unit, [an_outcome(unit.items[0], files=[file])])
    app.state.services.store.local_path(file.sha256).write_bytes(b"rotten")
    answer = alice("GET", f"/v1/jobs/{job.id}/archive.zip")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(answer.content))


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_artifacts_come_in_ranges_wherever_they_lie(alice: Caller, app: FastAPI, engine: Engine, where: str) -> None:
    if where == "bucket":
        app.state.services.store = CloudStore(f"mem://ranges-{id(app)}")
    job = engine.planned(["1"])
    unit, file = engine.claim_run(job), stored(app, 'a"\r\nb.swc', b"0123456789", "text/plain; charset=utf-8")
    engine.units.complete_run(unit, [an_outcome(unit.items[0], files=[file])])
    path = f"/v1/jobs/{job.id}/artifacts/a%22%0D%0Ab.swc"
    whole = alice("GET", path)
    assert (whole.content, whole.headers["content-type"]) == (b"0123456789", "text/plain; charset=utf-8")
    assert "\n" not in whole.headers["content-disposition"]
    tag = {"If-None-Match": whole.headers["etag"]}
    assert (alice("GET", path, headers=tag).status_code, alice("GET", path, headers=tag).content) == (304, b"")
    for asked, status, part in [("2-4", 206, b"234"), ("-3", 206, b"789"), ("8-", 206, b"89"), ("20-", 416, None)]:
        answer = alice("GET", path, headers={"Range": f"bytes={asked}"})
        assert answer.status_code == status
        assert part is None or answer.content == part
    stale = alice("GET", path, headers={"Range": "bytes=2-4", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, b"0123456789")


def test_a_job_that_did_not_change_is_not_sent_again(alice: Caller, engine: Engine, job: JobRow) -> None:
    path = f"/v1/jobs/{job.id}"
    first = alice("GET", path)
    tag = {"If-None-Match": first.headers["etag"]}
    again = alice("GET", path, headers=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    engine.control.cancel(job.id)
    changed = alice("GET", path, headers=tag)
    assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")


def test_results_of_others_do_not_exist(bob: Caller, job: JobRow) -> None:
    for path in ("results", "archive.zip"):
        problem(bob("GET", f"/v1/jobs/{job.id}/{path}"), 404, "not_found")
