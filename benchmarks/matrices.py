"""Synapses to matrices: ours against what libraries offer, from the same columns in memory.

10,000 neurons with 12 partners each in 1 M rows, 124 in 10 M; a pair is in up to three of 70 neuropils. CPU seconds of
all threads, medians of rounds in which all take turns; memory is what a fresh process needs beyond the columns (its
highest resident set).
The dense adjacency is filled as crantpy fills it, cell by cell, once, because it takes so long. To disk, ours writes
70 matrices of shares of the output with their axes and types to one Parquet file, pandas writes its table of shares.
"""

from __future__ import annotations

import subprocess
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

from benchmarks.timing import cpu_seconds
from crant_core.matrices import NestedMatrix, count

NEURONS, NEUROPILS = 10_000, 70
PAIRS_ROWS, REGIONS_ROWS = 1_000_000, 10_000_000
ROUNDS = 3
NAMES = tuple(f"neuropil_{number}" for number in range(NEUROPILS))
OURS = "ours"

Table = pd.DataFrame
Work = Callable[[Table], Any]


def table() -> str:
    """Measure all rows, in one process, and memory in one process each."""
    small, large = synapses(PAIRS_ROWS), synapses(REGIONS_ROWS)
    head = "| work | by | CPU, s | ours is faster by | memory, MB | bytes per row |\n|---|---|---|---|---|---|"
    parts = [
        *_rows("adjacency of 1 M rows", small, ADJACENCY),
        *_rows("70 matrices of 10 M rows", large, REGIONS),
        *_rows("70 matrices of 1 M rows: shares, ordered, on disk", small, DISK),
    ]
    return "\n".join(["## Synapses to matrices", "", (__doc__ or "").strip(), "", head, *parts, "", _absent()])


def synapses(rows: int) -> Table:
    """Return synapses with exact ids and the number of a neuropil, the same on every machine."""
    random = np.random.default_rng(6)
    ids = np.sort(random.choice(2**34, NEURONS, replace=False)) + 576460752300000000
    many = rows * 124 // REGIONS_ROWS
    partners = random.integers(NEURONS, size=(NEURONS, many))
    homes = random.integers(NEUROPILS, size=(NEURONS, many, 3), dtype=np.int32)
    pre, which = random.integers(NEURONS, size=rows), random.integers(many, size=rows)
    region = homes[pre, which, random.integers(3, size=rows)]
    return pd.DataFrame({"neuropil": region, "pre": ids[pre], "post": ids[partners[pre, which]]})


def _rows(work: str, data: Table, peers: dict[str, Work]) -> list[str]:
    times = _in_turns({name: partial(peer, data) for name, peer in peers.items()})
    with tempfile.TemporaryDirectory() as folder:
        for name in data:
            np.save(Path(folder) / f"{name}.npy", data[name].to_numpy())
        peak = {name: _peak(folder, work, name) for name in peers}
    return [
        f"| {work} | {name} | {times[name]:.3f} | {times[name] / times[OURS]:.1f} × "
        f"| {peak[name] / 1e6:,.0f} | {peak[name] / len(data):.0f} |"
        for name in peers
    ]


def _in_turns(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median CPU seconds of each; what takes seconds a call is called once."""
    first = {name: cpu_seconds(work) for name, work in works.items()}
    slow = {name for name in works if "cell by cell" in name}
    rounds = [{name: cpu_seconds(work) for name, work in works.items() if name not in slow} for _ in range(ROUNDS)]
    return {name: first[name] if name in slow else median(times[name] for times in rounds) for name in works}


def _peak(folder: str, work: str, name: str) -> float:
    """Return by how many bytes a fresh process grows that has loaded the columns and does the work."""
    command = [sys.executable, "-m", "benchmarks.matrices", folder, work, name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _measure(folder: str, work: str, name: str) -> None:
    peers = next(peers for start, peers in _WORKS.items() if work.startswith(start))
    columns = {column: np.load(Path(folder) / f"{column}.npy") for column in ("neuropil", "pre", "post")}
    data = pd.DataFrame(columns, copy=False)
    peers[name](data.iloc[:1000])  # imports what it needs
    before = _forget_peak()
    peers[name](data)
    print(_status("VmHWM") - before)


def _forget_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the highest resident set becomes the present one
    return _status("VmRSS")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


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


# --- To disk ----------------------------------------------------------------------------------------------------------


def _our_files(data: Table) -> Any:
    counts = count(data["pre"].to_numpy(), data["post"].to_numpy(), data["neuropil"].to_numpy(), NAMES)
    types = [f"T{number % 200}" for number in range(len(counts.ids))]
    known = pd.DataFrame({"root_id": counts.ids, "cell_type": types})
    with tempfile.TemporaryDirectory() as folder:
        return NestedMatrix.from_counts(counts, known).to_parquet(Path(folder) / "matrices.parquet")


def _pandas_files(data: Table) -> Any:
    pairs = data.groupby(["neuropil", "pre", "post"]).size().reset_index(name="weight")
    pairs["weight"] = pairs["weight"] / pairs.groupby(["neuropil", "pre"])["weight"].transform("sum")
    with tempfile.TemporaryDirectory() as folder:
        return pairs.to_parquet(Path(folder) / "shares.parquet")


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
DISK: dict[str, Work] = {OURS: _our_files, "pandas, table only": _pandas_files}
_WORKS = {"adjacency": ADJACENCY, "70 matrices of 10 M": REGIONS, "70 matrices of 1 M": DISK}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _measure(*sys.argv[1:])
    else:
        print(table())
