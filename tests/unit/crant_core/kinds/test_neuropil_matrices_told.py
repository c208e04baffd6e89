"""The kind `neuropil_matrices` says who was several neurons, whose type counts, and which neuropils there are not."""

from __future__ import annotations

import io
import logging

import pandas as pd
import pytest

from crant_core.identity import outcomes
from crant_core.kinds.base import File
from crant_core.kinds.neurons import asked_of
from crant_core.kinds.neuropil_matrices import run, surfaces
from crant_core.neuropils import NEUROPIL_MESH_DICT
from crant_core.sandbox.world.history import VERSIONS
from tests.fixtures import neurons
from tests.fixtures.neuropil_jobs import NO_ROOT, context, done, finished, running, source
from tests.fixtures.synapse_truth import held, names

__all__ = ["running", "source"]


AT = VERSIONS[2].timestamp


@pytest.fixture(scope="module")
def several(source) -> dict[int, tuple[int, float]]:
    """Ids that were several neurons at the job's time: the largest one, and the share in it."""
    old = [int(one) for one in neurons.world().frame("truth/lineage").old.unique()]
    found = zip(old, outcomes(source, old, AT), strict=True)
    return {one: outcome for one, outcome in found if outcome is not None and outcome.confidence < 1}


def rows(file: File) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(file.data))


def test_an_id_that_was_several_neurons_is_said_to_be_with_its_share(source, several):
    assert several
    old, (root, share) = next(iter(several.items()))
    [item] = run.plan(context(source), [old])
    assert item.key == str(root)
    assert item.metrics["partial"]
    assert asked_of(item.metrics) == {old: share}
    assert 0.5 <= share < 1


def test_an_id_that_holds_is_whole(source):
    root = neurons.roots_at(3)[0]
    [item] = run.plan(context(source), [root])
    assert item.metrics == {"asked": str(root), "shares": "1.0", "changed": False, "partial": False}


def test_the_table_of_neurons_has_a_row_for_every_id_with_its_share(source, several):
    old, (root, share) = next(iter(several.items()))
    others = [one for one in neurons.roots_at(3) if one != root]
    file = finished(source, [*others, old, root, NO_ROOT])["neurons.parquet"]
    table = rows(file)
    assert table["asked_id"].tolist() == [*others, old, root]
    assert table["root_id"].tolist() == [*others, root, root]
    assert table["share"].tolist() == [*[1.0] * len(others), share, 1.0]
    assert [str(table[name].dtype) for name in ("asked_id", "root_id", "share")] == ["int64", "int64", "float64"]
    true = held(AT)
    true = true[(true.pre != true.post) & (true.post != 0)]
    assert table["n_synapses"].tolist() == [int((true.pre == one).sum()) for one in table["root_id"]]


def test_every_file_of_the_job_says_how_many_were_several(source, several):
    ids = [*several, *neurons.roots_at(3)]
    for file in finished(source, ids).values():
        assert file.meta["n_partial"] == len(several)


def test_types_of_nobody_and_of_neurons_that_have_one_already_are_told(source, several):
    root = neurons.roots_at(3)[0]
    old, (heir, share) = next((one, found) for one, found in several.items() if found[0] != root)
    types = {str(root): "A", str(old): "B", str(heir): "C", str(NO_ROOT): "D", "5": "E"}
    files = finished(source, [root], cell_types=types)
    table = rows(files["cell_types.parquet"])
    assert table["cell_type"].tolist() == ["A", "B", "C", "D", "E"]
    assert table["asked_id"].tolist() == [root, old, heir, NO_ROOT, 5]
    assert table["used"].tolist() == [True, True, False, False, False]
    assert table["share"].tolist() == [1.0, share, 1.0, 0.0, 0.0]
    assert pd.read_parquet(io.BytesIO(files["cell_types.parquet"].data), dtype_backend="numpy_nullable")[
        "root_id"
    ].tolist()[:3] == [root, heir, heir]
    meta = files["matrices.parquet"].meta
    assert (meta["n_types_unused"], meta["n_types_partial"], meta["n_typed"]) == (3, 1, 2)


def test_without_types_there_is_no_table_of_them(source):
    assert "cell_types.parquet" not in finished(source, neurons.roots_at(3)[:1])


def test_neuropils_that_the_dataset_lacks_are_named_in_every_file(source):
    lacking = [name for name in NEUROPIL_MESH_DICT.values() if name not in names()]
    assert len(lacking) > 20
    _, parts = done(context(source), neurons.roots_at(3)[:1])
    result = run.run(context(source), str(neurons.roots_at(3)[0]))
    for file in [*finished(source, neurons.roots_at(3)[:1]).values(), *result.files]:
        assert str(file.meta["neuropils_absent"]).split(", ") == lacking
        assert file.meta["neuropils"] == "all"
    assert len(parts) == 1


def test_of_neuropils_that_are_named_none_is_left_out(source):
    files = finished(source, neurons.roots_at(3)[:1], neuropils=["ellipsoid_body"])
    assert {file.meta["neuropils_absent"] for file in files.values()} == {""}


def test_what_all_neuropils_leave_out_is_logged(running, caplog):
    surfaces.places_of.cache_clear()
    with caplog.at_level(logging.WARNING):
        places = surfaces.places_of(running.dataset, None)
    assert f"lacks {len(places.absent)} neuropils" in caplog.text
    assert "gall_left" in caplog.text
