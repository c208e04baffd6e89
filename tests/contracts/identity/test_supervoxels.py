"""`update_ids` where neurons were split: supervoxels decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from crant_core import (
    update_ids,
)
from crant_core.sandbox import layout
from tests.contracts.identity.edits import FLYWIRE, NO_ROOT, neurons_leaves, requests_made, toggle
from tests.fixtures import neurons


@pytest.fixture
def provide(monkeypatch) -> Callable[[Any], None]:
    """Put something in the place of annotations."""
    return lambda provider: monkeypatch.setattr("crant_core.annotations.supervoxels.supervoxels_of", provider)


def test_supervoxels_of_annotations_are_used(cave, dataset, provide):
    """D3: the peer compares the strings of the table with integers, so it never finds one."""
    annotated: list[Any] = []
    [old], parts, _ = toggle(cave, 2)
    inside = {part: int(neurons_leaves(cave, part)[0]) for part in parts}
    for part in parts:
        provide(lambda name, fresh, roots, one=inside[part]: annotated.append((name.name, fresh, *roots)) or {old: one})
        requests_made(cave)
        found = update_ids([old], dataset=dataset)
        assert found.iloc[0].tolist() == [old, part, 1.0, True]
        assert "leaves_many" not in requests_made(cave)
        other = next(one for one in parts if one != part)
        asked = pd.DataFrame({"root_id": [str(old)] * 3, "supervoxel_id": [str(inside[other]), None, inside[part]]})
        assert update_ids(asked, dataset=dataset).new_id.tolist() == [other, part, part]  # the column goes first
        given = update_ids(asked, supervoxels=[0, inside[other], None], dataset=dataset)
        assert given.new_id.tolist() == [other, other, part]  # what is given goes before
        assert update_ids([old], use_annotations=False, dataset=dataset).confidence[0] < 1
    assert set(annotated) == {(dataset.name, False, old)}


def test_annotations_are_fetched_only_for_what_was_split(cave, dataset, provide):
    annotated: list[Any] = []
    provide(lambda name, fresh, roots: annotated.append(fresh) or {})
    update_ids([*neurons.live_roots(), *neurons.roots_at(3), NO_ROOT, 0], dataset=dataset)
    assert annotated == []
    [old], parts, _ = toggle(cave, 2)
    update_ids([old], supervoxels=[int(neurons_leaves(cave, parts[0])[0])], dataset=dataset)
    assert annotated == []
    update_ids([old], clear_cache=True, dataset=dataset)
    assert annotated == [True]


@pytest.mark.parametrize("wrong", [int(layout.encode(1, [1, 1, 1], 99_999)), NO_ROOT, FLYWIRE, "a neighbour's"])
def test_a_wrong_supervoxel_leads_nowhere_else(cave, dataset, wrong, caplog):
    [old], parts, _ = toggle(cave, 2)
    expected = update_ids([old], dataset=dataset)
    given = int(neurons.supervoxels()[3]) if wrong == "a neighbour's" else wrong
    pd.testing.assert_frame_equal(update_ids([old], supervoxels=[given], dataset=dataset), expected)
    assert f"the first is {given}, given for {old}" in caplog.text
    assert expected.new_id[0] in parts


def test_an_id_that_never_was_is_not_resolved_by_a_supervoxel(dataset):
    found = update_ids([NO_ROOT], supervoxels=neurons.supervoxels()[:1], dataset=dataset)
    assert found.iloc[0].tolist() == [NO_ROOT, NO_ROOT, 0.0, False]
