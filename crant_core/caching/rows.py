"""Rows of tables by the id they are about, and tables put together from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crant_core.caching.copies import snapshot
from crant_core.errors import Internal
from crant_core.parsing import is_missing

if TYPE_CHECKING:
    import pandas as pd

NOTHING: Hashable = "nothing"  #: what missing ids and 0 have for a key


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows about one id are, in a table that nobody may change."""

    table: pd.DataFrame
    places: list[int]


def is_nothing(id_: Any) -> bool:
    """Say whether it stands for no neuron: missing, or 0."""
    return is_missing(id_) or id_ in (0, "0")


def key_of(id_: Any) -> Hashable:
    """Return what an id is remembered under; an id as a string is answered as a string."""
    if is_nothing(id_):
        return NOTHING
    return type(id_).__name__, id_.strip() if isinstance(id_, str) else id_


def rows_of(table: pd.DataFrame, column: str, asked: list[Any]) -> dict[Hashable, Rows]:
    """Find the rows about each id, whichever of number and string the function made of it.

    Raises
    ------
    Internal
        There are rows about ids that were not asked about, or ids that went through float: a row may be lost.
    """
    places: dict[str, list[int]] = {_text(id_): [] for id_ in asked}
    for place, id_ in enumerate(table[column].tolist()):
        if _text(id_) not in places or (isinstance(id_, float) and not is_nothing(id_)):
            hint = f"column {column} must hold the ids that were asked about, as integers or strings"
            raise Internal(f"a function that is remembered by id answered about {id_!r}", value=id_, hint=hint)
        places[_text(id_)].append(place)
    _check_nothings(len(places.get("", ())), sum(map(is_nothing, asked)))
    return {key_of(id_): Rows(table, places[_text(id_)]) for id_ in dict.fromkeys(asked)}


def _text(id_: Any) -> str:
    return "" if is_nothing(id_) else str(id_).strip()


def in_order(ids: list[Any], rows: dict[Hashable, Rows]) -> pd.DataFrame:
    """Put together the rows about each id, in the order of ids."""
    nothings = iter(rows[NOTHING].places if NOTHING in rows else [])
    picked = [(rows[key_of(id_)].table, place) for id_ in ids for place in _places(id_, rows, nothings)]
    tables = {id(found.table): found.table for found in rows.values()}
    wanted: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for position, (table, place) in enumerate(picked):
        wanted[id(table)].append((position, place))
    if not picked:
        empty: pd.DataFrame = snapshot(next(iter(tables.values())).iloc[:0])
        return empty
    pieces = [tables[name].iloc[[place for _, place in where]] for name, where in wanted.items()]
    positions = [position for where in wanted.values() for position, _ in where]
    return _joined(pieces, positions)


def _places(id_: Any, rows: dict[Hashable, Rows], nothings: Iterator[int]) -> list[int]:
    if not is_nothing(id_):
        return rows[key_of(id_)].places
    return [place for place in [next(nothings, None)] if place is not None]


def _check_nothings(found: int, asked: int) -> None:
    if found not in (0, asked):
        raise Internal(f"there are {found} rows about {asked} missing ids", value=found)


def _joined(pieces: list[pd.DataFrame], positions: list[int]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    order = np.argsort(positions)
    columns = {name: _joined_column([piece[name] for piece in pieces]).iloc[order] for name in pieces[0].columns}
    table = pd.DataFrame(columns).reset_index(drop=True)
    first = pieces[0].attrs
    table.attrs = {name: first[name] for name in first if all(_same(piece.attrs, name, first) for piece in pieces)}
    copied: pd.DataFrame = snapshot(table)
    return copied


def _joined_column(parts: list[pd.Series]) -> pd.Series:
    import pandas as pd

    alike = len({part.dtype for part in parts}) == 1
    column: pd.Series = pd.concat(parts if alike else [part.astype(object) for part in parts], ignore_index=True)
    return column if alike or column.isna().any() else column.infer_objects()


def _same(attrs: dict[Any, Any], name: Any, first: dict[Any, Any]) -> bool:
    return name in attrs and bool(attrs[name] == first[name])
