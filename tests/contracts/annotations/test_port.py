"""One suite for the port and its adapters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crant_core import registry
from crant_core.annotations import AnnotationSource
from crant_core.annotations.cells import COLUMNS, LISTS, POSITIONS
from crant_core.annotations.table import annotation_source
from crant_core.datasets import CaveTableStore, Dataset, FileStore
from crant_core.neurons import (
    get_annotations,
    is_proofread,
)
from crant_core.sandbox.seatable import COLUMN_KINDS
from tests.contracts.annotations.tables import meta
from tests.fixtures.neurons import live_roots, world


def _in_seatable(demo: Dataset, folder: Path) -> Dataset:
    return demo


def _in_cave(demo: Dataset, folder: Path) -> Dataset:
    return demo.model_copy(update={"name": "in_cave", "annotations": CaveTableStore(table="backbone_proofread")})


def _in_parquet(demo: Dataset, folder: Path) -> Dataset:
    meta().to_parquet(folder / "meta.parquet")
    store = FileStore(path=str(folder / "meta.parquet"))
    return demo.model_copy(update={"name": "in_parquet", "annotations": store})


def _in_csv(demo: Dataset, folder: Path) -> Dataset:
    rows = meta().assign(**{name: [";".join(cell) for cell in meta()[name]] for name in LISTS})
    rows.to_csv(folder / "meta.csv", index=False)
    store = FileStore(path=str(folder / "meta.csv"))
    return demo.model_copy(update={"name": "in_csv", "annotations": store})


@pytest.fixture(params=[_in_seatable, _in_cave, _in_parquet, _in_csv])
def anywhere(request, demo, tmp_path) -> Dataset:
    """The dataset demo with its annotations in each of the places."""
    found: Dataset = request.param(demo, tmp_path)
    return registry.register(found)


class TestPort:
    def test_the_table_has_the_30_columns_in_order_with_the_documented_types(self, anywhere):
        source: AnnotationSource = annotation_source(anywhere)
        table = source.table()
        assert list(table.columns) == list(COLUMN_KINDS) == list(COLUMNS)
        assert set(table.dtypes) == {np.dtype(object)}
        assert list(table.index) == list(range(len(table)))
        allowed: dict[str, tuple[type, ...]] = {name: (str, type(None)) for name in COLUMNS}
        allowed |= dict.fromkeys(POSITIONS, (list, type(None))) | dict.fromkeys(LISTS, (list,))
        allowed["proofread"] = (bool, type(None))
        for name in COLUMNS:
            assert {type(cell) for cell in table[name]} <= set(allowed[name]), name

    def test_ids_are_exact_and_positions_are_three_voxels(self, anywhere):
        table = annotation_source(anywhere).table()
        assert table["supervoxel_id"][0] == meta()["supervoxel_id"][0]
        assert table["position"][0] == [int(part) for part in meta()["position"][0].split(", ")]
        assert {type(part) for cell in table["position"] for part in cell} == {int}

    def test_all_rows_come_and_each_call_gives_its_own_table(self, anywhere):
        source = annotation_source(anywhere)
        one, other = source.table(), source.table()
        rows = len(world().frame("tables/backbone_proofread")) if anywhere.name == "in_cave" else len(meta())
        assert len(one) == rows
        one.loc[0, "root_id"] = "changed"
        assert other.loc[0, "root_id"] != "changed"

    def test_the_key_is_the_same_for_the_same_table_only(self, anywhere, demo):
        assert annotation_source(anywhere).key == annotation_source(anywhere).key
        other = demo.model_copy(update={"annotations": CaveTableStore(table="cell_info")})
        assert annotation_source(other).key != annotation_source(anywhere).key

    def test_every_real_neuron_is_found_by_its_current_id(self, anywhere):
        found = get_annotations(live_roots(), anywhere)
        assert list(dict.fromkeys(found["root_id"])) == [str(root) for root in live_roots()]
        assert found.attrs["missing"] == []
        assert is_proofread(live_roots(), anywhere).tolist() == [True] * 5

    def test_all_three_places_hold_the_same_about_them(self, anywhere, demo):
        columns = ["root_id", "supervoxel_id", "position", "proofread"]
        there, here = (get_annotations(live_roots(), dataset)[columns] for dataset in (anywhere, demo))
        if anywhere.name == "in_cave":  # no second annotation of the first neuron there
            here = here.drop(1).reset_index(drop=True)
        pd.testing.assert_frame_equal(there, here)
