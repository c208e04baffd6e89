"""A refresh of a crowd of neurons: the first one, one after 1 % of them were edited, one after nothing was.

The offline CAVE with latency; neurons are copies of the five real ones, whose synapses' other sides are random copies,
so that nearly every neuron has a partner among the edited ones: the worst case for synapses and matrices. One process,
everything stored in SQLite and files; seconds are the workers' own, as the service counts them, and requests those that
the server saw. All runs have imports and machine code behind them, and no answer of the offline CAVE.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crant_core import clear_all_caches
from crant_core.jobs.tables import JobRow
from crant_core.registry import register
from tests.fixtures.refreshes import Night
from tests.fixtures.sandbox import run_sandbox

TITLE = "A refresh after few edits"
COPIES = {False: 20, True: 1000}
LATENCY = 0.01  # seconds of every answer
_SHARE = 0.01
_OPTIONS: dict[str, Any] = {"skeletonize": {"method": "wavefront"}}


def table(full: bool = False) -> str:
    """Measure."""
    copies = COPIES[full]
    with tempfile.TemporaryDirectory() as folder, run_sandbox("--neurons", str(copies)) as sandbox:
        os.environ["CRANT_CACHE_FOLDER"] = f"{folder}/cache"
        register(sandbox.dataset, sandbox.token)
        night = Night(sandbox, Path(folder))
        world = sandbox.control("GET", "world")
        ids = [int(one["root_id"]) for one in world["copies"]]
        _warm(night, [int(one["root_id"]) for one in world["neurons"][-3:]])
        sandbox.control("POST", "fault", {"delay": LATENCY})
        rows = [_row(night, "the first run", ids)]
        night.materialize()
        rows.append(_row(night, "nothing edited", ids))
        edited = max(1, round(_SHARE * copies))
        for root in ids[:edited]:
            _split(night, root)
        night.materialize()
        rows.append(_row(night, f"{edited} of {copies} edited", ids))
        night.close()
    return _written(copies, rows)


def _warm(night: Night, others: Sequence[int]) -> None:
    night.refresh(others, label="warm", **_OPTIONS)
    _split(night, others[0])
    night.materialize()
    night.refresh(others, label="warm", **_OPTIONS)
    clear_all_caches()


def _row(night: Night, name: str, ids: Sequence[int]) -> tuple[str, dict[str, float], int]:
    jobs: list[JobRow] = []
    requests = night.asked(lambda: jobs.append(night.refresh(ids, **_OPTIONS))).total()
    [job] = jobs
    assert job.state == "succeeded", job.error_message
    spent = night.engine.dispatch.pipelines.spent
    seconds = {step: spent(row.id)[0] for step, row in night.steps(job).items()}
    return name, {**seconds, "plan and report": spent(job.id)[0] - sum(seconds.values())}, requests


def _split(night: Night, root: int) -> None:
    """Cut a neuron in two, between its first supervoxel and its last."""
    leaves = sorted(int(one) for one in night.source.client().chunkedgraph.get_leaves(root))
    night.sandbox.control(
        "POST", "edit", {"operation": "split", "sources": [str(leaves[0])], "sinks": [str(leaves[-1])]}
    )


def _written(copies: int, rows: Sequence[tuple[str, dict[str, float], int]]) -> str:
    steps = list(rows[0][1])
    columns = ["run", *steps, "all, s", "of the first", "requests", "of the first"]
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    whole, asked = sum(rows[0][1].values()), rows[0][2]
    lines = [
        f"| {name} | {' | '.join(f'{took[step]:.1f}' for step in steps)} | {sum(took.values()):.1f} | "
        f"{sum(took.values()) / whole:.1%} | {requests:,} | {requests / asked:.1%} |"
        for name, took, requests in rows
    ]
    note = f"{copies} neurons, {1000 * LATENCY:g} ms of latency."
    return "\n".join([(__doc__ or "").strip(), "", note, "", head, *lines])


if __name__ == "__main__":
    print(table())
