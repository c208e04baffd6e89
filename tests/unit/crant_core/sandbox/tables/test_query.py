from __future__ import annotations

import pytest

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.tables.filters import Filter
from crant_core.sandbox.tables.frozen import Frozen, freeze
from crant_core.sandbox.tables.query import Answer, Join, Query, run
from tests.unit.crant_core.sandbox.tables.example import (
    S1,
    S2,
    S3,
    S4,
    S5,
    V1,
    A,
    B,
    C,
    FakeGraph,
    labels,
    nuclei,
    synapses,
)

REFERENCE = Join("labels", "target_id", "nuclei", "id")


def one(**wanted: object) -> Answer:
    return run(Query(tables=("synapses",), **wanted), {"synapses": freeze(FakeGraph(), synapses(), V1)})


def both(**wanted: object) -> Answer:
    sources: dict[str, Frozen] = {table.name: freeze(FakeGraph(), table, V1) for table in (labels(), nuclei())}
    return run(Query(tables=("labels", "nuclei"), joins=(REFERENCE,), **wanted), sources)


class TestOneTable:
    def test_all_columns_in_the_server_s_types(self):
        types = one().frame.dtypes.astype(str).to_dict()
        assert list(types) == [
            *("id", "created", "superceded_id", "valid"),
            *("pre_pt_position_x", "pre_pt_position_y", "pre_pt_position_z", "pre_pt_supervoxel_id", "pre_pt_root_id"),
            *("post_pt_position_x", "post_pt_position_y", "post_pt_position_z"),
            *("post_pt_supervoxel_id", "post_pt_root_id"),
            *("ctr_pt_position_x", "ctr_pt_position_y", "ctr_pt_position_z", "size"),
        ]
        assert types["id"] == types["pre_pt_root_id"] == types["pre_pt_supervoxel_id"] == "Int64"
        assert types["pre_pt_position_x"] == types["size"] == "Int32"
        assert types["valid"] == "boolean"
        assert types["created"] == "datetime64[ns, UTC]"

    def test_chosen_columns_come_in_the_order_chosen_with_the_supervoxels_of_root_ids(self):
        frame = one(select={"synapses": ["post_pt_root_id", "id", "ctr_pt_position"]}).frame
        assert list(frame) == [
            *("post_pt_supervoxel_id", "post_pt_root_id", "id"),
            *("ctr_pt_position_x", "ctr_pt_position_y", "ctr_pt_position_z"),
        ]

    def test_offset_and_limit_cut_what_is_answered_not_what_matched(self):
        answer = one(offset=1, limit=2)
        assert answer.frame["id"].tolist() == [S2, S3]
        assert answer.matched == 5
        assert one(offset=9).frame.empty

    def test_positions_are_rescaled_and_become_floats(self):
        frame = one(resolution=(8.0, 8.0, 10.0), limit=1).frame
        assert frame["pre_pt_position_x"].dtype == "Float64"
        assert frame[["pre_pt_position_x", "pre_pt_position_y", "pre_pt_position_z"]].values.tolist() == [[5, 10, 120]]

    def test_positions_in_the_table_s_own_resolution_stay_integers(self):
        assert one(resolution=(4.0, 4.0, 40.0)).frame["pre_pt_position_x"].dtype == "Int32"

    def test_a_sample_has_as_many_rows_as_asked_for_in_order(self):
        ids = one(sample=3).frame["id"].tolist()
        assert len(ids) == 3
        assert ids == sorted(ids)
        assert len(one(sample=5).frame) == 5

    def test_names_say_what_each_column_is_called(self):
        assert one(select={"synapses": ["id"]}).names == {"synapses": {"id": "id"}}

    def test_an_unknown_column_is_400(self):
        with pytest.raises(Refusal, match="column ant not found in synapses") as refusal:
            one(select={"synapses": ["ant"]})
        assert refusal.value.status == 400

    @pytest.mark.parametrize("where", [{"filters": {"ants": [Filter("in", "id", [1])]}}, {"select": {"ants": ["id"]}}])
    def test_a_table_that_is_not_queried_is_400(self, where):
        with pytest.raises(Refusal, match="ants") as refusal:
            one(**where)
        assert refusal.value.status == 400

    def test_nothing_found_keeps_columns_and_types(self):
        frame = one(filters={"synapses": [Filter("in", "id", [1])]}).frame
        assert frame.dtypes.to_dict() == one().frame.dtypes.to_dict()

    def test_a_view_shows_only_its_columns(self):
        view = freeze(FakeGraph(), nuclei(), V1).only(("id", "pt_root_id"))
        answer = run(Query(tables=("cells",)), {"cells": view})
        assert answer.frame.to_dict("list") == {"id": [1, 2, 3], "pt_root_id": [A, C, 0]}
        with pytest.raises(Refusal, match="volume"):
            run(Query(tables=("cells",), filters={"cells": [Filter("greater", "volume", 1)]}), {"cells": view})


class TestJoin:
    def test_each_pair_of_rows_once_in_the_order_of_the_first_table(self):
        frame = both(suffixes={"labels": "", "nuclei": "_ref"}).frame
        assert frame[["id", "id_ref"]].values.tolist() == [[11, 1], [12, 2], [13, 2]]
        assert frame["pt_root_id"].tolist() == [B, C, C]
        assert frame["pt_root_id_ref"].tolist() == [A, C, C]

    def test_only_columns_of_both_tables_get_a_suffix_and_positions_stay_recognisable(self):
        answer = both(suffixes={"labels": "", "nuclei": "_ref"})
        assert {"tag", "volume", "pt_position_x", "pt_position_ref_x"} <= set(answer.frame)
        assert answer.names["nuclei"]["pt_position"] == "pt_position_ref"
        assert answer.names["labels"]["tag"] == "tag"

    def test_suffixes_not_given_are_letters(self):
        assert both(select={"labels": ["id"], "nuclei": ["id"]}).frame.columns.tolist() == ["idx", "idy"]

    def test_equal_suffixes_are_refused(self):
        with pytest.raises(Refusal, match="Duplicate suffixes"):
            both(suffixes={"labels": "_a", "nuclei": "_a"})

    def test_filters_apply_to_either_table(self):
        select = {"labels": ["id"], "nuclei": ["volume"]}
        assert both(select=select, filters={"nuclei": [Filter("in", "pt_root_id", [C])]}).frame["id"].tolist() == [
            12,
            13,
        ]
        tagged = both(select=select, filters={"labels": [Filter("equal", "tag", "PN")]})
        assert tagged.frame.to_dict("list") == {"id": [12], "volume": [2.5]}

    def test_offset_and_limit_count_joined_rows(self):
        answer = both(select={"labels": ["id"]}, offset=1, limit=1)
        assert answer.frame["id"].tolist() == [12]
        assert answer.matched == 3

    def test_it_can_be_written_from_either_side(self):
        sources = {table.name: freeze(FakeGraph(), table, V1) for table in (labels(), nuclei())}
        turned = Query(tables=("nuclei", "labels"), joins=(REFERENCE,), select={"nuclei": ["id"], "labels": ["tag"]})
        assert run(turned, sources).frame["id"].tolist() == [1, 2, 2]

    def test_each_table_s_positions_are_scaled_by_its_own_resolution(self):
        frame = both(resolution=(4.0, 4.0, 40.0), suffixes={"labels": "", "nuclei": "_ref"}, limit=1).frame
        assert frame["pt_position_x"].tolist() == [2.0]
        assert frame["pt_position_ref_x"].tolist() == [100]

    def test_columns_wanted_from_anywhere_come_from_the_first_table_that_has_them(self):
        answer = both(anywhere=["volume", "id", "tag"], limit=1)
        assert answer.frame.to_dict("list") == {"id": [11], "tag": ["ORN"], "volume": [1.5]}
        with pytest.raises(Refusal, match="column ant not found in any table referenced"):
            both(anywhere=["ant"])

    def test_dropped_columns_are_not_answered_even_if_selected(self):
        answer = both(select={"labels": ["id", "superceded_id"]}, dropped=frozenset({"superceded_id"}))
        assert list(answer.frame) == ["id"]

    def test_keys_of_unlike_integer_types_meet_exactly(self):
        table = labels()
        table.rows = table.rows.assign(target_id=[S1, S2 - 1, S4])
        table.rows["target_id"] = table.rows["target_id"].astype("Int64")
        sources = {"labels": freeze(FakeGraph(), table, V1), "synapses": freeze(FakeGraph(), synapses(), V1)}
        join = Join("labels", "target_id", "synapses", "id")
        query = Query(tables=("labels", "synapses"), joins=(join,), select={"labels": ["tag"], "synapses": ["id"]})
        assert run(query, sources).frame["id"].tolist() == [S1, S4]

    def test_a_join_with_a_table_that_is_not_there_yet_is_refused(self):
        sources = {"synapses": freeze(FakeGraph(), synapses(), V1)}
        with pytest.raises(Refusal, match="can't join"):
            run(Query(tables=("synapses",), joins=(REFERENCE,)), sources)


def test_a_row_can_be_hidden():
    frozen = freeze(FakeGraph(), synapses(), V1).without([0, 4])
    assert run(Query(tables=("synapses",)), {"synapses": frozen}).frame["id"].tolist() == [S2, S3, S4]
    assert S5 not in run(Query(tables=("synapses",)), {"synapses": frozen}).frame["id"].tolist()
