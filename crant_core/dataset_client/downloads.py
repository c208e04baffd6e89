"""Meshes as cloud-volume has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from crant_core.errors import InvalidParameters, MeshNotFound, SourceError
from crant_core.mesh import Mesh
from crant_core.sources.failures import translated


def as_cloudvolume(root: int, mesh: Mesh) -> Any:
    """Return a mesh as cloud-volume has it: float32 and uint32; nothing is shared."""
    from cloudvolume.mesh import Mesh as CloudMesh

    return CloudMesh(mesh.vertices, mesh.faces, segid=root)


@contextmanager
def opening(path: str) -> Iterator[None]:
    """Raise what opening a volume raises as errors of this project.

    Raises
    ------
    SourceError
    """
    from cloudvolume.exceptions import InfoError, UnsupportedFormatError, UnsupportedProtocolError

    try:
        with translated(path):
            yield
    except (InfoError, UnsupportedFormatError, UnsupportedProtocolError) as error:
        hint = "cv_path is graphene://… or precomputed://…, where a volume with meshes is"
        raise SourceError(f"{path} is no volume that can be opened", value=path, hint=hint) from error


def download(volume: Any, root: int, options: Mapping[str, Any]) -> Any:
    """Download a mesh in cloud-volume's own way.

    Parameters
    ----------
    volume : CloudVolume
    root : int
    options : mapping
        Arguments of its `mesh.get`.

    Returns
    -------
    cloudvolume.Mesh or MeshNotFound
        An error that says that there is none is returned, not raised.

    Raises
    ------
    InvalidParameters
        cloud-volume knows no such argument.
    DataMissing
    SourceError
    """
    known = inspect.signature(volume.mesh.get).parameters
    wrong = [name for name in options if name not in known or name == "segids"]
    if wrong:
        message = f"cloud-volume gets meshes without {wrong[0]!r}"
        raise InvalidParameters(message, value=wrong[0], hint=f"it knows {', '.join(known)}")
    unfused = {"fuse": False} if "fuse" in known else {}
    try:
        with translated(volume.meta.cloudpath):
            found = volume.mesh.get(root, **unfused, **options)
    except (IndexError, ValueError) as error:  # graphene's and precomputed's words for it
        if "No mesh" not in str(error) and "not found" not in str(error):
            raise
        return MeshNotFound(f"{volume.meta.cloudpath} has no mesh for {root}", value=root)
    return found[root] if isinstance(found, dict) else found
