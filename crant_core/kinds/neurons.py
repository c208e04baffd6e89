"""Neurons of any age to the neurons of a job, at its one point in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crant_core.errors import NotARoot
from crant_core.identity import Outcome, outcomes
from crant_core.ids import layer_of, parse_id
from crant_core.kinds.base import Context, DoneItem, PlannedItem, Scalar
from crant_core.kinds.files import columns, in_batches

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class GivenType:
    """A cell type as it was given, and what became of its neuron.

    Attributes
    ----------
    asked_id : int
    root_id : int or None
        None: the id is no root and became none, so its type is nobody's.
    share : float
        Of the neuron that was meant, in this root.
    cell_type : str
    used : bool
        False: its neuron is none, or has the type that was given first for it.
    """

    asked_id: int
    root_id: int | None
    share: float
    cell_type: str
    used: bool


def items_of(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each neuron an item under its root id at the job's time.

    Ids that are one neuron by then are one item; its metrics name all of them, and the share of each that is in it.
    """
    layer = context.source.root_layer()
    found = outcomes_of(context, ids)
    asked: dict[int, dict[int, float]] = {}
    for one in dict.fromkeys(ids):
        root, share = found.get(one, Outcome(one, 0.0))
        asked.setdefault(root, {})[one] = share
    return [_planned(root, shares, layer) for root, shares in asked.items()]


def as_given(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each distinct id an item under itself; those that cannot be roots fail at once."""
    layer = context.source.root_layer()
    return [
        PlannedItem(key=str(one)) if layer_of(one) == layer else _planned(one, {}, layer) for one in dict.fromkeys(ids)
    ]


def outcomes_of(context: Context, ids: Iterable[int]) -> dict[int, Outcome]:
    """Return what became of each id by the job's time; those that are no root and became none are left out.

    Source: as `crant_core.update_ids`.
    """
    source: Any = context.source
    layer = source.root_layer()
    known = [one for one in dict.fromkeys(ids) if layer_of(one) == layer]
    if not known:
        return {}
    found = outcomes(source, known, context.time.timestamp)
    return {one: outcome for one, outcome in zip(known, found, strict=True) if outcome is not None}


def types_of(context: Context, given: Mapping[int, str]) -> list[GivenType]:
    """Find whose types these are at the job's time; of several ids that are one neuron then, the first one's counts."""
    found = outcomes_of(context, given)
    first: dict[int, int] = {}
    for one, outcome in ((one, found[one]) for one in given if one in found):
        first.setdefault(outcome.new_id, one)
    return [_given(one, name, found.get(one), first) for one, name in given.items()]


def asked_of(metrics: Mapping[str, Scalar]) -> dict[int, float]:
    """Return the ids that were asked for and are an item's neuron, with the share of each that is in it."""
    ids, shares = (str(metrics[name]).split(", ") for name in ("asked", "shares"))
    return {int(one): float(share) for one, share in zip(ids, shares, strict=True)}


def neurons_table(items: Iterable[DoneItem], metrics: Sequence[str]) -> pa.Table:
    """Make one row for each id that was asked for: its root, the share of it in there, and metrics of the root."""

    def batch(some: Sequence[DoneItem]) -> pa.Table:
        asked = [(one, share, item) for item in some for one, share in asked_of(item.metrics).items()]
        return columns(
            {
                "asked_id": ("int64", [one for one, _, _ in asked]),
                "root_id": ("int64", [parse_id(item.key) for _, _, item in asked]),
                "share": ("float64", [share for _, share, _ in asked]),
                **{name: ("int64", [item.metrics.get(name) for _, _, item in asked]) for name in metrics},
            }
        )

    return in_batches(items, batch)


def _given(one: int, name: str, outcome: Outcome | None, first: Mapping[int, int]) -> GivenType:
    if outcome is None:
        return GivenType(one, None, 0.0, name, used=False)
    return GivenType(one, outcome.new_id, outcome.confidence, name, used=first[outcome.new_id] == one)


def _planned(root: int, shares: Mapping[int, float], layer: int) -> PlannedItem:
    if any(shares.values()):
        return PlannedItem(key=str(root), metrics=_metrics(root, shares))
    of_layer = layer_of(root)
    wrong = f"an id of layer {of_layer}, not a root (layer {layer})" if of_layer != layer else "no root and became none"
    return PlannedItem(key=str(root), error=NotARoot(f"{root} is {wrong}", value=root))


def _metrics(root: int, shares: Mapping[int, float]) -> dict[str, Scalar]:
    return {
        "asked": ", ".join(map(str, shares)),
        "shares": ", ".join(map(str, shares.values())),
        "changed": [*shares] != [root],
        "partial": any(share < 1 for share in shares.values()),
    }
