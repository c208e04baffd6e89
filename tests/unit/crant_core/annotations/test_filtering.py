"""What filter_df keeps. D17: crantpy decides about lists by the first cell, and takes text for patterns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crant_core.annotations import filter_df
from crant_core.errors import FilteringError

BIG = 2**62  # a float keeps only every 1024th of its neighbours


def rows(cells: object, value: object, **how: bool) -> list[int]:
    """The positions of the cells that fit."""
    table = pd.DataFrame({"column": cells})
    kept = filter_df(table, "column", value, **how)
    assert list(kept.columns) == ["column"]
    return kept.index.tolist()


class TestText:
    CELLS = ("FBt", "PBt", "EPG/PEG", "PFN?", "er2", None, np.nan, "")

    def test_the_whole_text_in_capitals_or_not(self):
        assert rows(self.CELLS, "fbt") == [0]
        assert rows(self.CELLS, "FB") == []

    def test_capitals_matter_when_they_shall(self):
        assert rows(self.CELLS, "fbt", case=True) == []
        assert rows(self.CELLS, "FBt", case=True) == [0]

    def test_any_of_several_values(self):
        for values in (
            ["fbt", "PFN?"],
            ("fbt", "PFN?"),
            {"fbt", "PFN?"},
            np.array(["fbt", "PFN?"]),
            pd.Series(["fbt", "PFN?"]),
        ):
            assert rows(self.CELLS, values) == [0, 3]

    def test_a_part_of_the_text(self):
        assert rows(self.CELLS, "bT", exact=False) == [0, 1]
        assert rows(self.CELLS, "bT", exact=False, case=True) == []

    def test_a_part_of_the_text_of_several_values(self):
        # D17: crantpy compares whole texts here
        assert rows(self.CELLS, ["bt", "PF"], exact=False) == [0, 1, 3]

    def test_letters_of_patterns_mean_themselves_unless_they_shall_not(self):
        # D17: crantpy takes "PFN?" for a pattern, which is in "PF" too
        assert rows(["PFN?", "PFN", "PF"], "PFN?", exact=False) == [0]
        assert rows(["a(b", "ab"], "(", exact=False) == [0]

    def test_no_value_fits_nothing(self):
        assert rows(self.CELLS, []) == []
        assert rows(self.CELLS, [], match_all=True) == []

    def test_several_values_of_one_text_need_not_all_fit_it(self):
        assert rows(self.CELLS, ["FBt", "PBt"], match_all=True) == [0, 1]

    def test_an_id_may_be_an_integer(self):
        assert rows([str(BIG), str(BIG + 1)], BIG + 1) == [1]
        assert rows([str(BIG), str(BIG + 1)], np.int64(BIG)) == [0]

    def test_categories_and_strings_of_pandas_are_text(self):
        assert rows(pd.Categorical(["a", "b", None, "A"]), "a") == [0, 3]
        assert rows(pd.array(["a", "b", None, "A"], dtype="string"), "a", case=True) == [0]


class TestPatterns:
    CELLS = ("FBt", "PBt", "FBt5/6", "EPG", None)

    def test_they_are_found_anywhere(self):
        assert rows(self.CELLS, "bt", regex=True) == [0, 1, 2]
        assert rows(self.CELLS, "^FBt$", regex=True) == [0]
        assert rows(self.CELLS, "bt", regex=True, case=True) == []

    def test_each_of_several_stands_alone(self):
        # joined with |, "(FB" and "PB)" would be one pattern, and "^FBt$" and "x" could be "^FBt$x"
        assert rows(self.CELLS, ["^FBt$", "EPG|PEG"], regex=True) == [0, 3]
        with pytest.raises(FilteringError, match="no regular expression"):
            rows(self.CELLS, ["(FB", "PB)"], regex=True)

    def test_or_inside_of_brackets_is_refused(self):
        # D17: crantpy's own example "[FBt|PBt]" is a set of letters, and matches 450 neurons
        with pytest.raises(FilteringError, match=r"\(a\|b\)"):
            rows(self.CELLS, "[FBt|PBt]", regex=True)
        assert rows(self.CELLS, "(FBt|PBt)$", regex=True) == [0, 1]
        assert rows(["a|b", "ab"], r"a[\|]b", regex=True) == [0]
        assert rows(["a[b", "c"], r"a\[b|c", regex=True) == [0, 1]
        assert rows(["a]b", "ab", "c"], r"a[]]b|c", regex=True) == [0, 2]

    def test_they_are_text(self):
        with pytest.raises(FilteringError, match="give text"):
            rows(self.CELLS, 5, regex=True)


class TestLists:
    CELLS = (None, ["CX"], ["CX", "LH"], "LH", [], ["lh"], ("AL", None), np.array(["MB"]))

    def test_any_cell_may_be_the_first_list(self):
        # D17: crantpy looks at the first cell only, and compares the text of the others
        assert rows(self.CELLS, "CX") == [1, 2]
        assert rows(["LH", ["LH"], ["CX"]], "LH") == [0, 1]
        assert rows(self.CELLS, "mb") == [7]

    def test_any_or_all_of_several_values(self):
        assert rows(self.CELLS, ["CX", "LH"]) == [1, 2, 3, 5]
        assert rows(self.CELLS, ["CX", "LH"], match_all=True) == [2]

    def test_capitals_parts_and_patterns_count_as_in_text(self):
        assert rows(self.CELLS, "lh", case=True) == [5]
        assert rows(self.CELLS, "L", exact=False, case=True) == [2, 3, 6]
        assert rows(self.CELLS, ["^A", "X$"], regex=True) == [1, 2, 6]
        assert rows(self.CELLS, ["^C", "H$"], regex=True, match_all=True) == [2]


class TestOtherTypes:
    def test_false_is_false_also_as_a_word(self):
        # crantpy takes bool("False"), which is True
        cells = pd.Series([True, False, None], dtype=object)
        assert rows(cells, "False") == rows(cells, False) == rows(cells, "f") == [1]
        assert rows([True, False], ["true", False]) == [0, 1]
        assert rows(pd.array([True, None, False], dtype="boolean"), "no") == [2]

    def test_large_integers_are_exact(self):
        assert rows([BIG, BIG + 1], str(BIG + 1)) == [1]
        assert rows(pd.array([BIG, None, BIG + 1], dtype="Int64"), [BIG + 1]) == [2]
        assert rows(pd.Series([BIG, None, BIG + 1], dtype=object), BIG) == [0]

    def test_numbers_are_compared_as_numbers(self):
        assert rows([1.0, 2.5, np.nan], "2.5") == [1]
        assert rows([1.0, 2.0], 2) == [1]

    def test_times_are_compared_as_times(self):
        days = pd.date_range("2025-01-01", periods=3)
        assert rows(days, "2025-01-02") == [1]
        assert rows(days.tz_localize("UTC"), "2025-01-02") == [1]

    @pytest.mark.parametrize(("cells", "value"), [([1, 2], "many"), ([1, 2], 1.5), ([True, False], "maybe")])
    def test_what_the_column_cannot_have_is_an_error(self, cells, value):
        with pytest.raises(FilteringError, match="cannot be"):
            rows(cells, value)


def test_a_missing_value_is_an_error_that_says_how_to_find_gaps():
    for nothing in (None, np.nan, pd.NA, [None]):
        with pytest.raises(FilteringError, match="isna"):
            rows(["a", None], nothing)


def test_an_unknown_column_is_answered_with_the_nearest():
    table = pd.DataFrame({"cell_class": ["a"], "cell_type": ["b"], "side": ["left"]})
    with pytest.raises(FilteringError, match="cell_class"):
        filter_df(table, "cel_clas", "a")
    with pytest.raises(FilteringError, match="cell_type, cell_class"):
        filter_df(table, "cell", "a")
    with pytest.raises(ValueError, match="there are: cell_class, cell_type, side"):  # crantpy's type
        filter_df(table, "xyz", "a")


def test_index_and_order_stay_and_the_table_does_not_change():
    table = pd.DataFrame({"column": ["b", "a", "b"], "other": [1, 2, 3]}, index=[7, 7, 3])
    before = table.copy()
    kept = filter_df(table, "column", "b")
    assert (kept.index.tolist(), kept["other"].tolist()) == ([7, 3], [1, 3])
    pd.testing.assert_frame_equal(table, before)


def test_a_column_without_any_cell_has_no_type_that_a_value_could_fail():
    assert rows([np.nan, np.nan], "a") == rows([None], True) == []


def test_an_empty_table_stays_empty():
    assert len(filter_df(pd.DataFrame({"column": []}), "column", "a")) == 0
