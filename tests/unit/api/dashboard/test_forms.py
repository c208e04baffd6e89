from __future__ import annotations

import re

import pytest
from fastapi import FastAPI

from api.dashboard.forms import fields_of, ids_in, parameters_from
from crant_core.errors import InvalidInput
from crant_core.jobs.model import Role, Scope
from crant_core.jobs.repository.jobs import Viewer
from crant_core.kinds.registry import all_kinds, get_kind
from tests.engine import an_outcome
from tests.unit.api.dashboard.conftest import Browser, Lab, browser_of

FIRST, SECOND = "576460754037774676", "9223372036854775807"
ALL = Viewer(owner="", sees_all=True)


@pytest.fixture
def owner(app: FastAPI) -> Browser:
    return browser_of(app, "alice", Scope.READ, Scope.SUBMIT)


def filled(**values: str) -> dict[str, tuple[None, str]]:
    return {name: (None, value) for name, value in ({"dataset": "demo", "reuse": "on"} | values).items()}


@pytest.mark.parametrize("name", sorted(all_kinds()))
def test_a_form_sent_as_it_comes_means_the_kinds_defaults(name: str) -> None:
    kind = get_kind(name)
    as_it_comes = {field.name: field.given for field in fields_of(kind)}
    example = kind.parameters.model_validate(kind.example).model_dump(mode="json")
    needed = {"ids": ["\n".join(example["ids"])]}
    if "locations" in kind.example:
        needed["locations"] = [f'{{"{example["ids"][0]}": [[1, 2, 3]]}}']
    words = [word for word in ("table", "id_column") if word in kind.example]
    needed |= {word: [example[word]] for word in words}
    read = kind.parameters.model_validate(parameters_from(kind, as_it_comes | needed)).model_dump(mode="json")
    asked = {word: example[word] for word in ("ids", *words)}
    plain = kind.parameters.model_validate(asked | {name: read[name] for name in ("locations",) if name in read})
    assert read == plain.model_dump(mode="json")


def test_ids_keep_every_digit_and_any_separator_will_do() -> None:
    assert ids_in(f'{FIRST},{SECOND}\r\n "12"; 13\t') == [FIRST, SECOND, "12", "13"]


def test_every_kind_has_a_form_with_a_label_for_each_control(owner: Browser) -> None:
    for name in all_kinds():
        page = owner.get(f"/new/{name}").text
        ids = set(re.findall(r'<(?:input|select|textarea)[^>]*\bid="([^"]+)"', page))
        assert ids
        wrapped = set(re.findall(r'<label><input type="checkbox" id="([^"]+)"', page))
        assert ids <= set(re.findall(r'<label[^>]* for="([^"]+)"', page)) | wrapped


def test_a_dry_run_stores_nothing_and_offers_to_submit(owner: Browser, app: FastAPI) -> None:
    answer = owner(
        "POST", "/new/skeletonize", files=filled(ids=f"{FIRST}\n{SECOND}\n{FIRST}", do="check", formats="swc")
    )
    assert answer.status_code == 200
    assert "Submit 2 items" in answer.text
    assert "<dt>to fetch</dt><dd><small>not measured yet</small></dd>" in answer.text
    assert "no item of this kind was done on this dataset by this release yet." in answer.text
    assert f"{FIRST}\n{SECOND}" in answer.text.replace("\r", "")
    assert app.state.services.jobs.recent(ALL) == []


def test_what_was_measured_is_said_for_people(owner: Browser, lab: Lab) -> None:
    kind = get_kind("skeletonize")
    job = lab.planned(["1", "2"], kind=kind.name, code_version=kind.code_version)
    unit = lab.claim(job, Role.RUN)
    lab.engine.units.complete_run(unit, [an_outcome(item) for item in unit.items], seconds=4.0)
    lab.engine.units.note_cost(unit.token, seconds=4.0, requests=1234, received=3_000_000)
    form = filled(ids=f"{FIRST}\n{SECOND}", do="check", formats="swc")
    page = owner("POST", "/new/skeletonize", files=form).text
    assert "<dt>to fetch</dt><dd>≈ 3.0 MB</dd>" in page
    assert "1.0 MB to 9.0 MB, 1.3 s to 12 s, by 2 items measured." in page
    assert "Not measured yet" not in page
    page = owner.get(f"/jobs/{job.id}").text
    assert re.search(r"<dt>From CAVE</dt><dd><span class=\"num\">3.0 MB</span> .*in 1,234 requests", page)


def test_a_form_becomes_a_job_once_however_often_it_is_sent(owner: Browser, app: FastAPI) -> None:
    form = filled(ids=FIRST, do="submit", key="one", label="mine", at="mat", heal="on", find_soma="on", formats="swc")
    answers = [owner("POST", "/new/skeletonize", files=form) for _ in range(2)]
    (job,) = app.state.services.jobs.recent(ALL)
    assert {answer.headers["location"] for answer in answers} == {f"/jobs/{job.id}"}
    assert (job.owner, job.label, job.at, job.parameters["heal"], job.parameters["shave"]) == (
        "alice", "mine", "mat", True, False,
    )  # fmt: skip


def test_ids_can_come_from_a_file(owner: Browser, app: FastAPI) -> None:
    files = filled(do="submit", formats="swc") | {"ids_file": ("ids.csv", f"root_id\n{FIRST}\n{SECOND}\n".encode())}
    owner("POST", "/new/skeletonize", files=files)
    (job,) = app.state.services.jobs.recent(ALL)
    assert app.state.services.jobs.input_count(job) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ids": ""}, "params.ids"),
        ({"ids": "5.76E+17"}, "5.76E+17"),
        ({"ids": FIRST, "elsewhere": "2"}, "params.elsewhere"),
        ({"ids": FIRST, "dataset": "moon"}, "moon"),
        ({"ids": FIRST, "at": "yesterday"}, "yesterday"),
        ({"ids": FIRST, "priority": "99"}, "priority"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_filled_in_stays(
    owner: Browser, app: FastAPI, change: dict[str, str], said: str
) -> None:
    answer = owner("POST", "/new/skeletonize", files=filled(do="submit", label="keep me", formats="swc", **change))
    assert answer.status_code == 422
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert 'value="keep me"' in answer.text
    assert app.state.services.jobs.recent(ALL) == []


def test_a_parameter_that_is_no_json_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"params\.cell_types"):
        parameters_from(get_kind("neuropil_matrices"), {"ids": [FIRST], "cell_types": ["{nonsense"]})


def test_a_spreadsheet_is_refused_with_a_way_out(owner: Browser) -> None:
    files = filled(do="check") | {"ids_file": ("ids.xlsx", b"PK\x03\x04\xff\xfe\xfd")}
    answer = owner("POST", "/new/skeletonize", files=files)
    assert answer.status_code == 422
    assert "save it as CSV" in answer.text


def test_another_site_cannot_submit(owner: Browser, app: FastAPI) -> None:
    form = filled(ids=FIRST, do="submit")
    assert owner("POST", "/new/skeletonize", files=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert app.state.services.jobs.recent(ALL) == []


def test_who_only_reads_is_told_so(alice: Browser, lab: Lab) -> None:
    assert "scope <code>submit</code>" in alice.get("/new/skeletonize").text
    assert alice("POST", "/new/skeletonize", files=filled(ids=FIRST, do="submit")).status_code == 403


def test_a_job_has_a_deadline_in_utc_and_comes_after_others(owner: Browser, app: FastAPI) -> None:
    form = filled(ids=FIRST, do="submit", formats="swc")
    first = owner("POST", "/new/skeletonize", files=form | {"key": (None, "1")}).headers["location"].split("/")[-1]
    order = filled(ids=FIRST, formats="swc", after=f" {first}, {first} ", deadline="2999-01-31T18:30")
    page = owner("POST", "/new/skeletonize", files=order | {"do": (None, "check")}).text
    assert 'value="2999-01-31T18:30"' in page  # what was filled in stays
    second = owner("POST", "/new/skeletonize", files=order | {"do": (None, "submit")}).headers["location"]
    job = app.state.services.jobs.get(second.split("/")[-1], ALL)
    assert app.state.services.jobs.after(job.id) == [first]
    assert job.deadline is not None
    assert job.deadline.isoformat() == "2999-01-31T18:30:00+00:00"


@pytest.mark.parametrize(
    ("field", "value"), [("deadline", "2000-01-01T00:00"), ("deadline", "soon"), ("after", "nowhere")]
)
def test_an_order_that_cannot_be_is_said_beside_it(owner: Browser, field: str, value: str) -> None:
    answer = owner("POST", "/new/skeletonize", files=filled(ids=FIRST, do="submit", formats="swc", **{field: value}))
    assert answer.status_code == 422
    assert field in answer.text.split('role="alert"')[1].split("</section>")[0]
    opened = answer.text.split("Order, deadline and reuse")[0].rpartition("<details")[2]
    assert " open" in opened
