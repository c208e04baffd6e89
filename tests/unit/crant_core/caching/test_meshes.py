"""Meshes on disk."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from crant_core.caching.meshes import Kept, MeshStore, clear_meshes, mesh_store
from crant_core.errors import InvalidInput
from crant_core.mesh import Mesh

SPACE = "https://cave/table"
HEAD = 48  # bytes of a file that are not vertices or faces


def mesh(seed: int, size: int = 100) -> Kept:
    chance = np.random.default_rng(seed)
    vertices = chance.uniform(0, 1e5, (size, 3)).astype(np.float32).astype(np.float64)
    return Kept(Mesh(vertices, chance.integers(0, size, (size, 3))), seed)


def equal(one: Kept | None, other: Kept) -> bool:
    if one is None:
        return False
    same = (one.mesh.vertices == other.mesh.vertices).all() and (one.mesh.faces == other.mesh.faces).all()
    return bool(same) and one.missing == other.missing


@pytest.fixture
def store(tmp_path: Path) -> MeshStore:
    return MeshStore(tmp_path / "meshes", 10 * 2**20)


def files(store: MeshStore) -> list[Path]:
    return sorted(store.folder.glob("*/*"))


def test_what_is_put_comes_back_exactly_and_is_the_readers_own(store):
    kept = mesh(3)
    store.put(SPACE, 7, kept)
    found = store.get(SPACE, 7)
    assert equal(found, kept)
    assert (found.mesh.vertices.dtype, found.mesh.faces.dtype) == (np.float64, np.int64)
    found.mesh.vertices[:] = 0
    assert equal(store.get(SPACE, 7), kept)


def test_doubles_are_kept_as_doubles(store):
    kept = Kept(Mesh(np.random.default_rng(0).uniform(0, 1, (5, 3)), np.zeros((2, 3), dtype=np.int64)), 0)
    store.put(SPACE, 7, kept)
    assert equal(store.get(SPACE, 7), kept)


def test_servers_tables_and_roots_are_kept_apart(store):
    store.put(SPACE, 7, mesh(1))
    assert store.get(SPACE, 8) is None
    assert store.get("https://cave/other", 7) is None
    store.put("https://cave/other", 7, mesh(2))
    assert equal(store.get(SPACE, 7), mesh(1))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:20],
        lambda data: b"",
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
        lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:],
        lambda data: b"no such format" + data,
    ],
)
def test_a_damaged_file_counts_as_not_there_and_goes(store, damage, caplog):
    store.put(SPACE, 7, mesh(1))
    [path] = files(store)
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert store.get(SPACE, 7) is None
    assert "damaged" in caplog.text
    assert not files(store)


def test_a_file_under_another_roots_name_is_not_that_roots(store):
    store.put(SPACE, 7, mesh(1))
    [path] = files(store)
    path.rename(path.with_name(path.name.replace("7", "8", 1)))
    assert store.get(SPACE, 8) is None


def test_those_not_used_for_longest_go_first(store):
    size = len_of(store, mesh(0))
    store.most_bytes = 10 * size
    for root in range(1, 11):
        store.put(SPACE, root, mesh(root))
        [path] = [path for path in files(store) if path.name.split(".")[0] == str(root)]
        os.utime(path, (root, root))  # long ago, in this order
    assert equal(store.get(SPACE, 1), mesh(1))  # used now
    store.put(SPACE, 11, mesh(11))
    assert store.size <= 8 * size
    assert {int(path.name.split(".")[0]) for path in files(store)} == {1, 5, 6, 7, 8, 9, 10, 11}


def len_of(store: MeshStore, kept: Kept) -> int:
    store.put(SPACE, 1, kept)
    size = store.size
    store.clear()
    assert not files(store)
    assert size == HEAD + kept.mesh.vertices.size * 4 + kept.mesh.faces.size * 4
    return size


def test_what_is_too_large_altogether_is_not_kept_and_drives_nothing_out(store):
    store.most_bytes = 5_000
    store.put(SPACE, 1, mesh(1))
    store.put(SPACE, 2, mesh(2, 1000))
    assert equal(store.get(SPACE, 1), mesh(1))
    assert store.get(SPACE, 2) is None


def test_what_a_killed_process_left_behind_goes_after_an_hour(store):
    store.put(SPACE, 1, mesh(1))
    young, old = (files(store)[0].parent / name for name in (".young", ".old"))
    for path in (young, old):
        path.write_bytes(b"half a mesh")
    os.utime(old, (time.time() - 4000,) * 2)
    store.put(SPACE, 2, mesh(2))
    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize("obstacle", ["a file", "forbidden"])
def test_a_folder_that_cannot_be_used_is_logged_and_no_error(tmp_path, caplog, obstacle, monkeypatch):
    store = MeshStore(tmp_path / "here" / "meshes", 2**20)
    if obstacle == "a file":
        (tmp_path / "here").write_text("in the way")
    else:
        monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(PermissionError("no")))
    with caplog.at_level(logging.WARNING):
        store.put(SPACE, 1, mesh(1))
        assert store.get(SPACE, 1) is None
    assert "going on without it" in caplog.text
    store.clear()


def test_a_full_disk_leaves_nothing_half_written(store, monkeypatch, caplog):
    store.put(SPACE, 1, mesh(1))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    store.put(SPACE, 2, mesh(2))
    assert len(files(store)) == 1
    assert "No space" in caplog.text


def work(folder: Path, seed: int) -> int:
    """Put and get, as one of several processes with little room."""
    store, right = MeshStore(folder, 20_000), 0
    for step in range(60):
        root = (seed + step) % 15 + 1
        found = store.get(SPACE, root)
        assert found is None or equal(found, mesh(root))
        right += found is not None
        store.put(SPACE, root, mesh(root))
    return right


def test_processes_and_threads_share_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context) as processes, ThreadPoolExecutor(3) as threads:
        hits = [pool.submit(work, tmp_path, seed) for seed in range(3) for pool in (processes, threads)]
        assert sum(one.result() for one in hits) > 0
    store = MeshStore(tmp_path, 20_000)
    store.put(SPACE, 99, mesh(99))
    assert store.size <= 20_000
    assert all(path.suffix for path in files(store))


class TestSettings:
    def test_folder_and_limit_are_those_of_the_settings(self, monkeypatch, tmp_path):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
        monkeypatch.setenv("CRANT_CACHE_MEGABYTES", "3")
        assert mesh_store().folder == tmp_path / "meshes"
        assert mesh_store().most_bytes == 3 * 2**20
        mesh_store().put(SPACE, 1, mesh(1))
        clear_meshes()
        assert mesh_store().get(SPACE, 1) is None

    def test_a_home_that_there_is_not_is_an_error(self, monkeypatch):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", "~nobody_of_that_name/x")
        with pytest.raises(InvalidInput, match="nobody_of_that_name"):
            mesh_store()
