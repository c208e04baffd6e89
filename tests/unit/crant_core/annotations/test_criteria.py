"""Criteria on a file of annotations, as they are written: nothing is asked of any server."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from crant_core import registry
from crant_core.caching.memory import clear_global_caches
from crant_core.datasets import Dataset, FileStore
from crant_core.errors import FilteringError, InvalidInput, NoMatchesError, UnknownDataset
from crant_core.neurons import NeuronCriteria, get_annotations
from crant_core.parsing import parse_root_ids

FIRST = 576460752303423489
ROWS = {
    "root_id": [str(FIRST), str(FIRST + 1), str(FIRST + 2), str(FIRST), "", str(FIRST + 3), "0", "see notes"],
    "cell_class": ["ER", "FBt", "FBc", "ER", "ER", "EBc", "ER", "ER"],
    "cell_type": ["ER2", "FBt5/6", "PFN?", "ER2", "ER2", "EPG/PEG", "ER2", "ER2"],
    "region": ["CX", "CX;LH", "", "MB", "CX", "AL", "CX", "CX"],
    "proofread": ["True", "", "False", "", "True", "", "", ""],
}


@pytest.fixture(autouse=True)
def lab(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_registered", {})
    pd.DataFrame(ROWS).to_csv(tmp_path / "lab.csv", index=False)
    store = FileStore(path=str(tmp_path / "lab.csv"))
    clear_global_caches()
    address = "http://127.0.0.1:9"  # nobody is there
    yield registry.register(
        Dataset(name="lab", datastack="lab", server=address, viewer_resolution=(8, 8, 42), annotations=store)
    )
    clear_global_caches()


def numbers(**criteria: object) -> list[int]:
    roots = NeuronCriteria(dataset="lab", update_ids=False, **criteria).get_roots()
    return [int(root) - FIRST for root in roots]


def test_the_signature_is_the_documented_one():
    names = ("regex", "case", "verbose", "clear_cache", "match_all", "exact", "update_ids", "dataset")
    defaults = (False, False, False, False, False, True, True, None)
    parameters = inspect.signature(NeuronCriteria).parameters
    known = [(name, parameters[name].default) for name in list(parameters)[: len(names)]]
    assert known == list(zip(names, defaults, strict=True))
    assert all(one.kind in {one.KEYWORD_ONLY, one.VAR_KEYWORD} for one in parameters.values())


def test_roots_are_integers_each_once_in_the_order_of_the_table():
    roots = NeuronCriteria(cell_class=["FBc", "ER"], dataset="lab", update_ids=False).get_roots()
    assert roots.dtype == np.int64  # D7: crantpy gives text here
    assert roots.tolist() == [FIRST, FIRST + 2]


def test_all_criteria_must_fit():
    assert numbers(cell_class="ER", region="CX") == [0]
    assert numbers(cell_class=["ER", "FBt"], region="CX") == [0, 1]
    with pytest.raises(NoMatchesError):
        numbers(cell_class="ER", region="LH")


def test_how_values_are_compared():
    assert numbers(region=["CX", "LH"], match_all=True) == [1]
    assert numbers(cell_type="PFN?", exact=False) == [2]
    assert numbers(cell_class=["bt", "bc"], exact=False) == [1, 2, 3]
    assert numbers(cell_class="^(FB|EB)", regex=True) == [1, 2, 3]
    assert numbers(cell_class="er") == [0]
    assert numbers(proofread="False") == [2]
    with pytest.raises(NoMatchesError):
        numbers(cell_class="er", case=True)


def test_an_id_is_a_criterion_as_integer_or_text():
    assert (
        numbers(root_id=FIRST + 1) == numbers(root_id=str(FIRST + 1)) == numbers(root_id=[np.int64(FIRST + 1)]) == [1]
    )


def test_no_criteria_mean_every_neuron_and_never_none(caplog):
    # crantpy's answer has None in it
    criteria = NeuronCriteria(dataset="lab", update_ids=False)
    assert criteria.is_empty
    assert criteria.get_roots().tolist() == [FIRST + number for number in range(4)]
    assert "all annotated neurons" in caplog.text
    with pytest.raises(InvalidInput, match="say nothing"):
        get_annotations(criteria, "lab")  # where it is more likely a mistake


def test_it_is_a_collection():
    criteria = NeuronCriteria(cell_class=["ER", "FBt"], dataset="lab", update_ids=False)
    assert list(criteria) == [FIRST, FIRST + 1]
    assert [type(root) for root in criteria] == [int, int]
    assert len(criteria) == 2
    assert FIRST in criteria
    assert np.int64(FIRST) in criteria
    assert str(FIRST + 1) in criteria
    for other in (FIRST + 2, 0, None, "see notes", 5.0):
        assert other not in criteria
    assert parse_root_ids(criteria) == [str(FIRST), str(FIRST + 1)]


def test_what_callers_change_is_theirs():
    criteria = NeuronCriteria(cell_class="ER", dataset="lab", update_ids=False)
    criteria.get_roots()[0] = 1
    assert list(criteria) == [FIRST]


def test_annotations_are_the_rows_that_fit_and_name_a_neuron():
    found = NeuronCriteria(cell_class="ER", dataset="lab", update_ids=False).annotations
    assert found["root_id"].tolist() == [str(FIRST)] * 2
    assert found["region"].tolist() == [["CX"], ["MB"]]
    assert found.index.tolist() == [0, 1]
    assert found.attrs == {"timestamp": None, "materialization": None, "dataset": "lab", "without_root": 3}


def test_a_field_that_is_none_is_answered_with_the_nearest():
    with pytest.raises(FilteringError, match="cell_class"):
        NeuronCriteria(cell_clas="ER")
    with pytest.raises(ValueError, match=r"did you mean.*nucleus_id"):
        NeuronCriteria(nucleus="1")
    with pytest.raises(FilteringError, match="supervoxel_id"):  # a column, but no field
        NeuronCriteria(supervoxel_id="1")


def test_there_are_25_fields():
    fields = NeuronCriteria.available_fields()
    assert len(fields) == 25
    assert {"root_id", "nucleus_id", "proofread", "status", "region", "cell_class", "date_proofread"} < set(fields)


def test_making_criteria_asks_for_nothing_and_neither_does_looking_at_them(lab):
    gone = lab.model_copy(update={"annotations": FileStore(path="/nowhere/at_all.csv")})
    criteria = NeuronCriteria(cell_class="ER", dataset=gone)
    assert bool(criteria)
    assert not criteria.is_empty
    assert repr(criteria) == "NeuronCriteria(cell_class='ER'; dataset='lab')"


def test_wrong_arguments_are_told_at_once():
    with pytest.raises(UnknownDataset):
        NeuronCriteria(cell_class="ER", dataset="nothing like it")
    with pytest.raises(InvalidInput, match="two times"):
        NeuronCriteria(cell_class="ER", dataset="lab", timestamp="2025-01-01", materialization=3)


def test_the_default_dataset_is_that_of_the_moment(monkeypatch):
    # D1: crantpy keeps to the one it was imported with
    monkeypatch.setattr(registry, "_default", None)
    registry.set_default_dataset("lab")
    criteria = NeuronCriteria(cell_class="ER", update_ids=False)
    registry.set_default_dataset("latest")
    assert (criteria.dataset, len(criteria)) == ("lab", 1)


def test_a_dataset_without_annotations_is_an_error_that_says_what_to_do():
    with pytest.raises(InvalidInput, match="CRANT_DATASETS"):
        NeuronCriteria(cell_class="ER", dataset="minnie65_public").get_roots()


def test_verbose_logs_what_each_criterion_leaves(caplog):
    caplog.set_level("INFO", logger="crant_core")
    NeuronCriteria(cell_class="ER", region="CX", verbose=True, dataset="lab", update_ids=False).get_roots()
    assert "cell_class='ER' leaves 5" in caplog.text
    assert "region='CX' leaves 4" in caplog.text


def test_a_link_is_made_of_the_roots(monkeypatch):
    import crant_core.neuroglancer as viewer

    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(viewer, "encode_url", lambda *a, **k: asked.append((a[0].tolist(), k)) or "link")
    criteria = NeuronCriteria(cell_class="ER", dataset="lab", update_ids=False)
    assert criteria.to_neuroglancer(seg_colors="red") == "link"
    assert asked == [([FIRST], {"dataset": "lab", "seg_colors": "red"})]
