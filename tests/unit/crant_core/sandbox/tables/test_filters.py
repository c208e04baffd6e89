from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.tables.filters import Filter, matching
from crant_core.sandbox.tables.frozen import Frozen, freeze
from tests.unit.crant_core.sandbox.tables.example import (
    BIG,
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

INSIDE = [[5, 5, 5], [10, 20, 30]]


@pytest.fixture
def frozen() -> Frozen:
    return freeze(FakeGraph(), synapses(), V1)


def ids(frozen: Frozen, *conditions: Filter) -> list[int]:
    return frozen.values("id", matching(frozen, conditions)).tolist()


class TestIntegers:
    def test_in_on_root_ids(self, frozen):
        assert ids(frozen, Filter("in", "pre_pt_root_id", [A, B])) == [S1, S2, S4]

    def test_in_of_nothing_finds_nothing(self, frozen):
        assert ids(frozen, Filter("in", "pre_pt_root_id", [])) == []

    def test_ids_above_2_to_the_53_are_told_from_their_neighbours(self, frozen):
        assert ids(frozen, Filter("in", "id", [BIG + 1, BIG + 2])) == [S1]
        assert ids(frozen, Filter("equal", "id", BIG + 4)) == []
        assert ids(frozen, Filter("greater", "id", BIG + 8)) == [S5]
        assert ids(frozen, Filter("less_equal", "id", BIG + 3)) == [S1, S2]

    def test_equal_on_a_root_id(self, frozen):
        assert ids(frozen, Filter("equal", "post_pt_root_id", 0)) == [S4]

    def test_two_root_filters_must_both_hold(self, frozen):
        both = (Filter("in", "pre_pt_root_id", [A]), Filter("in", "post_pt_root_id", [C, 0]))
        assert ids(frozen, *both) == [S2]

    def test_in_on_a_column_without_index(self, frozen):
        assert ids(frozen, Filter("in", "size", [25, 100, 7])) == [S1, S3]
        assert ids(frozen, Filter("in", "pre_pt_supervoxel_id", [2**64 - 1, -1, 2**70])) == []

    def test_numbers_may_come_as_text_but_must_be_numbers(self, frozen):
        assert ids(frozen, Filter("in", "pre_pt_root_id", [str(A)])) == [S1, S2]
        assert ids(frozen, Filter("greater_equal", "size", "50")) == [S1, S2]
        with pytest.raises(Refusal, match="invalid input") as refusal:
            ids(frozen, Filter("in", "pre_pt_root_id", ["ant"]))
        assert refusal.value.status == 500

    def test_a_fraction_equals_no_integer(self, frozen):
        assert ids(frozen, Filter("in", "size", [25.5, 25.0])) == [S3]
        assert ids(frozen, Filter("greater", "size", 49.5)) == [S1, S2]

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("greater", [S1]),
            ("greater_equal", [S1, S2]),
            ("less", [S3, S4, S5]),
            ("less_equal", [S2, S3, S4, S5]),
            ("equal", [S2]),
        ],
    )
    def test_comparisons(self, frozen, kind, expected):
        assert ids(frozen, Filter(kind, "size", 50)) == expected

    def test_not_in(self, frozen):
        assert ids(frozen, Filter("notin", "post_pt_root_id", [0, B])) == [S2, S3, S5]
        assert ids(frozen, Filter("out", "size", 100)) == [S2, S3, S4, S5]


class TestNull:
    def test_null_meets_no_condition_not_even_a_negative_one(self):
        frozen = freeze(FakeGraph(), labels(), V1)
        assert ids(frozen, Filter("notin", "tag", ["PN"])) == [11]
        assert ids(frozen, Filter("equal", "proofread", value=False)) == [12]
        assert ids(frozen, Filter("equal", "tag", None)) == []
        assert ids(frozen, Filter("in", "tag", ["ORN", None])) == [11]

    def test_nullable_integers_compare_exactly(self):
        table = synapses()
        table.rows = table.rows.assign(
            superceded_id=pd.array([BIG + 1, None, BIG + 3, None, None, None], dtype="Int64")
        )
        frozen = freeze(FakeGraph(), table, V1)
        assert ids(frozen, Filter("in", "superceded_id", [BIG + 1, BIG + 2])) == [S1]

    def test_a_missing_float_is_neither_more_nor_less(self):
        frozen = freeze(FakeGraph(), nuclei(), V1)
        assert ids(frozen, Filter("greater", "volume", 0)) == [1, 2]
        assert ids(frozen, Filter("less", "volume", 2)) == [1]


class TestOtherTypes:
    def test_text(self):
        frozen = freeze(FakeGraph(), labels(), V1)
        assert ids(frozen, Filter("in", "tag", ["PN", "KC"])) == [12]
        assert ids(frozen, Filter("regex", "tag", "^O.N$")) == [11]
        assert ids(frozen, Filter("regex", "tag", "N")) == [11, 12]

    def test_truth_in_the_words_of_the_database(self):
        frozen = freeze(FakeGraph(), labels(), V1)
        assert ids(frozen, Filter("equal", "proofread", "t")) == [11]

    def test_times(self, frozen):
        assert ids(frozen, Filter("less", "created", "2026-01-01T00:00:00.001")) == [S1, S2, S3, S4, S5]
        assert ids(frozen, Filter("less", "created", "2026-01-01T00:00:00+00:00")) == []


class TestSpatial:
    def test_bounds_belong_to_the_box(self, frozen):
        assert ids(frozen, Filter("spatial", "pre_pt_position", INSIDE)) == [S1, S5]

    def test_a_point_outside_along_one_axis_is_outside(self, frozen):
        assert ids(frozen, Filter("spatial", "pre_pt_position", [[5, 5, 5], [10, 20, 29]])) == [S5]

    @pytest.mark.parametrize("box", [[[5, 5, 5], [5, 9, 9]], [[9, 9, 9], [1, 1, 1]]])
    def test_min_must_be_less_than_max(self, frozen, box):
        with pytest.raises(Refusal, match="must be less than max bounds") as refusal:
            ids(frozen, Filter("spatial", "pre_pt_position", box))
        assert refusal.value.status == 500

    def test_missing_positions_are_in_no_box(self):
        table = nuclei()
        table.rows = table.rows.assign(pt_position_x=pd.array([100, None, 300], dtype="Int32"))
        everywhere = [[0, 0, 0], [1000, 1000, 1000]]
        assert ids(freeze(FakeGraph(), table, V1), Filter("spatial", "pt_position", everywhere)) == [1, 3]


class TestRefusals:
    @pytest.mark.parametrize("column", ["ant", "pre_pt_position_x", "deleted"])
    def test_an_unknown_column_is_400(self, frozen, column):
        with pytest.raises(Refusal, match=f"column {column} not found in synapses") as refusal:
            ids(frozen, Filter("in", column, [1]))
        assert refusal.value.status == 400

    @pytest.mark.parametrize(
        "condition",
        [
            Filter("in", "size", 3),
            Filter("in", "id", 3),
            Filter("equal", "size", [3]),
            Filter("regex", "size", "3"),
            Filter("regex", "tag", "("),
            Filter("spatial", "size", INSIDE),
            Filter("equal", "pre_pt_position", 3),
            Filter("spatial", "pre_pt_position", [1, 2, 3]),
        ],
        ids=str,
    )
    def test_what_the_database_would_not_understand_is_refused(self, condition):
        table = synapses()
        table.rows = table.rows.assign(tag="")
        with pytest.raises(Refusal):
            ids(freeze(FakeGraph(), table, V1), condition)


def test_rows_to_look_among_narrow_the_answer(frozen):
    rows = matching(frozen, [Filter("in", "pre_pt_root_id", [A])], np.array([1, 2]))
    assert rows.tolist() == [1]
