"""Queries for SeaTable: names cannot break out of their place."""

from __future__ import annotations

import numpy as np
import pytest

from crant_core.annotations import create_sql_query
from crant_core.errors import InvalidInput
from crant_core.sandbox.seatable import COLUMN_KINDS, QueryError, SeaTable


def test_all_parts_stand_in_their_places():
    sql = create_sql_query("CRANTb_meta", ["root_id", "side"], "side = 'left'", 10, 20)
    assert sql == "SELECT `root_id`, `side` FROM `CRANTb_meta` WHERE side = 'left' LIMIT 10 OFFSET 20"
    assert create_sql_query("t", ["a"]) == "SELECT `a` FROM `t`"
    assert create_sql_query("t", ["a"], limit=0, start=np.int64(0)) == "SELECT `a` FROM `t` LIMIT 0 OFFSET 0"
    assert create_sql_query("t", ["a"], condition="  ") == "SELECT `a` FROM `t`"


def test_all_columns_and_their_number_are_no_names():
    assert create_sql_query("t", ["*"]) == "SELECT * FROM `t`"
    assert create_sql_query("t", ["COUNT(*)"]) == "SELECT COUNT(*) FROM `t`"


@pytest.mark.parametrize("name", ["left", "select", "cell type", "a, b FROM c --", "x'; DROP TABLE t", 'quo"te', "5th"])
def test_any_name_is_only_a_name(name):
    assert create_sql_query(name, [name]) == f"SELECT `{name}` FROM `{name}`"  # noqa: S608 - that is the test


@pytest.mark.parametrize("name", ["back`tick", "", "line\nbreak", "nul\0"])
def test_names_that_cannot_be_quoted_are_refused(name):
    with pytest.raises(InvalidInput, match="cannot be a name"):
        create_sql_query("t", [name])
    with pytest.raises(InvalidInput, match="cannot be a name"):
        create_sql_query(name, ["a"])


@pytest.mark.parametrize("fields", [[], (), "root_id", ""])
def test_fields_are_a_list(fields):
    with pytest.raises(InvalidInput, match="no fields"):
        create_sql_query("t", fields)


@pytest.mark.parametrize("number", [-1, 1.5, True, "10"])
def test_limits_are_numbers_of_rows(number):
    with pytest.raises(InvalidInput, match="number of rows"):
        create_sql_query("t", ["a"], limit=number)
    with pytest.raises(InvalidInput, match="number of rows"):
        create_sql_query("t", ["a"], start=number)


def test_seatable_understands_them():
    import pandas as pd

    rows = pd.DataFrame({name: [None] * 3 for name in COLUMN_KINDS}, dtype=object).assign(root_id=["1", "2", "3"])
    table = SeaTable(rows)
    sql = create_sql_query("CRANTb_meta", ["root_id"], "root_id > '1'", limit=5, start=1)
    assert table.query(sql).records(convert=True) == [{"root_id": "3"}]
    with pytest.raises(QueryError):  # a column of that name, which is not there, and no second statement
        table.query(create_sql_query("CRANTb_meta", ["root_id` FROM x; --".replace("`", "'")]))
