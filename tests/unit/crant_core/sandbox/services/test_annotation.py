"""The annotation service on tables that others made; what caveclient does with it is in the contract tests."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from starlette.applications import Starlette

from crant_core.sandbox.answers import Refusal, refuse
from crant_core.sandbox.names import ALIGNED_VOLUME
from crant_core.sandbox.schemas import SCHEMAS
from crant_core.sandbox.services import annotation
from crant_core.sandbox.state import State
from crant_core.sandbox.tables.table import Table
from tests.unit.crant_core.sandbox.services.asgi import Http

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
HUGE = 2**60 + 1  # no float
URL = f"/annotation/api/v2/aligned_volume/{ALIGNED_VOLUME}/table/tags"


def row(number: int, supervoxel: int) -> dict:
    flat = SCHEMAS["bound_tag"].flatten({"pt": {"position": [1, 2, 3]}, "tag": "old"})
    base = {"id": number, "created": CREATED, "deleted": pd.NaT, "superceded_id": pd.NA, "valid": True}
    return base | flat | {"pt_supervoxel_id": supervoxel}


@pytest.fixture
def table() -> Table:
    records = [row(5, HUGE), row(HUGE, HUGE + 2)]
    dtypes = SCHEMAS["bound_tag"].columns()
    rows = pd.DataFrame({name: pd.Series([r[name] for r in records], dtype=dtype) for name, dtype in dtypes.items()})
    return Table("tags", "bound_tag", rows, ("pt",), CREATED)


@pytest.fixture
def state(table) -> State:
    return State(token="", graph=None, tables={"tags": table})


@pytest.fixture
def http(state) -> Http:
    app = Starlette(routes=annotation.ROUTES, exception_handlers={Refusal: refuse})
    app.state.sandbox = state
    return Http(app)


def test_ids_and_supervoxels_beyond_2_to_53_survive_changes_and_types_stay(http, table):
    types = table.rows.dtypes.to_dict()
    change = {"id": HUGE, "pt": {"position": [7, 8, 9]}, "tag": "new"}
    assert http.put(f"{URL}/annotations", json={"annotations": [change]}).json() == {str(HUGE): HUGE + 1}
    assert table.rows["id"].tolist() == [5, HUGE, HUGE + 1]
    assert table.rows["pt_supervoxel_id"].tolist() == [HUGE, HUGE + 2, 0]
    assert table.rows["superceded_id"].tolist() == [pd.NA, HUGE + 1, pd.NA]
    assert table.rows.dtypes.to_dict() == types


def test_rows_that_someone_holds_are_not_changed_under_them(http, table):
    held = table.rows
    before = held.copy()
    http.request("DELETE", f"{URL}/annotations", json={"annotation_ids": [5]})
    http.post(f"{URL}/annotations", json={"annotations": [{"pt": {"position": [1, 2, 3]}, "tag": "x"}]})
    pd.testing.assert_frame_equal(held, before)
    assert len(table.rows) == 3


def test_rows_stay_in_the_order_of_ids(http, table):
    entry = {"id": 2, "pt": {"position": [1, 2, 3]}, "tag": "x"}
    assert http.post(f"{URL}/annotations", json={"annotations": [entry]}).json() == [2]
    assert table.rows["id"].tolist() == [2, 5, HUGE]
    assert table.rows.index.tolist() == [0, 1, 2]


def test_what_comes_from_the_segmentation_is_not_shown(http):
    (found,) = http.get(f"{URL}/annotations", params={"annotation_ids": "5,6"}).json()
    assert found == {
        "id": 5,
        "created": "2026-01-01T00:00:00+00:00",
        "deleted": None,
        "superceded_id": None,
        "valid": True,
        "pt_position": [1, 2, 3],
        "tag": "old",
    }


def test_a_deleted_tables_rows_stay_for_the_versions_that_froze_them(http, table, state):
    assert http.request("DELETE", URL).json() is True
    assert http.get(URL).status_code == 404
    assert len(table.rows) == 2
    assert state.tables["tags"] is table


@pytest.mark.parametrize("body", ["[]", "{}", '{"annotations": 5}', '{"annotations": [5]}'])
def test_bodies_of_another_shape_are_422(http, body):
    assert http.post(f"{URL}/annotations", content=body).status_code == 422


def test_a_body_that_is_not_json_is_400(http):
    assert http.post(f"{URL}/annotations", content="{").status_code == 400
    assert http.request("DELETE", f"{URL}/annotations", content="").status_code == 400


@pytest.mark.parametrize("number", [None, "5", True, 5.0])
def test_an_update_needs_a_whole_id(http, number):
    change = {"id": number, "pt": {"position": [7, 8, 9]}, "tag": "new"}
    assert http.put(f"{URL}/annotations", json={"annotations": [change]}).status_code == 422
