"""Meshes on disk: roots never change, so nor do their meshes. For all processes of a person, up to a size.

Meshes are large and come one at a time, so each is a file of its own, and not a row of the `IdStore`. What is kept here
can always be fetched again: trouble with a file never fails a call. A damaged one counts as not there, and where the
folder is full or not writable nothing is kept, which is logged.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from crant_core.caching.store import id_store
from crant_core.caching.trimming import files_in, trim
from crant_core.mesh import Mesh
from crant_core.sources.watching import watcher

FOLDER = "meshes"  #: within the cache folder
_ENDING = ".mesh1"  # the number is that of the format
_SEAL = struct.Struct("<4sI")  # the format's name, checksum of what follows
_HEAD = struct.Struct("<QQQQQ")  # root, vertices, faces, L2 chunks without a mesh, bytes of a coordinate
_NAME = b"msh1"
_FACE = np.dtype("<u4")
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole mesh.

    Attributes
    ----------
    mesh : Mesh
        Welded, nm.
    missing : int
        L2 chunks of the neuron that were never meshed.
    """

    mesh: Mesh
    missing: int


class MeshStore:
    """Meshes by root; safe for many threads and processes of one machine.

    Files are written beside their place and moved there, so readers see all of one or nothing. When they outgrow the
    limit, those not used for longest go.

    Parameters
    ----------
    folder : Path
        Made when first needed.
    most_bytes : int
        Of all files in it, whichever space they are in.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes

    def get(self, space: str, root: int) -> Kept | None:
        """Return what is kept about a root; None if nothing is."""
        path = self._path(space, root)
        found = _carefully(path, lambda: _read(path, root), None)
        watcher().looked_up("meshes", found=found is not None)
        return found

    def put(self, space: str, root: int, kept: Kept) -> None:
        """Keep a mesh, unless it alone is more than may be kept."""
        path, data = self._path(space, root), _packed(root, kept)
        if len(data) <= self.most_bytes:
            _carefully(path, lambda: self._write(path, data), None)

    def clear(self) -> None:
        """Forget everything."""
        for path in self.folder.glob("*/*"):
            _carefully(path, lambda path=path: path.unlink(missing_ok=True), None)  # type: ignore[misc]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size, _ in files_in(self.folder.glob("*/*"), _ENDING))

    def _path(self, space: str, root: int) -> Path:
        return self.folder / hashlib.sha256(space.encode()).hexdigest()[:24] / f"{root}{_ENDING}"

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        trim(self.folder.glob("*/*"), _ENDING, self.most_bytes)


def mesh_store() -> MeshStore:
    """Return the store that the settings `CRANT_CACHE_FOLDER` and `CRANT_CACHE_MEGABYTES` describe.

    The limit is for meshes alone: ids are kept in a file of their own, up to as much again.

    Raises
    ------
    InvalidInput
        The folder is said to be in a home that there is not.
    """
    ids = id_store()
    return MeshStore(ids.path.parent / FOLDER, ids.most_bytes)


def clear_meshes() -> None:
    """Forget all meshes on disk, for all processes."""
    mesh_store().clear()


def _packed(root: int, kept: Kept) -> bytes:
    vertices = kept.mesh.vertices.astype("<f4")
    if (vertices != kept.mesh.vertices).any():
        vertices = kept.mesh.vertices.astype("<f8")
    head = _HEAD.pack(root, len(vertices), len(kept.mesh.faces), kept.missing, vertices.itemsize)
    content = head + vertices.tobytes() + kept.mesh.faces.astype(_FACE).tobytes()
    return _SEAL.pack(_NAME, zlib.crc32(content)) + content


def _read(path: Path, root: int) -> Kept | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    kept = _unpacked(data, root)
    if kept is None:
        _log.warning("%s is damaged; it is fetched anew", path)
        path.unlink(missing_ok=True)
        return None
    with suppress(OSError):  # a folder that may only be read serves as well
        os.utime(path)
    return kept


def _unpacked(data: bytes, root: int) -> Kept | None:
    """Read what `_packed` wrote; None if it is something else."""
    if len(data) < _SEAL.size + _HEAD.size:
        return None
    name, checksum = _SEAL.unpack_from(data)
    owner, n_vertices, n_faces, missing, itemsize = _HEAD.unpack_from(data, _SEAL.size)
    if (name, owner, checksum) != (_NAME, root, zlib.crc32(memoryview(data)[_SEAL.size :])):
        return None
    start = _SEAL.size + _HEAD.size
    vertices = np.frombuffer(data, f"<f{itemsize}", n_vertices * 3, start)
    faces = np.frombuffer(data, _FACE, n_faces * 3, start + vertices.nbytes)
    mesh = Mesh(vertices.reshape(-1, 3).astype(np.float64), faces.reshape(-1, 3).astype(np.int64))
    return Kept(mesh, missing)


def _carefully(path: Path, work: Callable[[], T], otherwise: T) -> T:
    try:
        return work()
    except OSError as error:
        _log.warning("%s: %s; going on without it", path, error)
        return otherwise
