"""The identity functions against the offline CAVE: what they take, what they give, what they ask, how they fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import crant_core
from crant_core import (
    find_common_time,
    get_lineage_graph,
    is_latest_roots,
    is_valid_root,
    is_valid_supervoxel,
    roots_to_supervoxels,
    supervoxels_to_roots,
    update_ids,
)
from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import (
    InvalidId,
    InvalidInput,
    InvalidParameters,
    InvalidTime,
    NeverTogether,
    NotARoot,
    SourceError,
    SourceUnavailable,
    UnknownDataset,
    VersionNotFound,
)
from crant_core.registry import register
from crant_core.sandbox import layout
from crant_core.sources.chunkedgraph_past import Past
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox
from tests.fixtures.toys import BEGIN, DAY, row, supervoxel, toy

__all__ = ["toy"]

pytestmark = pytest.mark.xdist_group("identity")
MS = timedelta(milliseconds=1)
COLUMNS = ["old_id", "new_id", "confidence", "changed"]
NO_ROOT = (8 << 56) + 5_000_000  # a root id of the right form that never was
FLYWIRE = 720575940621039145  # a root id of another dataset
URL = "/segmentation/api/v1/table/"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with run_sandbox() as started:
        yield started


@pytest.fixture
def dataset(running, tmp_path, monkeypatch) -> Dataset:
    """A dataset in an offline CAVE, and an empty store."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    return register(lasting(running.dataset), running.token)


@pytest.fixture
def cave(running, dataset) -> Iterator[Sandbox]:
    """The same CAVE, which a test may change."""
    running.control("DELETE", "log")
    yield running
    running.control("POST", "reset")


@pytest.fixture
def provide(monkeypatch) -> Callable[[Any], None]:
    """Put something in the place of annotations."""
    return lambda provider: monkeypatch.setattr("crant_core.annotations.supervoxels.supervoxels_of", provider)


def toggle(cave: Sandbox, neuron: int) -> tuple[list[int], list[int], datetime]:
    """Cut or join a real neuron; return the old roots, the new ones and the moment."""
    done = cave.control("POST", "edit", {"operation": "toggle", "neuron": neuron})
    old, new = ([int(root) for root in done[name]] for name in ("old_roots", "new_roots"))
    return old, new, datetime.fromisoformat(done["timestamp"])


def requests_made(cave: Sandbox) -> Counter[str]:
    """Count requests by the last word of the endpoint."""
    counts = cave.control("GET", "log")["counts"]
    cave.control("DELETE", "log")
    return Counter({name.rsplit("/", 1)[-1]: one["requests"] for name, one in counts.items() if URL in name})


def outdated() -> list[int]:
    """Return every root that an edit ended, from the world's own graph."""
    return sorted(neurons.graph().family.ended_by)


# --- update_ids: what it takes and gives


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


def neurons_leaves(cave: Sandbox, root: int) -> np.ndarray:
    return roots_to_supervoxels(root, dataset=cave.dataset)[root]


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


# --- update_ids: supervoxels


def test_supervoxels_of_annotations_are_used(cave, dataset, provide):
    """D3: the peer compares the strings of the table with integers, so it never finds one."""
    annotated: list[Any] = []
    [old], parts, _ = toggle(cave, 2)
    inside = {part: int(neurons_leaves(cave, part)[0]) for part in parts}
    for part in parts:
        provide(lambda name, fresh, one=inside[part]: annotated.append((name.name, fresh)) or {old: one})
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
    assert set(annotated) == {(dataset.name, False)}


def test_annotations_are_fetched_only_for_what_was_split(cave, dataset, provide):
    annotated: list[Any] = []
    provide(lambda name, fresh: annotated.append(fresh) or {})
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


# --- how much is asked


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


# --- when servers fail


def breaking(cave: Sandbox, path: str, **rule: Any) -> None:
    cave.control("POST", "fault", {"path": path, **rule})


STEPS = ["is_latest_roots", "lineage_graph", "leaves_many", "roots_binary"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_a_refusal_keeps_its_status_and_request_id(cave, dataset, step, status):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, step, status=status, headers={"X-Request-ID": "r-17"})
    with pytest.raises(SourceError, match="request id r-17") as caught:
        update_ids([old, *neurons.live_roots()], dataset=dataset)
    assert caught.value.value == status
    assert caught.value.retryable is (status >= 500)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["truncated_gzip", "reset"])
def test_half_an_answer_is_no_answer(cave, dataset, step, kind):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, step, kind=kind)
    with pytest.raises(SourceUnavailable):
        update_ids([old], dataset=dataset)


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("is_latest_roots", {"is_latest": [True]}),
        ("is_latest_roots", {}),
        ("lineage_graph", {"nodes": [], "links": []}),
        ("lineage_graph", {}),
        ("leaves_many", {}),
        ("leaves_many", []),
        ("roots_binary", ""),
        ("roots_binary", "12345678"),
    ],
)
def test_an_answer_about_some_of_the_ids_is_refused(cave, dataset, step, body):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, step, status=200, body=body)
    with pytest.raises(SourceError):
        update_ids([old, *neurons.roots_at(3)], dataset=dataset)


def test_a_lineage_without_one_of_the_roots_is_refused(cave, dataset):
    """Else an existing root would be told to be none."""
    one, other = neurons.roots_at(3)[3:]
    nodes = [{"id": one, "timestamp": 1.7e9}]
    breaking(cave, "lineage_graph", status=200, body={"nodes": nodes, "links": []})
    with pytest.raises(SourceError, match="answered for 1 of 2 ids"):
        update_ids([one, other], dataset=dataset)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_empty_lists_of_what_is_in_roots_are_refused(cave, dataset, share):
    old = [root for neuron in range(5) for root in toggle(cave, neuron)[0]]
    body = {str(root): [] if number < share * 5 else [1] for number, root in enumerate(old)}
    breaking(cave, "leaves_many", status=200, body=body)
    with pytest.raises(SourceError, match="lists nothing in"):
        update_ids(old, dataset=dataset)
    with pytest.raises(SourceError, match="lists nothing in"):
        roots_to_supervoxels(old, dataset=dataset)
    cave.control("DELETE", "fault")
    assert all(len(ids) for ids in roots_to_supervoxels(old, dataset=dataset).values())


def test_a_server_that_fails_for_another_reason_than_unknown_ids_is_believed(cave, dataset):
    [old], _, _ = toggle(cave, 0)
    breaking(cave, "lineage_graph", status=500)
    with pytest.raises(SourceUnavailable):
        update_ids([old], dataset=dataset)
    made = requests_made(cave)
    assert (made["lineage_graph_multiple"], made["valid_nodes"]) == (1, 1)


# --- is_valid_root, is_valid_supervoxel, is_latest_roots


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


# --- supervoxels_to_roots, roots_to_supervoxels


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


# --- histories


def test_the_history_of_a_neuron(dataset):
    graph = neurons.graph()
    [root] = neurons.live_roots()[:1]
    found = get_lineage_graph(root, dataset=dataset)
    assert set(found.edges) == set(graph.lineage([root]).links)
    for one, told in found.nodes(data=True):
        assert told["timestamp"] == pytest.approx(graph.created(one).timestamp(), abs=1e-6)
        made_by = graph.former(one)
        assert told.get("operation_id") == (made_by.id if made_by else None)


def test_a_history_whose_operations_the_server_keeps_to_itself(cave, dataset):
    """D20: the peer needs an operation of every predecessor, else KeyError."""
    old, new = neurons.roots_at(3)[4], neurons.live_roots()[4]
    nodes = [{"id": root, "timestamp": 1.7e9 + day} for day, root in enumerate((old, new))]
    breaking(cave, "lineage_graph", status=200, body={"nodes": nodes, "links": [{"source": old, "target": new}]})
    found = get_lineage_graph(new, dataset=dataset)
    assert set(found.edges) == {(old, new)}
    assert [set(told) for _, told in found.nodes(data=True)] == [{"timestamp"}] * 2


@pytest.mark.parametrize("function", [get_lineage_graph, find_common_time])
def test_what_never_was_a_root_has_no_history(cave, dataset, function):
    for wrong in (NO_ROOT, FLYWIRE, int(neurons.supervoxels()[0])):
        with pytest.raises(NotARoot, match=str(wrong)) as caught:
            function([neurons.live_roots()[0], wrong], dataset=dataset)
        assert caught.value.value == wrong


def test_a_common_time_is_one(dataset):
    """D20: at the time that is found, all of them hold."""
    roots = neurons.roots_at(3)
    found = find_common_time([str(root) for root in roots], dataset=dataset)
    assert found.tzinfo is UTC
    assert is_latest_roots(roots, timestamp=found, dataset=dataset).all()
    ends = [neurons.graph().superseded_at(root) or datetime.now(UTC) for root in roots]
    begin = max(neurons.graph().created(root) for root in roots)
    assert abs(found - (begin + (min(ends) - begin) / 2)) < timedelta(seconds=5)


def test_no_common_time(cave, dataset):
    """D20: the peer finds the very moment of the edit, at which they were not there together."""
    [old], parts, _ = toggle(cave, 0)
    with pytest.raises(NeverTogether, match="update_ids") as caught:
        find_common_time([old, parts[1], parts[0]], dataset=dataset)
    assert caught.value.value[0] == old
    assert caught.value.value[1] in parts
    with pytest.raises(InvalidInput, match="no ids"):
        find_common_time([], dataset=dataset)


def test_a_common_time_under_a_clock_that_is_ahead(cave, dataset):
    cave.control("POST", "clock", {"advance_seconds": 60})
    _, parts, at = toggle(cave, 0)
    assert find_common_time(parts, dataset=dataset) == at


# --- the source


def test_births_and_ends(cave, dataset):
    graph: Past = source_of(dataset).graph
    [old], parts, at = toggle(cave, 0)
    now = datetime.now(UTC)
    born = neurons.graph().created(old)
    asked = [parts[0], NO_ROOT, old, 0, old]
    assert graph.root_timestamps(asked) == [at, None, born, None, born]
    ended = graph.root_timestamps(asked, latest=True, timestamp=now)
    assert ended[1:] == [None, at, None, at]
    assert abs(ended[0] - now) < timedelta(milliseconds=1)
    assert graph.root_timestamps([NO_ROOT, 5]) == [None, None]


def test_existence(cave, dataset):
    asked = [*outdated(), *neurons.live_roots(), NO_ROOT, int(neurons.supervoxels()[0]), 0, 5]
    assert source_of(dataset).graph.exist(asked).tolist() == [True] * (len(asked) - 4) + [False] * 4
    assert source_of(dataset).graph.exist([]).tolist() == []


def test_features_and_leaves(cave, dataset):
    graph, root = source_of(dataset).graph, neurons.live_roots()[0]
    chunks = neurons.graph().l2_of(root)
    assert np.sort(graph.leaves(root, 2)).tolist() == chunks.tolist()
    assert graph.leaves(NO_ROOT).tolist() == []
    many = graph.leaves_many([root, NO_ROOT, 0, root], 2)
    assert [len(ids) for ids in many.values()] == [len(chunks), 0, 0]
    found = graph.l2_data([*chunks[:3].tolist(), NO_ROOT], ["size_nm3"])
    assert list(found) == [*chunks[:3].tolist(), NO_ROOT]
    assert all(found[int(one)]["size_nm3"] > 0 for one in chunks[:3])
    assert found[NO_ROOT] == {}
