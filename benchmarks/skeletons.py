"""Mesh to SWC text: ours against the library calls that crantpy's pipeline makes, in its order.

The peer's shave and soma steps are left out, as ours has none yet; its mesh repair is what costs most.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.timing import in_turns
from crant_core.mesh import Mesh
from crant_core.sandbox.world.navis_data import BODY_IDS, read_surface
from crant_core.skeleton import skeletonize_mesh
from crant_core.skeleton.swc import to_swc

ROUNDS = 5
SUBDIVISIONS = (0, 1, 2)


def table() -> str:
    """Measure one neuron at several resolutions."""
    rows = [_row(_neuron(times)) for times in SUBDIVISIONS]
    head = "| faces | ours, s | peer's calls, s | ratio |\n|---|---|---|---|"
    return "\n".join(["## Mesh to SWC", "", (__doc__ or "").strip(), "", head, *rows])


def _row(mesh: Mesh) -> str:
    ours, peer = in_turns(partial(_ours, mesh), partial(_peer, mesh), ROUNDS)
    return f"| {len(mesh.faces):,} | {ours:.3f} | {peer:.3f} | {peer / ours:.1f} × |"


def _neuron(subdivisions: int) -> Mesh:
    """Read the third neuron that navis ships; each subdivision makes four faces of one."""
    import trimesh

    mesh = read_surface(BODY_IDS[2])
    vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)
    for _ in range(subdivisions):
        vertices, faces = trimesh.remesh.subdivide(vertices, faces)
    return Mesh(vertices, faces)


def _ours(mesh: Mesh) -> bytes:
    return to_swc(skeletonize_mesh(mesh, heal=False), {})


def _peer(mesh: Mesh) -> str:
    import navis
    import skeletor
    import trimesh

    surface = trimesh.Trimesh(mesh.vertices, mesh.faces)
    fixed = skeletor.pre.fix_mesh(surface, remove_disconnected=True, inplace=False)
    table = skeletor.skeletonize.by_wavefront(fixed, waves=1, step_size=1, progress=False).swc
    neuron = navis.TreeNeuron(table, units="1 nm")
    return neuron.nodes.to_csv(sep=" ", index=False)
