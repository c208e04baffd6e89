"""Queries that are cut, of synapses, and over joined tables."""

from __future__ import annotations

import requests

from tests.contracts.sandbox_materialization.made_up import API, refused
from tests.unit.crant_core.sandbox.tables.example import (
    S1,
    S2,
    S3,
    S5,
    A,
    B,
    C,
)


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
