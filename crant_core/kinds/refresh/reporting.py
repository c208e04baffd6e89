"""What a `refresh` leaves behind: the run as it can be compared again, and the report of what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from crant_core.kinds.base import Context, File, Scalar
from crant_core.kinds.files import PARQUET, columns, parquet
from crant_core.kinds.neurons import outcomes_of
from crant_core.kinds.refresh.reading import run_of
from crant_core.kinds.roots import job_facts
from crant_core.refresh import run as runs
from crant_core.refresh.comparing import Comparison, compare
from crant_core.refresh.page import page
from crant_core.refresh.run import Run
from crant_core.refresh.telling import as_json, rows

if TYPE_CHECKING:
    from crant_core.kinds.base import KindSpec

REPORT, REPORT_JSON, CHANGES, TABLE = "report.html", "report.json", "changes.parquet", "refresh_changes"
NOTHING: Mapping[str, Any] = {"job": None, "label": "", "timestamp": None, "materialization": None}
_TYPES = {
    "number": "int64",
    "change": "string",
    "root_id": "int64",
    "old_id": "int64",
    "partner_id": "int64",
    "measure": "string",
    "before": "float64",
    "after": "float64",
}


def files(context: Context, spec: KindSpec, shown: int) -> list[File]:
    """Write everything."""
    previous = context.previous(None)
    before = run_of(previous) if previous is not None else None
    after = _with_partners(context, run_of(context.pipeline()), before)
    meta = job_facts(context, spec)
    found = compare(before or empty_like(after), after)
    told = as_json(found, shown)
    return [
        File(name=REPORT, media_type="text/html", data=page(told).encode(), meta={**meta, "format": "html"}),
        File(name=REPORT_JSON, media_type="application/json", data=_json(told), meta=meta),
        *([_changes(found, meta)] if before is not None else []),
        *_run_files(after, meta),
    ]


def empty_like(run: Run) -> Run:
    """Return the run before the first one: nothing was there."""
    return Run(about=NOTHING, neurons=run.neurons.iloc[:0])


def _with_partners(context: Context, run: Run, before: Run | None) -> Run:
    """Say what became of partners too: their edits are no news about the neurons that they are connected with.

    Source: as `crant_core.update_ids`, for those partners of the run before that this one does not have.
    """
    if before is None:
        return run
    then, now = ({*one.connections.pre.tolist(), *one.connections.post.tolist()} for one in (before, run))
    missing = sorted(then - now - run.lineage.keys() - {0})
    found = {old: (new.new_id, new.confidence) for old, new in outcomes_of(context, missing).items()}
    return replace(run, lineage={**run.lineage, **found})


def _run_files(run: Run, meta: Mapping[str, Scalar]) -> list[File]:
    described = {**meta, "format_version": 1}
    kinds = {".parquet": PARQUET, ".json": "application/json"}
    return [
        File(name=name, media_type=kinds[PurePath(name).suffix], data=data, meta=described)
        for name, data in runs.files(run).items()
    ]


def _changes(found: Comparison, meta: Mapping[str, Scalar]) -> File:
    listed = list(rows(found))
    table = columns({name: (kind, [row[name] for row in listed]) for name, kind in _TYPES.items()})
    return parquet(CHANGES, table, meta, sql=TABLE)


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, indent=1, allow_nan=False).encode()
