"""The annotation base in CRANT's 30 SeaTable columns, and the CAVE tables about cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.sandbox import layout
from crant_core.sandbox.world.cast import Role
from crant_core.sandbox.world.history import INGESTED

COLUMNS = (
    "root_id", "root_id_processed", "supervoxel_id", "position", "nucleus_id", "nucleus_position", "root_position",
    "cave_table", "proofread", "status", "region", "proofreader_notes", "side", "nerve", "tract", "hemilineage", "flow",
    "super_class", "cell_class", "cell_type", "cell_subtype", "cell_instance", "known_nt", "known_nt_source",
    "alternative_names", "annotator_notes", "user_annotator", "user_proofreader", "ngl_link", "date_proofread",
)  # fmt: skip
_STATUS: tuple[list[str], ...] = (
    ["BACKBONE_PROOFREAD"],
    ["PRELIM_PROOFREAD"],
    ["PARTIALLY_PROOFREAD", "TRACING_ISSUE"],
    ["DAMAGED"],
    [],
)


def meta_rows(
    roles: Sequence[Role],
    roots: NDArray[np.uint64],
    supervoxels: NDArray[np.uint64],
    positions: NDArray[np.float64],
    nuclei: Sequence[int | None],
) -> pd.DataFrame:
    """Write one row per neuron, then what real bases have too: a second row of one neuron, and rows without a root.

    Parameters
    ----------
    roots, supervoxels : (n,) uint64
        Root ids as annotators saw them, which may be outdated by now.
    positions : (n, 3) float64
        In nm; written as text in user voxels.
    """
    rows = [
        _row(role, number, (int(roots[number]), int(supervoxels[number])), positions[number], nuclei[number])
        for number, role in enumerate(roles)
    ]
    again = rows[0] | {"annotator_notes": "second annotation of the same neuron"}
    lost = [row | {"root_id": None, "annotator_notes": "root id not looked up yet"} for row in rows[-2:]]
    return pd.DataFrame([*rows, again, *lost], columns=list(COLUMNS), dtype=object)


def _row(
    role: Role, number: int, ids: tuple[int, int], position: NDArray[np.float64], nucleus: int | None
) -> dict[str, Any]:
    root, supervoxel = ids
    is_real = role.cell_type == "DA1_lPN"
    found: dict[str, Any] = dict.fromkeys(COLUMNS) | {
        "root_id": str(root),
        "root_id_processed": str(root),
        "supervoxel_id": str(supervoxel),
        "position": as_text(position),
        "nucleus_id": None if nucleus is None else str(nucleus),
        "nucleus_position": None if nucleus is None else as_text(position),
        "proofread": True if is_real else (None, True, False)[number % 3],
        "status": list(_STATUS[0] if is_real else _STATUS[number % len(_STATUS)]),
        "region": list(role.region),
        "cell_instance": role.instance,
        "annotator_notes": "real neuron (hemibrain)" if is_real else "made up for the sandbox",
        "user_annotator": f"annotator_{number % 3}",
    }
    same = ("side", "tract", "flow", "super_class", "cell_class", "cell_type", "known_nt")
    return found | {name: getattr(role, name) for name in same}


def as_text(position: NDArray[np.float64]) -> str:
    """Write a position in nm as annotators do: "x, y, z" in user voxels."""
    return ", ".join(str(int(step)) for step in position // layout.USER_RESOLUTION)


def cell_rows(number: int, supervoxels: NDArray[np.uint64], positions: NDArray[np.float64]) -> dict[str, Any]:
    """Return the columns that all tables of cells share: one point in user voxels, bound to its supervoxel."""
    voxels = (positions // layout.USER_RESOLUTION).astype(np.int32)
    return {
        "id": np.arange(1, number + 1),
        "created": pd.Series(pd.Timestamp(INGESTED), index=range(number), dtype="datetime64[ns, UTC]"),
        "deleted": pd.Series(pd.NaT, index=range(number), dtype="datetime64[ns, UTC]"),
        "superceded_id": pd.array([pd.NA] * number, "Int64"),
        "valid": True,
        **{f"pt_position_{axis}": voxels[:, index] for index, axis in enumerate("xyz")},
        "pt_supervoxel_id": supervoxels,
    }
