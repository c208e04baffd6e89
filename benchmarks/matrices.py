"""Synapses to matrices: ours against what libraries offer, from the same columns in memory.

Each of 10,000 neurons has 12 partners in 1 M rows, 124 in 10 M; a pair is in up to three of 70 neuropils. All
take turns; memory is what a fresh process needs beyond the columns (its highest resident set).
The dense adjacency is filled as crantpy fills it, cell by cell, once, because it takes so long.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.memory import grown_by, peak
from benchmarks.timing import cpu_seconds
from crant_core.matrices import count

TITLE = "Synapses to matrices"
NEUROPILS = 70
NEURONS = 10_000
ROWS = {"adjacency": {False: 1_000_000, True: 1_000_000}, "70 matrices": {False: 1_000_000, True: 10_000_000}}
ROUNDS = 3
NAMES = tuple(f"neuropil_{number}" for number in range(NEUROPILS))
OURS = "ours"

Table = pd.DataFrame
Work = Callable[[Table], Any]


def table(full: bool = False) -> str:
    """Measure all rows, in one process, and memory in one process each."""
    head = "| work | by | CPU, s | ours is faster by | memory, MB | bytes per row |\n|---|---|---|---|---|---|"
    parts = [line for work in WORKS for line in _rows(work, synapses(ROWS[work][full], NEURONS))]
    return "\n".join([(__doc__ or "").strip(), "", head, *parts, "", _absent()]).strip()


def synapses(rows: int, neurons: int) -> Table:
    """Return synapses with exact ids and the number of a neuropil, the same on every machine."""
    random = np.random.default_rng(6)
    ids = np.sort(random.choice(2**34, neurons, replace=False)) + 576460752300000000
    many = rows * 124 // (neurons * 1_000)  # of the thousand synapses of a neuron in the largest table
    partners = random.integers(neurons, size=(neurons, many))
    homes = random.integers(NEUROPILS, size=(neurons, many, 3), dtype=np.int32)
    pre, which = random.integers(neurons, size=rows), random.integers(many, size=rows)
    region = homes[pre, which, random.integers(3, size=rows)]
    return pd.DataFrame({"neuropil": region, "pre": ids[pre], "post": ids[partners[pre, which]]})


def _rows(work: str, data: Table) -> list[str]:
    peers = WORKS[work]
    times = _in_turns({name: partial(peer, data) for name, peer in peers.items()})
    with tempfile.TemporaryDirectory() as folder:
        for name in data:
            np.save(Path(folder) / f"{name}.npy", data[name].to_numpy())
        grown = {name: peak("benchmarks.matrices", folder, work, name) for name in peers}
    return [
        f"| {work} of {len(data):,} rows | {name} | {times[name]:.3f} | {times[name] / times[OURS]:.1f} × "
        f"| {grown[name] / 1e6:,.0f} | {grown[name] / len(data):.0f} |"
        for name in peers
    ]


def _in_turns(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median CPU seconds of each; what takes seconds a call is called once."""
    first = {name: cpu_seconds(work) for name, work in works.items()}
    slow = {name for name in works if "cell by cell" in name}
    rounds = [{name: cpu_seconds(work) for name, work in works.items() if name not in slow} for _ in range(ROUNDS)]
    return {name: first[name] if name in slow else median(times[name] for times in rounds) for name in works}


def _measure(folder: str, work: str, name: str) -> None:
    """Print what one way of doing one work takes; called in a process of its own."""
    columns = {column: np.load(Path(folder) / f"{column}.npy") for column in ("neuropil", "pre", "post")}
    data = pd.DataFrame(columns, copy=False)
    way = WORKS[work][name]
    way(data.iloc[:1000])  # imports what it needs
    print(grown_by(partial(way, data)))


def _absent() -> str:
    missing = [name for name in ("polars", "duckdb") if find_spec(name) is None]
    return f"Not installed, so not measured: {', '.join(missing)}." if missing else ""


# --- Adjacency --------------------------------------------------------------------------------------------------------


def _our_adjacency(data: Table) -> Any:
    return count(data["pre"].to_numpy(), data["post"].to_numpy()).table


def _cell_by_cell(data: Table) -> Any:
    pairs = data.groupby(["pre", "post"]).size().reset_index(name="weight")
    ids = np.union1d(pairs["pre"].to_numpy(), pairs["post"].to_numpy())
    found = pd.DataFrame(np.zeros((len(ids), len(ids)), dtype=np.int64), index=ids, columns=ids)
    for _, row in pairs.iterrows():
        found.loc[row["pre"], row["post"]] = row["weight"]
    return found


def _pandas_pairs(data: Table) -> Any:
    return data.groupby(["pre", "post"]).size()


def _scipy_pairs(data: Table) -> Any:
    from scipy.sparse import coo_array

    codes, ids = pd.factorize(pd.concat([data["pre"], data["post"]]))
    pre, post = codes[: len(data)], codes[len(data) :]
    return coo_array((np.ones(len(data), dtype=np.int64), (pre, post)), shape=(len(ids), len(ids))).tocsr()


# --- Neuropils --------------------------------------------------------------------------------------------------------


def _our_regions(data: Table) -> Any:
    return count(data["pre"].to_numpy(), data["post"].to_numpy(), data["neuropil"].to_numpy(), NAMES).table


def _pandas_regions(data: Table) -> Any:
    return data.groupby(["neuropil", "pre", "post"]).size()


def _pandas_unsorted(data: Table) -> Any:
    return data.groupby(["neuropil", "pre", "post"], sort=False).size()


def _arrow_regions(data: Table) -> Any:
    import pyarrow as pa

    columns = pa.table({name: data[name].to_numpy() for name in data})
    return columns.group_by(["neuropil", "pre", "post"]).aggregate([([], "count_all")])


def _polars_regions(data: Table) -> Any:
    import polars as pl

    columns = pl.DataFrame({name: data[name].to_numpy() for name in data})
    return columns.group_by(["neuropil", "pre", "post"]).len()


def _duckdb_regions(data: Table) -> Any:
    import duckdb

    query = "select neuropil, pre, post, count(*) as n from data group by all"
    return duckdb.sql(query).fetchnumpy()


ADJACENCY: dict[str, Work] = {
    OURS: _our_adjacency,
    "dense, cell by cell": _cell_by_cell,
    "pandas groupby": _pandas_pairs,
    "scipy, pandas factorize": _scipy_pairs,
}
REGIONS: dict[str, Work] = {
    OURS: _our_regions,
    "pandas groupby": _pandas_regions,
    "pandas groupby, unsorted": _pandas_unsorted,
    "pyarrow group_by": _arrow_regions,
}
if find_spec("polars"):
    REGIONS["polars group_by"] = _polars_regions
if find_spec("duckdb"):
    REGIONS["DuckDB"] = _duckdb_regions
WORKS = {"adjacency": ADJACENCY, "70 matrices": REGIONS}


if __name__ == "__main__":
    _measure(*sys.argv[1:])
