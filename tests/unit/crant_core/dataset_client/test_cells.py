from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from crant_core.dataset_client.cells import Frozen, Place, roots_of_cells
from crant_core.dataset_client.lookups import Lookups
from crant_core.dataset_client.session import describe
from crant_core.sources.tables import Tables
from crant_core.times import TimeBase

A, B, C = ((8 << 56) | number for number in (1, 2, 3))
VIEW = Place("cells", is_view=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = Frozen(3, NOW)
ROWS = [(1, 11, A), (1, 12, B), (1, 13, A), (2, 21, C), (3, 0, 0), (4, 41, 0), (5, 51, None)]


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = zip(("id", "pt_supervoxel_id", "pt_root_id"), zip(*ROWS, strict=True), strict=True)
    frame = pd.DataFrame({name: pd.array(values, dtype="Int64") for name, values in columns})
    monkeypatch.setattr(Tables, "rows", lambda *_, **__: frame)


def test_a_cell_with_several_roots_has_each_once_and_cells_without_a_root_are_not_there():
    assert roots_of_cells(SimpleNamespace(), VIEW, [1, 2, 3, 4, 5], TABLES, None) == {1: [A, B], 2: [C]}  # type: ignore[arg-type]


class Client(Lookups):
    """One that needs no server."""

    def __init__(self) -> None:
        super().__init__(describe("Some-Stack", "http://127.0.0.1:9"), None, None)
        self._lookup_view = "cells"
        self._cave = SimpleNamespace()

    _source: Any = SimpleNamespace()

    def _times(self, timestamp: Any, version: Any) -> tuple[TimeBase, Frozen]:
        return TimeBase("mat_3", NOW, 3), TABLES


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = {A: {1}, B: {1}, C: {2, 7}}
    monkeypatch.setattr("crant_core.dataset_client.lookups.cells_of_roots", lambda *_: inside)


def test_several_roots_stand_one_after_the_other_where_the_cell_was_asked():
    found = Client().cell_id_to_root_id([2, 1, 9, 1], filter_empty=False)
    assert found.index.tolist() == [2, 1, 1, 9, 1, 1]
    assert found.fillna(-1).tolist() == [C, A, B, -1, A, B]


# cortical-tools ignores omit_multiple
def test_omit_multiple_leaves_out_cells_with_several_roots_and_roots_with_several_cells():
    assert Client().cell_id_to_root_id([1, 2, 9], omit_multiple=True).tolist() == []
    kept = Client().cell_id_to_root_id([1, 2, 9], filter_empty=False, omit_multiple=True)
    assert kept.index.tolist() == [1, 2, 9]
    assert kept.isna().all()
