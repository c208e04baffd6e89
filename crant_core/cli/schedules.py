"""Commands about schedules: `crant schedules list|show|create|edit|enable|disable|run|runs|delete`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer

from crant_core.cli import complete, show
from crant_core.cli.jobs import DatasetName, Ids, Json, Kind, Param, Watch, parameter, read_ids
from crant_core.client import Crant
from crant_core.errors import InvalidInput
from crant_core.jobs.model import Overlap
from crant_core.jobs.schedule_wire import RunView, ScheduleView, SkipView, SlotView
from crant_core.jobs.timetable import CatchUp

app = typer.Typer(help="Jobs that are made again and again.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(help="A schedule's id, or its name", show_default=False, autocompletion=complete.schedule)
]
Cron = Annotated[str | None, typer.Option(help='When: "minute hour day month weekday", such as "0 2 * * *"')]
Zone = Annotated[str | None, typer.Option(help="Time zone of --cron, such as America/New_York; UTC if left out")]
Every = Annotated[str | None, typer.Option(help="Instead of --cron: an interval, such as 90m, 6h or 1d")]
Jitter = Annotated[str | None, typer.Option(help="Begin at some time within this after each slot, such as 10m")]
OverlapOption = Annotated[Overlap | None, typer.Option(help="At a slot while an earlier run goes on; skip if left out")]
CatchUpOption = Annotated[CatchUp | None, typer.Option(help="Of missed slots run the last, or none; once if left out")]
At = Annotated[str | None, typer.Option(help='Point in time of each job: "live" (if left out), "mat", …')]
Label = Annotated[str | None, typer.Option(help="Label of the jobs; the schedule's name if left out")]
Priority = Annotated[int | None, typer.Option(min=-10, max=10, help="Higher goes first among your own jobs")]
Reuse = Annotated[bool | None, typer.Option("--reuse/--no-reuse", help="Take results that exist, or compute again")]
Notify = Annotated[
    list[str], typer.Option(help="Tell this address (as Apprise writes them) of every run's end; may be repeated")
]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.command("list")
def list_(json_: Json = False) -> None:
    """List schedules with their next and last runs."""
    views = [schedule.view for schedule in Crant().schedules]
    if json_:
        show.as_json(views)
        return
    columns = ("schedule", "name", "kind", "when", "next run", "last run", "")
    show.table(
        columns,
        ((v.id, v.name, v.job.kind, when(v), _next(v), v.last_run and v.last_run.state, _trouble(v)) for v in views),
    )


@app.command("show")
def show_(name: Name, json_: Json = False) -> None:
    """Show one schedule, with its next five runs."""
    _told(Crant().schedules[name].view, json_)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called", show_default=False)],
    kind: Kind,
    ids: Ids = None,
    *,
    dataset: DatasetName,
    cron: Cron = None,
    zone: Zone = None,
    every: Every = None,
    jitter: Jitter = None,
    overlap: OverlapOption = None,
    catch_up: CatchUpOption = None,
    at: At = None,
    param: Param = [],  # noqa: B006 - typer's way
    label: Label = None,
    priority: Priority = None,
    reuse: Reuse = None,
    notify: Notify = [],  # noqa: B006 - typer's way
    disabled: Annotated[bool, typer.Option("--disabled", help="Let slots pass until it is enabled")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say when it would run, and make nothing")] = False,
    json_: Json = False,
) -> None:
    """Make a schedule."""
    timing = _timing(cron, zone, every, jitter) | ({"enabled": False} if disabled else {})
    about = _named(overlap=overlap, catch_up=catch_up, at=at, label=label, priority=priority, reuse=reuse)
    about |= {"notify": _notify(notify)} if notify else {}
    asked = {"dataset": dataset, "ids": read_ids(ids or []), **timing, **about, **dict(map(parameter, param))}
    if dry_run:
        slots = Crant().schedules.preview(name, kind, **asked)
        (show.as_json if json_ else _slots)(slots)
        return
    _told(Crant().schedules.create(name, kind, **asked).view, json_)


@app.command()
def edit(
    name: Name,
    *,
    rename: Annotated[str | None, typer.Option(help="Call it otherwise")] = None,
    cron: Cron = None,
    zone: Zone = None,
    every: Every = None,
    jitter: Jitter = None,
    overlap: OverlapOption = None,
    catch_up: CatchUpOption = None,
    at: At = None,
    ids: Annotated[list[str], typer.Option(help="Other root ids, or files with them; may be repeated")] = [],  # noqa: B006 - typer's way
    param: Param = [],  # noqa: B006 - typer's way
    label: Label = None,
    priority: Priority = None,
    reuse: Reuse = None,
    notify: Notify = [],  # noqa: B006 - typer's way
    json_: Json = False,
) -> None:
    """Change what is named and leave the rest; a parameter is changed by itself, the others stay."""
    schedule = Crant().schedules[name]
    fields = _timing(cron, zone, every, jitter) | ({"notify": _notify(notify)} if notify else {})
    fields |= _named(name=rename, overlap=overlap, catch_up=catch_up, at=at, label=label, priority=priority)
    fields |= _named(reuse=reuse)
    if param or ids:
        fields["params"] = _params(schedule.view, dict(map(parameter, param)), read_ids(ids))
    _told(schedule.change(**fields), json_)


@app.command()
def enable(name: Name, json_: Json = False) -> None:
    """Let slots make jobs again, from now on."""
    _told(Crant().schedules[name].enable(), json_)


@app.command()
def disable(name: Name, json_: Json = False) -> None:
    """Let slots pass until it is enabled; what runs goes on."""
    _told(Crant().schedules[name].disable(), json_)


@app.command()
def run(
    name: Name,
    watch: Watch = False,
    json_: Json = False,
) -> None:
    """Make a run now; the next slot stays."""
    job = Crant().schedules[name].run()
    view = show.follow(job) if watch else job.view
    (show.as_json if json_ else show.job)(view)
    raise typer.Exit(show.exit_code(view))


@app.command()
def runs(
    name: Name, limit: Annotated[int, typer.Option(min=1, help="How many of each")] = 20, json_: Json = False
) -> None:
    """List runs, and slots that made none and why, newest first."""
    schedule = Crant().schedules[name]
    made, left_out = _first(schedule.runs(), limit), _first(schedule.skips(), limit)
    if json_:
        dumped = {"runs": [one.model_dump(mode="json") for one in made]}
        show.plain_json(dumped | {"skips": [one.model_dump(mode="json") for one in left_out]})
        return
    rows = sorted([*map(_run_row, made), *map(_skip_row, left_out)], key=lambda row: row[0], reverse=True)
    show.table(("slot", "job", "state", "done", "failed", ""), (row[1] for row in rows))


@app.command()
def delete(name: Name, json_: Json = False) -> None:
    """Remove a schedule; its runs stay, and what runs goes on."""
    schedule = Crant().schedules[name]
    schedule.delete()
    if json_:
        show.as_json(schedule.view)
    else:
        show.out.print(f"{schedule.view.name} is deleted; its runs are kept", markup=False)


def when(view: ScheduleView) -> str:
    """Write a timetable as people do."""
    if view.cron is not None:
        return f"{view.cron} {view.zone}"
    seconds = view.every_seconds or 0
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"every {seconds // _SECONDS[unit]}{unit}"


def seconds_of(text: str) -> int:
    """Read a span such as 90m, 6h or 1d; a number alone is seconds.

    Raises
    ------
    InvalidInput
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not (number.isascii() and number.isdigit()):
        raise InvalidInput(f"{text!r} is no span of time", value=text, hint="for example 90m, 6h or 1d")
    return int(number) * _SECONDS[unit]


def _timing(cron: str | None, zone: str | None, every: str | None, jitter: str | None) -> dict[str, Any]:
    seconds = {"every_seconds": every and seconds_of(every), "jitter_seconds": jitter and seconds_of(jitter)}
    return _named(cron=cron, zone=zone, **seconds)


def _named(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _notify(addresses: Iterable[str]) -> list[dict[str, Any]]:
    return [{"url": address, "on": ["finish"]} for address in addresses]


def _params(view: ScheduleView, changes: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {"input": view.job.input} if view.job.given and "input" not in changes else {}
    return view.job.params | changes | ({"ids": ids} if ids else given)


def _told(view: ScheduleView, as_json: bool) -> None:
    if as_json:
        show.as_json(view)
        return
    job, last = view.job, view.last_run
    facts = {
        "schedule": f"{view.id}  {view.name}",
        "job": f"{job.kind} on {job.dataset}, at {job.at}, {job.given:,} ids",
        "when": f"{when(view)}{'' if view.enabled else ', disabled'}",
        "overlap": f"{view.overlap}; catches up: {view.catch_up}",
        "last run": f"{last.job} {last.state}" if last else "none yet",
    }
    show.facts(facts | ({"problem": view.problem.message} if view.problem else {}))
    _slots(view.next_runs)


def _slots(slots: Iterable[SlotView]) -> None:
    show.table(("next runs", "UTC"), ((slot.local, _utc(slot.slot)) for slot in slots))


def _next(view: ScheduleView) -> str:
    return view.next_runs[0].local if view.next_runs else "disabled"


def _trouble(view: ScheduleView) -> str:
    return view.problem.code if view.problem else ""


def _run_row(run: RunView) -> tuple[datetime, tuple[Any, ...]]:
    done = f"{run.counts.ended}/{run.counts.total}"
    slot = _utc(run.slot) if run.slot else "by hand"
    return run.slot or run.created_at, (slot, run.job, run.state, done, run.counts.failed or "", "")


def _skip_row(skip: SkipView) -> tuple[datetime, tuple[Any, ...]]:
    until = f" to {_utc(skip.last_slot)}, {skip.count} slots" if skip.count > 1 else ""
    return skip.last_slot, (f"{_utc(skip.slot)}{until}", "", f"no run: {skip.reason}", "", "", skip.detail)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _first(found: Iterable[Any], limit: int) -> list[Any]:
    return [one for one, _ in zip(found, range(limit), strict=False)]
