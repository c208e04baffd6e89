"""What is known of cells: nuclei, proofreading, types, and the annotation base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.sandbox import layout, names
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.world import cast, meta_table, world
from crant_core.sandbox.world.anchoring import anchor
from crant_core.sandbox.world.history import VERSIONS
from crant_core.sandbox.world.morphology import Morphology
from crant_core.sandbox.world.navis_data import BODY_IDS
from crant_core.sandbox.world.segmentation import Segmentation

_SOMA = 2000.0  # nm: real neurons thicker than this have their soma in the data
_NUCLEUS = (1800.0, 600.0)  # nm: radius of real and of made-up nuclei


def save_cells(folder: Path, trees: Sequence[Morphology], found: Segmentation, graph: ChunkedGraph) -> None:
    """Write the tables of cells, as annotators left them at the last materialization."""
    supervoxels, positions = _places(trees, found)
    roots = graph.roots(supervoxels, VERSIONS[-1].timestamp)
    roles = cast.roles(trees, len(BODY_IDS))
    has_nucleus = _nuclei(trees)
    ids = [int(one) if there else None for one, there in zip(supervoxels, has_nucleus, strict=True)]
    world.save_frame(folder, "seatable", meta_table.meta_rows(roles, roots, supervoxels, positions, ids))
    nuclei = _nucleus_rows(supervoxels[has_nucleus], positions[has_nucleus], np.flatnonzero(has_nucleus))
    world.save_frame(folder, f"tables/{names.NUCLEI}", nuclei)
    world.save_frame(folder, "tables/nucleus_alternative_points", _alternatives(nuclei))
    world.save_frame(folder, "tables/cell_info", _types(nuclei, [roles[i] for i in np.flatnonzero(has_nucleus)]))
    proofread = meta_table.cell_rows(len(trees), supervoxels, positions) | {
        "valid_id": roots.astype(np.int64),
        "proofread": np.arange(len(trees)) < len(BODY_IDS),
        "user_id": np.full(len(trees), 11),
    }
    world.save_frame(folder, "tables/backbone_proofread", pd.DataFrame(proofread))


def _places(trees: Sequence[Morphology], found: Segmentation) -> tuple[layout.Ids, NDArray[np.float64]]:
    """Return the supervoxels where annotators clicked, and where that is, nm."""
    wanted = np.array([tree.nodes[node] for tree, node in zip(trees, cast.anchors(trees), strict=True)])
    supervoxels, places = anchor(found, np.arange(len(trees)), wanted)
    return found.ids[supervoxels], places


def _nuclei(trees: Sequence[Morphology]) -> NDArray[np.bool_]:
    """Say which neurons have a nucleus: the made-up ones, and real ones whose soma is in the data."""
    thickest = np.array([tree.radii.max() for tree in trees])
    return (np.arange(len(trees)) >= len(BODY_IDS)) | (thickest > _SOMA)


def _nucleus_rows(
    supervoxels: NDArray[np.uint64], positions: NDArray[np.float64], neurons: NDArray[np.int64]
) -> pd.DataFrame:
    rows = meta_table.cell_rows(len(positions), supervoxels, positions)
    radius = np.where(neurons < len(BODY_IDS), *_NUCLEUS)
    rows["volume"] = (4 / 3 * np.pi * (radius / 1000) ** 3).astype(np.float32)  # µm³, as in the schema
    for name, sign in (("bb_start", -1), ("bb_end", 1)):
        corner = (positions + sign * radius[:, None]) // layout.USER_RESOLUTION
        rows |= {f"{name}_position_{axis}": corner[:, i].astype(np.int32) for i, axis in enumerate("xyz")}
    return pd.DataFrame(rows)


def _alternatives(nuclei: pd.DataFrame) -> pd.DataFrame:
    """Give the first two nuclei a second point: where a person would look them up instead."""
    common = ["created", "deleted", "superceded_id", "valid", *(str(c) for c in nuclei if str(c).startswith("pt_"))]
    rows = nuclei[common].head(2).reset_index(drop=True)
    return rows.assign(id=[1, 2], target_id=nuclei["id"].head(2).to_numpy())[["id", "target_id", *common]]


def _types(nuclei: pd.DataFrame, roles: Sequence[cast.Role]) -> pd.DataFrame:
    """Give every nucleus a type, the last one first: who takes an id for a target's id shall notice."""
    rows = nuclei[["id", "created", "deleted", "superceded_id", "valid"]].copy()
    rows["target_id"] = nuclei["id"].to_numpy()[::-1]
    rows["classification_system"] = "sandbox"
    rows["cell_type"] = [role.cell_class or "unknown" for role in roles][::-1]
    return rows
