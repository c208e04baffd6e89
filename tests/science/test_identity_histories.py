"""Edit histories of which people can work out by hand what `update_ids` must say.

The neuron A lies in a row through five chunks, a to e, of 2, 2, 2, 2 and 4 supervoxels that hold together; so it has
five L2 chunks and twelve supervoxels. The neuron X is the chunk after it, f, of two supervoxels.

                    a1-a2-b1-b2-c1-c2-d1-d2-e1-e2-e3-e4 | f1-f2

Edits are made by what they cut or join; every expected share is written as chunks or supervoxels that were counted.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crant_core import find_common_time, get_lineage_graph, update_ids
from crant_core.errors import NeverTogether
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from tests.fixtures.toys import BEGIN, DAY, Toy, row, supervoxel, toy

__all__ = ["toy"]

SIZES = (2, 2, 2, 2, 4, 2)
A, B, C, D, E, F = range(len(SIZES))
ENDS = [(chunk, number) for chunk, size in enumerate(SIZES) for number in range(1, size + 1)]
MS = timedelta(milliseconds=1)


def sv(name: str) -> int:
    """Return a supervoxel by the name that the picture has for it."""
    return supervoxel("abcdef".index(name[0]), int(name[1:]))


class Story:
    """Edits of the row, one a day."""

    def __init__(self, toy: Toy) -> None:
        self.graph = toy.graph = row(SIZES, apart=[F])
        self.dataset = toy.dataset
        self.days = 0

    def root(self, name: str) -> int:
        """Return the root that holds a supervoxel now."""
        return int(self.graph.roots([sv(name)], self.now)[0])

    @property
    def now(self) -> datetime:
        return BEGIN + (self.days + 0.5) * DAY

    def join(self, one: str, other: str) -> datetime:
        return self._next(lambda at: self.graph.merge([(sv(one), sv(other))], at, 1))

    def cut(self, one: str, other: str) -> datetime:
        return self._next(lambda at: self.graph.cut([(sv(one), sv(other))], at, 1))

    def _next(self, edit) -> datetime:
        self.days += 1
        edit(BEGIN + self.days * DAY)
        return BEGIN + self.days * DAY

    def update(self, ids, **more) -> list[tuple[int, float]]:
        """Return new ids and confidences."""
        found = update_ids(ids, dataset=self.dataset, **more)
        assert found.old_id.tolist() == list(ids)
        assert found.changed.tolist() == [new != old for old, new in zip(ids, found.new_id, strict=True)]
        return list(zip(found.new_id.tolist(), found.confidence.tolist(), strict=True))


@pytest.fixture
def story(toy, tmp_path, monkeypatch) -> Story:
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    return Story(toy)


def test_nothing_happened(story):
    a, x = story.root("a1"), story.root("f1")
    assert story.update([x, a]) == [(x, 1.0), (a, 1.0)]


def test_a_merger_takes_all_of_both(story):
    a, x = story.root("a1"), story.root("f1")
    story.join("e4", "f1")
    both = story.root("a1")
    assert story.update([a, x, both]) == [(both, 1.0), (both, 1.0), (both, 1.0)]


def test_a_split_between_chunks_counts_chunks(story):
    """The peer counts the chunks at the cut, b and c, for the old id: it would find 0.4, and could find A itself."""
    a = story.root("a1")
    story.cut("b2", "c1")
    assert story.update([a]) == [(story.root("e1"), 3 / 5)]  # c d e of a b c d e
    assert story.update([a], stop_layer=1) == [(story.root("e1"), pytest.approx(8 / 12))]


def test_a_split_inside_a_chunk_shares_that_chunk(story):
    a = story.root("a1")
    story.cut("b1", "b2")
    assert story.update([a]) == [(story.root("e1"), pytest.approx(3.5 / 5))]  # half of b, c d e
    assert story.update([a], stop_layer=1) == [(story.root("e1"), pytest.approx(9 / 12))]


def test_what_is_counted_can_decide(story):
    """a b c are three chunks of five, but six supervoxels of twelve."""
    a = story.root("a1")
    story.cut("c2", "d1")
    assert story.update([a]) == [(story.root("a1"), 3 / 5)]  # a b c
    assert story.update([a], stop_layer=1) == [(min(story.root("a1"), story.root("e1")), 1 / 2)]  # 6 and 6 of 12


def test_a_tie_goes_to_the_lower_id(story):
    a = story.root("a1")
    story.cut("c1", "c2")
    assert story.update([a]) == [(min(story.root("a1"), story.root("e1")), 1 / 2)]


def test_a_split_that_was_undone_leaves_one_heir(story):
    a = story.root("a1")
    story.cut("b2", "c1")
    parts = [story.root("a1"), story.root("e1")]
    story.join("b2", "c1")
    again = story.root("a1")
    assert again != a
    assert story.update([a, *parts]) == [(again, 1.0)] * 3


def test_a_chain_of_a_split_a_merger_and_a_split(story):
    a, x = story.root("a1"), story.root("f1")
    story.cut("a2", "b1")
    head, tail = story.root("a1"), story.root("b1")
    story.join("e4", "f1")
    joined = story.root("b1")
    story.cut("b2", "c1")
    second, last = story.root("b1"), story.root("c1")
    assert story.update([a, x, head, tail, joined, second, last]) == [
        (last, 3 / 5),  # c d e of a b c d e
        (last, 1.0),  # f, though b went elsewhere from where it was
        (head, 1.0),
        (last, 3 / 4),  # c d e of b c d e
        (last, 4 / 5),  # c d e f of b c d e f
        (second, 1.0),
        (last, 1.0),
    ]


def test_a_merger_undone_by_a_split_at_the_same_place(story):
    """Both parts come from the whole that A became, but only one of them has anything of A."""
    a, x = story.root("a1"), story.root("f1")
    story.join("e4", "f1")
    story.cut("e4", "f1")
    assert story.update([a, x]) == [(story.root("a1"), 1.0), (story.root("f1"), 1.0)]


def test_a_neuron_in_three(story):
    a = story.root("a1")
    story.cut("a2", "b1")
    story.cut("c2", "d1")
    assert story.update([a], stop_layer=2) == [(min(story.root("b1"), story.root("d1")), 2 / 5)]  # b c, as d e
    assert story.update([a], stop_layer=1) == [(story.root("d1"), pytest.approx(6 / 12))]


def test_each_time_has_its_own_answer(story):
    a, x = story.root("a1"), story.root("f1")
    split = story.cut("b2", "c1")
    head, tail = story.root("a1"), story.root("c1")
    joined = story.join("e4", "f1")
    whole = story.root("f1")
    answers = {
        split - MS: [(a, 1.0), (a, 1.0), (x, 1.0)],
        split: [(tail, 3 / 5), (tail, 1.0), (x, 1.0)],  # at the moment of an edit the new roots hold
        joined - MS: [(tail, 3 / 5), (tail, 1.0), (x, 1.0)],
        joined: [(whole, 3 / 5), (whole, 1.0), (whole, 1.0)],
    }
    for when, expected in answers.items():
        assert story.update([a, tail, x], timestamp=when) == expected
    assert story.update([whole], timestamp=joined - MS) == [(tail, 3 / 4)]  # c d e of c d e f
    assert story.update([whole, head], timestamp=split - MS) == [(a, 3 / 4), (a, 1.0)]


def test_a_look_at_the_past_does_not_teach_half_of_an_end(story):
    """On its way back from one part the server tells that A became this part, and not that there is another one."""
    a = story.root("a1")
    split = story.cut("b2", "c1")
    head = story.root("a1")
    assert story.update([head], timestamp=split - MS) == [(a, 1.0)]
    assert story.update([a]) == [(story.root("c1"), 3 / 5)]
    assert story.update([a, head]) == [(story.root("c1"), 3 / 5), (head, 1.0)]


def test_before_everything_there_was_nothing(story):
    a = story.root("a1")
    story.cut("b2", "c1")
    head = story.root("a1")
    assert story.update([a, head], timestamp=BEGIN - DAY) == [(a, 0.0), (head, 0.0)]


def test_a_supervoxel_says_which_part_is_meant(story):
    a = story.root("a1")
    story.cut("b2", "c1")
    head, tail = story.root("a1"), story.root("c1")
    assert story.update([a, a, a], supervoxels=[sv("a1"), None, sv("e4")]) == [(head, 1.0), (tail, 3 / 5), (tail, 1.0)]


def test_a_supervoxel_of_another_neuron_is_not_followed(story, caplog):
    """The peer does not look whether the supervoxel has to do with the id, and answers X with confidence 1."""
    a = story.root("a1")
    story.cut("b2", "c1")
    assert story.update([a], supervoxels=[sv("f1")]) == [(story.root("c1"), 3 / 5)]
    assert f"{sv('f1')}, given for {a}" in caplog.text


def test_the_lineage_of_a_split_and_a_merger(story):
    """D20: operations stand on what they made, and roots that no edit made do without."""
    a, x = story.root("a1"), story.root("f1")
    split = story.cut("b2", "c1")
    head, tail = story.root("a1"), story.root("c1")
    joined = story.join("e4", "f1")
    whole = story.root("f1")
    found = get_lineage_graph(a, dataset=story.dataset)
    assert set(found.edges) == {(a, head), (a, tail), (tail, whole)}
    assert dict(found.nodes(data=True)) == {
        a: {"timestamp": BEGIN.timestamp()},
        head: {"timestamp": split.timestamp(), "operation_id": 1},
        tail: {"timestamp": split.timestamp(), "operation_id": 1},
        whole: {"timestamp": joined.timestamp(), "operation_id": 2},
    }
    assert set(get_lineage_graph(whole, dataset=story.dataset).edges) == {(a, tail), (tail, whole), (x, whole)}


def test_common_times(story):
    """D20: an end is that of the first heir; at the moment of an edit the old root and the new do not both hold."""
    a, x = story.root("a1"), story.root("f1")
    split = story.cut("b2", "c1")
    head, tail = story.root("a1"), story.root("c1")
    joined = story.join("e4", "f1")
    whole = story.root("f1")

    def common(*roots: int) -> datetime:
        return find_common_time(roots, dataset=story.dataset)

    for _ in range(2):  # the second time from the store
        assert common(a, x) == BEGIN + (split - BEGIN) / 2
        assert common(x, str(tail), head, x) == split + (joined - split) / 2
        assert common(a) == BEGIN + (split - BEGIN) / 2
        for roots in ((a, head), (tail, whole), (x, whole), (a, whole)):
            with pytest.raises(NeverTogether, match="was made at"):
                common(*roots)
        assert joined < common(head, whole) < datetime.now(joined.tzinfo)


# --- any history


EDITS = st.lists(st.integers(0, len(ENDS) - 2), min_size=1, max_size=7)  # where the row is cut or joined


def shares(graph: ChunkedGraph, root: int, when: datetime, layer: int) -> dict[int, float]:
    """Count, supervoxel by supervoxel, where a root is at a time."""
    found: dict[int, float] = {}
    parts = graph.leaves(root, layer).tolist()
    for part in parts:
        inside = graph.leaves(part).tolist() if layer == 2 else [part]
        for one in graph.roots(inside, when).tolist():
            found[one] = found.get(one, 0) + 1 / (len(parts) * len(inside))
    return found


def told(graph: ChunkedGraph, root: int, when: datetime, layer: int) -> tuple[set[int], float]:
    """Return the roots that may be the answer, and the confidence."""
    found = shares(graph, root, when, layer)
    most = max(found.values())
    return {one for one, share in found.items() if share > most - 1e-9}, most


@given(edits=EDITS, layer=st.sampled_from([1, 2]), data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_agrees_with_a_count_of_supervoxels(toy, tmp_path_factory, edits, layer, data):
    graph = toy.graph = row(SIZES, apart=[D, F])
    for number, place in enumerate(edits, 1):
        pair = (supervoxel(*ENDS[place]), supervoxel(*ENDS[place + 1]))
        change = graph.cut if graph.edges.is_active(*pair) else graph.merge
        change([pair], BEGIN + number * DAY, 1)
    times = [BEGIN + day * DAY + data.draw(st.sampled_from([-MS, 0 * MS, DAY / 2])) for day in range(1, len(edits) + 1)]
    ends = [supervoxel(*place) for place in ENDS]
    roots = sorted({int(root) for when in times for root in graph.roots(ends, when)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRANT_CACHE_FOLDER", str(tmp_path_factory.mktemp("store")))
        for when in times * 2:  # what was remembered the first time must not mislead the second
            found = update_ids(roots, timestamp=when, stop_layer=layer, dataset=toy.dataset)
            for old, new, confidence in zip(roots, found.new_id.tolist(), found.confidence.tolist(), strict=True):
                winners, share = told(graph, old, when, layer)
                assert new in winners
                assert confidence == pytest.approx(share, abs=1e-9)


def test_the_count_itself_is_right():
    graph = row(SIZES, apart=[F])
    a = int(graph.roots([sv("a1")], BEGIN + DAY)[0])
    graph.cut([(sv("b1"), sv("b2"))], BEGIN + DAY, 1)
    head, tail = graph.roots([sv("a1"), sv("e1")], BEGIN + DAY).tolist()
    assert shares(graph, a, BEGIN + DAY, 1) == pytest.approx({head: 3 / 12, tail: 9 / 12})
    assert shares(graph, a, BEGIN + DAY, 2) == pytest.approx({head: 1.5 / 5, tail: 3.5 / 5})
    assert len(np.unique(graph.leaves(a, 2))) == 5
