from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crant_core.sandbox.tables.body import SchemaErrors, of_join, of_live, of_one_table
from crant_core.sandbox.tables.filters import Filter
from crant_core.sandbox.tables.query import Join

NOTIN = {"filter_notin_dict": {"s": {"root": [0]}}}
LIVE = {"table": "s", "timestamp": "2026-05-01T00:00:00"}


def test_every_filter_of_a_body_is_read():
    body = {f"filter_{kind}_dict": {"s": {"c": 1}} for kind in ("in", "out", "equal", "greater", "less", "regex")}
    body |= {f"filter_{kind}_dict": {"s": {"c": 1}} for kind in ("greater_equal", "less_equal", "spatial")}
    kinds = {condition.kind for condition in of_one_table(body, "s").filters["s"]}
    assert kinds == {"in", "out", "equal", "greater", "less", "regex", "greater_equal", "less_equal", "spatial"}


def test_notin_is_forgotten_as_on_the_real_server_unless_mended():
    assert of_one_table(NOTIN, "s").filters == {}
    assert of_one_table(NOTIN, "s", honour_notin=True).filters == {"s": [Filter("notin", "root", [0])]}
    assert of_live(LIVE | NOTIN)[0].filters == {}


def test_empty_and_null_filters_are_none():
    assert of_one_table({"filter_in_dict": {"s": {}, "t": None}, "filter_equal_dict": None}, "s").filters == {
        "s": [],
        "t": [],
    }


def test_a_join_by_list_names_suffixes_in_the_order_of_tables():
    body = {"tables": [["b", "target_id"], ["a", "id"]], "suffixes": ["", "ref"]}
    query = of_join(body)
    assert query.joins == (Join("b", "target_id", "a", "id"),)
    assert query.suffixes == {"b": "", "a": "ref"}


def test_a_join_may_select_columns_by_table_or_from_anywhere():
    tables = {"tables": [["b", "target_id"], ["a", "id"]]}
    assert of_join(tables | {"select_column_map": {"a": ["id"]}}).select == {"a": ["id"]}
    assert of_join(tables | {"select_columns": ["id"]}).anywhere == ["id"]


def test_a_live_query_s_time_is_utc_if_it_does_not_say():
    assert of_live(LIVE)[1] == datetime(2026, 5, 1, tzinfo=UTC)
    assert of_live(LIVE | {"timestamp": "2026-05-01T02:00:00+02:00"})[1] == datetime(2026, 5, 1, tzinfo=UTC)


def test_a_live_query_reads_its_joins_and_leaves_bookkeeping_out():
    query, _ = of_live(LIVE | {"join_tables": [["s", "target_id", "n", "id"]]})
    assert query.tables == ("s", "n")
    assert query.omitted == {"valid", "superceded_id"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": "many"}, "limit"),
        ({"offset": -1}, "offset"),
        ({"filter_in_dict": [1]}, "filter_in_dict"),
        ({"select_columns": {"s": ["id"]}}, "select_columns"),
        ({"desired_resolution": [1, 1]}, "desired_resolution"),
        ({"desired_resolution": 4}, "desired_resolution"),
    ],
)
def test_what_does_not_fit_is_named(body, field):
    with pytest.raises(SchemaErrors) as error:
        of_one_table(body, "s")
    assert list(error.value.errors) == [field]


def test_what_is_missing_is_named():
    with pytest.raises(SchemaErrors) as error:
        of_live({"timestamp": "yesterday"})
    assert error.value.errors == {
        "table": ["Missing data for required field."],
        "timestamp": ["Not a valid aware datetime."],
    }
    with pytest.raises(SchemaErrors, match="tables"):
        of_join({"tables": [["a", "id"]]})
    with pytest.raises(SchemaErrors, match="join_tables"):
        of_live(LIVE | {"join_tables": [["s", "id"]]})
