"""The crowd's synapses and annotations: many rows, made when a sandbox with a crowd starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph
from crant_core.sandbox.world.crowd import Crowd
from crant_core.sandbox.world.history import INGESTED, VERSIONS
from crant_core.sandbox.world.meta_table import COLUMNS

SYNAPSES_PER_NEURON = 1000


def synapse_rows(crowd: Crowd, first_id: int) -> pd.DataFrame:
    """Return the copies' synapses in the columns of the synapse table.

    Each copy repeats sites of its template; the postsynaptic supervoxel is one of another copy, anywhere.
    """
    count = len(crowd.moves)
    random = np.random.default_rng(count)
    neuron = np.repeat(np.arange(count), SYNAPSES_PER_NEURON)
    sites, supervoxels = zip(*(_copied(crowd, number, random) for number in range(count)), strict=True)
    other = (neuron + random.integers(1, max(count, 2), len(neuron))) % count
    lengths = np.diff(crowd.starts)
    post = crowd.ids[crowd.places[crowd.starts[other] + (random.random(len(other)) * lengths[other]).astype(np.int64)]]
    rows: dict[str, Any] = {"id": np.arange(first_id, first_id + len(neuron))} | _life(len(neuron))
    positions = dict(zip(("pre_pt", "post_pt", "ctr_pt"), np.split(np.vstack(sites), 3, axis=1), strict=True))
    for point, bound in (("pre_pt", np.concatenate(supervoxels)), ("post_pt", post), ("ctr_pt", None)):
        rows |= {f"{point}_position_{axis}": positions[point][:, number] for number, axis in enumerate("xyz")}
        rows |= {} if bound is None else {f"{point}_supervoxel_id": bound}
    rows["size"] = np.maximum(random.lognormal(4.0, 1.0, len(neuron)), 5).astype(np.int32)
    return pd.DataFrame(rows)


def _copied(crowd: Crowd, number: int, random: np.random.Generator) -> tuple[NDArray[np.int32], layout.Ids]:
    """Return one copy's sites, (n, 9) int32 nm, and the presynaptic supervoxels."""
    sites = crowd.templates[number % len(crowd.templates)].sites
    chosen = sites.iloc[random.integers(0, len(sites), SYNAPSES_PER_NEURON)]
    columns = [f"{point}_position_{axis}" for point in ("pre_pt", "post_pt", "ctr_pt") for axis in "xyz"]
    positions = chosen[columns].to_numpy() + np.tile(crowd.offset_nm(number), 3)
    return positions.astype(np.int32), crowd.ids[crowd.places[crowd.starts[number] + chosen.row.to_numpy()]]


def _life(count: int) -> dict[str, Any]:
    moment = pd.Timestamp(INGESTED)
    return {
        "created": pd.Series(moment, index=range(count), dtype="datetime64[ns, UTC]"),
        "deleted": pd.Series(pd.NaT, index=range(count), dtype="datetime64[ns, UTC]"),
        "superceded_id": pd.array(np.full(count, pd.NA), "Int64"),
        "valid": True,
    }


def meta_rows(crowd: Crowd, graph: ChunkedGraph) -> pd.DataFrame:
    """Return the crowd's annotations in CRANT's columns: one row per copy and per fragment."""
    count = len(crowd.moves)
    places = np.concatenate([crowd.places[crowd.starts[:-1]], crowd.places[crowd.starts[-1] :]])
    supervoxels = crowd.ids[places]
    roots = graph.roots(supervoxels, VERSIONS[-1].timestamp).astype(str)
    is_copy = np.arange(len(places)) < count
    middle = layout.chunk_start(layout.chunk_of(supervoxels)) + layout.chunk_nm() // 2
    rows = pd.DataFrame({name: [None] * len(places) for name in COLUMNS}, dtype=object)
    rows["root_id"] = rows["root_id_processed"] = roots
    rows["supervoxel_id"] = supervoxels.astype(str)
    rows["position"] = [f"{x}, {y}, {z}" for x, y, z in (middle // layout.USER_RESOLUTION).tolist()]
    rows["cell_class"] = np.where(is_copy, "load_copy", "load_fragment")
    rows["side"] = np.where(np.arange(len(places)) % 2, "left", "right")
    rows["proofread"] = [True if copy else None for copy in is_copy.tolist()]
    rows["status"] = [["BACKBONE_PROOFREAD"] if copy else [] for copy in is_copy.tolist()]
    rows["region"] = [["AL"] for _ in range(len(places))]
    rows["annotator_notes"] = "copy for load"
    return rows
