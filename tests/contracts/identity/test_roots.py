"""Which roots hold, and the way between roots and supervoxels."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from crant_core import (
    is_latest_roots,
    is_valid_root,
    is_valid_supervoxel,
    roots_to_supervoxels,
    supervoxels_to_roots,
)
from crant_core.errors import (
    InvalidId,
    InvalidParameters,
    SourceUnavailable,
)
from crant_core.sandbox import layout
from tests.contracts.identity.edits import FLYWIRE, MS, NO_ROOT, breaking, outdated, requests_made, toggle
from tests.fixtures import neurons


def test_the_form_of_ids(dataset):
    root, sv = neurons.live_roots()[0], int(neurons.supervoxels()[0])
    asked = [root, sv, str(root), np.int64(sv), NO_ROOT, FLYWIRE, 0, None, "a name", -1, float(root)]
    roots = [True, False, True, False, True, False, False, False, False, False, False]
    svs = [False, True, False, True] + [False] * 7
    assert is_valid_root(asked, dataset=dataset).tolist() == roots
    assert is_valid_supervoxel(asked, dataset=dataset).tolist() == svs


@pytest.mark.parametrize("one", [int, str, np.int64, np.uint64, np.array])
def test_one_id_gets_one_answer(dataset, one):
    answer = is_valid_root(one(neurons.live_roots()[0]), dataset=dataset)
    assert answer is True
    assert is_valid_supervoxel(one(neurons.live_roots()[0]), dataset=dataset) is False


@pytest.mark.parametrize("many", [list, np.array, pd.Series, set, lambda ids: (one for one in ids)])
def test_many_ids_get_many_answers(dataset, many):
    roots = neurons.live_roots()
    assert is_valid_root(many(roots), dataset=dataset).tolist() == [True] * 5
    assert is_valid_root(many(roots[:1]), dataset=dataset).tolist() == [True]


def test_a_wrong_form_is_raised_on_request(dataset):
    with pytest.raises(InvalidId, match=f"{FLYWIRE} is no root id") as caught:
        is_valid_root([neurons.live_roots()[0], FLYWIRE], dataset=dataset, raise_exc=True)
    assert caught.value.value == FLYWIRE
    with pytest.raises(InvalidId, match="no supervoxel id"):
        is_valid_supervoxel(FLYWIRE, dataset=dataset, raise_exc=True)


def test_which_roots_hold(cave, dataset):
    """The peer says True of zeros; at the moment of an edit it and CAVE say that the old root holds."""
    [old], parts, at = toggle(cave, 0)
    asked = [old, *parts, 0, None, NO_ROOT, str(parts[0])]
    answers = {
        None: [False, True, True, False, False, False, True],
        at: [False, True, True, False, False, False, True],
        at - MS: [True, False, False, False, False, False, False],
    }
    for when, expected in answers.items():
        assert is_latest_roots(asked, timestamp=when, dataset=dataset).tolist() == expected
    assert is_latest_roots([0, 0], dataset=dataset).tolist() == [False, False]
    assert is_latest_roots([], dataset=dataset).tolist() == []
    assert is_latest_roots(parts[0], dataset=dataset).tolist() == [True]


def test_which_roots_hold_refuses_other_ids_unless_told_not_to(dataset):
    sv = int(neurons.supervoxels()[0])
    with pytest.raises(InvalidId, match=str(sv)):
        is_latest_roots([sv], dataset=dataset)
    assert is_latest_roots([sv, FLYWIRE], validate_ids=False, dataset=dataset).tolist() == [False, False]
    with pytest.raises(InvalidParameters, match="batch"):
        is_latest_roots([NO_ROOT], batch_size=0, dataset=dataset)


def test_batches_do_not_change_the_answer(cave, dataset):
    asked = [*outdated(), *neurons.live_roots(), NO_ROOT]
    whole = is_latest_roots(asked, dataset=dataset)
    requests_made(cave)
    assert is_latest_roots(asked, batch_size=4, dataset=dataset).tolist() == whole.tolist()
    assert requests_made(cave)["is_latest_roots"] == -(-len(set(asked)) // 4)
    assert whole.tolist() == [root in neurons.live_roots() for root in asked]


def test_roots_of_supervoxels_in_input_order(dataset):
    svs = neurons.supervoxels().tolist()
    asked = [svs[3], 0, None, str(svs[0]), svs[3], int(layout.encode(1, [1, 1, 1], 99_999)), neurons.live_roots()[0]]
    roots = neurons.live_roots()
    found = supervoxels_to_roots(asked, timestamp="live", dataset=dataset)
    assert found.dtype == np.int64
    assert found.tolist() == [roots[3], 0, 0, roots[0], roots[3], 0, roots[0]]
    assert supervoxels_to_roots([], dataset=dataset).tolist() == []
    assert supervoxels_to_roots(svs[0], timestamp=None, dataset=dataset).tolist() == roots[:1]
    assert supervoxels_to_roots([asked[5]], timestamp=None, dataset=dataset).tolist() == [0]


def test_supervoxels_before_everything_belong_to_nothing(dataset):
    """The server gives back what it was asked where nothing is known; that is no root."""
    assert supervoxels_to_roots(neurons.supervoxels(), timestamp="2020-01-01", dataset=dataset).tolist() == [0] * 5


@pytest.mark.parametrize("stop_layer", [2, 8, 12])
def test_layers(dataset, stop_layer):
    found = supervoxels_to_roots(neurons.supervoxels(), timestamp=None, stop_layer=stop_layer, dataset=dataset)
    layer = min(stop_layer, 8)
    assert found.tolist() == neurons.graph().roots(neurons.supervoxels(), datetime.now(UTC), layer).tolist()
    with pytest.raises(InvalidParameters, match="layer 0"):
        supervoxels_to_roots(neurons.supervoxels(), stop_layer=0, dataset=dataset)


def test_a_failed_batch_is_asked_once_more(cave, dataset, monkeypatch):
    monkeypatch.setattr("crant_core.identity.supervoxels._COOLDOWN", 0)
    breaking(cave, "roots_binary", status=500, times=1)
    found = supervoxels_to_roots(neurons.supervoxels(), timestamp=None, dataset=dataset)
    assert found.tolist() == neurons.live_roots()
    breaking(cave, "roots_binary", status=500, times=1)
    with pytest.raises(SourceUnavailable):
        supervoxels_to_roots(neurons.supervoxels(), timestamp=None, retry=False, dataset=dataset)


def test_supervoxels_of_roots(cave, dataset):
    """P2: the peer asks root by root. P12: its disk cache is not keyed by server, and is never refreshed."""
    asked = [*neurons.roots_at(3), str(neurons.live_roots()[0]), NO_ROOT]
    for more in ({}, {}, {"clear_cache": True}, {}):
        found = roots_to_supervoxels(asked, dataset=dataset, **more)
        made = requests_made(cave)
        assert list(found) == list(dict.fromkeys(int(root) for root in asked))
        for root, ids in found.items():
            assert ids.dtype == np.uint64
            assert sorted(ids.tolist()) == neurons.graph().leaves(root).tolist()
        assert made["leaves_many"] == 1  # the unknown one is asked about each time
    roots_to_supervoxels(neurons.roots_at(3), dataset=dataset)
    assert requests_made(cave) == {}
    roots_to_supervoxels(neurons.roots_at(3), clear_cache=True, dataset=dataset)
    assert requests_made(cave) == {"leaves_many": 1}


@pytest.mark.parametrize("wrong", [[0], [None], ["x"], [1.5]])
def test_supervoxels_of_nothing_are_refused(dataset, wrong):
    with pytest.raises(InvalidId):
        roots_to_supervoxels(wrong, dataset=dataset)
