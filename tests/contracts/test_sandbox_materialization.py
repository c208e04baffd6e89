"""The materialization service as the real caveclient sees it.

`live_query` is not here: it needs the whole chunkedgraph service.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn
from caveclient import CAVEclient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from crant_core.sandbox import names
from crant_core.sandbox.answers import Refusal, base_url, refuse
from crant_core.sandbox.services import materialization
from crant_core.sandbox.state import State
from crant_core.sources import caches
from tests.unit.crant_core.sandbox.tables.example import (
    C3,
    C4,
    LATER,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    SPLIT,
    TOKEN,
    V1,
    V2,
    A,
    B,
    C,
    M,
    world,
)

API = f"/materialize/api/v3/datastack/{names.DATASTACK}"


async def _info(request: Request) -> JSONResponse:
    base = base_url(request)
    resolution = {f"viewer_resolution_{axis}": step for axis, step in zip("xyz", (4.0, 4.0, 40.0), strict=True)}
    volume = {"id": 1, "name": names.ALIGNED_VOLUME, "image_source": "", "description": "", "display_name": ""}
    tables = {"synapse_table": "synapses", "soma_table": "nuclei"}
    return JSONResponse(
        {
            "aligned_volume": volume,
            "segmentation_source": f"graphene://{base}/segmentation/table/{names.TABLE}",
            "local_server": base,
            "viewer_site": base,
            "description": "",
            **resolution,
            **tables,
        }
    )


def _schema(name: str, points: tuple[str, ...], loose: tuple[str, ...] = (), **plain: str) -> dict[str, object]:
    properties: dict[str, object] = {point: {"$ref": "#/definitions/BoundSpatialPoint"} for point in points}
    properties |= {point: {"$ref": "#/definitions/SpatialPoint"} for point in loose}
    properties |= {column: {"type": kind} for column, kind in plain.items()}
    return {"$ref": f"#/definitions/{name}", "definitions": {name: {"properties": properties}}}


SCHEMAS = {
    "synapse": _schema("synapse", ("pre_pt", "post_pt"), ("ctr_pt",), size="integer"),
    "nucleus_detection": _schema("nucleus_detection", ("pt",), volume="float"),
    "label": _schema("label", ("pt",), target_id="integer", tag="string", proofread="boolean"),
}


async def _schemas(request: Request) -> JSONResponse:
    return JSONResponse(SCHEMAS)


def _answering(value: object) -> Route:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(value)

    return answer


def _app(state: State) -> Starlette:
    app = Starlette(
        routes=[
            Route("/info/version", _answering("4.3.3")),
            Route("/info/api/v2/datastack/full/{datastack}", _info),
            Route("/segmentation/api/versions", _answering([0, 1])),
            Route("/segmentation/api/version", _answering("2.21.1")),
            Route("/schema/versions", _answering([1, 2])),
            Route("/schema/api/v2/types_all", _schemas),
            *materialization.ROUTES,
        ],
        exception_handlers={Refusal: refuse},
    )
    app.router.redirect_slashes = False
    app.state.sandbox = state
    return app


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def app() -> Starlette:
    return _app(world())


@pytest.fixture(scope="module")
def url(app: Starlette) -> Iterator[str]:
    with served(app) as address:
        yield address


@pytest.fixture
def state(app: Starlette) -> State:
    """A fresh world behind the running server."""
    app.state.sandbox = world()
    return app.state.sandbox


@pytest.fixture
def client(url: str, state: State) -> CAVEclient:
    caches.forget()  # they are global, and know tables by name only, and clients by an address that may be used again
    return CAVEclient(names.DATASTACK, server_address=url, auth_token=TOKEN, write_server_cache=False)


@pytest.fixture
def mat(client: CAVEclient):
    return client.materialize


@contextmanager
def refused(status: int, text: str | None = None) -> Iterator[None]:
    with pytest.raises(requests.HTTPError, match=text) as error:
        yield
    assert error.value.response.status_code == status


class TestVersions:
    def test_only_those_not_expired_are_listed_unless_asked_for(self, mat):
        assert mat.get_versions() == [1, 2]
        assert mat.get_versions(expired=True) == [1, 2, 3]
        assert mat.most_recent_version() == 2
        assert mat.version == 2

    def test_their_times_keep_their_microseconds(self, mat):
        assert mat.get_timestamp(1) == V1
        assert mat.get_version_metadata(2)["expires_on"] == datetime(2100, 1, 1, tzinfo=UTC)

    def test_metadata_of_all(self, mat):
        assert [(entry["version"], entry["valid"]) for entry in mat.get_versions_metadata()] == [(1, True), (2, True)]
        everything = mat.get_versions_metadata(expired=True)
        assert [entry["valid"] for entry in everything] == [True, True, False]
        assert set(everything[0]) == {
            *("id", "datastack", "version", "time_stamp", "valid", "expires_on", "parent_version", "status"),
            "is_merged",
        }

    def test_none_left_is_404(self, mat, state):
        state.versions = state.versions[2:]
        assert mat.get_versions() == []
        with refused(404, "No valid versions found"):
            mat.get_versions_metadata()

    def test_they_expire_when_the_clock_says_so(self, mat, state):
        state.clock.set(datetime(2099, 12, 31, tzinfo=UTC))
        assert mat.get_versions() == [1, 2]
        state.clock.set(datetime(2100, 1, 1, tzinfo=UTC))
        assert mat.get_versions() == []

    def test_an_unknown_one_is_404(self, mat):
        with refused(404, "version 9 not found"):
            mat.get_timestamp(9)
        with refused(404):
            mat.query_table("synapses", materialization_version=9)

    def test_an_expired_one_still_has_a_timestamp_but_no_rows(self, mat):
        assert mat.get_timestamp(3) == datetime(2026, 4, 2, tzinfo=UTC)
        with refused(410, "not available"):
            mat.query_table("synapses", materialization_version=3)
        with refused(410):
            mat.get_annotation_count("synapses", version=3)

    def test_an_unknown_datastack_is_404(self, mat):
        with refused(404, "kronauer_ant"):
            mat.get_versions(datastack_name="kronauer_ant")


class TestTables:
    def test_list_and_count(self, mat, state):
        assert mat.get_tables() == ["synapses", "nuclei", "labels"]
        assert mat.get_annotation_count("synapses") == 5

    def test_metadata_of_one(self, mat):
        described = mat.get_table_metadata("labels", log_warning=False)
        assert described["voxel_resolution"] == [8.0, 8.0, 40.0]
        assert described["reference_table"] == "nuclei"
        assert described["schema"] == described["schema_type"] == "label"
        assert mat.get_table_metadata("nuclei")["reference_table"] is None

    def test_metadata_of_all(self, mat):
        described = {entry["table_name"]: entry for entry in mat.get_tables_metadata()}
        assert set(described) == {"synapses", "nuclei", "labels"}
        assert described["synapses"]["voxel_resolution"] == [4.0, 4.0, 40.0]
        assert described["synapses"]["last_modified"] == "2026-03-01T00:00:00.000000"

    def test_an_unknown_one_is_404(self, mat):
        with refused(404, "ants"):
            mat.get_table_metadata("ants")
        with refused(404, "ants"):
            mat.query_table("ants", merge_reference=False)
        with refused(404, "ants"):
            mat.get_unique_string_values("ants")

    def test_distinct_texts(self, mat):
        assert mat.get_unique_string_values("labels") == {"tag": ["ORN", "PN"]}

    def test_orders_to_look_rows_up_are_accepted(self, mat):
        assert mat.ingest_annotation_table("nuclei") == 202
        assert mat.lookup_supervoxel_ids("nuclei", [1]) == 200
        with refused(404):
            mat.lookup_supervoxel_ids("ants")


class TestQueryTable:
    def test_rows_of_a_version_with_its_roots(self, mat):
        first, second = (mat.query_table("synapses", materialization_version=number) for number in (1, 2))
        assert first["id"].tolist() == [S1, S2, S3, S4, S5]
        assert first["pre_pt_root_id"].tolist() == [A, A, C, B, C]
        assert second["id"].tolist() == [S1, S2, S3, S4, S6]
        assert second["pre_pt_root_id"].tolist() == [M, M, C, M, C]

    def test_types_are_nullable_and_ids_exact(self, mat):
        frame = mat.query_table("synapses", split_positions=True)
        assert frame["id"].dtype == frame["pre_pt_root_id"].dtype == "Int64"
        assert frame["pre_pt_position_x"].dtype == frame["size"].dtype == "Int32"
        assert frame["valid"].dtype == "boolean"
        assert frame["id"].iloc[0] == 2**53 + 1
        assert mat.query_table("nuclei")["volume"].dtype == "Float32"
        assert mat.query_table("labels", merge_reference=False)["tag"].dtype == "string"

    def test_positions_in_one_column_or_three(self, mat):
        split = mat.query_table("nuclei", split_positions=True)
        assert split[["pt_position_x", "pt_position_y", "pt_position_z"]].iloc[0].tolist() == [100, 100, 10]
        joined = mat.query_table("nuclei", split_positions=False)
        assert joined["pt_position"].iloc[0].tolist() == [100, 100, 10]
        assert "pt_position_x" not in joined

    def test_the_answer_says_its_resolution_and_columns(self, mat):
        frame = mat.query_table("nuclei")
        assert frame.attrs["dataframe_resolution"] == [4.0, 4.0, 40.0]
        assert frame.attrs["table_voxel_resolution"] == [4.0, 4.0, 40.0]
        assert "'pt_position': 'pt_position'" in frame.attrs["column_names"]

    def test_positions_in_the_resolution_asked_for(self, mat):
        frame = mat.query_table("nuclei", desired_resolution=[1, 1, 1], split_positions=True)
        assert frame["pt_position_x"].tolist() == [400.0, 800.0, 1200.0]
        assert frame["pt_position_z"].dtype == "Float64"
        assert frame.attrs["dataframe_resolution"] == [1.0, 1.0, 1.0]

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ({"filter_in_dict": {"pre_pt_root_id": [A, B]}}, [S1, S2, S4]),
            ({"filter_in_dict": {"pre_pt_root_id": np.array([A], dtype=np.uint64)}}, [S1, S2]),
            ({"filter_equal_dict": {"post_pt_root_id": 0}}, [S4]),
            ({"filter_greater_dict": {"size": 50}}, [S1]),
            ({"filter_greater_equal_dict": {"size": 50}}, [S1, S2]),
            ({"filter_less_dict": {"size": 12}}, [S5]),
            ({"filter_less_equal_dict": {"size": 12}}, [S4, S5]),
            ({"filter_spatial_dict": {"pre_pt_position": [[5, 5, 5], [10, 20, 30]]}}, [S1, S5]),
            ({"filter_in_dict": {"pre_pt_root_id": [A]}, "filter_less_dict": {"size": 60}}, [S2]),
            ({"filter_in_dict": {"id": [S3, S4]}}, [S3, S4]),
        ],
        ids=str,
    )
    def test_filters(self, mat, condition, expected):
        assert mat.query_table("synapses", materialization_version=1, **condition)["id"].tolist() == expected

    def test_a_pattern(self, mat):
        found = mat.query_table("labels", filter_regex_dict={"tag": "^O"}, merge_reference=False)
        assert found["id"].tolist() == [11]

    def test_exclusion_has_no_effect_as_on_the_real_server_unless_mended(self, mat, app):
        wanted = {"filter_out_dict": {"post_pt_root_id": [0]}, "materialization_version": 1}
        assert len(mat.query_table("synapses", **wanted)) == 5
        app.state.honour_notin = True
        try:
            assert mat.query_table("synapses", **wanted)["id"].tolist() == [S1, S2, S3, S5]
        finally:
            app.state.honour_notin = False

    def test_chosen_columns(self, mat):
        frame = mat.query_table("synapses", select_columns=["size", "post_pt_root_id", "ctr_pt_position"])
        assert list(frame) == ["size", "post_pt_supervoxel_id", "post_pt_root_id", "ctr_pt_position"]

    def test_offset_and_limit(self, mat):
        assert mat.query_table("synapses", offset=1, limit=2)["id"].tolist() == [S2, S3]

    def test_counts(self, mat, state):
        state.row_limit = 1
        counted = mat.query_table("synapses", filter_in_dict={"pre_pt_root_id": [M]}, get_counts=True)
        assert counted["count"].tolist() == [3]

    def test_a_sample(self, mat):
        assert len(mat.query_table("synapses", random_sample=2)) == 2

    def test_records_instead_of_a_frame(self, mat):
        records = mat.query_table("synapses", return_df=False)
        assert [record["id"] for record in records] == [S1, S2, S3, S4, S6]
        assert records[0]["pre_pt_root_id"] == M

    def test_an_empty_answer_has_its_columns_and_types(self, mat):
        empty = mat.query_table("synapses", filter_in_dict={"pre_pt_root_id": [1]}, split_positions=True)
        assert empty.empty
        assert empty["pre_pt_root_id"].dtype == "Int64"

    @pytest.mark.parametrize(
        "wanted", [{"select_columns": ["ant"]}, {"filter_in_dict": {"ant": [1]}}, {"filter_equal_dict": {"ant": 1}}]
    )
    def test_an_unknown_column_is_400(self, mat, wanted):
        with refused(400, "column ant not found in synapses"):
            mat.query_table("synapses", **wanted)

    def test_an_impossible_box_is_500(self, mat):
        with refused(500, "must be less than max bounds"):
            mat.query_table("synapses", filter_spatial_dict={"pre_pt_position": [[9, 9, 9], [1, 1, 1]]})

    def test_a_body_that_does_not_fit_says_why(self, url, state):
        for body, field in (({"limit": "many"}, "limit"), ({"desired_resolution": [1]}, "desired_resolution")):
            response = requests.post(f"{url}{API}/version/1/table/synapses/query", json=body, timeout=5)
            assert response.status_code == 400
            assert list(response.json()["schema_errors"]) == [field]
        assert requests.post(f"{url}{API}/version/1/query", data="{", timeout=5).status_code == 400
        assert requests.post(f"{url}{API}/version/1/query", json=[1], timeout=5).status_code == 400


class TestTruncation:
    def test_a_cut_answer_says_so_in_the_header_of_the_real_server(self, mat, state, caplog):
        state.row_limit = 3
        assert len(mat.query_table("synapses")) == 3
        assert '201 - "Limited query to 3 rows' in caplog.messages

    def test_the_header_is_exact(self, url, state):
        state.row_limit = 3
        response = requests.post(f"{url}{API}/version/1/table/synapses/query", json={"limit": 9}, timeout=5)
        assert response.headers["Warning"] == '201 - "Limited query to 3 rows'

    def test_a_limit_of_one_s_own_is_announced_too(self, mat, caplog):
        mat.query_table("synapses", limit=2)
        assert '201 - "Limited query to 2 rows' in caplog.messages

    def test_a_whole_answer_says_nothing(self, mat, state, caplog):
        state.row_limit = 6
        mat.query_table("synapses")
        assert not caplog.messages

    def test_a_table_s_notice_is_shown_in_one_line(self, mat, caplog):
        mat.query_table("labels", merge_reference=False)
        assert any(
            message.startswith("Table Owner Notice on labels: Ask the ants first") for message in caplog.messages
        )


class TestSynapseQuery:
    def test_partners_without_autapses(self, mat):
        assert mat.synapse_query(pre_ids=[C], materialization_version=1)["id"].tolist() == [S5]
        kept = mat.synapse_query(pre_ids=C, remove_autapses=False, materialization_version=1)
        assert kept["id"].tolist() == [S3, S5]

    def test_in_a_box_of_table_voxels(self, mat):
        box = [[11, 21, 31], [41, 51, 61]]
        found = mat.synapse_query(bounding_box=box, materialization_version=1, desired_resolution=[1, 1, 1])
        assert found["id"].tolist() == [S1, S2]
        assert found["post_pt_position"].iloc[0].tolist() == [44, 84, 1240]

    def test_zeros_stay_though_unwanted(self, mat):
        found = mat.synapse_query(pre_ids=[B], include_zeros=False, materialization_version=1)
        assert found["post_pt_root_id"].tolist() == [0]


class TestJoin:
    TABLES = (["labels", "target_id"], ["nuclei", "id"])

    def test_a_reference_table_comes_with_its_targets(self, mat):
        frame = mat.query_table("labels", materialization_version=1)
        assert frame[["id", "id_ref"]].values.tolist() == [[11, 1], [12, 2], [13, 2]]
        assert frame["pt_root_id"].tolist() == [B, C, C]
        assert frame["pt_root_id_ref"].tolist() == [A, C, C]
        assert "superceded_id" not in frame

    def test_positions_of_both_come_in_the_resolution_of_the_target(self, mat):
        frame = mat.query_table("labels", materialization_version=1)
        assert frame["pt_position"].iloc[0].tolist() == [2, 2, 1]
        assert frame["pt_position_ref"].iloc[0].tolist() == [100, 100, 10]
        assert frame.attrs["dataframe_resolution"] == [4.0, 4.0, 40.0]

    def test_columns_and_filters_by_table(self, mat):
        frame = mat.join_query(
            [*self.TABLES],
            filter_equal_dict={"nuclei": {"pt_root_id": C}},
            select_columns={"labels": ["tag", "id"], "nuclei": ["volume", "id"]},
            suffixes={"labels": "_label", "nuclei": "_nucleus"},
            materialization_version=1,
        )
        assert frame["id_label"].tolist() == [12, 13]
        assert frame["id_nucleus"].tolist() == [2, 2]
        assert list(frame) == ["tag", "id_label", "volume", "id_nucleus"]

    def test_a_cut_join_says_so(self, mat, caplog):
        mat.join_query([*self.TABLES], limit=1, materialization_version=1)
        assert any("Limited query to 1 rows" in message for message in caplog.messages)

    def test_unknown_tables_and_columns(self, mat):
        with refused(404, "ants"):
            mat.join_query([["labels", "target_id"], ["ants", "id"]])
        with refused(400, "column ant not found"):
            mat.join_query([["labels", "ant"], ["nuclei", "id"]])
        with refused(400, "column ant not found in labels"):
            mat.join_query([*self.TABLES], select_columns={"labels": ["ant"]})


class TestLiveLiveQuery:
    def test_rows_and_roots_of_any_time(self, mat):
        before = mat.live_live_query("synapses", V1 + timedelta(days=1), metadata=False)
        assert before["pre_pt_root_id"].tolist() == [A, A, C, B, C]
        now = mat.live_live_query("synapses", LATER)
        assert now["id"].tolist() == [S1, S2, S3, S4, S6]
        assert now["pre_pt_root_id"].tolist() == [M, M, C3, M, C3]
        assert now["post_pt_root_id"].tolist() == [M, C3, C4, 0, M]
        assert not {"valid", "superceded_id", "deleted"} & set(now)
        assert now["id"].dtype == "Int64"

    def test_filters_mean_the_roots_of_that_time(self, mat):
        found = mat.live_live_query(
            "synapses",
            LATER,
            filter_in_dict={"synapses": {"pre_pt_root_id": [C3]}},
            filter_greater_dict={"synapses": {"size": 10}},
            select_columns={"synapses": ["id", "post_pt_root_id"]},
        )
        assert found["id"].tolist() == [S3]
        assert found["post_pt_root_id"].tolist() == [C4]

    def test_roots_of_another_time_are_refused(self, mat):
        with refused(400, r"Some root_ids passed are not valid at the query timestamp: \[{C}\]".replace("{C}", str(C))):
            mat.live_live_query("synapses", LATER, filter_in_dict={"synapses": {"pre_pt_root_id": [C, C3]}})
        with refused(400, "not valid"):
            mat.live_live_query("synapses", V2 + timedelta(1), filter_equal_dict={"synapses": {"pre_pt_root_id": C3}})

    def test_or_only_warned_of(self, mat, caplog):
        wanted = {"synapses": {"pre_pt_root_id": [C, C3]}}
        found = mat.live_live_query("synapses", LATER, filter_in_dict=wanted, allow_invalid_root_ids=True)
        assert found["id"].tolist() == [S3, S6]
        assert any("Some root_ids passed are not valid" in message for message in caplog.messages)

    def test_a_root_superseded_at_that_very_time_is_still_accepted(self, mat):
        wanted = {"synapses": {"pre_pt_root_id": [C]}}
        assert mat.live_live_query("synapses", SPLIT, filter_in_dict=wanted).empty
        assert len(mat.live_live_query("synapses", SPLIT - timedelta(seconds=1), filter_in_dict=wanted)) == 2

    def test_a_version_s_time_is_refused(self, mat):
        with refused(400, "do not use live live query to query a materialized timestamp"):
            mat.live_live_query("synapses", V2)

    def test_without_any_version_there_is_no_answer(self, mat, state):
        state.versions = []
        with refused(400, "is materialization broken"):
            mat.live_live_query("synapses", LATER, metadata=False)

    def test_joins_and_resolution(self, mat):
        found = mat.live_live_query(
            "labels",
            LATER,
            joins=[["labels", "target_id", "nuclei", "id"]],
            suffixes={"labels": "_ref", "nuclei": ""},
            filter_in_dict={"nuclei": {"pt_root_id": [C3]}},
            desired_resolution=[8, 8, 40],
        )
        assert found["id_ref"].tolist() == [12, 13]
        assert found["pt_root_id"].tolist() == [C3, C3]
        assert found["pt_root_id_ref"].tolist() == [C4, C3]
        assert found["pt_position"].iloc[0].tolist() == [100, 100, 20]

    def test_an_unknown_table_is_404(self, mat):
        with refused(404, "ants"):
            mat.live_live_query("ants", LATER)

    def test_a_cut_answer_says_so(self, mat, caplog):
        mat.live_live_query("synapses", LATER, limit=2)
        assert any('201 - "Limited query to 2 rows' in message for message in caplog.messages)


class TestPendingLookups:
    @pytest.fixture(autouse=True)
    def waiting(self, state) -> None:
        table = state.tables["nuclei"]
        added = table.rows.iloc[[0]].assign(
            id=np.int64(4), created=pd.Timestamp(SPLIT), pt_supervoxel_id=np.uint64(0), pt_position_x=np.int32(900)
        )
        table.rows = pd.concat([table.rows, added], ignore_index=True)

    def test_rows_without_supervoxels_are_406(self, mat):
        with refused(406, "There are 1 annotations that need supervoxel lookups"):
            mat.live_live_query("nuclei", LATER)
        with refused(406):
            mat.live_live_query("nuclei", LATER, filter_in_dict={"nuclei": {"pt_root_id": [M]}})

    def test_or_left_out_with_a_warning(self, mat, caplog):
        found = mat.live_live_query("nuclei", LATER, allow_missing_lookups=True)
        assert found["id"].tolist() == [1, 2, 3]
        assert any("need supervoxel lookups" in message for message in caplog.messages)

    def test_they_do_not_matter_where_filters_or_time_leave_them_out(self, mat):
        box = {"nuclei": {"pt_position": [[0, 0, 0], [500, 500, 500]]}}
        assert len(mat.live_live_query("nuclei", LATER, filter_spatial_dict=box)) == 3
        assert len(mat.live_live_query("nuclei", SPLIT - timedelta(seconds=1))) == 3

    def test_a_place_outside_the_segmentation_is_not_pending(self, mat):
        assert mat.live_live_query("synapses", LATER)["post_pt_root_id"].tolist()[3] == 0


class TestTableManager:
    def test_a_table(self, client):
        tables = client.materialize.tables
        assert sorted(tables.table_names) == ["labels", "nuclei", "synapses"]
        found = tables.synapses(pre_pt_root_id=[A], size={"<": 60}).query(materialization_version=1)
        assert found["id"].tolist() == [S2]
        box = tables.synapses(ctr_pt_position_bbox=[[0, 0, 0], [5, 5, 5]]).query(materialization_version=1)
        assert box["id"].tolist() == [S4, S5]

    def test_a_reference_table_suffixes_itself(self, client):
        tables = client.materialize.tables
        found = tables.labels(pt_ref_root_id=[C]).query(materialization_version=1)
        assert found["id_ref"].tolist() == [12, 13]
        assert found["id"].tolist() == found["target_id"].tolist() == [2, 2]
        assert found["pt_root_id_ref"].tolist() == [C, C]

    def test_live(self, client):
        found = client.materialize.tables.labels(pt_root_id=C3).live_query(LATER)
        assert found["id_ref"].tolist() == [12, 13]


class TestViews:
    def test_what_there_is(self, mat):
        assert list(mat.get_views()) == ["cells"]
        assert mat.get_view_metadata("cells")["description"] == "Nuclei"
        assert mat.get_view_metadata("cells")["voxel_resolution_z"] == 40.0

    def test_columns(self, mat):
        assert mat.get_view_schema("cells") == {
            "id": {"type": "integer"},
            "pt_supervoxel_id": {"type": "integer"},
            "pt_root_id": {"type": "integer"},
            "pt_position": {"type": "SpatialPoint"},
        }
        assert list(mat.get_view_schemas()) == ["cells"]

    def test_rows(self, mat):
        frame = mat.query_view("cells", filter_in_dict={"id": [1, 3]}, materialization_version=1)
        assert list(frame) == ["id", "pt_supervoxel_id", "pt_root_id", "pt_position"]
        assert frame["pt_root_id"].tolist() == [A, 0]
        counted = mat.query_view("cells", get_counts=True, metadata=False)
        assert counted["count"].tolist() == [3]

    def test_through_the_view_manager(self, client):
        found = client.materialize.views.cells(pt_root_id=[M]).query()
        assert found["id"].tolist() == [1]

    def test_a_column_it_leaves_out_is_400_and_an_unknown_view_404(self, mat):
        with refused(400, "volume"):
            mat.query_view("cells", filter_greater_dict={"volume": 1})
        with refused(404, "view ants not found"):
            mat.query_view("ants")


class TestNeuroglancer:
    def test_annotation_info(self, mat):
        info = mat.neuroglancer_annotation_info("synapses")
        assert info["annotation_type"] == "LINE"
        assert [relation["id"] for relation in info["relationships"]] == ["pre_pt_root_id", "post_pt_root_id"]
        assert info["lower_bound"] == [250 * 16, 1400 * 16, 1000 * 42]
        assert mat.neuroglancer_annotation_info("nuclei")["annotation_type"] == "POINT"

    def test_segment_properties(self, mat):
        info = mat.neuroglancer_segprop_info("labels", materialization_version=1)
        assert info["@type"] == "neuroglancer_segment_properties"
        assert info["inline"]["ids"] == [str(B), str(C), str(C)]
        properties = {entry["id"]: entry for entry in info["inline"]["properties"]}
        assert properties["label"]["values"] == ["11", "12", "13"]
        assert properties["tags"]["tags"] == ["ORN", "PN"]
        assert properties["tags"]["values"] == [[0], [1], []]
        assert properties["pt_position_x"]["values"] == [8.0, 16.0, 24.0]

    def test_too_large_a_table_has_none(self, mat, state):
        state.row_limit = 2
        with refused(400, "too large"):
            mat.neuroglancer_segprop_info("labels")


def test_api_2_neither_rescales_nor_says_its_resolution(url, state):
    path = f"{url}/materialize/api/v2/datastack/{names.DATASTACK}/version/1/table/nuclei/query"
    body = {"desired_resolution": [1, 1, 1]}
    response = requests.post(path, params={"return_pyarrow": False}, json=body, timeout=5)
    assert "dataframe_resolution" not in response.headers
    assert response.json()[0]["pt_position_x"] == 100
    assert requests.get(path.replace("/v2/", "/v4/"), timeout=5).status_code in {404, 405}
    assert requests.get(f"{url}/materialize/api/v4/datastack/{names.DATASTACK}/versions", timeout=5).status_code == 404
