"""What became of ids, asked of a source that is at hand: as `update_ids` says it of a dataset by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest

from crant_core.errors import InvalidParameters
from crant_core.identity import Outcome, outcomes, update_ids
from crant_core.registry import register
from crant_core.sandbox.world.history import VERSIONS
from crant_core.sources.cave import CaveSource
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

NO_ROOT = (8 << 56) + 5_000_000  # a root id of the right form that never was
NOW = VERSIONS[-1].timestamp


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with run_sandbox() as started:
        yield started


@pytest.fixture
def source(running, tmp_path, monkeypatch) -> CaveSource:
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    register(lasting(running.dataset), running.token)
    return CaveSource(lasting(running.dataset), running.token)


def all_old() -> list[int]:
    return [int(root) for root in neurons.world().frame("truth/lineage").old.unique()]


def test_they_are_those_of_update_ids_for_the_whole_history(source):
    ids = [*all_old(), *neurons.roots_at(3)]
    table = update_ids(ids, timestamp=NOW, use_annotations=False, progress=False, dataset="demo")
    expected = list(zip(table["new_id"].tolist(), table["confidence"].tolist(), strict=True))
    found = outcomes(source, ids, NOW)
    assert found == expected
    assert any(one is not None and one.confidence < 1 for one in found)


def test_rows_keep_their_order_and_what_cannot_be_resolved_is_none(source):
    root = neurons.roots_at(3)[0]
    assert outcomes(source, [0, root, None, NO_ROOT, root], NOW) == [
        None,
        Outcome(root, 1.0),
        None,
        None,
        Outcome(root, 1.0),
    ]
    assert outcomes(source, [], NOW) == []


def test_annotations_are_asked_for_once_and_only_if_something_was_split(source):
    asked = []

    def annotated(roots: Collection[int]) -> dict[int, int]:
        asked.append(set(roots))
        return {}

    outcomes(source, neurons.roots_at(3), NOW, annotated=annotated)
    assert not asked
    outcomes(source, all_old(), NOW, annotated=annotated)
    [split] = asked
    assert split, "those that were split"
    assert split < set(all_old())


def test_what_is_remembered_is_not_asked_for_again_unless_one_says_so(running, source):
    def lineages(**how: bool) -> int:
        running.control("DELETE", "log")
        outcomes(source, neurons.roots_at(2), NOW, **how)
        entries = running.control("GET", "log")["entries"]
        return sum("lineage_graph" in entry["path"] for entry in entries)

    assert lineages() > 0
    assert lineages() == 0
    assert lineages(fresh=True) > 0


@pytest.mark.parametrize("layer", [0, 9])
def test_layers_that_roots_do_not_consist_of_are_refused(source, layer):
    with pytest.raises(InvalidParameters, match=f"no parts of layer {layer}"):
        outcomes(source, neurons.roots_at(3), NOW, stop_layer=layer)
