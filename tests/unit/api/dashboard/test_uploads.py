"""Forms with long lists of ids: files of any format that the API reads, and much that is pasted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI

from crant_core.jobs.model import Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.jobs.tables import JobRow
from crant_core.kinds.base import MAX_INLINE_IDS
from tests.engine import ROOT
from tests.unit.api.dashboard.conftest import Browser, browser_of
from tests.unit.api.test_inputs import WRITERS, as_csv, as_parquet

ALL = Viewer(owner="", sees_all=True)
MANY = MAX_INLINE_IDS + 7
IDS = [ROOT + 2 * n + 1 for n in range(MANY)]  # odd, above 2**53: no float holds them
KIND = "/new/skeletonize"


@pytest.fixture
def owner(app: FastAPI) -> Browser:
    return browser_of(app, "alice", Scope.READ, Scope.SUBMIT)


def send(who: Browser, path: str = KIND, file: bytes | None = None, name: str = "ids", **values: str) -> httpx.Response:
    usual = {"dataset": "demo", "reuse": "on", "formats": "swc", "label": "keep me", "do": "submit"}
    fields = {field: (None, value) for field, value in (usual | values).items() if value}
    return who("POST", path, files=fields | ({"ids_file": (name, file)} if file is not None else {}))


def table(ids: list[int]) -> pa.Table:
    return pa.table({"name": ["x"] * len(ids), "root_id": pa.array(ids, pa.int64())})


def ids_of(app: FastAPI) -> list[int]:
    job: JobRow
    (job,) = app.state.services.jobs.recent(ALL)
    found: list[int] = app.state.services.jobs.input_ids(job)
    return found


def carried(page: str) -> str:
    [name] = re.findall(r'name="input" value="([0-9a-f]{64})"', page)
    assert isinstance(name, str)
    return name


@pytest.mark.parametrize("form", WRITERS)
def test_a_file_of_any_format_is_known_by_its_content(owner: Browser, app: FastAPI, form: str) -> None:
    assert send(owner, file=WRITERS[form](table(IDS[:5])), name="list.bin").status_code == 303
    assert ids_of(app) == IDS[:5]


def test_lines_of_json_are_known_by_their_name(owner: Browser, app: FastAPI) -> None:
    send(owner, file=f'{{"id": "{IDS[0]}"}}\n{{"id": {IDS[1]}}}\n'.encode(), name="list.NDJSON")
    assert ids_of(app) == IDS[:2]


def test_a_long_list_is_checked_kept_and_submitted_without_being_sent_again(owner: Browser, app: FastAPI) -> None:
    assert "100,000" not in owner.get(KIND).text
    page = send(owner, file=as_parquet(table(IDS)), name="ids.parquet", do="check").text
    assert f"Submit {MANY:,} items" in page
    assert f"{MANY:,} ids" in page
    assert len(page) < 200_000
    assert app.state.services.jobs.recent(ALL) == []
    assert send(owner, input=carried(page), ids="").status_code == 303
    assert ids_of(app) == IDS


def test_ids_that_are_given_anew_take_the_place_of_a_kept_list(owner: Browser, app: FastAPI) -> None:
    page = send(owner, file=as_csv(table(IDS)), do="check").text
    send(owner, input=carried(page), ids="5 7")
    assert ids_of(app) == [5, 7]


def test_much_may_be_pasted_and_a_file_comes_to_it(owner: Browser, app: FastAPI) -> None:
    pasted = ", ".join(str(one) for one in IDS[:-2])
    send(owner, ids=pasted, file=f"root_id\n{IDS[-2]}\n{IDS[-1]}\n".encode(), name="more.csv")
    assert ids_of(app) == IDS


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (as_csv(table([*IDS, 1])) + b"2,5.76E+17\n", f"row {MANY + 2}"),
        (as_parquet(pa.table({"root_id": pa.array([5.0])})), "row 1"),
        (b"PK\x03\x04 a spreadsheet", "save it as CSV"),
        (b"", "no ids"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_on_its_form(owner: Browser, app: FastAPI, file: bytes, said: str) -> None:
    answer = send(owner, file=file, name="a<b>.csv", do="check")
    assert answer.status_code == 422
    assert said in answer.text.split('role="alert"')[1].split("</section>")[0]
    assert 'value="keep me"' in answer.text
    assert app.state.services.jobs.recent(ALL) == []


def test_a_wrong_id_among_many_that_were_pasted_is_named(owner: Browser) -> None:
    answer = send(owner, ids="\n".join([*map(str, IDS), "12x"]))
    assert (answer.status_code, "12x" in answer.text.split('role="alert"')[1][:1000]) == (422, True)


def test_limits_are_those_of_the_api(owner: Browser, app: FastAPI) -> None:
    services = app.state.services
    services.settings = services.settings.model_copy(update={"upload_ids": MANY - 1})
    for answer in (send(owner, file=as_csv(table(IDS))), send(owner, ids="\n".join(map(str, IDS)))):
        assert (answer.status_code, "too_many_ids" in answer.text) == (413, True)
    announced = {"Content-Length": str(257 * 2**20), "Content-Type": "multipart/form-data; boundary=x"}
    answer = owner("POST", KIND, content=b"--x", headers=announced)
    assert (answer.status_code, "request_entity_too_large" in answer.text) == (413, True)


@pytest.mark.parametrize("fields", [1, 3])
def test_only_a_file_may_be_long(owner: Browser, fields: int) -> None:
    size = (9 << 20) // fields  # together more than memory is meant for

    async def body() -> AsyncIterator[bytes]:
        for n in range(fields):
            yield f'--x\r\nContent-Disposition: form-data; name="ids{n}"\r\n\r\n'.encode() + b"1" * size + b"\r\n"
        yield b"--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = owner("POST", KIND, content=body(), headers=headers)
    assert (answer.status_code, "request_entity_too_large" in answer.text, "file" in answer.text) == (413, True, True)
    other = {"Content-Type": "application/x-www-form-urlencoded"}
    assert owner("POST", KIND, content=b"ids=" + b"1" * (9 << 20), headers=other).status_code == 415


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n1\r\n--x--", b"--y\r\n" + b"\0" * 99])
def test_what_is_no_form_is_refused(owner: Browser, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert owner("POST", KIND, content=body, headers=headers).status_code in (400, 422)
    assert owner("POST", KIND, content=body, headers={"Content-Type": "multipart/form-data"}).status_code == 400


def test_a_list_that_does_not_exist_is_no_list(owner: Browser) -> None:
    answer = send(owner, input="a" * 64)
    assert (answer.status_code, "no input" in answer.text) == (422, True)


def test_a_schedule_may_have_a_long_list(owner: Browser, app: FastAPI) -> None:
    when = {"when-name": "nightly", "when-cron": "0 2 * * *", "when-zone": "UTC", "when-enabled": "on"}
    page = send(owner, "/schedules/new/skeletonize", file=as_parquet(table(IDS)), do="check", **when).text
    assert len(page) < 200_000
    send(owner, "/schedules/new/skeletonize", input=carried(page), **when)
    [schedule] = app.state.services.schedules.all(Viewer(owner="alice"))
    assert app.state.services.inputs.count(schedule.input_id) == MANY
    assert f"{MANY:,} ids" in owner.get(f"/schedules/{schedule.id}/edit").text
