"""Lineage and logs of operations."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import requests

from tests.contracts.sandbox_chunkedgraph.made_up import MS, ROOT, T0, T1, T2, T3, UNKNOWN, A, C, D, E


class TestLineage:
    def test_lineage_graph(self, cave):
        found = cave.get_lineage_graph(ROOT + 5, timestamp_future=T3)
        nodes = {entry["id"]: entry for entry in found["nodes"]}
        assert set(nodes) == {ROOT + 1, ROOT + 5, ROOT + 6}
        assert nodes[ROOT + 1] == {"id": ROOT + 1, "timestamp": T0.timestamp(), "operation_id": 1}
        assert nodes[ROOT + 5]["operation_id"] == 2
        assert "operation_id" not in nodes[ROOT + 6]
        links = {(link["source"], link["target"]) for link in found["links"]}
        assert links == {(ROOT + 1, ROOT + 5), (ROOT + 5, ROOT + 6)}

    def test_lineage_as_networkx(self, cave):
        found = cave.get_lineage_graph(ROOT + 6, timestamp_future=T3, as_nx_graph=True)
        assert set(found.predecessors(ROOT + 6)) == {ROOT + 2, ROOT + 5}

    def test_latest_and_original_roots(self, cave):
        assert sorted(cave.get_latest_roots(ROOT + 1).tolist()) == [ROOT + 4, ROOT + 6]
        assert sorted(cave.get_original_roots(ROOT + 6).tolist()) == [ROOT + 1, ROOT + 2]
        assert cave.get_latest_roots(ROOT + 4, timestamp=T1 - MS).tolist() == [ROOT + 1]

    def test_suggested_roots_are_those_with_most_overlap(self, cave):
        assert cave.suggest_latest_roots(ROOT + 1, stop_layer=1) == ROOT + 4

    def test_unknown_roots_have_no_lineage(self, cave):
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_lineage_graph(UNKNOWN, timestamp_future=T3)

    def test_past_ids(self, cave):
        found = cave.get_past_ids([ROOT + 4, ROOT + 6, ROOT + 3])
        assert {root: sorted(old) for root, old in found["past_id_map"].items()} == {
            ROOT + 3: [ROOT + 3],
            ROOT + 4: [ROOT + 1],
            ROOT + 6: [ROOT + 1, ROOT + 2],
        }
        assert found["future_id_map"] == {ROOT + 2: ROOT + 6, ROOT + 3: ROOT + 3}  # 1 was split

    def test_past_ids_after_a_time(self, cave):
        found = cave.get_past_ids([ROOT + 6], timestamp_past=T1 + MS)
        assert sorted(found["past_id_map"][ROOT + 6]) == [ROOT + 2, ROOT + 5]
        assert found["future_id_map"] == {ROOT + 2: ROOT + 6, ROOT + 5: ROOT + 6}

    def test_past_ids_of_what_is_no_root_is_500(self, cave):
        with pytest.raises(requests.HTTPError, match="is no root"):
            cave.get_past_ids([A])
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_past_ids([UNKNOWN])


class TestLogs:
    def test_tabular_change_log(self, cave):
        found = cave.get_tabular_change_log([ROOT + 6, ROOT + 3], filtered=False)
        assert found[ROOT + 3].empty
        log = found[ROOT + 6]
        assert log["operation_id"].tolist() == [1, 2]
        assert log["timestamp"].tolist() == [1706788800123, 1709294400456]
        assert log["user_id"].tolist() == ["1", "2"]
        assert log["before_root_ids"].tolist() == [[ROOT + 1], [ROOT + 2, ROOT + 5]]
        assert log["after_root_ids"].tolist() == [[ROOT + 5], [ROOT + 6]]
        assert log["is_merge"].tolist() == [False, True]
        assert log["in_neuron"].tolist() == log["is_relevant"].tolist() == [True, True]
        assert {"user_name", "user_affiliation"} <= set(log.columns)

    def test_the_filtered_log_hides_what_does_not_matter(self, cave, editable):
        editable.cut([(D, E)], T3 + MS, 1)  # the merger of d and e did not last
        (root,) = editable.roots([E], T3 + MS).tolist()
        whole = cave.get_tabular_change_log([root], filtered=False)[root]
        assert whole["operation_id"].tolist() == [1, 2, 4]
        assert whole["in_neuron"].tolist() == [False, False, True]
        shown = cave.get_tabular_change_log([root])[root]
        assert shown["operation_id"].to_dict() == {"2": 4}  # the row keeps its number
        assert not {"in_neuron", "is_relevant"} & set(shown.columns)

    def test_the_log_is_json_in_json(self, http):
        answer = http.request("GET", "/tabular_change_log_many", content=json.dumps({"root_ids": [ROOT + 4]}))
        assert json.loads(answer.json()[str(ROOT + 4)])["operation_id"] == {"0": 1}

    def test_the_log_of_an_unknown_root_is_500(self, cave):
        with pytest.raises(requests.HTTPError, match="500"):
            cave.get_tabular_change_log([UNKNOWN])

    def test_change_log(self, cave):
        assert cave.get_change_log(ROOT + 6, filtered=False) == {
            "n_splits": 1,
            "n_mergers": 1,
            "user_info": {"1": {"n_splits": 1, "n_mergers": 0}, "2": {"n_splits": 0, "n_mergers": 1}},
            "operations_ids": [1, 2],
            "past_ids": [ROOT + 1, ROOT + 2, ROOT + 5],
        }

    def test_merge_log(self, cave):
        assert cave.get_merge_log(ROOT + 6) == {"merge_edges": [[[D, E]]], "merge_edge_coords": [[[], []]]}

    def test_last_edit(self, http):
        assert http.get(f"/root/{ROOT + 4}/last_edit").json() == {"iso": "2024-02-01 12:00:00.123000+00:00"}

    def test_operation_details(self, cave):
        found = cave.get_operation_details([1, 2, 99])
        assert set(found) == {"1", "2"}
        assert found["1"]["removed_edges"] == [[C, D]]
        assert found["1"]["roots"] == [ROOT + 4, ROOT + 5]
        assert (found["1"]["source_ids"], found["1"]["sink_ids"], found["1"]["user"]) == ([C], [D], "1")
        assert found["1"]["source_coords"] == [[1, 2, 1]]  # voxels
        assert found["1"]["sink_coords"] == [[10, 20, 10]]
        assert found["1"]["timestamp"] == "2024-02-01 12:00:00.123000+00:00"
        assert found["1"]["operation_status"] == 0
        assert found["2"]["added_edges"] == [[D, E]]
        assert cave.get_operation_details([99]) == {}

    def test_a_failed_operation_has_details(self, cave):
        found = cave.get_operation_details([3])["3"]
        assert (found["operation_status"], found["roots"]) == (2, [])
        assert "different objects" in found["operation_exception"]

    def test_user_operations(self, cave, http):
        assert cave.get_user_operations(2, T0, timestamp_end=T3)["operation_id"].tolist() == [2, 3]
        everybody = cave.get_user_operations(0, T1 + MS, timestamp_end=T2)
        assert everybody["operation_id"].tolist() == [2]
        assert everybody["timestamp"].tolist() == [T2]
        assert http.get("/user_operations", params={"user_id": 2}).status_code == 400  # no end_time

    def test_undone_operations_are_listed_only_on_request(self, http, editable):
        editable.undo(2, T3 + MS, 1)

        def listed(**params):
            answer = http.get("/user_operations", params={"end_time": (T3 + timedelta(days=1)).timestamp(), **params})
            return list(answer.json()["operation_id"].values())

        assert listed() == [1, 3]
        assert listed(include_undone="True") == [1, 2, 3, 4]
