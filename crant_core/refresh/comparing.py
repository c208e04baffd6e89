"""Compares two runs: who came, who went, who was edited, and what that did to skeletons, synapses and connections.

What was edited is followed by lineage: a neuron's numbers are compared with those of the root that it was, and a
connection with the one between the roots that both of its neurons were. Of a root that was split, its largest part
stands for it; roots that were merged add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crant_core.refresh.run import OF_SKELETONS, OF_SYNAPSES, Failure, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Lineage = Mapping[int, tuple[int, float]]
ADDED, GONE, EDITED, SKELETON, SYNAPSES, CONNECTION, FAILURE = (
    "added",
    "gone",
    "edited",
    "skeleton",
    "synapses",
    "connection",
    "failure",
)


@dataclass(frozen=True, slots=True)
class Edited:
    """A root that became another one."""

    old_id: int
    new_id: int
    share: float  #: of the old one in the new one


@dataclass(frozen=True, slots=True)
class Change:
    """A number of a neuron that is another one than before; None where it was not measured."""

    root_id: int
    old_ids: tuple[int, ...]
    measure: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class ConnectionChange:
    """A connection whose weight changed, under the ids of the later run; all neuropils together."""

    pre: int
    post: int
    before: int
    after: int


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """What changed between two runs.

    Attributes
    ----------
    before, after : Run
    added, gone : list of int
        Neurons of one run only. One that was edited into a neuron of the later run is not gone.
    edited : list of Edited
    skeletons, synapses : list of Change
        In both, with numbers that differ; the largest differences first.
    connections : list of ConnectionChange
        The largest differences first.
    weights : DataFrame
        `neuropil`, `pre`, `post`, `before`, `after` of every connection of either run, ids as the later run has them.
    new_failures : list of Failure
        Those of the later run.
    """

    before: Run
    after: Run
    added: Sequence[int] = ()
    gone: Sequence[int] = ()
    edited: Sequence[Edited] = ()
    skeletons: Sequence[Change] = ()
    synapses: Sequence[Change] = ()
    connections: Sequence[ConnectionChange] = ()
    weights: pd.DataFrame = field(default_factory=pd.DataFrame)
    new_failures: Sequence[Failure] = ()

    @property
    def changed_percent(self) -> float:
        """Per cent of the neurons of both runs that were added, are gone, or were edited."""
        changed = len(self.added) + len(self.gone) + len({one.new_id for one in self.edited})
        everyone = len(self.after.neurons) + len(self.gone)
        return 100.0 * changed / everyone if everyone else 0.0


def compare(before: Run, after: Run, lineage: Lineage | None = None) -> Comparison:
    """Compare two runs.

    Parameters
    ----------
    before, after : Run
    lineage : mapping of int to (int, float), optional
        What became of the earlier run's ids by the later one's time, and the share of the old one in the new one; if
        left out, what the later run knows. Ids that are not in it stayed what they are.

    Returns
    -------
    Comparison
    """
    lineage = after.lineage if lineage is None else lineage
    old, new = [int(one) for one in before.neurons.index], [int(one) for one in after.neurons.index]
    became = {root: lineage.get(root, (root, 1.0)) for root in old}
    now, heirs = set(new), {root for root, _ in became.values()}
    weights = _weights(before, after, lineage)
    return Comparison(
        before=before,
        after=after,
        added=[root for root in new if root not in heirs],
        gone=[root for root in old if became[root][0] not in now],
        edited=[Edited(one, root, share) for one, (root, share) in became.items() if one != root and root in now],
        skeletons=_changes(before, after, became, OF_SKELETONS),
        synapses=_changes(before, after, became, OF_SYNAPSES),
        connections=_connections(weights),
        weights=weights,
        new_failures=list(after.failures),
    )


def chained(first: Lineage, second: Lineage) -> dict[int, tuple[int, float]]:
    """Follow ids through two lineages, the second of a later time."""
    through = {old: _then(new, share, second) for old, (new, share) in first.items()}
    return {**second, **through}


def _then(root: int, share: float, lineage: Lineage) -> tuple[int, float]:
    new, part = lineage.get(root, (root, 1.0))
    return new, share * part


def _changes(before: Run, after: Run, became: Lineage, measures: Sequence[str]) -> list[Change]:
    """List what differs; of neurons that were merged, what was counted before is added up."""
    heirs = np.array([became[int(old)][0] for old in before.neurons.index], dtype=np.int64)
    was = before.neurons[list(measures)].groupby(heirs).sum(min_count=1)
    shared = after.neurons.index.intersection(was.index)
    then, now = (frame.loc[shared, list(measures)].to_numpy(np.float64) for frame in (was, after.neurons))
    differs = (then != now) & ~(np.isnan(then) & np.isnan(now))
    found = [
        Change(int(root), tuple(map(int, before.neurons.index[heirs == root])), name, _number(old), _number(new))
        for root, name, old, new in _entries(shared, measures, then, now, differs)
    ]
    return sorted(found, key=lambda one: (-abs((one.after or 0.0) - (one.before or 0.0)), one.root_id, one.measure))


def _entries(
    roots: pd.Index, measures: Sequence[str], then: Numbers, now: Numbers, chosen: NDArray[np.bool_]
) -> Iterator[tuple[int, str, float, float]]:
    for row, column in zip(*np.nonzero(chosen), strict=True):
        yield roots[row], measures[column], then[row, column], now[row, column]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _weights(before: Run, after: Run, lineage: Lineage) -> pd.DataFrame:
    """Put the connections of both runs side by side, under the ids of the later one."""
    then = before.connections.assign(
        pre=_followed(before.connections.pre, lineage), post=_followed(before.connections.post, lineage)
    )
    keys = ["neuropil", "pre", "post"]
    both = [
        frame.groupby(keys, sort=True)["weight"].sum().rename(name)
        for frame, name in ((then, "before"), (after.connections, "after"))
    ]
    joined = pd.concat(both, axis=1).fillna(0).astype("int64")
    return joined.sort_index().reset_index()


def _followed(ids: pd.Series, lineage: Lineage) -> pd.Series:
    unique, place = np.unique(ids.to_numpy(), return_inverse=True)
    now = np.array([lineage.get(int(one), (int(one), 1.0))[0] for one in unique], dtype=np.int64)
    return pd.Series(now[place], index=ids.index, dtype="int64")


def _connections(weights: pd.DataFrame) -> list[ConnectionChange]:
    pairs = weights.groupby(["pre", "post"], as_index=False)[["before", "after"]].sum()
    pairs = pairs[pairs.before != pairs.after]
    order = np.lexsort((pairs.post, pairs.pre, -(pairs.after - pairs.before).abs()))
    return [ConnectionChange(*map(int, row)) for row in pairs.iloc[order].to_numpy(dtype=np.int64).tolist()]
