from __future__ import annotations

import base64
import json
from io import BytesIO
from itertools import pairwise

import pyarrow as pa
import pytest
from fastapi import FastAPI
from pyarrow.parquet import write_table

from api.dashboard import matrix
from api.dashboard.histogram import histogram
from crant_core.errors import NotFound
from crant_core.jobs.model import Role
from tests.unit.api.dashboard.conftest import Browser, Lab
from tests.unit.api.dashboard.test_views import text_of

FIRST, SECOND = "576460754037774676", "9223372036854775807"


def test_the_list_is_filtered_by_kind_and_owner_and_counts_states(admin: Browser, lab: Lab) -> None:
    lab.done([FIRST], label="one of hers", owner="alice")
    lab.engine.submit(label="one of his", owner="bob")
    page = admin.get("/?owner=bob")
    assert "one of his" in page.text
    assert "one of hers" not in page.text
    assert '<a href="/?state=succeeded&amp;owner=bob"' in page.text or "owner=bob&amp;state=succeeded" in page.text
    assert "planning 1" in text_of(page.text)
    assert "succeeded 0" in text_of(page.text)
    assert "No such jobs" in admin.get("/?kind=meshes").text


def test_workers_and_what_waits_are_shown_but_not_whose_jobs_others_are(alice: Browser, bob: Browser, lab: Lab) -> None:
    job = lab.planned([FIRST], label="secret label")
    lab.claim(job, Role.RUN)
    assert "No worker is alive" in alice.get("/workers").text
    mine, theirs = (text_of(who.get("/workers").text) for who in (alice, bob))
    assert "secret label" in mine
    assert "secret label" not in theirs
    assert "others’ jobs 1 0 0" in theirs
    assert "worker 1 2" in mine  # a unit held now, of two taken up
    assert "http://flower.test/worker/worker" in alice.get("/workers").text


def test_storage_counts_a_shared_file_once_and_only_ones_own(alice: Browser, bob: Browser, lab: Lab) -> None:
    for _ in range(2):
        lab.done([FIRST])  # the same bytes twice
    page = text_of(alice.get("/storage").text)
    one = len(b"swc ") + len(FIRST) + len(b"\x89PNG\r\n\x1a\n not really") + len(b"{}")
    assert f"stored {one} B" in page
    assert f"{2 * one} B" in page
    assert "No files yet" in bob.get("/storage").text


def test_strangers_see_neither(stranger: Browser) -> None:
    for path in ("/workers", "/storage", "/new", "/new/skeletonize"):
        assert stranger.get(path).status_code == 303


def test_a_histogram_has_every_time_in_one_bin_and_no_gaps() -> None:
    times = [0.5, 0.6, 1.0, 1.01, 40.0, 0.0, 3600.0]
    bins = histogram(times)
    assert sum(one.count for one in bins) == len(times)
    assert max(one.share for one in bins) == 1
    assert all(left.high == pytest.approx(right.low) for left, right in pairwise(bins))
    assert len(bins) <= 31
    assert histogram([1.0]) == []


def collection(weights: list[float], types: list[list[object]]) -> bytes:
    """Two neuropils: AL with one connection, MB with the others; columns are the second and third neuron."""
    order = [int(FIRST), int(SECOND), 12]
    members = base64.b64encode(bytes([0b01100000])).decode()
    rows = {"order": 0, "members": None, "types": types}
    columns = {"order": 0, "members": members, "types": []}
    about = [
        {"name": name, "square": False, "connections": count, "rows": rows, "columns": columns}
        for name, count in (("AL", 1), ("MB", len(weights) - 1))
    ]
    post = [int(SECOND), *([12, int(SECOND)] * len(weights))][: len(weights)]
    table = pa.table(
        {"pre": pa.array([int(FIRST)] * len(weights), pa.int64()), "post": pa.array(post), "weight": weights}
    ).replace_schema_metadata({"crant": json.dumps({"orders": [order], "matrices": about})})
    stream = BytesIO()
    write_table(table, stream)
    return stream.getvalue()


def test_a_matrix_is_one_neuropils_with_exact_ids_and_types() -> None:
    found = matrix.matrix_of(collection([5.0, 2.0, 3.0], [["PN", 0, 2], ["LN", 2, 3]]), None)
    assert found["neuropil"] == "MB"  # the one with the most connections
    assert found["rows"] == {"names": [FIRST, SECOND, "12"], "types": [("PN", 0, 2), ("LN", 2, 3)]}
    assert found["columns"]["names"] == [SECOND, "12"]
    assert list(zip(found["pre"], found["post"], found["weight"], strict=True)) == [(0, 1, 2.0), (0, 0, 3.0)]
    assert matrix.matrix_of(collection([5.0, 2.0, 3.0], []), "AL")["weight"] == [5.0]
    with pytest.raises(NotFound):
        matrix.matrix_of(collection([5.0, 2.0], []), "LH")


def test_a_matrix_too_large_to_draw_is_added_up_by_type_or_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "_MOST", 1)
    assert matrix.matrix_of(collection([5.0, 2.0, 3.0], []), "MB")["level"] == "none"
    axis = matrix.Axis([FIRST, SECOND, "12"], [("PN", 0, 2)])
    types, places = axis.by_type()
    assert types.names == ["PN", "without a type"]
    assert places == {FIRST: 0, SECOND: 0, "12": 1}


def test_only_files_of_matrices_are_drawn_as_such(alice: Browser, bob: Browser, lab: Lab, app: FastAPI) -> None:
    job = lab.done([FIRST])
    assert alice.get(f"/jobs/{job.id}/matrix?file=manifest.json").status_code == 404
    assert bob.get(f"/jobs/{job.id}/matrix?file=manifest.json").status_code == 404


def test_a_jobs_page_names_the_skeletons_to_draw(alice: Browser, lab: Lab) -> None:
    job = lab.done([FIRST, SECOND])
    page = alice.get(f"/jobs/{job.id}").text
    assert f"{{&#34;key&#34;: &#34;{FIRST}&#34;, &#34;name&#34;: &#34;{FIRST}.swc&#34;}}" in page
    assert "skeletons.js" in page


def test_items_are_shown_by_state_and_page_by_page(alice: Browser, lab: Lab) -> None:
    job = lab.planned(map(str, range(1, 251)))
    first = alice.get(f"/jobs/{job.id}").text
    assert "?after=199#items" in first
    second = alice.get(f"/jobs/{job.id}?after=199").text
    assert '<code class="id">250</code>' in second
    assert '<code class="id">200</code>' not in second
    assert "None in this state" in alice.get(f"/jobs/{job.id}?items=failed").text
