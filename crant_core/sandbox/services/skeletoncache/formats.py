"""The formats in which the skeleton service gives skeletons out."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np

from crant_core.sandbox import layout, names
from crant_core.sandbox.live import Sandbox

LATEST = 4  #: skeleton version
_NM_PER_UM = 1000


def problem_with(known: Sandbox, root: int) -> str | None:
    """Say why an id has no skeleton: in the bulk routes' words, None if it may have one."""
    if layout.layer_of(root) != layout.N_LAYERS:
        return "invalid_layer_rid"
    return None if known.graph.is_root(root) else "invalid_rid"


def flat(known: Sandbox, root: int) -> dict[str, Any]:
    """Return a skeleton as version 4 stores it: nm, edges as (child, parent)."""
    meta = {
        "root_id": root,
        "datastack": names.DATASTACK,
        "skeleton_version": LATEST,
        "units": "nm",
        "timestamp": known.graph.created(root).isoformat(),
    }
    return {"meta": meta, **known.anatomy.skeleton(root)}


def as_flatdict(known: Sandbox, root: int) -> bytes:
    """Return gzipped JSON."""
    return gzip.compress(json.dumps(flat(known, root)).encode(), mtime=0)


def as_swc(known: Sandbox, root: int) -> str:
    """Return SWC in µm, without a header; parents stand before their children."""
    found = known.anatomy.skeleton(root)
    order = [found["root"], *(child for child, _ in found["edges"])]
    place = {node: number for number, node in enumerate(order)}
    parents = {child: place[parent] for child, parent in found["edges"]}
    lines = []
    for node in order:
        numbers = [*found["vertices"][node], found["radius"][node]]
        x, y, z, radius = (f"{number / _NM_PER_UM:.3f}" for number in numbers)
        lines.append(f"{place[node]} {found['compartment'][node]} {x} {y} {z} {radius} {parents.get(node, -1)}")
    return "\n".join(lines) + "\n"


def as_precomputed(known: Sandbox, root: int) -> bytes:
    """Return neuroglancer's binary form with radius and compartment, nm."""
    found = known.anatomy.skeleton(root)
    vertices = np.array(found["vertices"], dtype="<f4")
    edges = np.array(found["edges"], dtype="<u4").reshape(-1, 2)
    counts = np.array([len(vertices), len(edges)], dtype="<u4")
    attributes = np.array(found["radius"], dtype="<f4"), np.array(found["compartment"], dtype="<f4")
    return b"".join(part.tobytes() for part in (counts, vertices, edges, *attributes))


def precomputed_info() -> dict[str, Any]:
    """Describe the binary form."""
    attributes = [{"id": name, "data_type": "float32", "num_components": 1} for name in ("radius", "compartment")]
    identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    return {"@type": "neuroglancer_skeletons", "transform": identity, "vertex_attributes": attributes}
