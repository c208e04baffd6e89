"""The pipeline that crantpy's users run, re-enacted: the same library calls in the same order.

trimesh with its default processing, skeletor's mesh repair and wavefronts, a navis neuron, the shave, the soma by
three large radii in a row, rerooting, SWC. Written from a description of what it does, not from its code.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from crant_core.mesh import Mesh
from crant_core.skeleton import Skeleton
from crant_core.skeleton.swc import read_swc

_LONG_NM = 1000.0
_FEW = 10
_SOMA_NM = 800.0
_IN_A_ROW = 3


def crantpy_pipeline(mesh: Mesh) -> Skeleton:
    """Mesh to SWC and back, as `skeletonize_neuron` does it."""
    import navis

    neuron = _shaved(_neuron(_repaired(mesh)))
    soma = _soma(neuron)
    if soma is not None:
        neuron.soma = soma
        navis.reroot_skeleton(neuron, soma, inplace=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "neuron.swc"
        navis.write_swc(neuron, path)
        return read_swc(path.read_bytes())


def bare_skeletor(mesh: Mesh) -> Any:
    """Do what a careful user of today's libraries does: trimesh, skeletor with fastcore, a navis neuron."""
    import skeletor
    import trimesh

    return _neuron(trimesh.Trimesh(mesh.vertices, mesh.faces), skeletor)


def _repaired(mesh: Mesh) -> Any:
    import skeletor
    import trimesh

    surface = trimesh.Trimesh(mesh.vertices, mesh.faces)
    return skeletor.pre.fix_mesh(surface, remove_disconnected=True, inplace=False)


def _neuron(surface: Any, skeletor: Any = None) -> Any:
    import navis

    if skeletor is None:
        import skeletor
    table = skeletor.skeletonize.by_wavefront(surface, waves=1, step_size=1, progress=False).swc.copy()
    table["node_id"] += 1
    table.loc[table.parent_id >= 0, "parent_id"] += 1
    table["radius"] = table.radius.round().astype(int)
    return navis.TreeNeuron(table, units="1 nm")


def _shaved(neuron: Any) -> Any:
    """Cut off short ends that contain a long edge or two nodes, again and again; then ends of one node at branches."""
    import navis

    while True:
        doomed = _doomed_segments(neuron)
        if not len(doomed):
            break
        neuron = navis.subset_neuron(neuron, neuron.nodes.node_id[~np.isin(neuron.nodes.node_id, doomed)].to_numpy())
    nodes = neuron.nodes
    branches = nodes.node_id[nodes.type == "branch"]
    stumps = nodes.node_id[(nodes.type == "end") & nodes.parent_id.isin(branches)]
    return navis.subset_neuron(neuron, nodes.node_id[~nodes.node_id.isin(stumps)].to_numpy())


def _doomed_segments(neuron: Any) -> list[int]:
    nodes = neuron.nodes.set_index("node_id")
    place, parent = nodes[["x", "y", "z"]].to_numpy(), nodes.parent_id.to_numpy()
    row = {node: number for number, node in enumerate(nodes.index)}
    up = np.array([row.get(number, -1) for number in parent])
    length = np.where(up >= 0, np.linalg.norm(place - place[up], axis=1), 0)
    long, ends = nodes.index[length >= _LONG_NM].to_numpy(), set(nodes.index[nodes.type == "end"])
    doomed: list[int] = []
    for segment in neuron.small_segments:
        if segment[0] in ends and len(segment) < _FEW and (len(segment) <= 2 or np.isin(segment, long).any()):
            doomed += list(segment[:-1])
    return doomed


def _soma(neuron: Any) -> int | None:
    """Find the largest radius among three large ones in a row."""
    radius = neuron.nodes.set_index("node_id").radius
    found: list[int] = []
    for segment in neuron.segments:
        big = (radius.loc[segment] > _SOMA_NM).to_numpy()
        runs = np.split(np.array(segment), np.flatnonzero(np.diff(big)) + 1)
        found += [node for run in runs if radius[run[0]] > _SOMA_NM and len(run) >= _IN_A_ROW for node in run]
    return int(radius.loc[found].idxmax()) if found else None
