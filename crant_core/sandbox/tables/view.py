"""A view: some columns of one table under a name of their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """A named choice of a table's columns; `columns` are as users see them, `pt_position` and not `pt_position_x`."""

    name: str
    table: str
    columns: tuple[str, ...]
    description: str = ""
