"""How much the identity functions ask of the servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

import crant_core
from crant_core import (
    is_latest_roots,
    roots_to_supervoxels,
    supervoxels_to_roots,
    update_ids,
)
from tests.contracts.identity.edits import NO_ROOT, outdated, requests_made, toggle
from tests.fixtures import neurons
from tests.fixtures.toys import BEGIN, DAY, row, supervoxel


def cut_rows(count: int) -> Any:
    """Return a graph of many neurons of two chunks, each of them cut, and the old roots."""
    graph = row([1] * 2 * count, apart=range(2, 2 * count, 2))
    ends = [supervoxel(chunk, 1) for chunk in range(2 * count)]
    old = graph.roots(ends[::2], BEGIN).tolist()
    for number in range(count):
        graph.cut([(ends[2 * number], ends[2 * number + 1])], BEGIN + (number + 1) * DAY / 24, 1)
    return graph, old


def test_two_hundred_outdated_ids_cost_as_many_requests_as_one(toy, tmp_path, monkeypatch):
    """P2: the peer asks twice for each id, one after the other. P12: and again the next time."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    graph, old = cut_rows(200)
    toy.graph = graph
    update_ids([], dataset=toy.dataset)
    toy.asked()
    bound = {"is_latest_roots": 1, "lineage_graph_multiple": 1, "leaves_many": 2, "roots_binary": 2}
    one = update_ids(old[:1], dataset=toy.dataset)
    assert toy.asked() == bound
    many = update_ids(old, dataset=toy.dataset, clear_cache=True)
    assert toy.asked() == bound
    assert many.iloc[:1].equals(one)
    assert many.confidence.tolist() == [0.5] * 200
    assert many.changed.all()

    again = update_ids(old, dataset=toy.dataset)
    assert toy.asked() == {"is_latest_roots": 2, "leaves_many": 2, "roots_binary": 2}
    assert again.equals(many)

    exact = update_ids(old[:50], stop_layer=1, dataset=toy.dataset)
    assert exact.equals(many[:50])
    assert toy.asked() == {"is_latest_roots": 2, "leaves_many": 3, "roots_binary": 3}  # 20 neurons at a time

    hints = [int(graph.leaves(new)[0]) for new in many.new_id]
    assert update_ids(old, supervoxels=hints, dataset=toy.dataset).confidence.tolist() == [1.0] * 200
    assert toy.asked() == {"is_latest_roots": 2, "roots_binary": 1}


def test_what_was_remembered_is_followed_only_from_its_end(cave, dataset):
    [old], _, _ = toggle(cave, 0)
    update_ids([old], dataset=dataset)
    _, [new], _ = toggle(cave, 0)
    requests_made(cave)
    assert update_ids([old], dataset=dataset).iloc[0].tolist() == [old, new, 1.0, True]
    assert requests_made(cave)["lineage_graph_multiple"] == 1  # for the parts
    assert update_ids([old], dataset=dataset).new_id.tolist() == [new]
    assert requests_made(cave)["lineage_graph_multiple"] == 0
    update_ids([old], clear_cache=True, dataset=dataset)
    assert requests_made(cave)["lineage_graph_multiple"] == 1


def test_nothing_is_kept_of_a_dataset_whose_history_can_be_set_back(cave, dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path / "none"))
    [old], _, _ = toggle(cave, 0)
    passing = dataset.model_copy(update={"lasting": False})
    for _ in range(2):
        requests_made(cave)
        update_ids([old], dataset=passing)
        roots_to_supervoxels([old], dataset=passing)
        made = requests_made(cave)
        assert made["lineage_graph_multiple"] == 1
        assert made["leaves_many"] >= 1
    assert not (tmp_path / "none").exists()


def test_the_answer_can_be_stored_with_its_time(dataset, tmp_path):
    found = update_ids(outdated(), timestamp="mat", dataset=dataset)
    found.to_parquet(tmp_path / "ids.parquet")
    again = pd.read_parquet(tmp_path / "ids.parquet")
    assert again.equals(found)
    assert again.attrs == found.attrs
    assert update_ids(outdated(), timestamp=again.attrs["timestamp"], dataset=dataset).equals(found)


def test_the_whole_history_at_once(cave, dataset):
    found = update_ids(outdated(), dataset=dataset)
    asked = requests_made(cave)
    assert asked["is_latest_roots"] == asked["lineage_graph_multiple"] == 1
    assert max(asked.values()) <= 2
    assert set(found.new_id) <= set(neurons.live_roots())
    assert found.changed.all()


def test_a_hundred_thousand_ids(cave, dataset):
    old = outdated()
    asked = (old * (50_000 // len(old) + 1))[:50_000] + list(range(NO_ROOT, NO_ROOT + 49_999)) + [None]
    found = update_ids(asked, dataset=dataset)
    assert len(found) == 100_000
    assert found.old_id.tolist() == asked
    first = update_ids(old, dataset=dataset)
    assert found[: len(old)].new_id.tolist() == first.new_id.tolist()
    assert not found.confidence[50_000:].any()
    made = requests_made(cave)
    assert made["lineage_graph_multiple"] <= 2 * 11
    assert made["is_latest_roots"] <= 4

    points = np.tile(neurons.world().segmentation.ids, 7)[:100_000]
    roots = supervoxels_to_roots(points, timestamp=None, dataset=dataset)
    assert roots.tolist() == neurons.graph().roots(points, datetime.now(UTC)).tolist()
    assert requests_made(cave) == {"roots_binary": 2}  # there are 16 thousand different ones
    assert len(is_latest_roots(np.arange(NO_ROOT, NO_ROOT + 100_000), dataset=dataset)) == 100_000
    assert requests_made(cave) == {"is_latest_roots": 3}


def test_eight_threads_at_once(cave, dataset):
    expected = update_ids(outdated(), timestamp="mat", dataset=dataset)
    crant_core.clear_all_caches()

    def ask(_: int) -> pd.DataFrame:
        return update_ids(outdated(), timestamp="mat", dataset=dataset, clear_cache=True)

    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(ask, range(16)):
            pd.testing.assert_frame_equal(found, expected)
