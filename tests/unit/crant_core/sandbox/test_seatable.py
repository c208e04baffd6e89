"""SeaTable's SQL: what is run, what is refused, what comes back."""

# ruff: noqa: S608 -- these statements are the tests
from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from crant_core.sandbox.seatable import COLUMN_KINDS, QueryError, SeaTable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def table(count: int = 0, row_cap: int = 10_000, **columns) -> SeaTable:
    count = max([count, *(len(column) for column in columns.values())])
    rows = pd.DataFrame({name: [None] * count for name in COLUMN_KINDS}, dtype=object)
    for name, column in columns.items():
        rows[name] = pd.Series(column, dtype=object)
    return SeaTable(rows, row_cap)


def ask(seatable: SeaTable, sql: str) -> list[list]:
    return [list(row.values()) for row in seatable.query(sql).records(convert=True)]


@pytest.fixture(scope="module")
def regions() -> SeaTable:
    return table(
        root_id=["1", "2", "3", "4", "5"],
        region=[["AL", "LH"], ["LH"], [], None, ["MB", "AL", "LH"]],
        side=["left", "Left", "right", "50%", None],
    )


@pytest.mark.parametrize(
    ("condition", "roots"),
    [
        ("region HAS ANY OF ('LH', 'MB')", "125"),
        ("region has all of ('LH', 'AL')", "15"),
        ("region HAS NONE OF ('AL')", "234"),
        ("region IS EXACTLY ('LH', 'AL')", "1"),
        ("region = 'AL'", "1"),
        ("region IN ('LH', 'MB')", "25"),
        ("region LIKE 'A%'", "1"),
        ("region IS NULL", "4"),
        ("side LIKE 'l%'", "1"),
        ("side ILIKE 'l%'", "12"),
        ("side NOT ILIKE 'l%'", "34"),
        ("side LIKE '50_'", "4"),
        ('side = "left"', "1"),
        ("side = 'it''s LIMIT 3'", ""),
        ("root_id IN (SELECT root_id FROM CRANTb_meta LIMIT 2)", "12"),
    ],
)
def test_conditions(regions, condition, roots):
    found = ask(regions, f"SELECT root_id FROM CRANTb_meta WHERE {condition}")
    assert "".join(row[0] for row in found) == roots


def test_lists_are_ordered_by_their_sorted_elements(regions):
    # nothing, [], [AL, LH], [AL, LH, MB], [LH]
    found = ask(regions, "SELECT root_id FROM CRANTb_meta ORDER BY region")
    assert [row[0] for row in found] == ["4", "3", "1", "5", "2"]


def test_a_renamed_list_is_still_a_list(regions):
    answer = regions.query("SELECT region AS place FROM CRANTb_meta LIMIT 1")
    assert answer.records(convert=False) == [{"place": ["AL", "LH"]}]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("", ["0", "1", "2", "3"]),
        ("LIMIT 2", ["0", "1"]),
        ("LIMIT 2 OFFSET 3", ["3", "4"]),
        ("limit 3, 2", ["3", "4"]),
        ("OFFSET 4", ["4", "5", "6", "7"]),
        ("OFFSET 4 LIMIT 1;", ["4"]),
        ("LIMIT 0", []),
        ("LIMIT 99", ["0", "1", "2", "3"]),
    ],
)
def test_limits_never_exceed_the_cap(tail, expected):
    seatable = table(root_id=[str(number) for number in range(9)], row_cap=4)
    assert [row[0] for row in ask(seatable, f"SELECT root_id FROM CRANTb_meta {tail}")] == expected


def test_the_cap_may_be_changed_later():
    seatable = table(9)
    seatable.row_cap = 2
    assert len(ask(seatable, "SELECT root_id FROM CRANTb_meta LIMIT 9")) == 2


def test_the_key_of_an_expression_is_its_text_with_the_function_in_capitals(regions):
    answer = regions.query("SELECT side, count(*), Max(root_id) AS last FROM CRANTb_meta GROUP BY side LIMIT 1")
    assert [column.name for column in answer.columns] == ["side", "COUNT(*)", "last"]
    assert [column.describe()["type"] for column in answer.columns] == ["single-select", "number", "text"]


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "SELECT",
        "SELECT root_id FROM nowhere",
        "SELECT nothing FROM CRANTb_meta",
        "SELECT root_id FROM CRANTb_meta LIMIT -1",
        "SELECT root_id FROM CRANTb_meta LIMIT many",
        "SELECT root_id FROM CRANTb_meta LIMIT 5 -- and no more",
        "SELECT root_id FROM CRANTb_meta /* LIMIT 5",
        "SELECT 1; DROP TABLE CRANTb_meta",
        "SELECT * FROM sqlite_master",
        "SELECT (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n)",
        "UPDATE CRANTb_meta SET side = 'left'",
        "DROP TABLE CRANTb_meta",
        "PRAGMA query_only = OFF",
        "ATTACH '/tmp/x' AS x",
        "SELECT 'unfinished",
    ],
)
def test_refused_statements_change_nothing(regions, statement):
    with pytest.raises(QueryError):
        regions.query(statement)
    assert len(regions) == 5


def test_the_table_can_be_changed_after_a_query_and_after_a_refused_one():
    seatable = table(1)
    with pytest.raises(QueryError):
        seatable.query("DROP TABLE CRANTb_meta")
    (row_id,) = seatable.append([{"root_id": "7", "no such column": 1}], NOW)
    assert ask(seatable, "SELECT root_id FROM CRANTb_meta WHERE root_id = '7'") == [["7"]]
    assert seatable.row(row_id).records(convert=True)[0]["_ctime"] == NOW.isoformat()


def test_an_update_moves_only_the_modification_time():
    seatable = table(root_id=["1"])
    (before,) = seatable.page(0, 10).records(convert=True)
    seatable.update([(before["_id"], {"proofread": True})], NOW)
    (after,) = seatable.page(0, 10).records(convert=True)
    assert {name for name in before if before[name] != after[name]} == {"proofread", "_mtime"}


def test_ids_that_were_floats_are_refused():
    with pytest.raises(TypeError, match="float"):
        table(root_id=[5.764607523034235e17])


def test_nan_and_na_are_empty_and_arrays_are_lists():
    seatable = table(
        root_id=[np.nan, pd.NA, 12], status=[np.array(["A"]), np.nan, ["B"]], proofread=[np.True_, pd.NA, 0]
    )
    found = ask(seatable, "SELECT root_id, status, proofread FROM CRANTb_meta")
    assert found == [[None, ["A"], True], [None, None, None], ["12", ["B"], False]]


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="expected the columns"):
        SeaTable(pd.DataFrame({"root_id": ["1"]}))


def test_a_column_that_is_none_cannot_order_a_page():
    with pytest.raises(QueryError):
        table(1).page(0, 1, 'root_id"; DROP TABLE CRANTb_meta; --')


def test_20_000_rows_are_filtered_by_what_a_cell_holds():
    names = [f"type {number % 200}" for number in range(20_000)]
    seatable = table(cell_type=names, region=[["LH", "AL"]] * 20_000)
    assert len(ask(seatable, "SELECT root_id, cell_type FROM CRANTb_meta WHERE cell_type = 'type 7'")) == 100
