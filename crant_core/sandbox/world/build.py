"""Building the world from the navis data, once: about half a minute, 2 GB, no randomness but a fixed seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crant_core.mesh import Mesh
from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.world import (
    features,
    fragments,
    history,
    navis_data,
    segmentation,
    shards,
    surfaces,
    truth,
    world,
)
from crant_core.sandbox.world import synapses as syn
from crant_core.sandbox.world import voxels as vx
from crant_core.sandbox.world.cells import save_cells
from crant_core.sandbox.world.exports import save_exports
from crant_core.sandbox.world.morphology import Morphology, pieces
from crant_core.sandbox.world.neuropils import Neuropil, centre
from crant_core.sandbox.world.neuropils import make as make_neuropils
from crant_core.sandbox.world.partners import Partners, make_partners
from crant_core.sandbox.world.tubes import tube_mesh

PARTNERS = 60
_AMONG_PARTNERS = 3000  # synapses
_SEED = 20250106


@dataclass(frozen=True)
class Shapes:
    """All neurons, the real ones first."""

    trees: tuple[Morphology, ...]
    surfaces: tuple[Mesh, ...]
    pieces: tuple[NDArray[np.int64], ...]


def build(folder: Path) -> None:
    """Make everything and write it into `folder`."""
    random = np.random.default_rng(_SEED)
    sites, partners = _partners(random)
    shapes = _shapes(partners)
    found = _segment(shapes)
    measured = features.measure(found, _radius_of_voxels(found, shapes.trees))
    script = history.script(found, measured.middle, shapes.trees, shapes.pieces)
    graph = history.replay(found.ids, script, measured.middle)
    owners = [_owners(found, number, surface) for number, surface in enumerate(shapes.surfaces)]
    world.save_segmentation(folder, found)
    world.save_fields(folder / "features", measured)
    world.save_history(folder, script)
    world.save_trees(folder, shapes.trees)
    _save_surfaces(folder, shapes, owners, found, graph)
    synapses = _save_synapses(folder, sites, partners, found, random)
    neuropils = _save_neuropils(folder, synapses)
    save_cells(folder, shapes.trees, found, graph)
    truths = {
        "neurons": truth.neurons(found),
        "vertices": truth.vertices(shapes.surfaces, owners, found),
        "skeletons": truth.skeletons(shapes.trees),
        "synapse_neurons": truth.synapse_neurons(synapses),
        "synapse_neuropils": neuropils,
        "lineage": truth.lineage(graph),
    }
    for name, frame in truths.items():
        world.save_frame(folder, f"truth/{name}", frame)
    save_exports(folder, graph)


def _partners(random: np.random.Generator) -> tuple[pd.DataFrame, Partners]:
    connectors = [navis_data.read_connectors(body) for body in navis_data.BODY_IDS]
    sites = syn.real_sites(connectors)
    places = sites[["x", "y", "z"]].to_numpy()
    outward = np.empty_like(places)
    for number, body in enumerate(navis_data.BODY_IDS):
        mine = (sites.neuron == number).to_numpy()
        nodes = navis_data.read_skeleton(body).nodes
        outward[mine] = places[mine] - nodes[cKDTree(nodes).query(places[mine])[1]]
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    return sites, make_partners(places, outward, PARTNERS, random)


def _shapes(partners: Partners) -> Shapes:
    real = [navis_data.read_skeleton(body) for body in navis_data.BODY_IDS]
    drawn = [navis_data.read_surface(body) for body in navis_data.BODY_IDS]
    drawn += [tube_mesh(tree) for tree in partners.trees]
    parts = [pieces(tree, history.PIECES) for tree in real]
    parts += [np.zeros(len(tree.nodes), dtype=np.int64) for tree in partners.trees]
    return Shapes((*real, *partners.trees), tuple(surfaces.cut_at_chunks(mesh) for mesh in drawn), tuple(parts))


def _segment(shapes: Shapes) -> segmentation.Segmentation:
    filled = [(number, vx.fill(tree)) for number, tree in enumerate(shapes.trees)]
    labelled = segmentation.label(filled, shapes.pieces)
    claims = [_claims(labelled, number, shapes) for number, _ in filled]
    return segmentation.segment(segmentation.label([*claims, *filled], shapes.pieces))


def _claims(labelled: segmentation.Labelled, neuron: int, shapes: Shapes) -> tuple[int, vx.Voxels]:
    """List voxels that a neuron must have: its surface reaches into a chunk where tubes left it none."""
    tree, surface = shapes.trees[neuron], shapes.surfaces[neuron]
    mine = vx.grid_of(labelled.keys[labelled.neuron == neuron]) // vx.PER_CHUNK
    centres = np.asarray(surface.vertices, dtype=np.float64)[surface.faces].mean(axis=1)
    chunks = vx.key_of(surfaces.triangle_chunks(surface))
    lonely = centres[~np.isin(chunks, np.unique(vx.key_of(mine)))]
    keys, first = np.unique(vx.key_of(vx.grid_at(lonely)), return_index=True)
    return neuron, vx.Voxels(keys, cKDTree(tree.nodes).query(lonely[first])[1].astype(np.int64))


def _radius_of_voxels(found: segmentation.Segmentation, trees: Sequence[Morphology]) -> NDArray[np.float64]:
    starts = np.cumsum([0, *(len(tree.nodes) for tree in trees)])
    return np.concatenate([tree.radii for tree in trees])[starts[found.voxels.neuron] + found.voxels.node]


def _owners(found: segmentation.Segmentation, neuron: int, surface: Mesh) -> NDArray[np.int64]:
    """Return the supervoxel (index) of each triangle: the nearest of its neuron in its chunk."""
    voxels = np.flatnonzero(found.voxels.neuron == neuron)
    grid = vx.grid_of(found.voxels.keys[voxels])
    centres = np.asarray(surface.vertices, dtype=np.float64)[surface.faces].mean(axis=1)
    nearest = surfaces.nearest_in_chunk(
        centres, surfaces.triangle_chunks(surface), vx.centre_of(grid), grid // vx.PER_CHUNK
    )
    if (nearest < 0).any():
        raise ValueError(f"neuron {neuron}: {int((nearest < 0).sum())} triangles lie in chunks without its voxels")
    return found.of_voxel[voxels[nearest]].astype(np.int64)


def _save_surfaces(
    folder: Path,
    shapes: Shapes,
    owners: Sequence[NDArray[np.int64]],
    found: segmentation.Segmentation,
    graph: ChunkedGraph,
) -> None:
    starts = np.cumsum([0, *(len(surface.vertices) for surface in shapes.surfaces)])
    triangles = fragments.sort_triangles(
        np.concatenate([surface.vertices for surface in shapes.surfaces]),
        np.concatenate([surface.faces + start for surface, start in zip(shapes.surfaces, starts, strict=False)]),
        np.concatenate(owners),
        len(found.ids),
    )
    world.save_fields(folder / "triangles", triangles)
    initial = {}
    for layer in range(2, fragments.MAX_LAYER + 1):
        for node, members in _members(graph, found.ids, layer):
            part = triangles.part(members)
            if len(part.faces):
                initial[node] = fragments.encode(part, layer, layout.chunk_of(node))
    world.save_fragments(folder, shards.write(folder / "shards", initial))


def _members(graph: ChunkedGraph, ids: layout.Ids, layer: int) -> list[tuple[int, NDArray[np.int64]]]:
    """Pair every node that the ingest made at a layer with its supervoxels' indices."""
    nodes = graph.roots(ids, history.INGESTED, layer)
    index = np.flatnonzero(layout.layer_of(nodes) == layer)
    order = index[np.argsort(nodes[index], kind="stable")]
    names, starts = np.unique(nodes[order], return_index=True)
    return list(zip(names.tolist(), np.split(order, starts[1:]), strict=True))


def _save_synapses(
    folder: Path, sites: pd.DataFrame, partners: Partners, found: segmentation.Segmentation, random: np.random.Generator
) -> pd.DataFrame:
    real = syn.pair(sites, partners)
    made = syn.between_partners(partners, len(navis_data.BODY_IDS), _AMONG_PARTNERS, random)
    synapses = pd.concat([real, made], ignore_index=True)
    world.save_frame(folder, "tables/synapses_v2", syn.table_rows(synapses, found, random))
    return synapses


def _save_neuropils(folder: Path, synapses: pd.DataFrame) -> pd.DataFrame:
    """Write the neuropils; return which contains which synapse, one row per pair."""
    neuropils: list[Neuropil] = make_neuropils(synapses)
    for one in neuropils:
        world.save_surface(folder, f"neuropil_{one.number}", one.surface)
    world.save_surface(folder, "brain", navis_data.read_volume("neuropil"))
    names = pd.DataFrame({name: [getattr(one, name) for one in neuropils] for name in ("number", "name", "origin")})
    world.save_frame(folder, "neuropils", names)
    inside = [np.flatnonzero(one.contains(centre(synapses))) + 1 for one in neuropils]
    numbers = np.repeat(names.number.to_numpy(), [len(ids) for ids in inside])
    return pd.DataFrame({"synapse_id": np.concatenate(inside), "neuropil": numbers})
