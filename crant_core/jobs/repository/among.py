"""Asks for rows by a long list of values, as one parameter: what a statement costs does not grow with its words."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import JSON, ColumnElement, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session


def among(session: Session, one: InstrumentedAttribute[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Return whether a column's value is one of these, which travel as JSON: both databases unfold it, in their words.

    PostgreSQL looks each of them up in an index; a long array would be a reason for it to read the whole table.
    """
    listed = bindparam(None, list(values), JSON)
    if session.get_bind().dialect.name == "postgresql":
        return one.in_(select(func.json_array_elements_text(listed)))
    return one.in_(select(func.json_each(listed).table_valued("value").c.value))
