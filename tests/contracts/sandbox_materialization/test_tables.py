"""Versions, tables and queries as the real caveclient sees them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import requests

from tests.contracts.sandbox_materialization.made_up import API, refused
from tests.unit.crant_core.sandbox.tables.example import (
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    V1,
    A,
    B,
    C,
    M,
)


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
