"""Which rows of an export are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from crant_core.errors import InvalidParameters
from crant_core.parsing import is_missing

Filter: TypeAlias = Mapping[str, Any] | pc.Expression | None


def condition(filter_: Filter, schema: pa.Schema) -> pc.Expression | None:
    """Return the condition that rows fulfil: each column named has the value, or one of the values.

    What is missing (None, NA) stands for rows without a value. Whole numbers may be strings, as ids are elsewhere.

    Raises
    ------
    InvalidParameters
        There is no such column, or a value is not of its type.
    """
    if filter_ is None or isinstance(filter_, pc.Expression):
        return filter_
    if not isinstance(filter_, Mapping):
        hint = "give {column: value or values}, or an expression of pyarrow.compute"
        raise InvalidParameters(f"{filter_!r} is no filter", value=repr(filter_)[:200], hint=hint)
    found = None
    for name, values in filter_.items():
        check_columns([name], schema)
        one = pc.field(name).isin(_values(name, values, schema.field(name).type))
        found = one if found is None else found & one
    return found


def columns_of(filter_: Filter, schema: pa.Schema) -> list[str]:
    """Return the columns that a filter looks at: all of them if it is an expression, which does not say."""
    if filter_ is None:
        return []
    return list(filter_) if isinstance(filter_, Mapping) else list(schema.names)


def check_columns(names: Sequence[str], schema: pa.Schema) -> None:
    """Refuse names of columns that are not there, or twice."""
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise InvalidParameters(f"column {twice!r} is named twice", value=repr(twice), hint="name each once")
    for name in names:
        if name not in schema.names:
            hint = f"known: {', '.join(schema.names)}"
            raise InvalidParameters(f"the export has no column {name!r}", value=name, hint=hint)


def _values(name: str, values: Any, kind: pa.DataType) -> pa.Array:
    single = isinstance(values, str) or not hasattr(values, "__iter__")
    listed = [_read(value, kind) for value in ([values] if single else values)]
    if pa.types.is_integer(kind) and any(isinstance(value, float) for value in listed):
        raise InvalidParameters(f"{name} holds whole numbers", value=str(listed[0]), hint="floats have lost digits")
    try:
        return pa.array([getattr(value, "item", lambda v=value: v)() for value in listed], type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise InvalidParameters(f"{name} cannot be compared with this: {error}", value=str(listed[:1])) from error


def _read(value: Any, kind: pa.DataType) -> Any:
    if is_missing(value) and not isinstance(value, str | float):
        return None
    is_number = isinstance(value, str) and pa.types.is_integer(kind) and value.strip().removeprefix("-").isdecimal()
    return int(value) if is_number else value
