"""The functions on synapses against the offline CAVE: what they take and what they give."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core import NeuronCriteria
from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.identity import update_ids
from crant_core.registry import register
from crant_core.sandbox.world.history import VERSIONS
from crant_core.synapses import attach_synapses, get_adjacency, get_connectivity, get_synapse_counts, get_synapses
from tests.fixtures import neurons
from tests.fixtures.synapse_cave import COLUMNS, cave, current, dataset, running, skeleton

__all__ = ["cave", "dataset", "running"]


def test_a_neuron_that_was_several_roots_in_the_version_says_how_much_of_it_is_here(dataset, caplog):
    whole, merged = neurons.live_roots()[0], neurons.live_roots()[4]
    found = get_connectivity([whole, merged], dataset=dataset)
    share = update_ids(merged, timestamp="mat", dataset=dataset).confidence[0]
    assert found.attrs["partial"] == {str(merged): share}
    assert 0 < share < 1
    assert "1 ids were several roots at" in caplog.text
    assert str(merged) in caplog.text
    assert "partial" not in get_connectivity(whole, dataset=dataset).attrs


class TestForms:
    @pytest.mark.parametrize(
        "form",
        [
            lambda roots: roots,
            lambda roots: [str(root) for root in roots],
            np.array,
            lambda roots: list(np.array(roots)),
            pd.Series,
            lambda roots: pd.DataFrame({"root_id": roots}),
            lambda roots: {*roots},
            lambda roots: [*roots, roots[0], str(roots[1])],
            lambda roots: SimpleNamespace(get_roots=lambda: np.array(roots)),
            lambda roots: navis.NeuronList([skeleton(number, root) for number, root in enumerate(roots)]),
        ],
        ids=["list", "str", "array", "numpy", "series", "table", "set", "twice", "criteria", "navis"],
    )
    def test_neurons_in_any_form_are_the_same_neurons(self, dataset, form):
        # D7: the peer refuses NumPy's integers and neurons
        roots = current()[:2]
        found = get_synapses(pre_ids=form(roots), dataset="demo")
        assert found.equals(get_synapses(pre_ids=roots, dataset=dataset))
        assert set(found["pre_pt_root_id"]) == set(roots)

    def test_one_id_is_one_neuron(self, dataset):
        root = current()[1]
        expected = get_synapses(post_ids=[root], dataset="demo")
        assert len(expected)
        for one in (root, str(root), np.int64(root), np.array(root)):
            assert get_synapses(post_ids=one, dataset="demo").equals(expected)

    def test_criteria_that_can_are_asked_for_their_roots_at_the_time(self, dataset):
        when = list[Any]()

        def at(base: Any) -> Any:
            when.append(base)
            return SimpleNamespace(get_roots=lambda: np.array(current(2)))

        criteria = SimpleNamespace(get_roots=lambda: 1 / 0, at=at)
        found = get_adjacency(criteria, criteria, materialization=2, dataset="demo")
        assert found.equals(get_adjacency(current(2), current(2), materialization=2, dataset="demo"))
        assert [base.version for base in when] == [2]

    def test_neuron_criteria_are_neurons(self, running, tmp_path, monkeypatch):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
        register(running.dataset, running.token)
        criteria = NeuronCriteria(cell_class="olfactory_projection_neuron", dataset="demo")
        found = get_connectivity(criteria, materialization="live", dataset="demo")
        assert len(found)
        assert found.equals(get_connectivity(criteria.get_roots(), materialization="live", dataset="demo"))
        with pytest.raises(InvalidInput, match="say nothing"):
            get_synapses(NeuronCriteria(dataset="demo"), dataset="demo")
        with pytest.raises(NoMatchesError):
            get_synapses(NeuronCriteria(cell_class="nobody", dataset="demo"), dataset="demo")

    @pytest.mark.parametrize(
        "when",
        ["latest", "mat", "MAT_3", "mat_3", 3, np.int64(3), "3", "v3", VERSIONS[2].timestamp],
        ids=str,
    )
    def test_a_version_in_any_form_is_that_version(self, dataset, when):
        found = get_synapses(current(), materialization=when, dataset="demo")
        expected = get_synapses(current(), materialization=3, dataset="demo")
        assert found.equals(expected)
        assert datetime.fromisoformat(found.attrs["timestamp"]) == VERSIONS[2].timestamp

    def test_answers_say_their_one_time_and_can_be_asked_for_again_by_it(self, dataset, tmp_path):
        for when, version in (("latest", 3), (2, 2), ("live", None)):
            found = get_connectivity(current(), materialization=when, dataset="demo")
            assert found.attrs["materialization"] == version
            assert found.attrs["dataset"] == "demo"
            again = get_connectivity(current(), materialization=found.attrs["timestamp"], dataset="demo")
            assert again.equals(found)
            found.to_parquet(tmp_path / "found.parquet")
            assert pd.read_parquet(tmp_path / "found.parquet").attrs == found.attrs


class TestTables:
    @pytest.mark.parametrize("when", ["latest", "live"])
    def test_columns_are_those_documented_whenever_it_is(self, dataset, when):
        found = get_synapses(current(), materialization=when, dataset="demo")
        assert found.columns.tolist() == COLUMNS
        ids = [name for name in COLUMNS if name.endswith("_id") and name != "superceded_id"]
        assert found[[*ids, "id", "size"]].dtypes.eq(np.int64).all()
        assert str(found["created"].dtype) == "datetime64[ns, UTC]"
        assert found["valid"].dtype == np.bool_
        assert found.index.tolist() == list(range(len(found)))
        assert found["id"].is_monotonic_increasing
        assert {type(cell) for name in COLUMNS[-3:] for cell in found[name]} == {list}

    def test_no_synapses_have_the_types_of_synapses(self, dataset):
        # D22: the peer's empty tables are of type object
        some = get_synapses(current(), dataset="demo")
        lonely = get_synapses(current(), threshold=10**6, dataset="demo")
        nobody = get_synapses([], dataset="demo")
        for found in (lonely, nobody):
            assert len(found) == 0
            assert found.dtypes.equals(some.dtypes)
            assert set(found.attrs) == {"timestamp", "materialization", "dataset"}
        assert get_connectivity([], dataset="demo").dtypes.astype(str).tolist() == ["int64"] * 3
        counts = get_synapse_counts([], dataset="demo")
        assert (len(counts), counts.index.dtype, counts["pre"].dtype) == (0, np.int64, np.int64)
        assert get_adjacency([], dataset="demo").shape == (0, 0)
        assert len(navis.NeuronList([])) == len(attach_synapses(navis.NeuronList([]), dataset="demo"))

    def test_pixels_are_voxels_of_the_viewer(self, dataset):
        nm, pixels = (get_synapses(current(), return_pixels=are, dataset="demo") for are in (False, True))
        for name in COLUMNS[-3:]:
            expected = np.array(nm[name].tolist()) // np.array([8, 8, 42])
            assert np.array_equal(np.array(pixels[name].tolist()), expected)
            assert all(isinstance(axis, int) for axis in pixels[name][0])

    def test_a_matrix_can_be_sparse(self, dataset):
        dense = get_adjacency(post_ids=current(), threshold=3, dataset="demo")
        sparse = get_adjacency(post_ids=current(), threshold=3, dataset="demo", sparse=True)
        assert sparse.matrix.format == "csr"
        assert sparse.to_frame().equals(dense)
        assert (sparse.attrs, sparse.to_frame().attrs) == (dense.attrs, dense.attrs)
        assert np.array_equal(sparse.matrix.toarray(), dense.to_numpy())

    def test_counts_are_under_the_ids_that_were_asked_for(self, cave):
        # D12: the peer finds nothing under an outdated id
        new = update_ids(current(2), timestamp=3, dataset="demo")
        changed = new[new["changed"]]
        assert len(changed)
        old, new = changed["old_id"].tolist(), changed["new_id"].tolist()
        found = get_synapse_counts([*old, *new, old[0]], dataset="demo")
        assert found.index.tolist() == [*old, *new, old[0]]
        assert found.index.name == "neuron_id"
        assert found["pre"].tolist()[: len(old)] == found["pre"].tolist()[len(old) : -1]
        assert (found.to_numpy() > 0).any(axis=1).all()
