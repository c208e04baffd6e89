"""SeaTable's one table, and the SQL that SeaTable understands, run by SQLite."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from crant_core.sandbox.names import SEATABLE_TABLE

ROW_CAP = 10_000
DEFAULT_ROWS = 100  #: of a query without LIMIT
#: the 30 columns of CRANTb_meta that crantpy asks for, in its order
COLUMN_KINDS = {
    "root_id": "text",
    "root_id_processed": "text",
    "supervoxel_id": "text",
    "position": "text",
    "nucleus_id": "text",
    "nucleus_position": "text",
    "root_position": "text",
    "cave_table": "text",
    "proofread": "checkbox",
    "status": "multiple-select",
    "region": "multiple-select",
    "proofreader_notes": "long-text",
    "side": "single-select",
    "nerve": "single-select",
    "tract": "single-select",
    "hemilineage": "text",
    "flow": "single-select",
    "super_class": "single-select",
    "cell_class": "text",
    "cell_type": "text",
    "cell_subtype": "text",
    "cell_instance": "text",
    "known_nt": "text",
    "known_nt_source": "text",
    "alternative_names": "text",
    "annotator_notes": "long-text",
    "user_annotator": "text",
    "user_proofreader": "text",
    "ngl_link": "url",
    "date_proofread": "text",
}
_OWN_COLUMNS = {"_id": "text", "_ctime": "ctime", "_mtime": "mtime"}
_SELECTS = {"single-select", "multiple-select"}
_LIST = "\x1e"  # SQLite keeps a multiple-select as this and a JSON list; no text that people write begins so
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>--|/\*)|(?P<text>'(?:[^']|'')*')|(?P<double>"(?:[^"]|"")*")|(?P<name>`[^`]*`)
    |(?P<has>\bHAS\s+(?:ANY|ALL|NONE)\s+OF\s*\(|\bIS\s+EXACTLY\s*\()|(?P<word>\w+)|(?P<mark>.)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_LIMITS = re.compile(
    r"(?:LIMIT (?P<n1>\d+)(?: OFFSET (?P<o1>\d+))?|OFFSET (?P<o2>\d+)(?: LIMIT (?P<n2>\d+))?"
    r"|LIMIT (?P<o3>\d+) , (?P<n3>\d+))"
)


class QueryError(Exception):
    """A statement that SeaTable does not run."""


@dataclass
class Column:
    """A column of the table; selects know their options, name to id."""

    name: str
    kind: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """SeaTable's name of the column: four characters, whatever people call it."""
        own = self.name in _OWN_COLUMNS or self.name not in COLUMN_KINDS
        return self.name if own else hashlib.sha256(self.name.encode()).hexdigest()[:4]

    def describe(self) -> dict[str, Any]:
        """Describe the column as SeaTable's metadata does."""
        options = [{"id": number, "name": name, "color": "#9860E5"} for name, number in self.options.items()]
        data = {"options": options} if self.kind in _SELECTS else None
        return {"key": self.key, "name": self.name, "type": self.kind, "data": data}

    def stored(self, value: Any) -> str | int | None:
        """Return what SQLite keeps of a cell; new options are added."""
        if _is_missing(value):
            return None
        if self.kind == "checkbox":
            return int(bool(value))
        for name in _selected(self.kind, value):
            self.options.setdefault(name, str(103_723 + 7_919 * len(self.options)))
        return _LIST + json.dumps(list(value), ensure_ascii=False) if self.kind == "multiple-select" else _text(value)

    def reader(self, *, convert: bool) -> Callable[[Any], Any] | None:
        """Return what makes a cell of what SQLite kept, None if it is that already; ids of options unless `convert`."""
        if self.kind == "checkbox":
            return {None: None, 0: False, 1: True}.get
        if self.kind == "multiple-select":
            return cache(lambda text: self._options(text, convert=convert))
        return self.options.get if self.kind == "single-select" and not convert else None

    def _options(self, text: str | None, *, convert: bool) -> list[str] | None:
        if text is None:
            return None
        return [name if convert else self.options.get(name, name) for name in _elements(text)]


@dataclass(frozen=True)
class Answer:
    """What a query gave: columns, and rows as SQLite keeps them."""

    columns: tuple[Column, ...]
    rows: Sequence[tuple[Any, ...]]

    def records(self, *, convert: bool) -> list[dict[str, Any]]:
        """Return rows by column name with options' names (`convert`), or by column key with options' ids."""
        readers = [column.reader(convert=convert) for column in self.columns]
        keys = [column.name if convert else column.key for column in self.columns]
        cells = zip(*self.rows, strict=True)
        read = [
            [reader(cell) for cell in line] if reader else line for reader, line in zip(readers, cells, strict=False)
        ]
        return [dict(zip(keys, row, strict=True)) for row in zip(*read, strict=True)]


class SeaTable:
    """The table of a SeaTable base, in memory.

    Parameters
    ----------
    rows : DataFrame
        The columns of `COLUMN_KINDS` in that order: ids and positions as strings, `proofread` bool or None, `status`
        and `region` lists of strings, everything else strings or None.
    row_cap : int
        How many rows a query gives at most, whatever its LIMIT; may be changed at any time.
    """

    def __init__(self, rows: pd.DataFrame, row_cap: int = ROW_CAP) -> None:
        if list(rows.columns) != list(COLUMN_KINDS):
            raise ValueError(f"expected the columns {list(COLUMN_KINDS)}")
        self.row_cap = row_cap
        self.columns = {name: Column(name, kind) for name, kind in COLUMN_KINDS.items()}
        self._all = {name: Column(name, kind) for name, kind in _OWN_COLUMNS.items()} | self.columns
        self._database = _database(self._all)
        cells = zip(*(rows[name].tolist() for name in COLUMN_KINDS), strict=True)
        now = datetime.now(UTC).isoformat()
        self._insert([(_row_id(number), now, now, *self._stored(row)) for number, row in enumerate(cells)])

    def __len__(self) -> int:
        return int(self._database.execute(f"SELECT COUNT(*) FROM {SEATABLE_TABLE}").fetchone()[0])  # noqa: S608

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """Run a SELECT; QueryError tells what is wrong with it."""
        statement = _statement(sql, self.row_cap)
        try:
            with _read_only(self._database):
                cursor = self._database.execute(statement, tuple(parameters))
                rows = cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise QueryError(str(error)) from error
        return Answer(tuple(self._answered(name[0], rows, n) for n, name in enumerate(cursor.description)), rows)

    def page(self, start: int, limit: int, order_by: str | None = None, *, descending: bool = False) -> Answer:
        """Return rows in the table's order, or in a column's."""
        if order_by is not None and order_by not in self._all:
            raise QueryError(f"column {order_by} not found")
        order = f' ORDER BY "{order_by}" {"DESC" if descending else "ASC"}' if order_by else ""
        statement = f"SELECT * FROM {SEATABLE_TABLE}{order} LIMIT ? OFFSET ?"  # noqa: S608 - a known column's name
        return Answer(tuple(self._all.values()), self._database.execute(statement, (limit, start)).fetchall())

    def row(self, row_id: str) -> Answer:
        """Return one row, or none."""
        statement = f"SELECT * FROM {SEATABLE_TABLE} WHERE _id = ?"  # noqa: S608
        return Answer(tuple(self._all.values()), self._database.execute(statement, (row_id,)).fetchall())

    def append(self, records: Sequence[Mapping[str, Any]], now: datetime) -> list[str]:
        """Add rows; return their ids. Names that are no columns are ignored, as SeaTable does."""
        ids, moment = [secrets.token_urlsafe(16) for _ in records], now.isoformat()
        cells = [self._stored([record.get(name) for name in self.columns]) for record in records]
        self._insert([(row_id, moment, moment, *row) for row_id, row in zip(ids, cells, strict=True)])
        return ids

    def update(self, changes: Sequence[tuple[str, Mapping[str, Any]]], now: datetime) -> None:
        """Change cells of rows, by row id."""
        for row_id, record in changes:
            known = {name: self.columns[name].stored(value) for name, value in record.items() if name in self.columns}
            assignments = ", ".join(f'"{name}" = ?' for name in ("_mtime", *known))
            statement = f"UPDATE {SEATABLE_TABLE} SET {assignments} WHERE _id = ?"  # noqa: S608 - known columns' names
            self._database.execute(statement, (now.isoformat(), *known.values(), row_id))

    def delete(self, row_ids: Sequence[str]) -> int:
        """Remove rows; return how many there were."""
        statement = f"DELETE FROM {SEATABLE_TABLE} WHERE _id = ?"  # noqa: S608
        return self._database.executemany(statement, [(row_id,) for row_id in row_ids]).rowcount

    def _stored(self, cells: Sequence[Any]) -> list[str | int | None]:
        return [column.stored(cell) for column, cell in zip(self.columns.values(), cells, strict=True)]

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * len(self._all))
        self._database.executemany(f"INSERT INTO {SEATABLE_TABLE} VALUES ({places})", rows)  # noqa: S608

    def _answered(self, name: str, rows: Sequence[tuple[Any, ...]], position: int) -> Column:
        if name in self._all:
            return self._all[name]
        shown = re.sub(r"\w+(?=\()", lambda function: function.group().upper(), name)
        return Column(shown, _kind(next((row[position] for row in rows if row[position] is not None), None)))


def _is_missing(value: Any) -> bool:
    return not isinstance(value, str | list | tuple | np.ndarray) and bool(pd.isna(value))


def _kind(value: Any) -> str:
    """Return the column type of a computed value."""
    if isinstance(value, int | float):
        return "number"
    return "multiple-select" if _is_list(value) else "text"


def _selected(kind: str, value: Any) -> Sequence[str]:
    if kind == "multiple-select":
        return list(value)
    return [value] if kind == "single-select" else []


def _text(value: Any) -> str:
    if isinstance(value, float):
        raise TypeError(f"{value} has been through a float: ids beyond 2^53 do not survive that")
    return str(value)


def _row_id(number: int) -> str:
    return hashlib.sha256(f"row {number}".encode()).hexdigest()[:22]


def _database(columns: Mapping[str, Column]) -> sqlite3.Connection:
    # Made by the thread that builds the world, used by the one that serves it; never by two at a time.
    database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    database.create_collation("SELECTED", _compare)
    database.create_function("like", 2, lambda pattern, value: _matches(pattern, value, 0))
    database.create_function("glob", 2, lambda pattern, value: _matches(pattern, value, re.IGNORECASE))
    database.create_function("has", -1, lambda *wanted: json.dumps(wanted))
    database.create_function("regexp", 2, _has)
    declared = ", ".join(f'"{name}" {_declaration(column.kind)}' for name, column in columns.items())
    database.execute(f"CREATE TABLE {SEATABLE_TABLE} ({declared}, UNIQUE (_id))")
    return database


def _declaration(kind: str) -> str:
    return {"checkbox": "INTEGER", "multiple-select": "TEXT COLLATE SELECTED"}.get(kind, "TEXT")


@contextmanager
def _read_only(database: sqlite3.Connection) -> Iterator[None]:
    database.set_authorizer(_permission)
    try:
        yield
    finally:
        database.set_authorizer(None)


def _permission(action: int, first: str | None, *_: str | None) -> int:
    hidden = action == sqlite3.SQLITE_READ and (first or "").startswith("sqlite_")
    return sqlite3.SQLITE_OK if action in _READING and not hidden else sqlite3.SQLITE_DENY


def _statement(sql: str, cap: int) -> str:
    """Return SQLite's form of a SeaTable query, never giving more than `cap` rows."""
    tokens = [(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(sql.strip().removesuffix(";"))]
    _check(tokens)
    end = _limit_position(tokens)
    limit, offset = _limits([text for kind, text in tokens[end:] if kind != "space"])
    return f"{''.join(_sqlite(*token) for token in tokens[:end])} LIMIT {min(limit, cap)} OFFSET {offset}"


def _check(tokens: list[tuple[str, str]]) -> None:
    first = tokens[0][1].upper() if tokens else ""
    if first != "SELECT":
        raise QueryError(f"syntax error: only SELECT is supported here, not {first!r}")
    wrong = [text for kind, text in tokens if kind == "comment" or (kind == "mark" and text in ";'\"`\0")]
    if wrong:
        raise QueryError(f"syntax error near {wrong[0]!r}")


def _limit_position(tokens: list[tuple[str, str]]) -> int:
    """Find where LIMIT or OFFSET begins, outside of brackets."""
    depth = 0
    for position, (kind, text) in enumerate(tokens):
        if kind in {"mark", "has"}:
            depth += text.count("(") - text.count(")")
        elif kind == "word" and depth == 0 and text.upper() in {"LIMIT", "OFFSET"}:
            return position
    return len(tokens)


def _limits(words: list[str]) -> tuple[int, int]:
    if not words:
        return DEFAULT_ROWS, 0
    found = _LIMITS.fullmatch(" ".join(words).upper())
    if found is None:
        raise QueryError(f"syntax error near {' '.join(words)!r}")
    given = {name[0]: int(number) for name, number in found.groupdict().items() if number is not None}
    return given.get("n", DEFAULT_ROWS), given.get("o", 0)


def _sqlite(kind: str, text: str) -> str:
    if kind == "double":  # SeaTable quotes names with backticks: this is a text
        return "'" + text[1:-1].replace('""', '"').replace("'", "''") + "'"
    if kind == "has":
        return f"REGEXP has('{text.upper().split()[1].strip('(')}', "
    return "GLOB" if kind == "word" and text.upper() == "ILIKE" else text


def _is_list(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_LIST)


def _elements(value: Any) -> list[str]:
    """Return the options of a multiple-select cell, or the one text that it is compared with."""
    return json.loads(value[len(_LIST) :]) if _is_list(value) else [str(value)]


def _compare(left: str, right: str) -> int:
    """Order multiple-select cells: a list and a text by the list's first element, lists by their sorted elements."""
    both = [_elements(left), _elements(right)]
    if not (_is_list(left) and _is_list(right)):
        both = [elements[:1] or [""] for elements in both]
    return (sorted(both[0]) > sorted(both[1])) - (sorted(both[0]) < sorted(both[1]))


def _matches(pattern: Any, value: Any, flags: int) -> bool | None:
    if pattern is None or value is None:
        return None
    first = (_elements(value) or [""])[0]
    return _pattern(str(pattern), flags).fullmatch(first) is not None


@lru_cache(maxsize=64)
def _pattern(pattern: str, flags: int) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(letter, re.escape(letter)) for letter in pattern), flags | re.DOTALL)


def _has(test: str, value: Any) -> bool:
    operator, *wanted = json.loads(test)
    present = set() if value is None else set(_elements(value))
    answers = {
        "ANY": bool(present & set(wanted)),
        "ALL": present >= set(wanted),
        "NONE": not present & set(wanted),
        "EXACTLY": present == set(wanted),
    }
    return answers[operator]
