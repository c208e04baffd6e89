"""A table of a SeaTable base, read whole through the official seatable-api.

A query gives 10,000 rows at most, or fewer where an administrator says so, and nothing tells that it was cut. So rows
are read in pages until there are as many as `SELECT COUNT(*)` says. Each page begins with the last row of the one
before: if that is another row by then, somebody added or removed rows in between, and the pages do not fit together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from crant_core.datasets import SeaTableStore
from crant_core.errors import Incomplete, InvalidInput
from crant_core.sources.attempts import retry
from crant_core.sources.failures import translated
from crant_core.sources.seatable_requests import bounded_seatable

Row = dict[str, Any]

_PAGE = 10_000  # rows; servers give fewer if their own limit is lower
_ATTEMPTS = 2
_COOLDOWN = 1  # s
_ID = "_id"  # SeaTable's own column
_UNQUOTED = re.compile(r"\*|(?i:COUNT)\(\*\)")  # no names
_NO_NAME = re.compile(r"[`\x00-\x1f]")  # SeaTable has no way to write these in a name


def create_sql_query(
    table_name: str,
    fields: Sequence[str],
    condition: str | None = None,
    limit: int | None = None,
    start: int | None = None,
) -> str:
    """Write a query for SeaTable.

    Parameters
    ----------
    table_name : str
    fields : sequence of str
        Names of columns, or `"*"`, or `"COUNT(*)"`. Names are quoted, so any characters, and SQL's own words, are safe.
    condition : str, optional
        What follows WHERE, as it is: values that others typed do not belong in it.
    limit : int, optional
        The most rows; SeaTable gives 100 if it is left out, and never more than the server's own limit (10,000).
    start : int, optional
        Rows to skip.

    Returns
    -------
    str

    Raises
    ------
    InvalidInput
        A name cannot be quoted, there are no fields, or a number is negative or none.
    """
    if isinstance(fields, str) or not fields:
        raise InvalidInput("no fields are named", value=fields, hint='give a list, such as ["root_id", "side"]')
    sql = f"SELECT {', '.join(map(_quoted, fields))} FROM {_quoted(table_name)}"  # noqa: S608 - names are quoted
    if condition is not None and condition.strip():
        sql += f" WHERE {condition.strip()}"
    if limit is not None:
        sql += f" LIMIT {_count('limit', limit)}"
    return sql if start is None else f"{sql} OFFSET {_count('start', start)}"


class SeaTableReader:
    """Reads one table. Threads may share it.

    Parameters
    ----------
    store : SeaTableStore
    token : str
        Of an account that may read the base.
    """

    def __init__(self, store: SeaTableStore, token: str) -> None:
        self.store = store
        self._token = token

    def rows(self, columns: Sequence[str], condition: str | None = None) -> list[Row]:
        """Return all rows, or all that meet a condition, in the table's order.

        Endpoints: `GET /api/v2.1/workspace/{workspace}/dtable/{base}/temp-api-token/`,
        `GET /api/v2.1/dtable/app-access-token/`, and `POST /api-gateway/api/v2/dtables/{uuid}/sql` once for the count,
        once for every page and, if there are several, for the count again.

        Parameters
        ----------
        columns : sequence of str
        condition : str, optional
            See `create_sql_query`.

        Returns
        -------
        list of dict
            Cells by column name: str, bool, number, list or None.

        Raises
        ------
        Incomplete
            Twice, rows were missing, or the table changed while it was read.
        SourceUnavailable
            Twice, the server did not answer.
        SourceError
            It refused the token, or the table has no such column.
        """
        return retry(self._read, _ATTEMPTS, _COOLDOWN)(columns, condition)

    def _read(self, columns: Sequence[str], condition: str | None) -> list[Row]:
        with translated(self.store.server), bounded_seatable():
            base = _open(self.store, self._token)
            count = self._total(base, condition)
            rows, pages = self._pages(base, [_ID, *columns], count, condition)
            if pages > 1 or len(rows) != count:
                self._check(len(rows), count, self._total(base, condition))
        return [{name: row.get(name) for name in columns} for row in rows]

    def _pages(self, base: Any, columns: Sequence[str], count: int, condition: str | None) -> tuple[list[Row], int]:
        """Return rows until there are enough or no more, and the number of pages."""
        rows: dict[Any, Row] = {}
        pages = 0
        while len(rows) < count:
            page = self._page(base, columns, max(0, len(rows) - 1), condition)
            new = page[1:] if pages else page
            before, last, pages = len(rows), next(reversed(rows), None), pages + 1
            rows |= {row[_ID]: row for row in new}
            if (before and (not page or page[0][_ID] != last)) or len(rows) != before + len(new):
                raise self._changed()
            if not new:
                break
        return list(rows.values()), pages

    def _page(self, base: Any, columns: Sequence[str], start: int, condition: str | None) -> list[Row]:
        rows: list[Row] = base.query(create_sql_query(self.store.table, columns, condition, limit=_PAGE, start=start))
        if not all(row.get(_ID) for row in rows):
            raise Incomplete(f"{self.store.server} gave rows without an id", value=self.store.table)
        return rows

    def _total(self, base: Any, condition: str | None) -> int:
        rows = base.query(create_sql_query(self.store.table, ["COUNT(*)"], condition))
        counts = [count for row in rows for count in row.values()]
        if len(counts) != 1 or not isinstance(counts[0], int | float):
            raise Incomplete(f"{self.store.server} does not say how many rows there are", value=self.store.table)
        return int(counts[0])

    def _check(self, got: int, before: int, after: int) -> None:
        if before != after:
            raise self._changed()
        if got != before:
            message = f"{self.store.server} gave {got} of the {before} rows of {self.store.table}"
            raise Incomplete(message, value=got, hint="nothing was kept; try again later")

    def _changed(self) -> Incomplete:
        message = f"the table {self.store.table} changed while it was read"
        return Incomplete(message, value=self.store.table, hint="nothing was kept; try again")


def _quoted(name: str) -> str:
    if _UNQUOTED.fullmatch(name):
        return name
    if not name or _NO_NAME.search(name):
        raise InvalidInput(f"{name!r} cannot be a name in SeaTable", value=name, hint="names have no backticks")
    return f"`{name}`"


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
        raise InvalidInput(f"{name}={value!r} is no number of rows", value=value, hint="give 0 or more")
    return int(value)


def _open(store: SeaTableStore, token: str) -> Any:
    """Get access to the base with an account token; nobody signs in."""
    from seatable_api import Account

    account = Account(None, None, store.server)
    account.token = token
    return account.get_base(store.workspace, store.base)
