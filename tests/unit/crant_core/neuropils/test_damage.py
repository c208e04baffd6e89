"""What lies on disk may be damaged: it is noticed, said, and made anew."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from crant_core.mesh import Mesh
from crant_core.neuropils import cache, prepare
from tests.fixtures.solids import box

MESHES = {"low": box((0, 0, 0), (2, 2, 2)), "high": box((1, 1, 1), (3, 3, 3))}
MESHES |= {"open": Mesh(MESHES["low"].vertices, MESHES["low"].faces[2:])}
POINTS = np.random.default_rng(1).uniform(-1, 4, (5000, 3))
EXPECTED = prepare(MESHES).find(POINTS).table()


def kept(folder: Path) -> Path:
    prepare(MESHES, folder)
    [found] = [path for path in (folder / cache.FOLDER).iterdir() if path.is_dir()]
    return found


def zero(path: Path) -> None:
    """Overwrite the last bytes with others of the same number, and leave the time of the last change as it was."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-8:] = b"\0" * 8 if any(content[-8:]) else b"\1" * 8
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


FILES = ("codes.npy", "vertices.npy", "owners.npy", "boxes.npy", "open_2_faces.npy", "about.json")


@pytest.mark.parametrize("damage", [zero, cut, empty, Path.unlink], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_noticed_and_the_grid_made_anew(name, damage, tmp_path, monkeypatch, caplog):
    folder = kept(tmp_path)
    damage(folder / name)
    monkeypatch.setattr(cache, "_checked", {})  # as in a new process
    assert (prepare(MESHES, tmp_path).find(POINTS).table() == EXPECTED).all()
    assert len(caplog.records) == (0 if (name, damage) == ("about.json", Path.unlink) else 1)
    assert all("is damaged" in record.message and str(folder) in record.message for record in caplog.records)
    monkeypatch.setattr(cache, "_checked", {})
    monkeypatch.setattr(cache, "built", None)
    assert (prepare(MESHES, tmp_path).find(POINTS).table() == EXPECTED).all()


@pytest.mark.parametrize("content", ["[]", "{}", '{"crc32": 0, "grid": null}', '{"crc32": 0, "grid": {}}', "\ud800"])
def test_a_description_that_is_none_is_damaged(content, tmp_path, caplog):
    (kept(tmp_path) / "about.json").write_bytes(content.encode(errors="surrogatepass"))
    assert (prepare(MESHES, tmp_path).find(POINTS).table() == EXPECTED).all()
    assert "is damaged" in caplog.text


def test_within_a_process_a_file_is_read_through_once_unless_it_changes(tmp_path, monkeypatch, caplog):
    folder = kept(tmp_path)
    real, read = cache._crc, []
    monkeypatch.setattr(cache, "_crc", lambda path: read.append(path.name) or real(path))
    prepare(MESHES, tmp_path)
    assert read == []
    (folder / "codes.npy").write_bytes((folder / "codes.npy").read_bytes()[:-8] + b"\1" * 8)
    assert (prepare(MESHES, tmp_path).find(POINTS).table() == EXPECTED).all()
    assert "codes.npy" in read
    assert "is damaged" in caplog.text


def test_what_is_open_stays_right_while_others_make_it_anew(tmp_path, monkeypatch):
    prepare(MESHES, tmp_path)
    opened = prepare(MESHES, tmp_path)
    (kept(tmp_path) / "owners.npy").unlink()
    prepare(MESHES, tmp_path)
    assert (opened.find(POINTS).table() == EXPECTED).all()


def test_of_many_processes_that_find_damage_one_builds(tmp_path):
    zero(kept(tmp_path) / "codes.npy")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(_asks, [tmp_path] * 3)
    assert sorted(builds for builds, _ in found) == [0, 0, 1]
    assert all(right for _, right in found)


def _asks(folder: Path) -> tuple[int, bool]:
    """Ask in a process of its own; return how often it had to build, and whether the answer is right."""
    real, calls = cache.built, []
    cache.built = lambda meshes: calls.append(1) or real(meshes)
    right = bool((prepare(MESHES, folder).find(POINTS).table() == EXPECTED).all())
    return len(calls), right


@pytest.mark.parametrize("kind", [str, Path])
def test_the_folder_may_be_a_string_or_a_path(kind, tmp_path):
    assert prepare(MESHES, kind(tmp_path)).find(POINTS).table().shape == EXPECTED.shape
    assert (tmp_path / cache.FOLDER).is_dir()
