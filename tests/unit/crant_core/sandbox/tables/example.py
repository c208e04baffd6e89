"""A world small enough to compute by hand: six synapses, three nuclei, labels on them, two edits, three versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from crant_core.sandbox import layout
from crant_core.sandbox.state import State
from crant_core.sandbox.tables.table import Table
from crant_core.sandbox.tables.version import Version
from crant_core.sandbox.tables.view import View

INGEST = datetime(2026, 1, 1, tzinfo=UTC)
V1 = datetime(2026, 2, 1, tzinfo=UTC)
MERGE = datetime(2026, 3, 1, tzinfo=UTC)  # A and B become M
V2 = datetime(2026, 4, 1, tzinfo=UTC)
SPLIT = datetime(2026, 5, 1, tzinfo=UTC)  # C becomes C3 and C4
LATER = datetime(2026, 6, 1, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)

SV1, SV2, SV3, SV4, NOWHERE = (int(layout.encode(1, (0, 0, 0), segment)) for segment in (1, 2, 3, 4, 99))
A, B, C, M, C3, C4 = (int(layout.encode(8, (0, 0, 0), segment)) for segment in (1, 2, 3, 4, 5, 6))
BIG = 2**53  # odd numbers above it are no floats
S1, S2, S3, S4, S5, S6 = (BIG + number for number in (1, 3, 5, 7, 9, 11))

TOKEN = "0" * 32


HISTORY = {
    SV1: [(INGEST, A), (MERGE, M)],
    SV2: [(INGEST, B), (MERGE, M)],
    SV3: [(INGEST, C), (SPLIT, C3)],
    SV4: [(INGEST, C), (SPLIT, C4)],
}
BORN = {A: INGEST, B: INGEST, C: INGEST, M: MERGE, C3: SPLIT, C4: SPLIT}
ENDED = {A: MERGE, B: MERGE, C: SPLIT}


class FakeGraph:
    """Roots by supervoxel and time, and what superseded them; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def roots(self, ids: Sequence[int], at: datetime, stop_layer: int = 8) -> np.ndarray:
        self.asked.append([int(sv) for sv in ids])
        found = [[root for since, root in HISTORY.get(int(sv), []) if since <= at] for sv in ids]
        if not any(found):
            return np.asarray(ids, dtype=np.uint64)
        return np.array([roots[-1] if roots else 0 for roots in found], dtype=np.uint64)

    def is_latest(self, ids: Sequence[int], at: datetime) -> np.ndarray:
        known = [int(root) for root in ids]
        return np.array([root in BORN and BORN[root] < at <= ENDED.get(root, FAR) for root in known])

    def exists(self, ids: Sequence[int]) -> np.ndarray:
        return np.array([int(root) in BORN for root in ids])


def synapses() -> Table:
    """S5 was superseded by S6 at the merge; S4's post side lies outside the segmentation."""
    rows = pd.DataFrame(
        {
            "id": np.array([S1, S2, S3, S4, S5, S6], dtype=np.int64),
            "created": pd.to_datetime([INGEST] * 5 + [MERGE]),
            "deleted": pd.to_datetime([pd.NaT] * 4 + [MERGE, pd.NaT], utc=True),
            "superceded_id": pd.array([pd.NA] * 4 + [S6, pd.NA], dtype="Int64"),
            "valid": [True] * 4 + [False, True],
            **_positions("pre_pt", [(10, 20, 30), (40, 50, 60), (70, 80, 90), (1, 2, 3), (5, 5, 5), (5, 5, 6)]),
            "pre_pt_supervoxel_id": np.array([SV1, SV1, SV3, SV2, SV3, SV3], dtype=np.uint64),
            **_positions("post_pt", [(11, 21, 31), (41, 51, 61), (71, 81, 91), (2, 3, 4), (6, 6, 6), (6, 6, 7)]),
            "post_pt_supervoxel_id": np.array([SV2, SV3, SV4, 0, SV1, SV1], dtype=np.uint64),
            **_positions("ctr_pt", [(10, 20, 30), (40, 50, 60), (70, 80, 90), (1, 2, 3), (5, 5, 5), (5, 5, 6)]),
            "size": np.array([100, 50, 25, 12, 6, 7], dtype=np.int32),
        }
    )
    return Table("synapses", "synapse", rows, ("pre_pt", "post_pt"), INGEST, (4.0, 4.0, 40.0), description="by hand")


def nuclei() -> Table:
    rows = pd.DataFrame(
        {
            "id": np.array([1, 2, 3], dtype=np.int64),
            "created": pd.to_datetime([INGEST] * 3),
            "deleted": pd.to_datetime([pd.NaT] * 3, utc=True),
            "superceded_id": pd.array([pd.NA] * 3, dtype="Int64"),
            "valid": [True] * 3,
            **_positions("pt", [(100, 100, 10), (200, 200, 20), (300, 300, 30)]),
            "pt_supervoxel_id": np.array([SV1, SV3, NOWHERE], dtype=np.uint64),
            "volume": np.array([1.5, 2.5, np.nan], dtype=np.float64),
        }
    )
    return Table("nuclei", "nucleus_detection", rows, ("pt",), INGEST, (4.0, 4.0, 40.0))


def labels() -> Table:
    """Two labels on nucleus 2, one on nucleus 1, each with a point of its own."""
    rows = pd.DataFrame(
        {
            "id": np.array([11, 12, 13], dtype=np.int64),
            "created": pd.to_datetime([INGEST] * 3),
            "deleted": pd.to_datetime([pd.NaT] * 3, utc=True),
            "superceded_id": pd.array([pd.NA] * 3, dtype="Int64"),
            "valid": [True] * 3,
            **_positions("pt", [(1, 1, 1), (2, 2, 2), (3, 3, 3)]),
            "pt_supervoxel_id": np.array([SV2, SV4, SV3], dtype=np.uint64),
            "target_id": np.array([1, 2, 2], dtype=np.int64),
            "tag": pd.array(["ORN", "PN", None], dtype="string"),
            "proofread": pd.array([True, False, None], dtype="boolean"),
        }
    )
    return Table(
        "labels", "label", rows, ("pt",), INGEST, (8.0, 8.0, 40.0), "nuclei", notice_text="Ask the ants\nfirst – please"
    )


def world(now: datetime = LATER) -> State:
    """All of it; version 0 has expired."""
    named = {table.name: table for table in (synapses(), nuclei(), labels())}
    state = State(
        token=TOKEN,
        graph=FakeGraph(),
        versions=[
            Version(1, V1, FAR, tuple(named)),
            Version(2, V2, FAR, tuple(named)),
            Version(3, datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 4, 3, tzinfo=UTC), tuple(named)),
        ],
        tables=named,
        views={"cells": View("cells", "nuclei", ("id", "pt_supervoxel_id", "pt_root_id", "pt_position"), "Nuclei")},
    )
    state.clock.set(now)
    return state


def _positions(point: str, positions: list[tuple[int, int, int]]) -> dict[str, np.ndarray]:
    columns = np.array(positions, dtype=np.int32).T
    return {f"{point}_position_{axis}": column for axis, column in zip("xyz", columns, strict=True)}
