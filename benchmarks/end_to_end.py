"""Synapses to seventy matrices on disk: where each is, counted, as shares of a neuron's output in a neuropil.

Synapses lie among the 70 meshes of "Points in neuropils": a pair of neurons has up to three neuropils, and where bodies
are nested its synapses are in both. Both get the same columns in memory, and the same meshes. Ours loads its grid from
the cache folder, and writes one Parquet file with axes, types and their order. The peer's way, re-enacted:
`navis.in_volume` for each neuropil, then pandas: counts as a dense table, each row divided by its sum, and what is
fastest to write, `numpy.save`. It never has two dense tables at once, as a collection has; their size is named.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.matrices import Table, synapses
from benchmarks.memory import grown_by, peak
from benchmarks.neuropil_meshes import meshes
from benchmarks.timing import cpu_seconds
from crant_core.matrices import NestedMatrix
from crant_core.mesh import Mesh
from crant_core.neuropils import prepare

TITLE = "Synapses to matrices on disk, end to end"
ROWS, NEURONS = {False: 100_000, True: 1_000_000}, {False: 1_000, True: 10_000}
TYPES = 200
ROUNDS = 3
POOL = 2_000  # places in each mesh, around which synapses lie
NEAR = 50.0  # nm

Meshes = dict[str, Mesh]


def table(full: bool = False) -> str:
    """Measure, and compare what both wrote."""
    with tempfile.TemporaryDirectory() as place:
        folder, surfaces = Path(place), meshes()
        data = placed(synapses(ROWS[full], NEURONS[full]), surfaces)
        data.to_parquet(folder / "synapses.parquet")
        prepare(surfaces, folder)
        seconds, written = _measured({name: partial(way, data, surfaces, folder) for name, way in WAYS.items()})
        grown = {name: peak("benchmarks.end_to_end", str(folder), name) for name in WAYS}
    head = (
        "| by | CPU, s | ours is faster by | memory, MB | connections written | their sum |\n|---|---|---|---|---|---|"
    )
    lines = [
        f"| {name} | {took:.2f} | {took / seconds['ours']:.0f} × | {grown[name] / 1e6:,.0f} "
        f"| {written[name][0]:,} | {written[name][1]:.6f} |"
        for name, took in seconds.items()
    ]
    dense = written["navis.in_volume and pandas"][2] / 1e9
    note = f"{len(data):,} synapses of {NEURONS[full]:,} neurons. The peer's dense tables are {dense:.1f} GB together."
    return "\n".join([(__doc__ or "").strip(), "", head, *lines, "", note])


def placed(data: Table, surfaces: Meshes) -> Table:
    """Give each synapse a place (nm) near one that is inside its neuropil."""
    random = np.random.default_rng(7)
    pools = np.stack([_inside(mesh, random) for mesh in surfaces.values()])
    places = pools[data["neuropil"].to_numpy(), random.integers(POOL, size=len(data))]
    places += random.normal(0, NEAR, places.shape)
    axes = {f"ctr_pt_position_{axis}": places[:, number].copy() for number, axis in enumerate("xyz")}
    ends = {"pre_pt_root_id": data["pre"].to_numpy(), "post_pt_root_id": data["post"].to_numpy()}
    return pd.DataFrame(ends | axes)


def _inside(mesh: Mesh, random: np.random.Generator) -> np.ndarray:
    """Return places inside a mesh, (POOL, 3)."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    some = low + random.random((10 * POOL, 3)) * (high - low)
    return some[prepare({"mesh": mesh}).find(some).inside("mesh")][:POOL]


def _measured(ways: dict[str, Callable[[], Any]]) -> tuple[dict[str, float], dict[str, Any]]:
    """Return CPU seconds, the peer's of one call because it takes so long, and what was written."""
    seconds, written = {}, dict[str, Any]()
    for name, way in ways.items():
        took = [cpu_seconds(lambda name=name, way=way: written.update({name: way()}))]  # type: ignore[misc]
        if name == "ours":  # the first call compiles
            took = [cpu_seconds(way) for _ in range(ROUNDS)]
        seconds[name] = median(took)
    return seconds, written


def ours(data: Table, surfaces: Meshes, folder: Path) -> tuple[int, float, int]:
    """Return connections, the sum of all shares, and bytes on disk."""
    ids = np.unique(data[["pre_pt_root_id", "post_pt_root_id"]].to_numpy())
    known = pd.DataFrame({"root_id": ids, "cell_type": [f"T{number % TYPES}" for number in range(len(ids))]})
    matrices = NestedMatrix.from_synapses_by_neuropil(
        data, known, include_other=False, membership=prepare(surfaces, folder)
    )
    path = matrices.to_parquet(folder / "matrices.parquet")
    weights = [matrix.sparse for matrix in matrices.values()]
    return sum(one.nnz for one in weights), float(sum(one.sum() for one in weights)), path.stat().st_size


def peers_way(data: Table, surfaces: Meshes, folder: Path) -> tuple[int, float, int]:
    """Return connections, the sum of all shares, and bytes on disk."""
    import navis

    places = data[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy()
    connections, total, size = 0, 0.0, 0
    for mesh in surfaces.values():
        inside = data[np.asarray(navis.in_volume(places, navis.Volume(mesh.vertices, mesh.faces)))]
        counts = inside.groupby(["pre_pt_root_id", "post_pt_root_id"]).size().unstack(fill_value=0)
        shares = counts.div(counts.sum(axis=1), axis=0)
        np.save(folder / "dense.npy", shares.to_numpy())
        connections, total = connections + int((counts.to_numpy() > 0).sum()), total + float(shares.to_numpy().sum())
        size += (folder / "dense.npy").stat().st_size
    return connections, total, size


WAYS = {"ours": ours, "navis.in_volume and pandas": peers_way}


def _measure(place: str, name: str) -> None:
    """Print what one way takes; called in a process of its own."""
    folder, surfaces = Path(place), meshes()
    data = pd.read_parquet(folder / "synapses.parquet")
    WAYS[name](data.iloc[:1000], surfaces, folder)  # imports what it needs
    print(grown_by(lambda: WAYS[name](data, surfaces, folder)))


if __name__ == "__main__":
    _measure(*sys.argv[1:])
