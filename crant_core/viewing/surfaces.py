"""The surface of the whole brain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from crant_core.caching.memory import get_global_cache
from crant_core.datasets import Dataset
from crant_core.errors import DataMissing, InvalidInput, SourceError
from crant_core.mesh import Mesh
from crant_core.registry import dataset_of

if TYPE_CHECKING:
    import trimesh

_CACHE = "brain_meshes"
_SEGMENT = 1  # the surface's number in its source
_PREFIX, _SUFFIX = "precomputed://", "#type=mesh"


def load_whole_brain_mesh(dataset: str | Dataset | None = None) -> trimesh.Trimesh:
    """Fetch the surface of the whole brain; from the second time on it comes from memory.

    Source: `{Dataset.brain_mesh_source}/1:0`, which lists the surface's pieces, and the pieces. No token is sent.

    Parameters
    ----------
    dataset : str or Dataset, optional
        Left out, the default dataset.

    Returns
    -------
    trimesh.Trimesh
        Vertices in nm. It is the caller's own.

    Raises
    ------
    InvalidInput
        The dataset has no such surface.
    DataMissing
        Storage lacks a piece of it, or forbids it.
    SourceError
    """
    import trimesh

    mesh = brain_mesh(dataset_of(dataset))
    return trimesh.Trimesh(mesh.vertices.copy(), mesh.faces.copy(), process=False)


def brain_mesh(dataset: Dataset) -> Mesh:
    """Return the surface, fetched once per process; leave it as it is.

    Raises
    ------
    InvalidInput
    DataMissing
    SourceError
    """
    source = dataset.brain_mesh_source
    if source is None:
        hint = "add one with Dataset.brain_mesh_source"
        raise InvalidInput(f"dataset {dataset.name} has no surface of the brain", value=dataset.name, hint=hint)
    found: Mesh = get_global_cache(_CACHE).get_or_make(source, lambda: _fetch(source))
    return found


def _fetch(source: str) -> Mesh:
    import numpy as np

    pieces = [_decoded(name, data) for name, data in _download(source).items()]
    if not pieces:
        raise SourceError(f"the surface at {source} consists of no pieces", value=source)
    starts = np.cumsum([0, *(len(piece.vertices) for piece in pieces[:-1])])
    faces = [piece.faces.astype(np.int64) + start for piece, start in zip(pieces, starts, strict=True)]
    return Mesh(np.concatenate([piece.vertices for piece in pieces]).astype(np.float64), np.concatenate(faces))


def _download(source: str) -> dict[str, bytes]:
    """Fetch the pieces of the surface, by name."""
    from cloudfiles import CloudFiles
    from cloudfiles.paths import to_https_protocol

    from crant_core.sources.failures import translated
    from crant_core.sources.transport import bound_cloudvolume

    bound_cloudvolume()
    folder = to_https_protocol(source.removeprefix(_PREFIX).removesuffix(_SUFFIX).rstrip("/"))
    bucket = CloudFiles(folder, parallel=1, progress=False)
    manifest = f"{_SEGMENT}:0"
    with translated(folder):
        names = _listed(folder, bucket.get(manifest))
        found = {file["path"]: file["content"] for file in bucket.get(names)}
    missing = [name for name in names if not found.get(name)]
    if missing:
        message = f"{folder} gave no {missing[0]}: {len(missing)} of {len(names)} pieces of the surface are missing"
        raise DataMissing(message, value=missing[0], hint="it may not be there, or be forbidden")
    return {name: found[name] for name in names}


def _listed(folder: str, manifest: bytes | None) -> list[str]:
    if manifest is None:
        hint = "it may not be there, or be forbidden"
        raise DataMissing(f"{folder} gave no list of the surface's pieces, {_SEGMENT}:0", value=folder, hint=hint)
    try:
        return [str(name) for name in json.loads(manifest)["fragments"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"the list of the surface's pieces in {folder} cannot be read", value=folder) from error


def _decoded(name: str, data: bytes) -> Any:
    from cloudvolume.mesh import Mesh as StoredMesh

    read = StoredMesh.from_draco if data.startswith(b"DRACO") else StoredMesh.from_precomputed
    try:
        return read(data)
    except (ValueError, IndexError) as error:
        raise SourceError(f"the mesh piece {name} is damaged: {error}", value=name) from error
