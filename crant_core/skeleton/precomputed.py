"""Skeletons as Neuroglancer's precomputed format: one binary file each, and one `info` for all."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping

import numpy as np

from crant_core.errors import SkeletonError
from crant_core.skeleton.tree import Skeleton, in_order

FORMAT = "neuroglancer_skeletons"
FORMAT_VERSION = 1
INFO = "info"  #: the file that describes the others

_COUNTS = struct.Struct("<II")
_IDENTITY = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
_BYTES_PER_NODE, _BYTES_PER_EDGE = 16, 8  # x, y, z and radius; two indices


def precomputed_info(header: Mapping[str, object]) -> bytes:
    """Describe the binary files beside it.

    Parameters
    ----------
    header : mapping
        What is said of the skeletons, such as dataset and time: below the key `crant`, which readers pass over.

    Returns
    -------
    bytes
        JSON: positions in nm, one attribute `radius` in nm.
    """
    attributes = [{"id": "radius", "data_type": "float32", "num_components": 1}]
    described = {"@type": FORMAT, "transform": _IDENTITY, "vertex_attributes": attributes}
    return json.dumps(described | {"crant": {**header, "units": "nm", "format_version": FORMAT_VERSION}}).encode()


def to_precomputed(skeleton: Skeleton) -> bytes:
    """Write a skeleton as precomputed.

    Returns
    -------
    bytes
        Little-endian: numbers of nodes and edges, positions in nm (float32), edges as (child, parent), radii in nm
        (float32).

    Notes
    -----
    Edges of this format have no direction: who reads it takes the nodes' order, in which parents precede children.
    """
    child = np.flatnonzero(skeleton.parents >= 0)
    edges = np.stack([child, skeleton.parents[child]], axis=1).astype("<u4")
    nodes, radii = skeleton.nodes.astype("<f4"), skeleton.radii.astype("<f4")
    return _COUNTS.pack(len(nodes), len(edges)) + nodes.tobytes() + edges.tobytes() + radii.tobytes()


def read_precomputed(data: bytes) -> Skeleton:
    """Read what `to_precomputed` wrote.

    Raises
    ------
    SkeletonError
        The file is cut short, has no radii, or edges that are not from a child to its parent.
    """
    if len(data) < _COUNTS.size:
        raise SkeletonError(f"{len(data)} bytes are no precomputed skeleton")
    n_nodes, n_edges = _COUNTS.unpack_from(data)
    if len(data) != _COUNTS.size + n_nodes * _BYTES_PER_NODE + n_edges * _BYTES_PER_EDGE:
        raise SkeletonError(f"{len(data)} bytes are not {n_nodes} nodes with radii and {n_edges} edges")
    nodes = np.frombuffer(data, "<f4", n_nodes * 3, _COUNTS.size).reshape(-1, 3)
    edges = np.frombuffer(data, "<u4", n_edges * 2, _COUNTS.size + nodes.nbytes).reshape(-1, 2).astype(np.int64)
    radii = np.frombuffer(data, "<f4", n_nodes, _COUNTS.size + nodes.nbytes + n_edges * _BYTES_PER_EDGE)
    if edges.size and (edges.max() >= n_nodes or len(np.unique(edges[:, 0])) != n_edges):
        raise SkeletonError("an edge is not from a child to its parent")
    parents = np.full(n_nodes, -1, dtype=np.int64)
    parents[edges[:, 0]] = edges[:, 1]
    return in_order(nodes.astype(np.float64), radii.astype(np.float64), parents)
