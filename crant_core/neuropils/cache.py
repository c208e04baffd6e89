"""Label grids on disk, by what they were built from."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
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

FOLDER = "neuropils"  #: within the cache folder
VERSION = 2  #: of the engine: what repairs meshes, what lays the grid, and how it is stored
_ABOUT = "about.json"


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
    """Open the grid of meshes from disk; if it is not there, build it first, while other processes wait.

    Raises
    ------
    InvalidInput
        The arrays are no mesh.
    """
    from filelock import FileLock

    folder = cache_folder.expanduser() / FOLDER / key_of(meshes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not (folder / _ABOUT).is_file():
        with FileLock(f"{folder}.lock"):
            if not (folder / _ABOUT).is_file():
                _write(built(meshes), folder)
    return _read(folder, tuple(meshes))


def _write(made: Neuropils, folder: Path) -> None:
    """Write a grid beside its place, then move it there in one step."""
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name[:8]}-", dir=folder.parent))
    try:
        for name, array in _arrays(made).items():
            np.save(draft / f"{name}.npy", array)
        about = {
            "version": VERSION,
            "frame": asdict(made.frame),
            "repairs": [asdict(one) for one in made.repairs],
            "unclosed": list(made.unclosed),
        }
        (draft / _ABOUT).write_text(json.dumps(about))
        shutil.rmtree(folder, ignore_errors=True)  # what is there has no description, so is of no use
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
    about = json.loads((folder / _ABOUT).read_text())
    return Neuropils(
        names=names,
        repairs=tuple(Repair(**one) for one in about["repairs"]),
        frame=Frame(**{name: _tuple(value) for name, value in about["frame"].items()}),
        labels=Labels(**{field.name: _mapped(folder, field.name) for field in fields(Labels)}),
        owners=_mapped(folder, "owners"),
        unclosed={number: _open_mesh(folder, number) for number in about["unclosed"]},
        boxes=_mapped(folder, "boxes"),
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _open_mesh(folder: Path, number: int) -> Mesh:
    return Mesh(_mapped(folder, f"open_{number}_vertices"), _mapped(folder, f"open_{number}_faces"))


def _mapped(folder: Path, name: str) -> Any:
    """Map an array; as a plain one, because each piece of a `memmap` would be another."""
    return np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)
