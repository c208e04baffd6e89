"""Runs of `refresh` as they are compared: read from what their steps made. Loaded by workers only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crant_core.errors import NotFound
from crant_core.ids import parse_id
from crant_core.kinds.base import JobResults
from crant_core.kinds.neuropil_matrices.summary import COUNTS
from crant_core.matrices.parquet import load_counts
from crant_core.refresh.run import CONNECTIONS, MEASURES, Cost, Failure, Run

if TYPE_CHECKING:
    from crant_core.matrices import Counts

UPDATES, SKELETONS, ATTACH, MATRICES = "update_ids", "skeletonize", "attach_synapses", "neuropil_matrices"
_MEASURED = {SKELETONS: ("cable_length_um", "n_nodes", "n_branches", "n_ends"), ATTACH: ("n_pre", "n_post")}


def neurons_of(run: JobResults) -> list[int]:
    """Return the neurons of a run, each once: what became of its ids by its time."""
    given, steps = set(run.ids()), run.steps()
    if UPDATES not in steps:
        return []
    items = (item for item in steps[UPDATES].items() if item.error_code is None and parse_id(item.key) in given)
    return list(dict.fromkeys(parse_id(item.metrics["new_id"]) for item in items))


def run_of(results: JobResults) -> Run:
    """Read a run."""
    steps = results.steps()
    return Run(
        about=_about(results),
        neurons=_neurons(results),
        connections=_connections(steps.get(MATRICES)),
        lineage=dict(_lineage(steps.get(UPDATES))),
        failures=list(_failures(results)),
        costs={name: _cost(step) for name, step in steps.items()},
    )


def _about(results: JobResults) -> dict[str, Any]:
    time = results.time
    return {
        "job": results.id,
        "label": results.label,
        "timestamp": time.timestamp.isoformat() if time else None,
        "materialization": time.version if time else None,
        "criteria": results.parameters.get("criteria"),
        "steps": list(results.steps()),
    }


def _neurons(results: JobResults) -> pd.DataFrame:
    """Make a row for each neuron, with what its steps measured; what was not measured is NaN."""
    roots = neurons_of(results)
    table = pd.DataFrame(index=pd.Index(roots, dtype="int64", name="root_id"), columns=list(MEASURES), dtype="float64")
    steps = results.steps()
    for step, names in _MEASURED.items():
        if step not in steps:
            continue
        found = {parse_id(item.key): item.metrics for item in steps[step].items() if item.error_code is None}
        for name in names:
            table[name] = [float(found.get(root, {}).get(name, np.nan)) for root in roots]
    return table


def _connections(step: JobResults | None) -> pd.DataFrame:
    if step is None:
        return CONNECTIONS.copy()
    try:
        return connections_in(load_counts(step.read(COUNTS)))
    except NotFound:  # it failed as a whole, or had nothing to do
        return CONNECTIONS.copy()


def connections_in(counts: Counts) -> pd.DataFrame:
    """Return counts as a table: neuropil, pre, post, weight."""
    table, size = counts.table.tocoo(), max(1, len(counts.ids))
    row, column = table.coords
    names = np.array(counts.names, dtype=object)
    return pd.DataFrame(
        {
            "neuropil": names[row // size],
            "pre": counts.ids[row % size],
            "post": counts.ids[column],
            "weight": table.data.astype(np.int64),
        }
    )


def _lineage(step: JobResults | None) -> Iterator[tuple[int, tuple[int, float]]]:
    for item in step.items() if step else ():
        if item.error_code is None:
            yield parse_id(item.key), (parse_id(item.metrics["new_id"]), float(item.metrics["confidence"]))


def _failures(results: JobResults) -> Iterator[Failure]:
    for name, step in results.steps().items():
        found = [item for item in step.items() if item.error_code is not None]
        for item in found:
            yield Failure(name, item.key, item.error_code or "", item.error_message or "")
        if step.state == "failed" and not found:
            yield Failure(name, "", "step_failed", step.error or "")
        if step.state == "cancelled":
            yield Failure(name, "", "cancelled", "the step was cancelled")


def _cost(step: JobResults) -> Cost:
    spent = step.spent()
    return Cost(spent.seconds, spent.requests, spent.items, spent.reused, spent.failed, spent.received)
