"""Stored skeletons, in the forms that other programs ask for. Only files that workers made are read and rewritten."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from crant_core.errors import NotFound
from crant_core.jobs.tables import ArtifactRow

if TYPE_CHECKING:
    from crant_core.jobs.artifacts import ArtifactStore
    from crant_core.skeleton import Skeleton

#: files a skeleton is read from, the cheapest first
FORMATS = ("precomputed", "swc")
_NM_PER_UM = 1000


def names_of(root: str) -> list[str]:
    """List the files that a skeleton may be stored as."""
    return [f"{root}.{form}" for form in FORMATS]


def makes_skeletons(parameters: dict[str, Any]) -> bool:
    """Say whether a job with these parameters makes skeletons that can be shown."""
    formats = parameters.get("formats")
    return isinstance(formats, list) and not set(FORMATS).isdisjoint(formats)


def precomputed(store: ArtifactStore, artifact: ArtifactRow) -> bytes:
    """Return a stored skeleton as Neuroglancer's binary format, with radii."""
    data = store.get(artifact.sha256)
    if artifact.name.endswith(".precomputed"):
        return data
    from crant_core.skeleton.precomputed import to_precomputed

    return to_precomputed(_read(artifact.name, data)[0])


def info(facts: dict[str, object]) -> bytes:
    """Describe such skeletons to Neuroglancer."""
    from crant_core.skeleton.precomputed import precomputed_info

    return precomputed_info(facts)


def flat(store: ArtifactStore, artifact: ArtifactRow, meta: dict[str, object]) -> bytes:
    """Return a stored skeleton as the gzipped JSON that CAVE's skeleton service gives: nm, edges from child to parent.

    What only that service knows, `mesh_to_skel_map` and `lvl2_ids`, is left out.
    """
    tree, kinds = _read(artifact.name, store.get(artifact.sha256))
    found: dict[str, Any] = {
        "meta": {**meta, "units": "nm"},
        "vertices": tree.nodes.tolist(),
        "edges": [[child, parent] for child, parent in enumerate(tree.parents.tolist()) if parent >= 0],
        "radius": tree.radii.tolist(),
        "root": tree.parents.tolist().index(-1),
    }
    if kinds is not None:
        found["compartment"] = kinds
    return gzip.compress(json.dumps(found).encode(), compresslevel=3, mtime=0)


def swc_um(store: ArtifactStore, artifact: ArtifactRow) -> bytes:
    """Return a stored skeleton as that service writes SWC: ids from 0, µm, without a header."""
    tree, kinds = _read(artifact.name, store.get(artifact.sha256))
    nodes, radii = (tree.nodes / _NM_PER_UM).tolist(), (tree.radii / _NM_PER_UM).tolist()
    rows = zip(kinds or [0] * len(nodes), nodes, radii, tree.parents.tolist(), strict=True)
    lines = [
        f"{number} {kind} {x:.6f} {y:.6f} {z:.6f} {radius:.6f} {parent}"
        for number, (kind, (x, y, z), radius, parent) in enumerate(rows)
    ]
    return ("\n".join(lines) + "\n").encode()


def _read(name: str, data: bytes) -> tuple[Skeleton, list[int] | None]:
    """Read a skeleton and, where the format has them, the types of its nodes."""
    from crant_core.skeleton.precomputed import read_precomputed
    from crant_core.skeleton.swc import read_swc

    if name.endswith(".precomputed"):
        return read_precomputed(data), None
    if not name.endswith(".swc"):
        raise NotFound(f"{name} is no skeleton that can be shown", value=name)
    return read_swc(data), _kinds(data)


def _kinds(data: bytes) -> list[int] | None:
    """Return the types of an SWC's nodes if they are in its lines' order, as in files of this service."""
    lines = [line.split() for line in data.decode().splitlines() if line and not line.startswith("#")]
    ordered = all(int(line[0]) == number and int(line[6]) < number for number, line in enumerate(lines, start=1))
    return [int(line[1]) for line in lines] if ordered else None
