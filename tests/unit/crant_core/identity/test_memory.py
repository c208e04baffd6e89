"""What is remembered of roots, without a server."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core.caching import IdStore
from crant_core.errors import SourceError
from crant_core.identity.memory import Memory
from crant_core.sources.chunkedgraph_lineage import Lineage

OLD, HEAD, TAIL, LAST = (8 << 56 | number for number in (1, 2, 3, 4))
BORN = datetime(2025, 1, 6, 10, 0, 0, 250000, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = BORN + 10 * DAY
ANSWER = {
    "nodes": [
        {"id": OLD, "timestamp": BORN.timestamp(), "operation_id": 17},
        {"id": HEAD, "timestamp": (BORN + DAY).timestamp()},
        {"id": TAIL, "timestamp": (BORN + DAY).timestamp(), "operation_id": 18},
        {"id": LAST, "timestamp": (BORN + 2 * DAY).timestamp()},
    ],
    "links": [
        {"source": OLD, "target": HEAD},
        {"source": OLD, "target": TAIL},
        {"source": TAIL, "target": LAST},
    ],
}


def lineage(*asked: int, until: datetime = NOW, answer: dict | None = None) -> Lineage:
    found = Lineage()
    found.read(answer or ANSWER)
    found.followed(asked, until)
    return found


@pytest.fixture
def store(tmp_path) -> IdStore:
    return IdStore(tmp_path / "ids.sqlite3")


@pytest.fixture
def memory(store) -> Memory:
    return Memory(store, "https://server/table")


def test_an_end_is_remembered_with_all_its_heirs_and_their_births(memory, store):
    memory.keep_lives(lineage(OLD))
    found = Memory(IdStore(store.path), "https://server/table").lives([OLD])  # as after a restart
    assert found.heirs == {OLD: {HEAD, TAIL}}
    assert found.born == {OLD: BORN, HEAD: BORN + DAY, TAIL: BORN + DAY}
    assert found.parents == {HEAD: {OLD}, TAIL: {OLD}}
    assert found.operations == {OLD: 17}
    assert found.whole == {OLD}
    assert found.ended(OLD) == BORN + DAY


def test_every_end_on_the_way_is_remembered(memory):
    memory.keep_lives(lineage(OLD))
    assert memory.lives([TAIL]).heirs == {TAIL: {LAST}}


def test_an_operation_that_was_not_told_is_not_remembered(memory):
    nodes = [{key: value for key, value in node.items() if key != "operation_id"} for node in ANSWER["nodes"]]
    memory.keep_lives(lineage(OLD, answer={**ANSWER, "nodes": nodes}))
    assert memory.lives([OLD]).operations == {}


def test_a_root_that_still_holds_is_not_remembered(memory):
    memory.keep_lives(lineage(OLD))
    assert memory.lives([HEAD, LAST]) == Lineage()


def test_heirs_met_on_the_way_to_the_past_are_no_end(memory):
    answer = {"nodes": ANSWER["nodes"][:2], "links": ANSWER["links"][:1]}  # asked about HEAD: TAIL is not told
    told = lineage(HEAD, answer=answer)
    assert told.heirs == {OLD: {HEAD}}
    memory.keep_lives(told)
    assert memory.lives([OLD]) == Lineage()


def test_roots_made_when_the_server_stopped_are_not_whole(memory):
    told = lineage(OLD, until=BORN + DAY)
    assert told.whole == {OLD}
    memory.keep_lives(told)
    assert memory.lives([TAIL]) == Lineage()


def test_a_fresh_memory_reads_nothing_and_keeps_what_comes(memory, store):
    fresh = Memory(store, "https://server/table", fresh=True)
    fresh.keep_lives(lineage(OLD))
    fresh.keep_supervoxels({OLD: np.array([5], dtype=np.uint64)})
    assert fresh.lives([OLD]) == Lineage()
    assert fresh.supervoxels([OLD]) == {}
    assert memory.lives([OLD]).heirs == {OLD: {HEAD, TAIL}}
    assert list(memory.supervoxels([OLD])) == [OLD]


def test_another_server_or_table_has_another_memory(memory, store):
    """P12: the peer's disk cache knows neither; a root id says nothing about where it comes from."""
    memory.keep_lives(lineage(OLD))
    memory.keep_supervoxels({OLD: np.array([5], dtype=np.uint64)})
    for name in ("https://server/other", "https://other/table"):
        other = Memory(store, name)
        assert other.lives([OLD]) == Lineage()
        assert other.supervoxels([OLD]) == {}


def test_supervoxels_come_back_exactly_and_may_be_written_to(memory):
    kept = np.array([2**56 + 1, 2**63 - 1, 2**53 + 1], dtype=np.uint64)
    memory.keep_supervoxels({np.int64(OLD): kept})
    found = memory.supervoxels([OLD, HEAD])
    assert list(found) == [OLD]
    assert found[OLD].dtype == np.uint64
    assert found[OLD].tolist() == kept.tolist()
    found[OLD][0] = 0
    assert memory.supervoxels([OLD])[OLD].tolist() == kept.tolist()


def test_roots_without_supervoxels_are_not_remembered(memory):
    memory.keep_supervoxels({OLD: np.empty(0, dtype=np.uint64)})
    assert memory.supervoxels([OLD]) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:5],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"\x80\x04K\x05.",  # a pickle
        lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
        lambda data: b"svx0" + data[4:],
        lambda data: data[:4] + zlib.crc32(b"").to_bytes(4, "little") + b"",
    ],
)
def test_damaged_and_foreign_bytes_are_not_there(memory, store, damage):
    memory.keep_lives(lineage(OLD))
    memory.keep_supervoxels({OLD: np.array([5, 6], dtype=np.uint64)})
    for space in ("ends https://server/table", "supervoxels https://server/table"):
        store.put(space, {OLD: damage(store.get(space, [OLD])[OLD])})
    assert memory.lives([OLD]) == Lineage()
    assert memory.supervoxels([OLD]) == {}


def test_supervoxels_are_not_read_as_an_end(memory, store):
    memory.keep_supervoxels({OLD: np.array([5, 6], dtype=np.uint64)})
    store.put("ends https://server/table", store.get("supervoxels https://server/table", [OLD]))
    assert memory.lives([OLD]) == Lineage()


def test_a_store_that_cannot_be_used_is_done_without(tmp_path):
    (tmp_path / "file").write_text("no folder")
    memory = Memory(IdStore(tmp_path / "file" / "ids.sqlite3"), "https://server/table")
    memory.keep_lives(lineage(OLD))
    assert memory.lives([OLD]) == Lineage()


class TestLineage:
    def test_at_the_moment_of_an_edit_the_new_roots_hold(self):
        found = lineage(OLD)
        assert found.at(OLD, BORN + DAY) == (HEAD, TAIL)
        assert found.at(OLD, BORN + DAY - timedelta(milliseconds=1)) == (OLD,)
        assert found.at(OLD, NOW) == (HEAD, LAST)
        assert found.at(LAST, BORN) == (OLD,)
        assert found.at(LAST, BORN - DAY) == ()
        assert found.at(5, NOW) == ()

    def test_a_link_to_nowhere_is_an_error(self):
        with pytest.raises(SourceError, match="does not say when"):
            lineage(answer={"nodes": ANSWER["nodes"][:1], "links": ANSWER["links"]})

    def test_no_nodes_are_an_error(self):
        with pytest.raises(SourceError, match="without roots"):
            Lineage().read({"message": "ok"})
