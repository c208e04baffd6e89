"""The JSON bodies of queries, read strictly: what is malformed is answered as the server's schemas answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from crant_core.sandbox.tables.filters import Filter
from crant_core.sandbox.tables.query import Join, Query

Body = Mapping[str, Any]

#: What clients call it, and whether the server, up to 5.26.4 at least, reads it: it forgot `filter_notin_dict`.
_FILTERS = {
    "filter_in_dict": "in",
    "filter_notin_dict": "notin",
    "filter_out_dict": "out",
    "filter_equal_dict": "equal",
    "filter_greater_dict": "greater",
    "filter_less_dict": "less",
    "filter_greater_equal_dict": "greater_equal",
    "filter_less_equal_dict": "less_equal",
    "filter_spatial_dict": "spatial",
    "filter_regex_dict": "regex",
}
_CRUD = frozenset({"superceded_id"})


class SchemaErrors(ValueError):
    """A body that does not fit; `errors` says what is wrong with which field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(str(errors))
        self.errors = errors


def of_one_table(body: Body, table: str, *, honour_notin: bool = False) -> Query:
    """Read a query of one table or view; `honour_notin` mends the server's forgetting `filter_notin_dict`."""
    _check(body, {"select_columns": _is_strings})
    selected = body.get("select_columns")
    return Query(
        tables=(table,),
        filters=_filters(body, honour_notin),
        select={table: selected} if selected else None,
        **_common(body),
    )


def of_join(body: Body, *, honour_notin: bool = False) -> Query:
    """Read a join of two frozen tables."""
    kinds = {"select_columns": _is_strings, "select_column_map": _is_mapping, "suffixes": _is_strings}
    _check(body, kinds | {"suffix_map": _is_mapping, "tables": _is_pair}, required=("tables",))
    (left, left_column), (right, right_column) = body["tables"][:2]
    tables = tuple(dict.fromkeys((left, right)))
    given = body.get("suffixes")
    anywhere = body.get("select_columns") or None
    return Query(
        tables=tables,
        joins=(Join(left, left_column, right, right_column),),
        filters=_filters(body, honour_notin),
        select=None if anywhere else body.get("select_column_map") or None,
        anywhere=anywhere,
        suffixes=dict(zip(tables, given, strict=False)) if given is not None else body.get("suffix_map") or {},
        dropped=_CRUD,
        **_common(body),
    )


def of_live(body: Body, *, honour_notin: bool = False) -> tuple[Query, datetime]:
    """Read a query at a time, and the time."""
    kinds = {"select_columns": _is_mapping, "suffixes": _is_mapping, "join_tables": _is_joins, "table": _is_text}
    _check(body, kinds | {"timestamp": _is_time}, required=("table", "timestamp"))
    joins = tuple(Join(*join) for join in body.get("join_tables") or ())
    named = [name for join in joins for name in (join.left_table, join.right_table)]
    query = Query(
        tables=tuple(dict.fromkeys((body["table"], *named))),
        joins=joins,
        filters=_filters(body, honour_notin),
        select=body.get("select_columns") or None,
        suffixes=body.get("suffixes") or {},
        omitted=frozenset({"valid", "superceded_id"}),
        dropped=_CRUD,
        **_common(body),
    )
    return query, _time(body["timestamp"])


def _common(body: Body) -> dict[str, Any]:
    resolution = body.get("desired_resolution")
    return {
        "offset": int(body.get("offset") or 0),
        "limit": None if body.get("limit") is None else int(body["limit"]),
        "resolution": tuple(float(step) for step in resolution) if resolution else None,
    }


def _filters(body: Body, honour_notin: bool) -> dict[str, list[Filter]]:
    found: dict[str, list[Filter]] = {}
    for key, kind in _FILTERS.items():
        if kind == "notin" and not honour_notin:
            continue
        for table, conditions in (body.get(key) or {}).items():
            found.setdefault(table, []).extend(Filter(kind, *item) for item in (conditions or {}).items())
    return found


def _check(body: Body, kinds: Mapping[str, Callable[[Any], str | None]], required: tuple[str, ...] = ()) -> None:
    shared = {"offset": _is_integer, "limit": _is_integer, "desired_resolution": _is_resolution}
    expected = shared | dict.fromkeys(_FILTERS, _is_mapping) | dict(kinds)
    errors = {name: ["Missing data for required field."] for name in required if body.get(name) is None}
    for name, fault_of in expected.items():
        fault = fault_of(body[name]) if body.get(name) is not None else None
        if fault is not None:
            errors[name] = [fault]
    if errors:
        raise SchemaErrors(errors)


def _is_mapping(value: Any) -> str | None:
    return None if isinstance(value, dict) else "Not a valid mapping type."


def _is_text(value: Any) -> str | None:
    return None if isinstance(value, str) else "Not a valid string."


def _is_strings(value: Any) -> str | None:
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if fits else "Not a valid list."


def _is_integer(value: Any) -> str | None:
    try:
        return None if int(value) >= 0 else "Must be greater than or equal to 0."
    except (TypeError, ValueError):
        return "Not a valid integer."


def _is_resolution(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(step, int | float) and step > 0 for step in value):
        return "Not a valid list."
    return None if len(value) in {0, 3} else "Length must be 3."


def _is_pair(value: Any) -> str | None:
    fits = isinstance(value, list) and len(value) == 2 and _are_texts(value, 2)  # noqa: PLR2004 -- a pair
    return None if fits else "Must be two pairs of table and column."


def _is_joins(value: Any) -> str | None:
    return None if isinstance(value, list) and _are_texts(value, 4) else "Not a valid list."


def _are_texts(value: list[Any], length: int) -> bool:
    return all(
        isinstance(item, list) and len(item) == length and all(isinstance(text, str) for text in item) for item in value
    )


def _is_time(value: Any) -> str | None:
    try:
        _time(value)
    except (TypeError, ValueError):
        return "Not a valid aware datetime."
    return None


def _time(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
