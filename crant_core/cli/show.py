"""How the command line shows things: tables and bars for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from crant_core.client import Job, ServiceUnreachable
from crant_core.errors import CrantError, InvalidInput
from crant_core.jobs.model import JobState
from crant_core.jobs.wire import EstimateView, JobView

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

ERROR, BAD_INPUT, PARTIAL, FAILED, UNREACHABLE = 1, 2, 3, 4, 5
_ENDED_WITH = {JobState.PARTIAL: PARTIAL, JobState.FAILED: FAILED, JobState.CANCELLED: FAILED}
_BAD_INPUT_CODES = ("invalid_", "unknown_", "too_many_")
_WHOLE = ("job", "kind", "state", "done", "key", "submitted")  #: columns that are never cut or broken
_COLOURS = {JobState.SUCCEEDED: "green", JobState.PARTIAL: "yellow", JobState.FAILED: "red"}


def complain(error: CrantError) -> int:
    """Say what was wrong and what to do, and return the exit code; to programs that asked for JSON, as JSON."""
    if "--json" in sys.argv:
        said = {"code": error.code, "message": error.message, "hint": error.hint}
        err.print_json(json.dumps(said))
        return _code_of(error)
    err.print(Text.assemble(("error", "bold red"), f" {error.code}: {error.message}"), soft_wrap=True)
    if error.hint:
        err.print(Text(f"  {error.hint}"), soft_wrap=True)
    return _code_of(error)


def _code_of(error: CrantError) -> int:
    if isinstance(error, ServiceUnreachable):
        return UNREACHABLE
    is_bad_input = isinstance(error, InvalidInput) or error.code.startswith(_BAD_INPUT_CODES)
    return BAD_INPUT if is_bad_input else ERROR


def exit_code(view: JobView) -> int:
    """Return what a script should see of a job."""
    return _ENDED_WITH.get(view.state, 0)


def as_json(value: BaseModel | Sequence[BaseModel]) -> None:
    """Print for programs."""
    models = value if isinstance(value, Sequence) else [value]
    dumped = [model.model_dump(mode="json") for model in models]
    out.print_json(json.dumps(dumped if isinstance(value, Sequence) else dumped[0]))


def plain_json(value: object) -> None:
    """Print what is no model for programs."""
    out.print_json(json.dumps(value))


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print for people."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        grid.add_column(column, no_wrap=column in _WHOLE)
    for row in rows:
        grid.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(grid)


def facts(named: Mapping[str, str]) -> None:
    """Print names and values, one in a line, never cut: they are there to be copied."""
    width = max(map(len, named)) + 2
    for name, value in named.items():
        out.print(f"  {name:<{width}}{value}", markup=False, soft_wrap=True)


def job(view: JobView) -> None:
    """Print how a job stands."""
    colour = _COLOURS.get(view.state, "cyan")
    out.print(f"[bold]{view.id}[/]  {view.kind} on {view.dataset}  [{colour}]{view.state}[/]")
    counts = view.counts
    reused = f" ({counts.reused} known already)" if counts.reused else ""
    cancelled = f", {counts.cancelled} cancelled" if counts.cancelled else ""
    out.print(f"  {counts.succeeded} succeeded{reused}, {counts.failed} failed{cancelled}, of {counts.total}")
    if view.timestamp:
        version = f" (materialization {view.version})" if view.version else ""
        out.print(f"  as of {view.timestamp.isoformat()}{version}")
    if view.spent and view.spent.requests:
        out.print(f"  {decimal(view.spent.received)} from CAVE in {view.spent.requests:,} requests")
    for code, count in view.errors.items():
        out.print(f"  [red]{count} ×[/] {code}")
    if view.problem:
        out.print(f"  [red]{view.problem.code}[/]: {view.problem.message}")


def estimate(view: EstimateView) -> None:
    """Print what a job would be."""
    known = "?" if view.known is None else view.known
    named = {"items": str(view.items), "known already": str(known), "to compute": str(view.to_compute)}
    named["to fetch"] = _fetched(view) or f"not measured yet: {view.unmeasured}"
    if view.work:
        spread = f"{_span(view.work.low)} to {_span(view.work.high)}, by {view.measured_items} items measured"
        named["work"] = f"about {_span(view.work.expected)} for one process ({spread})"
    else:
        named["work"] = "not measured yet"
    facts(named)


def _fetched(view: EstimateView) -> str | None:
    found = view.bytes
    return f"about {decimal(found.expected)} ({decimal(found.low)} to {decimal(found.high)})" if found else None


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if seconds >= 1 else f"{seconds:.2f} s"


_PER = ((1, "s"), (60, "min"), (3600, "h"))


class _Rate(ProgressColumn):
    """Items per second, minute or hour, as it was lately."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("–", style="dim")
        per, name = next(((per, name) for per, name in _PER if speed * per >= 1), _PER[-1])
        return Text(f"{speed * per:,.1f}/{name}", style="dim")


def follow(watched: Job) -> JobView:
    """Show one live bar until the job ends; on standard error, so that output can be piped."""
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failures]}"),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("[dim]left[/]"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, speed_estimate_period=120) as progress:
        bar = progress.add_task(watched.view.state, total=None, failures="")
        for event in watched.events():
            total, failed = event.data["total"] or None, event.data["failed"]
            done = event.data["succeeded"] + failed
            failures = f"[red]{failed} failed[/]" if failed else ""
            progress.update(bar, description=event.data["state"], total=total, completed=done, failures=failures)
    return watched.refresh()
