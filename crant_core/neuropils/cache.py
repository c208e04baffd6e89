"""Label grids on disk, by what they were built from.

A grid is a folder of arrays and `about.json`, which has the size and the CRC-32 of each of them, and its own. A damaged
grid is made anew, never used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.mesh import Mesh
from crant_core.neuropils.engine import Neuropils, built
from crant_core.neuropils.frame import Frame
from crant_core.neuropils.labels import Labels
from crant_core.neuropils.repair import Repair

_log = logging.getLogger(__name__)

FOLDER = "neuropils"  #: within the cache folder
VERSION = 3  #: of the engine: what repairs meshes, what lays the grid, and how it is stored
_ABOUT = "about.json"
_CHUNK = 1 << 22  # bytes

Stats = tuple[tuple[int, int, int], ...]
_checked: dict[Path, Stats] = {}  #: grids whose files were read through in this process, as these were then


def key_of(meshes: Mapping[str, Mesh]) -> str:
    """Return the hash of meshes, in their order, and of the engine's version; their names do not matter.

    Meshes are hashed as they are given: what a repair makes of them follows from them and the version.
    """
    digest = hashlib.sha256(f"neuropils {VERSION}".encode())
    for mesh in meshes.values():
        digest.update(f" {mesh.vertices.shape} {mesh.faces.shape} ".encode())
        digest.update(mesh.vertices.data)
        digest.update(mesh.faces.data)
    return digest.hexdigest()


def opened(meshes: Mapping[str, Mesh], cache_folder: Path) -> Neuropils:
    """Open the grid of meshes from disk; if it is not there or damaged, build it, while other processes wait.

    Raises
    ------
    InvalidInput
        The arrays are no mesh.
    """
    from filelock import FileLock

    folder, names = cache_folder.expanduser() / FOLDER / key_of(meshes), tuple(meshes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    found = _stored(folder, names, logging.DEBUG)
    if found is None:
        with FileLock(f"{folder}.lock"):
            found = _stored(folder, names, logging.WARNING) or _remade(meshes, folder)
    return found


def _stored(folder: Path, names: tuple[str, ...], level: int) -> Neuropils | None:
    """Open a grid if it is there and sound."""
    if not (folder / _ABOUT).is_file():
        return None
    try:
        return _read(folder, names)
    except (OSError, ValueError) as error:
        _log.log(level, "the grid of neuropils in %s is damaged, it is made anew: %s", folder, error)
    return None


def _remade(meshes: Mapping[str, Mesh], folder: Path) -> Neuropils:
    made = built(meshes)
    _write(made, folder)
    return _stored(folder, made.names, logging.ERROR) or made


def _write(made: Neuropils, folder: Path) -> None:
    """Write a grid beside its place, then move it there in one step."""
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name[:8]}-", dir=folder.parent))
    try:
        for name, array in _arrays(made).items():
            np.save(draft / f"{name}.npy", array)
        grid = {
            "version": VERSION,
            "frame": asdict(made.frame),
            "repairs": [asdict(one) for one in made.repairs],
            "unclosed": list(made.unclosed),
            "files": {path.name: [path.stat().st_size, _crc(path)] for path in sorted(draft.iterdir())},
        }
        (draft / _ABOUT).write_text(json.dumps({"crc32": _crc_of(grid), "grid": grid}))
        shutil.rmtree(folder, ignore_errors=True)  # what is there has no description or is damaged, so is of no use
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _arrays(made: Neuropils) -> dict[str, NDArray[np.generic]]:
    found = {field.name: getattr(made.labels, field.name) for field in fields(Labels)}
    found |= {"owners": made.owners, "boxes": made.boxes}
    for number, mesh in made.unclosed.items():
        found |= {f"open_{number}_vertices": mesh.vertices, f"open_{number}_faces": mesh.faces}
    return found


def _read(folder: Path, names: tuple[str, ...]) -> Neuropils:
    about = _described(folder)
    _check(folder, about["files"])
    return Neuropils(
        names=names,
        repairs=tuple(Repair(**one) for one in about["repairs"]),
        frame=Frame(**{name: _tuple(value) for name, value in about["frame"].items()}),
        labels=Labels(**{field.name: _mapped(folder, field.name) for field in fields(Labels)}),
        owners=_mapped(folder, "owners"),
        unclosed={number: _open_mesh(folder, number) for number in about["unclosed"]},
        boxes=_mapped(folder, "boxes"),
    )


def _described(folder: Path) -> Any:
    about = json.loads((folder / _ABOUT).read_text())
    if not isinstance(about, dict) or "grid" not in about or about.get("crc32") != _crc_of(about["grid"]):
        raise ValueError(f"{_ABOUT} is not what was written")
    return about["grid"]


def _check(folder: Path, files: Mapping[str, list[int]]) -> None:
    """Compare files with their description: sizes always, contents once in a process unless a file changes."""
    found = [(folder / name).stat() for name in files]
    stats = tuple((one.st_size, one.st_mtime_ns, one.st_ino) for one in found)
    for one, (name, (size, _)) in zip(found, files.items(), strict=True):
        if one.st_size != size:
            raise ValueError(f"{name} has {one.st_size:,} bytes and not {size:,}")
    if _checked.get(folder) == stats:
        return
    for name, (_, crc) in files.items():
        if _crc(folder / name) != crc:
            raise ValueError(f"{name} is not what was written")
    _checked[folder] = stats


def _crc(path: Path) -> int:
    """Return the CRC-32 of a file."""
    found = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found = zlib.crc32(chunk, found)
    return found


def _crc_of(grid: Any) -> int:
    return zlib.crc32(json.dumps(grid).encode())


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _open_mesh(folder: Path, number: int) -> Mesh:
    return Mesh(_mapped(folder, f"open_{number}_vertices"), _mapped(folder, f"open_{number}_faces"))


def _mapped(folder: Path, name: str) -> Any:
    """Map an array; as a plain one, because each piece of a `memmap` would be another."""
    return np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)
