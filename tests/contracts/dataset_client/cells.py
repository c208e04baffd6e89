"""The truth: the world's own graph and its cells. What was asked of the offline CAVE."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from crant_core.sandbox import names
from tests.contracts.sandbox_clients import ids_by_neuron, truth
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

NEVER = (8 << 56) | 99_999_999  #: has the form of a root, and never was one
SUPERVOXEL = int(neurons.supervoxels()[0])


def nuclei() -> pd.Series:
    """The supervoxel of every cell."""
    rows = neurons.world().frame(f"tables/{names.NUCLEI}")
    return pd.Series(rows.pt_supervoxel_id.to_numpy(), index=rows["id"].to_numpy())


def true_roots(at: datetime) -> dict[int, int]:
    """The root of every cell."""
    found = nuclei()
    return dict(zip(found.index.tolist(), neurons.graph().roots(found.to_numpy(), at).tolist(), strict=True))


def lives() -> dict[int, tuple[datetime, datetime | None]]:
    """When every root of the script of edits was made, and when it ended."""
    edits = truth("lineage")
    ends = {int(row.old): row.timestamp.to_pydatetime() for row in edits.itertuples()}
    roots = {*edits.old.tolist(), *edits.new.tolist()}
    return {root: (neurons.graph().created(root), ends.get(root)) for root in roots}


def counts(sandbox: Sandbox) -> dict[str, int]:
    """How often each endpoint was asked, by its last words."""
    return {path: entry["requests"] for path, entry in sandbox.control("GET", "log")["counts"].items()}


def asked(found: dict[str, int], *words: str) -> int:
    return sum(number for path, number in found.items() if all(word in path for word in words))


def pieces(neuron: int) -> np.ndarray:
    """All supervoxels of a real neuron."""
    return ids_by_neuron().index[ids_by_neuron() == neuron].to_numpy(dtype=np.uint64)
