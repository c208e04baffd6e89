"""Live queries, pending lookups, the table manager and views."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import requests

from crant_core.sandbox import names
from tests.contracts.sandbox_materialization.made_up import refused
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
    V1,
    V2,
    A,
    B,
    C,
    M,
)


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
