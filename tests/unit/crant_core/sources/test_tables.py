from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import requests

from crant_core.errors import SourceError, Truncated, VersionNotFound
from crant_core.sources.tables import Tables

LARGE = 2**60


class Materialize:
    """Has `each` rows for every id, and gives at most `limit`."""

    def __init__(self, limit: int = 10, each: int = 1, **columns: Any) -> None:
        self.limit, self.each, self.columns, self.asked = limit, each, columns, list[int]()

    def query_table(self, name: str, filter_in_dict: dict[str, list[int]], **_: Any) -> pd.DataFrame:
        [(column, ids)] = filter_in_dict.items()
        self.asked.append(len(ids))
        rows = [one for one in ids for _ in range(self.each)]
        if len(rows) >= self.limit:
            raise Truncated
        return pd.DataFrame({column: pd.array(rows, dtype="Int64"), **self.columns})


def tables(materialize: Any) -> Tables:
    client = SimpleNamespace(materialize=materialize)
    return Tables(SimpleNamespace(client=lambda: client, dataset=SimpleNamespace(server="http://s")))  # type: ignore[arg-type]


def test_answers_cut_at_the_row_limit_are_asked_in_halves_until_they_are_whole():
    server = Materialize(limit=10)
    ids = [LARGE + number for number in range(30)]
    found = tables(server).rows("t", "id", ids[::-1], ["id"], 1)
    assert found["id"].tolist() == ids
    assert found["id"].dtype == "Int64"
    assert server.asked == [30, 15, 7, 8, 15, 7, 8]


def test_one_id_with_too_many_rows_is_an_error_and_no_part():
    with pytest.raises(Truncated):
        tables(Materialize(limit=10, each=10)).rows("t", "id", [1, 2], ["id"], 1)


def test_equal_ids_are_asked_once_and_no_ids_not_at_all():
    server = Materialize()
    assert tables(server).rows("t", "id", [5, 5, 5], ["id"], 1)["id"].tolist() == [5]
    empty = tables(server).rows("t", "id", [], ["id", "pt_root_id"], 1)
    assert server.asked == [1]
    assert [str(dtype) for dtype in empty.dtypes] == ["Int64", "Int64"]


def test_many_ids_are_asked_in_batches_that_servers_accept():
    server = Materialize(limit=1_000_000)
    assert len(tables(server).rows("t", "id", range(100_000), ["id"], 1)) == 100_000
    assert server.asked == [45_000, 45_000, 10_000]


@pytest.mark.parametrize("columns", [{}, {"pt_root_id": [1.5]}])
def test_ids_that_are_missing_or_were_floats_are_refused(columns):
    with pytest.raises(SourceError, match="no ids in column pt_root_id"):
        tables(Materialize(**columns)).rows("t", "id", [1], ["id", "pt_root_id"], 1)


def test_an_expired_version_is_named():
    class Expired:
        def query_table(self, *_: Any, **__: Any) -> None:
            response = requests.Response()
            response.status_code = 410
            raise requests.HTTPError(response=response)

    with pytest.raises(VersionNotFound, match="version 7 has expired"):
        tables(Expired()).rows("t", "id", [1], ["id"], 7)
