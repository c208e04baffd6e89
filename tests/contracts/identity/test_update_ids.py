"""`update_ids` against the offline CAVE: what it takes and what it gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crant_core import (
    is_latest_roots,
    supervoxels_to_roots,
    update_ids,
)
from crant_core.errors import (
    InvalidId,
    InvalidInput,
    InvalidParameters,
    InvalidTime,
    UnknownDataset,
    VersionNotFound,
)
from tests.contracts.identity.edits import FLYWIRE, MS, NO_ROOT, neurons_leaves, toggle
from tests.fixtures import neurons
from tests.fixtures.toys import BEGIN, DAY, row, supervoxel

COLUMNS = ["old_id", "new_id", "confidence", "changed"]


def neuron_list(ids: list[int]) -> Any:
    import navis

    points = pd.DataFrame({"node_id": [1], "parent_id": [-1], "x": [0], "y": [0], "z": [0], "radius": [1]})
    return navis.NeuronList([navis.TreeNeuron(points, id=one) for one in ids])


FORMS = {
    "list of int": list,
    "strings": lambda ids: [str(one) for one in ids],
    "numpy": lambda ids: np.array(ids, dtype=np.int64),
    "unsigned numpy": lambda ids: np.array(ids, dtype=np.uint64),
    "objects": lambda ids: np.array([str(ids[0]), *ids[1:]], dtype=object),
    "list of np.int64": lambda ids: [np.int64(one) for one in ids],
    "tuple": tuple,
    "Series": pd.Series,
    "Index": pd.Index,
    "table": lambda ids: pd.DataFrame({"root_id": ids, "name": "x"}, index=[7] * len(ids)),
    "table of strings": lambda ids: pd.DataFrame({"root_id": [str(one) for one in ids]}),
    "neuron list": neuron_list,
    "criteria": lambda ids: SimpleNamespace(get_roots=lambda: np.array(ids)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_ids_gives_one_row_each_in_input_order(dataset, form):
    old = neurons.roots_at(3)[::-1]
    found = update_ids(FORMS[form](old), dataset=dataset)
    assert found.columns.tolist() == COLUMNS
    assert found.index.tolist() == [0, 1, 2, 3, 4]
    assert found.old_id.tolist() == old
    assert found.new_id.tolist() == neurons.live_roots()[::-1]  # since then, nothing but mergers
    assert found.confidence.tolist() == [1.0] * 5
    assert found.changed.tolist() == [one != other for one, other in zip(old, neurons.live_roots()[::-1], strict=True)]
    assert found.dtypes.tolist() == [np.int64, np.int64, np.float64, np.bool_]


@pytest.mark.parametrize("form", [int, str, np.int64, np.uint64, lambda one: neuron_list([one])[0]])
def test_one_id_gives_one_row(dataset, form):
    found = update_ids(form(neurons.roots_at(3)[4]), dataset=dataset)
    assert found.new_id.tolist() == [neurons.live_roots()[4]]


def test_a_dataset_is_known_by_its_name(dataset):
    assert update_ids(neurons.roots_at(3)[4], dataset=dataset.name).new_id.tolist() == [neurons.live_roots()[4]]


def test_nothing_gives_no_row(dataset):
    found = update_ids([], dataset=dataset)
    assert found.columns.tolist() == COLUMNS
    assert len(found) == 0


def test_a_row_for_every_oddity(cave, dataset):
    """D8: the peer drops rows that are 0 or null when some of the ids were asked before."""
    old, new, now = neurons.roots_at(3)[4], neurons.live_roots()[4], neurons.live_roots()[0]
    asked = [0, old, None, FLYWIRE, NO_ROOT, now, str(old), old, np.nan, pd.NA, "", int(neurons.supervoxels()[0])]
    for _ in range(2):
        found = update_ids(asked, dataset=dataset)
        sv = asked[-1]
        expected = [0, old, None, FLYWIRE, NO_ROOT, now, old, old, None, None, None, sv]
        assert found.old_id.tolist() == expected
        assert found.new_id.tolist() == [0, new, None, FLYWIRE, NO_ROOT, now, new, new, None, None, None, sv]
        assert found.confidence.tolist() == [0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
        assert found.changed.tolist() == [one == old for one in expected]
        assert found.old_id.dtype == found.new_id.dtype == object
        assert {type(one) for one in found.new_id} == {int, type(None)}


@pytest.mark.parametrize("dtype", [object, "Int64", "string"])
def test_a_table_with_missing_ids(dataset, dtype):
    old, new = neurons.roots_at(3)[4], neurons.live_roots()[4]
    ids = [str(old), None, str(old)] if dtype == "string" else [old, None, old]
    table = pd.DataFrame(
        {"root_id": pd.Series(ids, dtype=dtype), "supervoxel_id": pd.Series([None, 7, 0], dtype=object)}
    )
    found = update_ids(table, dataset=dataset)
    assert found.old_id.tolist() == [old, None, old]
    assert found.new_id.tolist() == [new, None, new]
    assert found.confidence.tolist() == [1, 0, 1]


def test_ids_that_went_through_floats_are_refused(dataset):
    table = pd.DataFrame({"root_id": [float(neurons.live_roots()[0]), np.nan]})
    with pytest.raises(InvalidId, match="float") as caught:
        update_ids(table, dataset=dataset)
    assert caught.value.value == float(neurons.live_roots()[0])


@pytest.mark.parametrize(
    ("x", "more", "error", "message"),
    [
        (["a name"], {}, InvalidId, "a name"),
        ([-5], {}, InvalidId, "-5"),
        ([2**63], {}, InvalidId, str(2**63)),
        ([True], {}, InvalidId, "True"),
        (pd.DataFrame({"id": [1]}), {}, InvalidInput, "root_id"),
        ([NO_ROOT], {"supervoxels": [1, 2]}, InvalidInput, "2 supervoxels for 1 ids"),
        ([NO_ROOT], {"supervoxels": ["x"]}, InvalidId, "x"),
        ([NO_ROOT], {"stop_layer": 0}, InvalidParameters, "layer 0"),
        ([NO_ROOT], {"stop_layer": 8}, InvalidParameters, "layer 8"),
        ([NO_ROOT], {"timestamp": "yesterday"}, InvalidTime, "yesterday"),
        ([NO_ROOT], {"timestamp": "mat_99"}, VersionNotFound, "99"),
        ([NO_ROOT], {"dataset": "latst"}, UnknownDataset, "latst"),
    ],
)
def test_bad_input_is_named(dataset, x, more, error, message):
    with pytest.raises(error, match=message):
        update_ids(x, **{"dataset": dataset, **more})


AT_3 = datetime(2025, 5, 11, 10, 0, 1, 237654, tzinfo=UTC)


TIMES = {
    "version": 3,
    "text version": "mat_3",
    "latest": "mat",
    "latest in full": "mat_latest",
    "datetime": AT_3,
    "naive": AT_3.replace(tzinfo=None),
    "ISO": AT_3.isoformat(),
    "seconds": int(AT_3.timestamp()),
    "numpy": np.datetime64(AT_3.replace(tzinfo=None)),
    "pandas": pd.Timestamp(AT_3),
}


@pytest.mark.parametrize("form", TIMES)
def test_every_form_of_a_time(dataset, form):
    """D5: with any time at all the peer's update_ids and is_latest_roots fail, after 20 seconds."""
    when, now, then = TIMES[form], neurons.live_roots(), neurons.roots_at(3)
    whole = [0, 1]  # these were in one piece already
    found = update_ids([now[one] for one in whole], timestamp=when, dataset=dataset)
    assert found.new_id.tolist() == [then[one] for one in whole]
    assert is_latest_roots(then + now, timestamp=when, dataset=dataset).tolist() == [True] * 5 + [
        one in then for one in now
    ]
    assert supervoxels_to_roots(neurons.supervoxels(), timestamp=when, dataset=dataset).tolist() == then


@pytest.mark.parametrize("when", [None, "live"])
def test_now(dataset, when):
    before = datetime.now(UTC)
    found = update_ids(neurons.roots_at(3), timestamp=when, dataset=dataset)
    assert found.new_id.tolist() == neurons.live_roots()
    assert before <= datetime.fromisoformat(found.attrs["timestamp"]) <= datetime.now(UTC)
    assert found.attrs["materialization"] is None


def test_the_time_is_on_the_result(dataset):
    found = update_ids(neurons.live_roots(), timestamp="mat", dataset=dataset)
    assert abs(datetime.fromisoformat(found.attrs["timestamp"]) - AT_3) < timedelta(seconds=1)
    assert (found.attrs["materialization"], found.attrs["dataset"]) == (3, dataset.name)


def test_one_time_base(cave, dataset):
    """D6: ids of now, mapped to a version, are those that supervoxels have in that version."""
    [old], parts, _ = toggle(cave, 0)
    then = neurons.roots_at(3)[0]
    assert update_ids([old, *parts], timestamp="mat", dataset=dataset).new_id.tolist() == [then] * 3
    assert supervoxels_to_roots(neurons.supervoxels()[:1], dataset=dataset).tolist() == [then]
    [live] = supervoxels_to_roots(neurons.supervoxels()[:1], timestamp=None, dataset=dataset)
    assert live in parts


def test_answers_depend_on_all_that_is_asked(cave, dataset):
    """D8: the peer's cache knows ids only, not the time, the layer, the supervoxels or the dataset."""
    [old], parts, at = toggle(cave, 1)
    inside = {part: int(neurons_leaves(cave, part)[0]) for part in parts}
    for _ in range(2):
        by_chunks = update_ids(old, dataset=dataset).confidence[0]
        by_supervoxels = update_ids(old, stop_layer=1, dataset=dataset).confidence[0]
        assert by_chunks != by_supervoxels
        for part, one in inside.items():
            assert update_ids([old], supervoxels=[one], dataset=dataset).iloc[0, 1:3].tolist() == [part, 1.0]
        assert update_ids(old, timestamp=at - MS, dataset=dataset).new_id.tolist() == [old]
        assert update_ids(old, use_annotations=False, dataset=dataset).confidence[0] == by_chunks


def test_another_dataset_has_other_answers(cave, dataset, toy):
    """D8, P12: the same root id, on two servers."""
    toy.graph = row([1, 1])
    both = int(toy.graph.roots([supervoxel(0, 1)], BEGIN + DAY)[0])
    assert update_ids([both], dataset=toy.dataset).confidence.tolist() == [1.0]
    mine = update_ids([both], dataset=dataset)
    toy.graph.cut([(supervoxel(0, 1), supervoxel(1, 1))], BEGIN + DAY, 1)
    assert update_ids([both], dataset=toy.dataset).confidence.tolist() == [0.5]
    assert update_ids([both], dataset=dataset).equals(mine)


def test_a_cut_neuron_against_the_truth(cave, dataset):
    """The share is that of the neuron's supervoxels whose mates are in the winner, counted in the world."""
    [old], parts, _ = toggle(cave, 3)
    inside = {part: set(neurons_leaves(cave, part).tolist()) for part in parts}
    every = neurons.graph().leaves(old).tolist()
    assert sorted(set.union(*inside.values())) == every
    larger = max(parts, key=lambda part: len(inside[part]))
    found = update_ids(old, stop_layer=1, dataset=dataset)
    assert found.iloc[0].tolist() == [old, larger, pytest.approx(len(inside[larger]) / len(every)), True]

    chunks = [set(neurons.graph().leaves(int(one)).tolist()) for one in neurons.graph().l2_of(old)]
    shares = {part: np.mean([len(chunk & inside[part]) / len(chunk) for chunk in chunks]) for part in parts}
    winner = max(parts, key=lambda part: shares[part])
    found = update_ids(old, dataset=dataset)
    assert found.iloc[0].tolist() == [old, winner, pytest.approx(shares[winner]), True]
