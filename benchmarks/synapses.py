"""Counting and attaching synapses: ours against the peer's way, re-enacted from its description.

Rows are in memory, as they are after the query. The peer fills a dense frame row by row (`iterrows`, `.loc`), filters
the list of pairs once for every neuron to count its partners, and converts positions by a function per row. What
takes it more than 20 s is measured on a part of the rows and multiplied, which is marked with ×.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.timing import cpu_seconds
from crant_core.synapses.adjacency import adjacency_of, axes_of
from crant_core.synapses.attaching import connectors
from crant_core.synapses.filters import Filters
from crant_core.synapses.listing import _lists
from crant_core.synapses.partners import connectivity_of, counts_of
from crant_core.synapses.rows import positions

TITLE = "Synapses"
ROWS = {False: 200_000, True: 1_000_000}
NEURONS = 2_000
ATTACHED = {False: ((100, 2_000),), True: ((100, 2_000), (10, 100_000))}
NODES = 4_000
ROUNDS = 3
_FIRST = 8 << 56
_UNIT = np.array([8, 8, 42])
_EXTENT = 300_000  # nm
_PART = 20  # of the rows, where all would take too long

Work = Callable[[pd.DataFrame], object]


def table(full: bool = False) -> str:
    """Measure everything on the same rows."""
    rows = _synapses(ROWS[full], NEURONS)
    head = f"| {len(rows):,} rows | ours, s | peer's way, s | ratio |\n|---|---|---|---|"
    lines = [
        _line(f"matrix of {NEURONS:,} neurons", rows, partial(_matrix, sparse=False), _peer_matrix, _PART),
        _line("the same, sparse", rows, partial(_matrix, sparse=True), None),
        _line("partners, threshold 3", rows, _partners, _peer_partners),
        _line(f"counts of partners, {NEURONS:,} neurons", rows, _counts, _peer_counts),
        _line("positions in pixels", rows, _pixels, _peer_pixels),
        *(_attaching(neurons, each) for neurons, each in ATTACHED[full]),
    ]
    return "\n".join([(__doc__ or "").strip(), "", head, *lines])


def _line(what: str, rows: pd.DataFrame, ours: Work, peer: Work | None, part: int = 1) -> str:
    mine = median(cpu_seconds(partial(ours, rows)) for _ in range(ROUNDS))
    if peer is None:
        return f"| {what} | {mine:.3f} | – | – |"
    some = rows.iloc[: len(rows) // part]
    theirs = part * median(cpu_seconds(partial(peer, some)) for _ in range(1 if part > 1 else ROUNDS))
    mark = f" (× {part})" if part > 1 else ""
    return f"| {what} | {mine:.3f} | {theirs:.2f}{mark} | {theirs / mine:,.0f} × |"


def _attaching(neurons: int, each: int) -> str:
    rows = _synapses(neurons * each // 2, neurons)  # every synapse is on two of them
    skeletons = [_skeleton(number) for number in range(neurons)]
    ours = partial(_attach, skeletons)
    return _line(f"attaching {neurons} × {each:,}", rows, ours, partial(_peer_attach, skeletons))


def _synapses(count: int, neurons: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    ends = {f"{side}_pt_root_id": _FIRST + random.integers(0, neurons, count) for side in ("pre", "post")}
    places = {
        f"{side}_pt_position_{axis}": random.integers(0, _EXTENT, count)
        for side in ("pre", "post", "ctr")
        for axis in "xyz"
    }
    return pd.DataFrame({"id": np.arange(count), **ends, "size": random.integers(5, 500, count), **places})


def _skeleton(number: int) -> Any:
    random = np.random.default_rng(number)
    places = {axis: random.uniform(0, _EXTENT, NODES) for axis in "xyz"}
    return SimpleNamespace(id=_FIRST + number, nodes=pd.DataFrame({"node_id": np.arange(NODES), **places}))


def _matrix(rows: pd.DataFrame, *, sparse: bool) -> object:
    pairs = Filters().pairs(rows)
    found = adjacency_of(pairs, axes_of(pairs, {}, symmetric=True))
    return found if sparse else found.to_frame()


def _peer_matrix(rows: pd.DataFrame) -> pd.DataFrame:
    ids = sorted({*rows["pre_pt_root_id"], *rows["post_pt_root_id"]})
    matrix = pd.DataFrame(0, index=ids, columns=ids)
    counts = rows.groupby(["pre_pt_root_id", "post_pt_root_id"]).size().reset_index(name="n")
    for _, row in counts.iterrows():
        matrix.loc[row["pre_pt_root_id"], row["post_pt_root_id"]] = row["n"]
    return matrix


def _partners(rows: pd.DataFrame) -> pd.DataFrame:
    return connectivity_of(Filters(threshold=3).pairs(rows))


def _peer_partners(rows: pd.DataFrame) -> pd.DataFrame:
    both = pd.concat([rows, rows]).drop_duplicates(subset="id")
    both = both[both["pre_pt_root_id"] != both["post_pt_root_id"]]
    counts = both.groupby(["pre_pt_root_id", "post_pt_root_id"]).size().reset_index(name="weight")
    return counts[counts["weight"] >= 3].sort_values("weight", ascending=False)


def _counts(rows: pd.DataFrame) -> pd.DataFrame:
    ids = _FIRST + np.arange(NEURONS)
    return counts_of(Filters().pairs(rows), ids, ids)


def _peer_counts(rows: pd.DataFrame) -> pd.DataFrame:
    both = pd.concat([rows, rows]).drop_duplicates(subset="id")
    pairs = both.groupby(["pre_pt_root_id", "post_pt_root_id"]).size().reset_index(name="weight")
    found = [
        {"pre": (pairs["pre_pt_root_id"] == one).sum(), "post": (pairs["post_pt_root_id"] == one).sum()}
        for one in range(_FIRST, _FIRST + NEURONS)
    ]
    return pd.DataFrame(found)


def _pixels(rows: pd.DataFrame) -> list[Any]:
    sides = ("pre_pt_position", "post_pt_position", "ctr_pt_position")
    return [_lists(positions(rows, side), (8.0, 8.0, 42.0)) for side in sides]


def _peer_pixels(rows: pd.DataFrame) -> list[pd.Series]:
    def pixels(place: Any) -> list[int]:
        return [int(axis // unit) for axis, unit in zip(place, (8, 8, 42), strict=True)]

    return [_joined(rows, side).apply(pixels) for side in ("pre", "post", "ctr")]


def _attach(skeletons: list[Any], rows: pd.DataFrame) -> list[pd.DataFrame]:
    roots = np.array([skeleton.id for skeleton in skeletons])
    return connectors(skeletons, roots, Filters(clean=False).keep(rows), (0, 1), 10_000.0)


def _peer_attach(skeletons: list[Any], rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Attach as the peer does, from positions that it has already made pixels of."""
    rows = rows.assign(pre_at=_joined(rows, "pre"), post_at=_joined(rows, "post"))
    return [_peer_connectors(skeleton, rows) for skeleton in skeletons]


def _peer_connectors(skeleton: Any, rows: pd.DataFrame) -> pd.DataFrame:
    from scipy.spatial import KDTree

    parts = []
    for side, other in (("pre", "post"), ("post", "pre")):
        mine = rows[rows[f"{side}_pt_root_id"] == skeleton.id].copy()
        for number, axis in enumerate("xyz"):
            unit = _UNIT[number]
            mine[axis] = mine[f"{side}_at"].apply(lambda place, at=number, unit=unit: place[at] // unit * unit)
        mine["partner_id"], mine["type"] = mine[f"{other}_pt_root_id"], side
        parts.append(mine[["x", "y", "z", "partner_id", "type"]])
    table = pd.concat(parts, ignore_index=True)
    tree = KDTree(skeleton.nodes[["x", "y", "z"]].to_numpy())
    distances, nearest = tree.query(table[["x", "y", "z"]].to_numpy())
    table["node_id"] = skeleton.nodes["node_id"].to_numpy()[nearest]
    table["type"] = table["type"].astype("category")
    return table[distances <= 10_000]


def _joined(rows: pd.DataFrame, side: str) -> pd.Series:
    places = rows[[f"{side}_pt_position_{axis}" for axis in "xyz"]].to_numpy()
    return pd.Series(list(places), index=rows.index)
