"""Neuropils' surfaces, from a precomputed source or from files."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, MeshNotFound, NoMatchesError, SourceError
from crant_core.mesh import Mesh
from crant_core.neuropils.names import NEUROPIL_MESH_DICT, NEUROPIL_UNIONS, number_of, parts_of, unknown
from crant_core.neuropils.repair import repair_mesh
from crant_core.registry import dataset_of

if TYPE_CHECKING:
    from trimesh import Trimesh

_log = logging.getLogger(__name__)

SUFFIXES = (".ply", ".obj", ".stl")  #: of files that are read, in this order if there are several of one name
_PRECOMPUTED = "precomputed://"
#: What parsers of mesh files stumble over.
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError, struct.error)
_MULTIRESOLUTION = "neuroglancer_multilod_draco"
_NO_VOLUME: dict[str, Any] = {
    "type": "segmentation",
    "data_type": "uint64",
    "num_channels": 1,
    "scales": [
        {
            "key": "none",
            "size": [1, 1, 1],
            "voxel_offset": [0, 0, 0],
            "resolution": [1, 1, 1],
            "chunk_sizes": [[1, 1, 1]],
            "encoding": "raw",
        }
    ],
}


def load_neuropil_mesh(name: str, dataset: str | Dataset | None = None, *, source: str | Path | None = None) -> Trimesh:
    """Load the surface of a neuropil.

    Parameters
    ----------
    name : str
        One of `get_supported_neuropil_mesh_labels()`, or the name of a file in a folder. The name of a union gives the
        surfaces of its parts in one mesh; where they overlap, they cross.
    dataset : str, Dataset or None
        Name or alias; None: the default dataset.
    source : str or Path, optional
        Read from here, and not from the dataset's `neuropil_source`: an address of a precomputed source, or a folder
        of mesh files in nm (PLY, OBJ, STL).

    Returns
    -------
    trimesh.Trimesh
        Vertices in nm, faces outward.

    Raises
    ------
    NoMatchesError
        No neuropil has this name; with the nearest names.
    MeshNotFound
        The source has no mesh of this neuropil.
    InvalidInput
        The dataset has no source of neuropils, or a file is no mesh.
    SourceError
        There is nothing at a precomputed source's address, or it does not answer.
    """
    import trimesh

    [mesh] = load_neuropil_meshes([name], dataset, source=source).values()
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def load_neuropil_meshes(
    names: Iterable[str], dataset: str | Dataset | None = None, *, source: str | Path | None = None
) -> dict[str, Mesh]:
    """Load surfaces of neuropils by name, for `prepare`; arguments and errors are those of `load_neuropil_mesh`."""
    place = str(source) if source is not None else _source_of(dataset_of(dataset))
    if place.startswith(_PRECOMPUTED):
        parts = {name: parts_of(name) for name in names}
        return _united(parts, _download(place, sorted({part for some in parts.values() for part in some})))
    files = _files(_folder(place))
    parts = {name: _parts_in(files, name) for name in names}
    return _united(parts, {part: _from_file(files[part]) for some in parts.values() for part in some})


def load_all_neuropil_meshes(
    dataset: str | Dataset | None = None, *, source: str | Path | None = None
) -> tuple[dict[str, Mesh], tuple[str, ...]]:
    """Load all neuropils that a source has.

    Parameters
    ----------
    dataset, source
        As in `load_neuropil_mesh`.

    Returns
    -------
    meshes : dict of str to Mesh
        CRANT's by number, then, from a folder, the other files. Unions are not made, unless they are files.
    absent : tuple of str
        CRANT's neuropils that the source lacks, which is logged as a warning, too.

    Raises
    ------
    NoMatchesError
        It has none at all.
    InvalidInput
        The dataset has no source of neuropils, or there is no such folder.
    SourceError

    Notes
    -----
    A precomputed source does not list its meshes: one request for each of CRANT's numbers, and those for the meshes.
    """
    place = str(source) if source is not None else _source_of(dataset_of(dataset))
    names = _names_at(place)
    if not names:
        hint = "a folder has them as PLY, OBJ or STL files, a precomputed source under CRANT's numbers"
        raise NoMatchesError(f"{place} has no neuropil", value=place, hint=hint)
    absent = tuple(name for name in NEUROPIL_MESH_DICT.values() if name not in names)
    if absent:
        _log.warning("%s lacks %d neuropils, which are left out: %s", place, len(absent), ", ".join(absent))
    return load_neuropil_meshes(names, source=place), absent


def labels_at(dataset: str | Dataset | None = None, *, source: str | Path | None = None) -> list[str]:
    """Return every name that `load_neuropil_mesh` finds at a source; see `get_supported_neuropil_mesh_labels`."""
    names = _names_at(str(source) if source is not None else _source_of(dataset_of(dataset)))
    unions = (name for name, parts in NEUROPIL_UNIONS.items() if set(parts) <= set(names))
    return list(dict.fromkeys([*names, *unions]))


def _names_at(place: str) -> list[str]:
    """Return the neuropils that a source has: CRANT's by number, then the other files of a folder."""
    names = _numbered_at(place) if place.startswith(_PRECOMPUTED) else list(_files(_folder(place)))
    known = list(NEUROPIL_MESH_DICT.values())
    return [*(name for name in known if name in names), *(name for name in names if name not in known)]


def _source_of(dataset: Dataset) -> str:
    if dataset.neuropil_source is None:
        hint = "give `source`, or a Dataset with `neuropil_source`"
        raise InvalidInput(f"dataset {dataset.name!r} has no source of neuropils", value=dataset.name, hint=hint)
    return dataset.neuropil_source


def _united(parts: dict[str, tuple[str, ...]], meshes: dict[str, Mesh]) -> dict[str, Mesh]:
    return {name: concatenated([repair_mesh(meshes[part])[0] for part in some]) for name, some in parts.items()}


def concatenated(meshes: list[Mesh]) -> Mesh:
    """Put meshes into one, as they are."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + at for mesh, at in zip(meshes, offsets[:-1], strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def _folder(place: str) -> Path:
    return Path(place.removeprefix("file://")).expanduser()


def _files(folder: Path) -> dict[str, Path]:
    """Return the mesh files of a folder by their names without suffix."""
    if not folder.is_dir():
        hint = f"an address of a precomputed source begins with {_PRECOMPUTED}"
        raise InvalidInput(f"there is no folder {folder}", value=str(folder), hint=hint)
    found: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() == suffix:
                found.setdefault(path.stem, path)
    return found


def _parts_in(files: dict[str, Path], name: str) -> tuple[str, ...]:
    parts = (name,) if name in files else NEUROPIL_UNIONS.get(name, (name,))
    if not set(parts) <= set(files):
        raise unknown(name, list(files))
    return parts


def _from_file(path: Path) -> Mesh:
    import trimesh

    hint = f"a neuropil's file is a whole mesh in nm; {', '.join(SUFFIXES)} are read"
    try:
        found: Any = trimesh.load_mesh(path, process=False)
        mesh = _plain(found)
    except _UNREADABLE as error:
        raise InvalidInput(f"{path} cannot be read as a mesh: {error}", value=str(path), hint=hint) from error
    if not len(mesh.faces) or not 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices):
        problem = "has faces of vertices that it lacks" if len(mesh.faces) else "has no faces"
        raise InvalidInput(f"{path} {problem}", value=str(path), hint=hint)
    return mesh


def _download(place: str, names: list[str]) -> dict[str, Mesh]:
    """Fetch the finest level of neuropils, which have CRANT's numbers for ids, in one go."""
    from crant_core.sources.failures import translated

    numbers = {number_of(name): name for name in names}
    with translated(place), _there(place):
        meshes = _mesh_source(place)
        # asked first, because cloud-volume stumbles over a mesh that is not there
        lacking = [name for number, name in numbers.items() if not _is_there(meshes, number)]
        if lacking:
            raise MeshNotFound(f"{place} has no mesh of {', '.join(lacking)}", value=lacking[0])
        found = meshes.get(list(numbers), lod=0) if numbers else {}
    return {name: _plain(found[number]) for number, name in numbers.items()}


def _numbered_at(place: str) -> list[str]:
    """Return which of CRANT's neuropils a precomputed source has."""
    from crant_core.sources.failures import translated

    with translated(place), _there(place):
        meshes = _mesh_source(place)
        return [name for number, name in NEUROPIL_MESH_DICT.items() if _is_there(meshes, number)]


@contextmanager
def _there(place: str) -> Iterator[None]:
    """Say plainly that there is no volume at an address; cloud-volume says it in colours."""
    from cloudvolume.exceptions import InfoUnavailableError

    try:
        yield
    except InfoUnavailableError as error:
        hint = f"there is no {place.removeprefix(_PRECOMPUTED).rstrip('/')}/info"
        raise SourceError(f"{place} is no precomputed source", value=place, hint=hint) from error


def _is_there(meshes: Any, number: int) -> bool:
    return meshes.get_manifest(number) is not None


def _plain(mesh: Any) -> Mesh:
    return Mesh(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64))


def _mesh_source(place: str) -> Any:
    """Open the meshes of a volume, or a folder with meshes only, which cloud-volume takes for part of a volume."""
    from cloudfiles import CloudFiles

    from crant_core.sources.transport import bound_cloudvolume
    from crant_core.sources.volumes import open_volume

    bound_cloudvolume()
    place = place.rstrip("/")
    info = CloudFiles(place.removeprefix(_PRECOMPUTED)).get_json("info") or {}
    if info.get("@type") != _MULTIRESOLUTION:
        return open_volume(place).mesh
    parent, _, folder = place.rpartition("/")
    return open_volume(parent, info=_NO_VOLUME | {"mesh": folder}).mesh
