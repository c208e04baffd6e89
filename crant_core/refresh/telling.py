"""A comparison in words that programs read: JSON, in which ids are strings, and rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from crant_core.refresh.comparing import (
    ADDED,
    CONNECTION,
    EDITED,
    FAILURE,
    GONE,
    SKELETON,
    SYNAPSES,
    Change,
    Comparison,
)
from crant_core.refresh.heatmaps import Heatmap, heatmaps
from crant_core.refresh.run import Run

FORMAT = {"name": "crant-refresh-report", "version": 1}


def as_json(found: Comparison, shown: int) -> dict[str, Any]:
    """Say what changed; of each sort so many at most, and how many there are (`numbers`).

    Parameters
    ----------
    found : Comparison
    shown : int

    Returns
    -------
    dict
        Plain values. `changes.parquet` and the table `refresh_changes` have what is not shown.
    """
    return {
        "format": FORMAT,
        "before": dict(found.before.about),
        "after": dict(found.after.about),
        "summary": summary(found),
        "numbers": numbers(found),
        "shown": shown,
        "added": _texts(found.added[:shown]),
        "gone": _texts(found.gone[:shown]),
        "edited": [
            {"old_id": str(one.old_id), "new_id": str(one.new_id), "share": one.share} for one in found.edited[:shown]
        ],
        "skeletons": [_change(one) for one in found.skeletons[:shown]],
        "synapses": [_change(one) for one in found.synapses[:shown]],
        "connections": [
            {"pre": str(one.pre), "post": str(one.post), "before": one.before, "after": one.after}
            for one in found.connections[:shown]
        ],
        "matrices": [_heatmap(one) for one in heatmaps(found.weights)],
        "failures": [asdict(one) for one in found.new_failures[:shown]],
        "costs": {"before": _costs(found.before), "after": _costs(found.after)},
    }


def numbers(found: Comparison) -> dict[str, int]:
    """Count what there is of each sort of change."""
    return {
        "added": len(found.added),
        "gone": len(found.gone),
        "edited": len(found.edited),
        "skeletons": len(found.skeletons),
        "synapses": len(found.synapses),
        "connections": len(found.connections),
        "failures": len(found.new_failures),
    }


def summary(found: Comparison) -> dict[str, Any]:
    """Say how much it is, and what the later run took."""
    costs = found.after.costs.values()
    items, reused = sum(cost.items for cost in costs), sum(cost.reused for cost in costs)
    return {
        "neurons_before": len(found.before.neurons),
        "neurons_after": len(found.after.neurons),
        "changed_percent": round(found.changed_percent, 3),
        "seconds": round(sum(cost.seconds for cost in costs), 3),
        "requests": sum(cost.requests for cost in costs),
        "received": sum(cost.received for cost in costs),
        "items": items,
        "reused": reused,
        "reused_percent": round(100.0 * reused / items, 3) if items else 0.0,
    }


def rows(found: Comparison) -> Iterator[dict[str, Any]]:
    """Yield every change as a row of `refresh_changes`, without the job's id."""
    for number, row in enumerate(_rows(found)):
        yield {"number": number, **_ROW, **row}


_ROW: Mapping[str, Any] = {"old_id": None, "partner_id": None, "before": None, "after": None}


def _rows(found: Comparison) -> Iterator[dict[str, Any]]:
    yield from _of_neurons(found)
    for kind, changes in ((SKELETON, found.skeletons), (SYNAPSES, found.synapses)):
        for change in changes:
            values = {"measure": change.measure, "before": change.before, "after": change.after}
            yield {"change": kind, "root_id": change.root_id, "old_id": change.old_ids[0], **values}
    for pair in found.connections:
        values = {"measure": "weight", "before": float(pair.before), "after": float(pair.after)}
        yield {"change": CONNECTION, "root_id": pair.pre, "partner_id": pair.post, **values}
    for failure in found.new_failures:
        yield {"change": FAILURE, "root_id": int(failure.key or 0), "measure": failure.code[:64]}


def _of_neurons(found: Comparison) -> Iterator[dict[str, Any]]:
    for root in found.added:
        yield {"change": ADDED, "root_id": root, "measure": "neuron", "before": 0.0, "after": 1.0}
    for root in found.gone:
        yield {"change": GONE, "root_id": root, "old_id": root, "measure": "neuron", "before": 1.0, "after": 0.0}
    for one in found.edited:
        share = {"measure": "share", "before": 1.0, "after": one.share}
        yield {"change": EDITED, "root_id": one.new_id, "old_id": one.old_id, **share}


def _texts(ids: Sequence[int]) -> list[str]:
    return [str(one) for one in ids]


def _change(one: Change) -> dict[str, Any]:
    values = {"measure": one.measure, "before": one.before, "after": one.after}
    return {"root_id": str(one.root_id), "old_ids": _texts(one.old_ids), **values}


def _heatmap(one: Heatmap) -> dict[str, Any]:
    return {
        "neuropil": one.neuropil,
        "pre": _texts(one.pre),
        "post": _texts(one.post),
        "before": one.before.tolist(),
        "after": one.after.tolist(),
        "connections_changed": one.changed,
        "connections": one.connections,
    }


def _costs(run: Run) -> dict[str, Any]:
    return {name: asdict(cost) for name, cost in run.costs.items()}
