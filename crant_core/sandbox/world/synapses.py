"""Synapses: real sites of the five neurons, with the partners that were made for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crant_core.sandbox.world.anchoring import anchor
from crant_core.sandbox.world.history import INGESTED
from crant_core.sandbox.world.navis_data import Connectors
from crant_core.sandbox.world.partners import Partners
from crant_core.sandbox.world.segmentation import Segmentation

_REAL_PAIR = 300.0  # nm between a T-bar and a density of another neuron: one synapse seen from both sides
_PARTNERS_MEET = 1500.0  # nm: how near two made-up neurons come to get a made-up synapse
_LATER = 0.03  # share of synapses that were added after the first versions
_WITHDRAWN = 0.005

Sites = pd.DataFrame


def real_sites(connectors: Sequence[Connectors]) -> Sites:
    """List all sites: neuron, x, y, z in nm, is_pre, region."""
    frames = [
        pd.DataFrame(one.positions, columns=list("xyz")).assign(neuron=number, is_pre=one.is_pre, region=one.regions)
        for number, one in enumerate(connectors)
    ]
    return pd.concat(frames, ignore_index=True)


def pair(sites: Sites, partners: Partners) -> pd.DataFrame:
    """Give every site its other side.

    Returns
    -------
    DataFrame
        Per synapse `pre`, `post` (neuron numbers), `pre_x` … `post_z` (nm), `region`.
    """
    places = sites[["x", "y", "z"]].to_numpy()
    count = int(sites.neuron.max()) + 1
    ends = zip(partners.of_site, partners.node_of_site, strict=True)
    opposite = np.stack([partners.trees[partner].nodes[node] for partner, node in ends])
    other = count + partners.of_site
    used = np.ones(len(sites), dtype=bool)
    for tbar, density in _real_pairs(sites, places):
        other[tbar], opposite[tbar], used[density] = sites.neuron[density], places[density], False
    is_pre = sites.is_pre.to_numpy()[:, None]
    columns = {
        "pre": np.where(is_pre[:, 0], sites.neuron, other),
        "post": np.where(is_pre[:, 0], other, sites.neuron),
        **_xyz("pre", np.where(is_pre, places, opposite)),
        **_xyz("post", np.where(is_pre, opposite, places)),
        "region": sites.region,
    }
    return pd.DataFrame(columns)[used].reset_index(drop=True)


def _real_pairs(sites: Sites, places: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Match each T-bar to the nearest density, if it is near and no other T-bar is nearer to that density."""
    tbars, densities = np.flatnonzero(sites.is_pre), np.flatnonzero(~sites.is_pre)
    distances, nearest = cKDTree(places[densities]).query(places[tbars], distance_upper_bound=_REAL_PAIR)
    found: dict[int, int] = {}
    for index in np.argsort(distances, kind="stable")[: np.isfinite(distances).sum()]:
        found.setdefault(int(densities[nearest[index]]), int(tbars[index]))
    return [(tbar, density) for density, tbar in found.items()]


def between_partners(partners: Partners, first: int, count: int, random: np.random.Generator) -> pd.DataFrame:
    """Make up synapses where two made-up neurons come near each other; `first` is the number of the first one."""
    nodes = np.concatenate([tree.nodes for tree in partners.trees])
    owner = np.repeat(np.arange(len(partners.trees)), [len(tree.nodes) for tree in partners.trees])
    pairs = cKDTree(nodes).query_pairs(_PARTNERS_MEET, output_type="ndarray")
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    pairs = pairs[np.lexsort(pairs.T)]
    chosen = pairs[random.choice(len(pairs), min(count, len(pairs)), replace=False)]
    pre, post = np.where(random.random((len(chosen), 1)) < 0.5, chosen, chosen[:, ::-1]).T  # noqa: PLR2004 - a fair coin
    neurons = {"pre": first + owner[pre], "post": first + owner[post]}
    return pd.DataFrame({**neurons, **_xyz("pre", nodes[pre]), **_xyz("post", nodes[post]), "region": ""})


def _xyz(side: str, positions: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {f"{side}_{axis}": positions[:, number] for number, axis in enumerate("xyz")}


def table_rows(synapses: pd.DataFrame, found: Segmentation, random: np.random.Generator) -> pd.DataFrame:
    """Write synapses as rows of an annotation table in CRANT's columns; positions in nm.

    The centre is where the site really is; each side's point lies within its neuron.
    """
    rows: dict[str, object] = {"id": np.arange(1, len(synapses) + 1)}
    rows |= _life(len(synapses), random)
    sides = {side: synapses[[f"{side}_{axis}" for axis in "xyz"]].to_numpy() for side in ("pre", "post")}
    for side, positions in sides.items():
        supervoxels, inside = anchor(found, synapses[side].to_numpy(), np.round(positions))
        rows |= _point(f"{side}_pt", inside)
        rows[f"{side}_pt_supervoxel_id"] = found.ids[supervoxels]
    rows |= _point("ctr_pt", (sides["pre"] + sides["post"]) / 2)
    rows["size"] = np.maximum(random.lognormal(4.0, 1.0, len(synapses)), 5).astype(np.int32)
    return pd.DataFrame(rows)


def _point(name: str, positions: NDArray[np.float64]) -> dict[str, NDArray[np.int32]]:
    whole = np.round(positions).astype(np.int32)
    return {f"{name}_position_{axis}": whole[:, number] for number, axis in enumerate("xyz")}


def _life(count: int, random: np.random.Generator) -> dict[str, object]:
    """When each row was created and, for a few, withdrawn."""
    start = pd.Timestamp(INGESTED)
    created = pd.Series(start, index=range(count), dtype="datetime64[ns, UTC]")
    created[random.random(count) < _LATER] = start + timedelta(days=60, microseconds=500)
    deleted = pd.Series(pd.NaT, index=range(count), dtype="datetime64[ns, UTC]")
    deleted[random.random(count) < _WITHDRAWN] = start + timedelta(days=90, microseconds=500)
    return {"created": created, "deleted": deleted, "superceded_id": pd.array([pd.NA] * count, "Int64"), "valid": True}
