"""Tables asked in parts: whatever a server's row limit, the rows are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.errors import InvalidInput, SourceError, Truncated
from crant_core.sources.table_parts import EVERYWHERE, Box, Part, around, batches_of
from crant_core.sources.tables import Tables
from crant_core.times import TimeBase

BASE = TimeBase("mat_3", datetime(2025, 1, 1, tzinfo=UTC), 3)
SCALE = {"resolution": [16, 16, 40], "voxel_offset": [2, 2, 1], "size": [4, 4, 2]}  # 32 … 96, 32 … 96, 40 … 120 nm
INSIDE = 2**60

points = st.tuples(*[st.integers(-200, 200)] * 3)
rows = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), points), max_size=40)


class Server:
    """Knows rows of `pre`, `post` and a place, and gives fewer than `limit` at a time."""

    def __init__(self, held: Sequence[tuple[int, int, tuple[int, int, int]]], limit: int) -> None:
        self.limit, self.asked = limit, 0
        places = np.array([place for _, _, place in held], dtype=np.int64).reshape(-1, 3)
        columns = {f"at_position_{axis}": places[:, number] for number, axis in enumerate("xyz")}
        pre, post = ([INSIDE + row[side] for row in held] for side in (0, 1))
        self.frame = pd.DataFrame({"id": range(len(held)), "pre": pre, "post": post, **columns}).astype("Int64")

    def query_table(
        self,
        name: str,
        filter_in_dict: Mapping[str, list[int]] | None = None,
        filter_spatial_dict: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> pd.DataFrame:
        self.asked += 1
        found = self.frame
        for column, ids in (filter_in_dict or {}).items():
            found = found[found[column].isin(ids)]
        for column, (low, high) in (filter_spatial_dict or {}).items():
            assert all(first < last for first, last in zip(low, high, strict=True))  # or else the server fails
            for number, axis in enumerate("xyz"):
                found = found[found[f"{column}_{axis}"].between(low[number], high[number])]
        if len(found) >= self.limit:
            raise Truncated
        return found.iloc[::-1]

    def get_table_metadata(self, name: str, **_: Any) -> dict[str, Any]:
        return {"voxel_resolution": [1, 1, 1]}


def tables(server: Server) -> Tables:
    graph = SimpleNamespace(segmentation_info={"scales": [SCALE]})
    client = SimpleNamespace(materialize=server, chunkedgraph=graph)
    return Tables(SimpleNamespace(client=lambda: client, dataset=SimpleNamespace(server="http://s")))  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(held=rows, limit=st.integers(2, 12), both=st.booleans())
def test_the_rows_do_not_depend_on_the_row_limit(held, limit, both):
    # no two rows at one place, or so near that a box of one voxel, with its faces, has both
    unlike = list({tuple(axis // 2 for axis in row[2]): row for row in held}.values())
    unlike = [(pre, post, tuple(axis // 2 * 2 for axis in place)) for pre, post, place in unlike]
    where = {"pre": [INSIDE + 1, INSIDE + 2]} | ({"post": [INSIDE + 2, INSIDE + 3]} if both else {})
    whole = tables(Server(unlike, 10**6)).select("t", where, BASE, ["id", "pre"], place="at_position")
    cut = tables(Server(unlike, limit)).select("t", where, BASE, ["id", "pre"], place="at_position")
    assert cut.equals(whole)
    assert len(cut) == sum(pre in {1, 2} and (not both or post in {2, 3}) for pre, post, _ in unlike)


def test_rows_on_the_faces_of_boxes_and_outside_of_the_volume_are_there_once():
    places = [(x, y, z) for x in (-(10**9), 32, 64, 96, 10**9) for y in (32, 64) for z in (40, 80, 120)]
    server = Server([(1, 1, place) for place in places], 3)
    found = tables(server).select("t", {"pre": [INSIDE + 1]}, BASE, ["id"], place="at_position")
    assert found["id"].tolist() == list(range(len(places)))


def test_too_many_rows_at_one_place_are_an_error_and_no_part():
    server = Server([(1, 1, (50, 50, 50))] * 5, 5)
    with pytest.raises(Truncated):
        tables(server).select("t", {"pre": [INSIDE + 1]}, BASE, ["id"], place="at_position")
    assert server.asked < 200


@settings(max_examples=60, deadline=None)
@given(held=rows, limit=st.integers(2, 12), low=points, ids=st.booleans())
def test_the_rows_of_a_box_do_not_depend_on_the_row_limit(held, limit, low, ids):
    unlike = list({tuple(axis // 2 for axis in row[2]): row for row in held}.values())
    unlike = [(pre, post, tuple(axis // 2 * 2 for axis in place)) for pre, post, place in unlike]
    box = Box(low, (low[0] + 150, low[1] + 150, low[2] + 150))
    where = {"pre": [INSIDE + 1, INSIDE + 2]} if ids else {}
    found = tables(Server(unlike, limit)).select("t", where, BASE, ["id"], place="at_position", box=box)
    inside = [row for row, one in enumerate(unlike) if _has(box, one[2]) and (not ids or one[0] in {1, 2})]
    assert found["id"].tolist() == inside


def test_a_box_is_asked_once_if_the_server_gives_it_whole():
    server = Server([(1, 1, (5, 5, 5)), (1, 1, (50, 5, 5)), (2, 1, (10, 0, 10))], 10)
    found = tables(server).select("t", {}, BASE, place="at_position", box=Box((0, 0, 0), (10, 10, 10)))
    assert (found["id"].tolist(), server.asked) == ([0, 2], 1)


@pytest.mark.parametrize(
    ("where", "box", "told"),
    [({"pre": [1]}, Box((0, 0, 0), (1, 1, 1)), "no position that is to be in it"), ({}, None, "which rows of t")],
)
def test_what_says_not_which_rows_is_refused_before_anything_is_asked(where, box, told):
    server = Server([(1, 1, (0, 0, 0))], 5)
    with pytest.raises(InvalidInput, match=told):
        tables(server).select("t", where, BASE, box=box)
    assert server.asked == 0


def test_without_a_place_one_id_is_not_divided():
    with pytest.raises(Truncated):
        tables(Server([(1, 1, (0, 0, 0)), (1, 1, (9, 9, 9))], 2)).select("t", {"pre": [INSIDE + 1]}, BASE)


def test_a_column_that_the_table_lacks_is_named_with_those_it_has():
    with pytest.raises(SourceError, match=r"table t has no column size .*at_position, id, post, pre") as error:
        tables(Server([], 5)).select("t", {"pre": [INSIDE + 1]}, BASE, ["id", "at_position", "size"])
    assert error.value.value == "size"


def test_without_ids_nothing_is_asked():
    server = Server([(1, 1, (0, 0, 0))], 5)
    assert not len(tables(server).select("t", {"pre": [], "post": [INSIDE + 1]}, BASE))
    assert server.asked == 0


def test_ids_of_all_columns_together_fit_into_a_request():
    parts = list(batches_of({"a": range(10), "b": [*range(4), 3, 3]}, size=6))
    sizes = [(len(part.where["a"]), len(part.where["b"])) for part in parts]
    assert sizes == [(3, 3), (3, 1), (3, 3), (3, 1), (3, 3), (3, 1), (1, 3), (1, 1)]
    pairs = [(one, other) for part in parts for one in part.where["a"] for other in part.where["b"]]
    assert sorted(pairs) == [(one, other) for one in range(10) for other in range(4)]


def test_the_longest_list_is_halved_and_single_ids_are_not():
    first, second = Part({"a": [1], "b": [4, 5, 6]}).fewer_ids()
    assert (first.where, second.where) == ({"a": [1], "b": [4]}, {"a": [1], "b": [5, 6]})
    assert Part({"a": [1], "b": [4]}).fewer_ids() == Part({}).fewer_ids() == ()


@given(low=points, size=st.tuples(*[st.integers(1, 300)] * 3), point=st.tuples(*[st.integers(-600, 600)] * 3))
def test_space_around_a_box_has_no_gaps(low, size, point):
    box = Box(low, tuple(one + more for one, more in zip(low, size, strict=True)))  # type: ignore[arg-type]
    assert around(box)[0] == box
    assert any(_has(each, point) for each in around(box))


@given(low=points, size=st.tuples(*[st.integers(1, 300)] * 3), point=points)
def test_halves_of_a_box_hold_what_it_holds_and_end_at_one_voxel(low, size, point):
    box = Box(low, tuple(one + more for one, more in zip(low, size, strict=True)))  # type: ignore[arg-type]
    halves = box.halves()
    if halves is None:
        assert size == (1, 1, 1)
    else:
        assert all(max(np.subtract(half.high, half.low)) <= max(size) for half in halves)
        assert any(_has(half, point) for half in halves) == _has(box, point)
        assert all(first < last for half in halves for first, last in zip(half.low, half.high, strict=True))


def test_everywhere_holds_every_position_of_32_bits():
    assert _has(EVERYWHERE, (2**31 - 1, -(2**31), 0))


def _has(box: Box, point: Sequence[int]) -> bool:
    return all(low <= one <= high for low, one, high in zip(box.low, point, box.high, strict=True))
