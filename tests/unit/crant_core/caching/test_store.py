from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from crant_core.caching import IdStore, clear_store, id_store, store
from crant_core.errors import InvalidInput
from crant_core.sources import watching
from crant_core.sources.watching import Nobody

BIG = 2**63 - 1
DAY = 86_400


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "made" / "when needed" / "ids.sqlite3"


def test_what_was_put_is_found_and_nothing_else(path):
    kept = IdStore(path)
    assert kept.get("a", [1, 2]) == {}
    assert not path.parent.exists()  # nothing is written before there is something to keep
    kept.put("a", {})
    assert not path.parent.exists()
    kept.put("a", {1: b"one", BIG: b"", 2: b"two"})
    assert kept.get("a", [BIG, 1, 5]) == {1: b"one", BIG: b""}
    assert kept.get("b", [1]) == {}
    kept.put("a", {1: b"uno"})
    assert kept.get("a", {1}) == {1: b"uno"}


def test_operators_can_count_what_was_found(path, monkeypatch):
    heard = []

    class Ears(Nobody):
        def looked_up(self, cache: str, *, found: bool, times: int = 1) -> None:
            heard.append((cache, found, times))

    monkeypatch.setattr(watching, "_installed", [Ears()])
    kept = IdStore(path)
    kept.put("a", {1: b"one", 2: b"two"})
    kept.get("a", [1, 2, 3])
    kept.get("a", [])
    kept.get("a", [2])
    assert heard == [("ids", True, 2), ("ids", False, 1), ("ids", True, 1)]


def test_numpys_ids_are_ids(path):
    ids = np.array([BIG, 7], dtype=np.int64)
    IdStore(path).put("a", dict.fromkeys(ids, b"x"))
    assert IdStore(path).get("a", ids) == {BIG: b"x", 7: b"x"}
    assert IdStore(path).get("a", ids.astype(np.uint64)) == {BIG: b"x", 7: b"x"}


def test_it_survives_a_restart(path):
    write = "import sys; from pathlib import Path; from crant_core.caching import IdStore; "
    write += "IdStore(Path(sys.argv[1])).put('a', {1: b'one'})"
    subprocess.run([sys.executable, "-c", write, str(path)], check=True)
    assert IdStore(path).get("a", [1]) == {1: b"one"}


def test_many_ids_at_once(path):
    kept = IdStore(path)
    kept.put("a", {id_: id_.to_bytes(8, "little") for id_ in range(1, 50_001)})
    found = kept.get("a", range(1, 60_000))
    assert len(found) == 50_000
    assert found[49_999] == (49_999).to_bytes(8, "little")


WRITER = """
import logging, sys
from pathlib import Path
from crant_core.caching import IdStore
logging.basicConfig(level=logging.DEBUG)
mine = int(sys.argv[2])
kept = IdStore(Path(sys.argv[1]))
for round in range(10):
    kept.put("a", {mine * 10_000 + round * 100 + n: b"%d" % mine for n in range(100)})
    kept.put("shared", {n: b"%d" % mine for n in range(100)})
    assert len(kept.get("a", range(mine * 10_000, mine * 10_000 + 1000))) == (round + 1) * 100
    assert len(set(kept.get("shared", range(100)).values())) == 1  # a put is whole or not at all
"""


def test_many_processes_write_at_once(path):
    command = [sys.executable, "-c", WRITER, str(path)]
    running = [subprocess.Popen([*command, str(n)], stderr=subprocess.PIPE, text=True) for n in range(6)]
    assert [process.communicate(timeout=60)[1] for process in running] == [""] * 6
    found = IdStore(path).get("a", range(60_000))
    assert len(found) == 6000
    assert all(value == b"%d" % (id_ // 10_000) for id_, value in found.items())


def test_many_threads_write_at_once(path):
    kept = IdStore(path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: kept.put("a", {n * 10 + m: b"x" for m in range(10)}), range(40)))
        found = list(threads.map(lambda n: len(kept.get("a", range(400))), range(8)))
    assert found == [400] * 8


def test_a_fork_opens_the_file_for_itself(path):
    code = """
import os, sys
from pathlib import Path
from crant_core.caching import IdStore
kept = IdStore(Path(sys.argv[1]))
kept.put("a", {1: b"parent"})
child = os.fork()
if not child:
    kept.put("a", {2: b"child"})
    os._exit(0 if kept.get("a", [1, 2]) == {1: b"parent", 2: b"child"} else 1)
status = os.waitpid(child, 0)[1]
kept.put("a", {3: b"parent"})
assert set(kept.get("a", [1, 2, 3])) == {1, 2, 3}
sys.exit(os.waitstatus_to_exitcode(status))
"""
    ran = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def on_disk(path: Path) -> int:
    """Bytes of the file and of those that go with it, except the index of its journal."""
    return sum(file.stat().st_size for file in path.parent.iterdir() if not file.name.endswith("-shm"))


class TestSize:
    LIMIT = 400_000

    @pytest.fixture
    def kept(self, path) -> IdStore:
        return IdStore(path, self.LIMIT)

    def test_the_file_stays_below_its_limit(self, kept):
        for round_ in range(20):
            kept.put("a", {round_ * 1000 + n: bytes(500) for n in range(100)})
            assert kept.size <= self.LIMIT
        assert kept.path.stat().st_size <= self.LIMIT
        assert kept.size > self.LIMIT / 3  # and it is used
        assert kept.get("a", range(19_000, 19_100)).keys() == set(range(19_000, 19_100))
        assert not kept.get("a", range(100))

    def test_what_was_used_lately_stays(self, kept, monkeypatch):
        today = [20_000]
        monkeypatch.setattr(store, "_today", lambda: today[0])
        kept.put("a", dict.fromkeys(range(10), bytes(500)))
        today[0] += 1
        kept.put("a", dict.fromkeys(range(100, 400), bytes(500)))
        today[0] += 1
        kept.get("a", range(10))
        kept.put("a", dict.fromkeys(range(1000, 1400), bytes(500)))
        assert len(kept.get("a", range(10))) == 10
        assert len(kept.get("a", range(100, 400))) < 300

    def test_what_is_larger_than_the_limit_is_not_kept(self, kept):
        kept.put("a", {1: bytes(2 * self.LIMIT)})
        assert kept.get("a", [1]) == {}
        kept.put("a", {2: b"small"})
        assert kept.get("a", [2]) == {2: b"small"}

    def test_clearing_gives_the_space_back(self, kept):
        kept.put("a", dict.fromkeys(range(500), bytes(500)))
        before = on_disk(kept.path)
        kept.clear()
        assert kept.get("a", range(500)) == {}
        assert on_disk(kept.path) < before / 4

    def test_clearing_what_is_not_there_makes_nothing(self, kept):
        kept.clear()
        assert not kept.path.exists()


class TestTrouble:
    """What is kept can be asked for again: trouble costs requests, never a call."""

    @pytest.mark.parametrize(
        "content", [b"no database at all", b"SQLite format 3\0" + bytes(200)], ids=["text", "torn"]
    )
    def test_a_damaged_file_is_begun_anew(self, path, content, caplog):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        kept = IdStore(path)
        assert kept.get("a", [1]) == {}
        kept.put("a", {1: b"one"})
        assert IdStore(path).get("a", [1]) == {1: b"one"}
        assert [(record.levelname, "beginning anew" in record.message) for record in caplog.records] == [
            ("WARNING", True)
        ]

    def test_a_file_damaged_while_it_is_open_is_begun_anew(self, path, caplog):
        kept = IdStore(path)
        kept.put("a", dict.fromkeys(range(2000), bytes(100)))
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        with path.open("r+b") as file:
            file.seek(0)
            file.write(os.urandom(path.stat().st_size))
        fresh = IdStore(path)
        assert fresh.get("a", range(2000)) == {}
        fresh.put("a", {1: b"one"})
        assert kept.get("a", [1]) in ({}, {1: b"one"})  # it finds out, too
        kept.put("a", {2: b"two"})
        assert IdStore(path).get("a", [1, 2])[1] == b"one"

    def test_a_folder_that_cannot_be_is_told_once_and_nothing_is_kept(self, tmp_path, caplog):
        (tmp_path / "file").write_text("in the way")
        kept = IdStore(tmp_path / "file" / "ids.sqlite3")
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                kept.put("a", {1: b"one"})
        assert kept.get("a", [1]) == {}
        assert len(caplog.records) == 1
        assert str(kept.path) in caplog.text

    def test_a_file_that_is_locked_for_long_is_gone_on_without(self, path, monkeypatch, caplog):
        monkeypatch.setattr(store, "_BUSY_SECONDS", 0.05)
        kept = IdStore(path)
        kept.put("a", {1: b"one"})
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            kept.put("a", {1: b"uno", 2: b"two"})
            assert kept.get("a", [1, 2]) == {1: b"one"}  # readers do not wait
        finally:
            other.execute("ROLLBACK")
            other.close()
        assert "locked" in caplog.text
        kept.put("a", {2: b"two"})
        assert kept.get("a", [1, 2]) == {1: b"one", 2: b"two"}

    def test_a_value_of_a_wrong_type_is_a_bug_and_not_hidden(self, path):
        with pytest.raises(sqlite3.Error):
            IdStore(path).put("a", {1: object()})


class TestSettings:
    def test_the_store_is_where_the_settings_say(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path / "here"))
        monkeypatch.setenv("CRANT_CACHE_MEGABYTES", "3")
        assert id_store().path == tmp_path / "here" / store.FILE
        assert id_store().most_bytes == 3 * 2**20
        assert id_store() is id_store()
        monkeypatch.setenv("CRANT_CACHE_MEGABYTES", "4")
        assert id_store().most_bytes == 4 * 2**20

    def test_asking_for_it_and_clearing_it_writes_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path / "here"))
        id_store()
        clear_store()
        assert not (tmp_path / "here").exists()

    def test_a_home_that_there_is_not_is_named(self, monkeypatch):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", "~nobody-has-this-name/cache")
        with pytest.raises(InvalidInput, match="CRANT_CACHE_FOLDER"):
            id_store()
