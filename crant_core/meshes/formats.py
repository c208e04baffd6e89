"""Surfaces as files: PLY for every program, and the fragments of Neuroglancer's precomputed meshes."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from crant_core.mesh import Mesh

FORMAT_VERSION = 1
PLY_MEDIA_TYPE = "application/octet-stream"  # PLY has no registered one
_COUNT = struct.Struct("<I")
_FACE = np.dtype([("corners", "u1"), ("vertices", "<i4", (3,))])


def to_ply(mesh: Mesh, header: Mapping[str, str]) -> bytes:
    """Write a surface as binary PLY.

    Parameters
    ----------
    mesh : Mesh
        Vertices in nm.
    header : mapping of str to str
        Written as `comment key: value` lines; the units are added: PLY itself has none.

    Returns
    -------
    bytes
        Little-endian; positions as float32 where these are exact, else as float64.
    """
    places = mesh.vertices.astype("<f4")
    if (places != mesh.vertices).any():
        places = mesh.vertices.astype("<f8")
    kind = "float" if places.itemsize == _COUNT.size else "double"
    faces = np.empty(len(mesh.faces), dtype=_FACE)
    faces["corners"], faces["vertices"] = 3, mesh.faces
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {' '.join(f'{key}: {value}'.split())}" for key, value in {**header, "units": "nm"}.items()]
    lines += [f"element vertex {len(places)}", *(f"property {kind} {axis}" for axis in "xyz")]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    return "\n".join([*lines, ""]).encode() + places.tobytes() + faces.tobytes()


def to_precomputed(mesh: Mesh) -> bytes:
    """Write a surface as a fragment of Neuroglancer's legacy meshes.

    Returns
    -------
    bytes
        Little-endian: number of vertices, positions in nm (float32), faces (uint32).
    """
    places, faces = mesh.vertices.astype("<f4"), mesh.faces.astype("<u4")
    return _COUNT.pack(len(places)) + places.tobytes() + faces.tobytes()
