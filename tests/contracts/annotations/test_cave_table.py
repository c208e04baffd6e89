"""Annotations in a CAVE table, which caps its answers."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from crant_core import registry
from crant_core.annotations.cells import COLUMNS, IDS
from crant_core.annotations.table import annotation_source
from crant_core.datasets import CaveTableStore, FileStore
from crant_core.errors import (
    InvalidInput,
    SourceError,
    Truncated,
)
from crant_core.sandbox.world.history import VERSIONS
from tests.contracts.annotations.tables import requests_of
from tests.fixtures.neurons import world


def synapses_of_version_3() -> int:
    rows, moment = world().frame("tables/synapses_v2"), VERSIONS[2].timestamp
    return int(((rows["created"] <= moment) & ~(rows["deleted"] <= moment)).sum())


class TestCaveTable:
    def test_a_reference_table_brings_the_points_it_refers_to(self, demo):
        columns = {"cell_class": "classification_system"}
        store = CaveTableStore(table="cell_info", columns=columns)
        table = annotation_source(demo.model_copy(update={"annotations": store})).table()
        truth = world().frame("tables/cell_info")
        nuclei = world().frame("tables/nucleus_detection_v0").set_index("id")
        assert sorted(table["cell_type"]) == sorted(truth["cell_type"])
        first = truth.iloc[0]
        mine = table[table["supervoxel_id"] == str(nuclei.loc[first["target_id"], "pt_supervoxel_id"])]
        assert mine["cell_type"].tolist() == [first["cell_type"]]
        assert mine["cell_class"].tolist() == [first["classification_system"]]

    def test_the_total_does_not_depend_on_the_servers_row_limit(self, changing):
        # synapses, taken for annotations of their presynaptic neurons
        names = {"root_id": "pre_pt_root_id", "supervoxel_id": "pre_pt_supervoxel_id", "position": "ctr_pt_position"}
        store = CaveTableStore(table="synapses_v2", columns=names)
        dataset = changing.dataset.model_copy(update={"annotations": store})
        uncut = annotation_source(dataset).table()
        changing.control("POST", "profile", {"name": "truncate"})  # 1,000 rows
        changing.control("DELETE", "log")
        cut = annotation_source(dataset).table()
        assert len(cut) == len(uncut) == synapses_of_version_3() > 17_000
        assert sorted(cut["supervoxel_id"].dropna()) == sorted(uncut["supervoxel_id"].dropna())
        assert 18 <= len(requests_of(changing, "/query")) <= 21

    def test_every_part_is_of_one_version(self, changing):
        dataset = changing.dataset.model_copy(update={"annotations": CaveTableStore(table="backbone_proofread")})
        annotation_source(dataset).table()
        (path,) = requests_of(changing, "/query")
        assert "/version/3/" in path

    def test_an_unknown_table_is_an_error(self, demo):
        dataset = demo.model_copy(update={"annotations": CaveTableStore(table="no_such_table")})
        with pytest.raises(SourceError):
            annotation_source(dataset).table()

    def test_a_table_without_root_ids_is_an_error_that_lists_its_columns(self, demo):
        store = CaveTableStore(table="backbone_proofread", columns={"root_id": "root"})
        with pytest.raises(InvalidInput, match="pt_root_id"):
            annotation_source(demo.model_copy(update={"annotations": store})).table()


class _Ids:
    """A table that a server cuts at a number of rows; asked by ranges of ids."""

    def __init__(self, ids: list[int], cap: int) -> None:
        self.ids, self.cap, self.asked = ids, cap, 0

    def fetch(self, version: int, low: int, high: int | None = None) -> pd.DataFrame:
        self.asked += 1
        rows = [one for one in self.ids if one >= low and (high is None or one < high)]
        if len(rows) >= self.cap:  # as the server: it warns at the limit, not above
            raise Truncated("cut", value=self.cap)
        return pd.DataFrame({"id": rows})


@pytest.mark.parametrize(
    ("ids", "most"),
    [
        (list(range(100)), 25),
        (list(range(1, 2**40, 2**33)), 120),  # far apart
        ([*range(50), *range(10**9, 10**9 + 50)], 150),  # a gap
        ([], 1),
        (list(range(9)), 1),
    ],
)
def test_ranges_of_ids_cover_all_rows_once(ids, most, demo, monkeypatch):
    dataset = demo.model_copy(update={"annotations": CaveTableStore(table="t")})
    source = annotation_source(dataset)
    table = _Ids(ids, 10)
    monkeypatch.setattr(source, "_fetch", table.fetch)
    assert pd.concat(source._parts(1))["id"].tolist() == ids
    assert table.asked <= most


def test_a_single_id_that_is_cut_is_an_error(demo, monkeypatch):
    source = annotation_source(demo.model_copy(update={"annotations": CaveTableStore(table="t")}))
    monkeypatch.setattr(source, "_fetch", _Ids([5] * 20, 10).fetch)
    with pytest.raises(Truncated):
        source._parts(1)


def test_datasets_pass_through_settings_with_each_kind_of_store(demo, monkeypatch):
    stores = [
        demo.annotations,
        CaveTableStore(table="t", columns={"root_id": "pt_root_id"}),
        FileStore(path="a.csv", columns={"root_id": "neuron"}),
    ]
    datasets = [demo.model_copy(update={"name": f"d{n}", "annotations": store}) for n, store in enumerate(stores)]
    monkeypatch.setenv("CRANT_DATASETS", json.dumps([dataset.model_dump(mode="json") for dataset in datasets]))
    assert [registry.dataset_of(dataset.name).annotations for dataset in datasets] == stores
    assert len({hash(dataset) for dataset in datasets}) == 3


def test_ids_are_the_columns_that_are_compared_exactly():
    assert set(IDS) < set(COLUMNS)
