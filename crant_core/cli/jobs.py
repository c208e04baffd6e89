"""Commands about jobs. Each is one call of the Python client."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from crant_core.cli import complete, show
from crant_core.client import Crant
from crant_core.errors import InvalidInput
from crant_core.jobs.wire import JobView

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs")]
_TIMES = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]
_JOB_ID = re.compile("[0-9a-f]{12}")
JobId = Annotated[str, typer.Argument(help="A job's id", show_default=False, autocompletion=complete.job)]
Kind = Annotated[
    str, typer.Argument(help="Kind of job; see `crant kinds`", show_default=False, autocompletion=complete.kind)
]
Ids = Annotated[
    list[str] | None, typer.Argument(help="Root ids, or files with one id per line (first column of a CSV)")
]
DatasetName = Annotated[
    str,
    typer.Option(
        "--dataset", "-d", help="Dataset; see `crant datasets`", show_default=False, autocompletion=complete.dataset
    ),
]
Param = Annotated[list[str], typer.Option("--param", "-p", help="Parameter of the kind, as name=value")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show progress until the job ends")]


def submit(
    kind: Kind,
    ids: Ids = None,
    *,
    dataset: DatasetName,
    at: Annotated[str, typer.Option(help='Point in time: "live", "mat", a version, or an ISO 8601 time')] = "live",
    param: Param = [],  # noqa: B006 - typer's way
    label: Annotated[str, typer.Option(help="A name for people")] = "",
    priority: Annotated[int, typer.Option(min=-10, max=10, help="Higher goes first among your own jobs")] = 0,
    reuse: Annotated[bool, typer.Option(help="Take results that exist, or compute everything again")] = True,
    deadline: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="Stop it then if it has not ended; UTC unless it says so")
    ] = None,
    after: Annotated[list[str], typer.Option(help="Id of a job that must be done first; may be repeated")] = [],  # noqa: B006 - typer's way
    notify: Annotated[
        list[str], typer.Option(help="Address to tell when it has ended, as Apprise writes it; may be repeated")
    ] = [],  # noqa: B006 - typer's way
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the job would be, and submit nothing")] = False,
    watch: Watch = False,
    json_: Json = False,
) -> None:
    """Submit a job."""
    params = dict(parameter(text) for text in param)
    asked: dict[str, Any] = {"dataset": dataset, "ids": read_ids(ids or []), "at": at, "reuse": reuse}
    if dry_run:
        estimate = Crant().estimate(kind, **asked, **params)
        (show.as_json if json_ else show.estimate)(estimate)
        return
    asked |= {"label": label, "priority": priority, "deadline": _in_utc(deadline), "after": after}
    asked["notify"] = [{"url": url} for url in notify]
    job = Crant().submit(kind, **asked, **params)
    view = show.follow(job) if watch else job.view
    if json_:
        show.as_json(view)
    else:
        show.job(view)
    raise typer.Exit(show.exit_code(view))


def jobs(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many")] = 20,
    state: Annotated[str | None, typer.Option(help="Only those in this state")] = None,
    parent: Annotated[str | None, typer.Option(help="Only the steps of this job")] = None,
    json_: Json = False,
) -> None:
    """List your jobs, newest first."""
    views = Crant().jobs(limit=limit, state=state, parent=parent)
    if json_:
        show.as_json(views)
        return
    columns = ("job", "kind", "dataset", "label", "state", "done", "failed", "submitted")
    show.table(
        columns,
        (
            (v.id, v.kind, v.dataset, v.label, v.state, f"{v.counts.ended}/{v.counts.total}", v.counts.failed or "",
             f"{v.created_at:%m-%d %H:%M}")
            for v in views
        ),
    )  # fmt: skip


def status(job_id: JobId, json_: Json = False) -> None:
    """Say how a job stands."""
    job = Crant().job(job_id)
    view = job.view
    if json_:
        show.as_json(view)
    else:
        show.job(view)
        show.facts({"page": job.page} | ({"neuroglancer": job.neuroglancer} if job.neuroglancer else {}))
    raise typer.Exit(show.exit_code(view))


def watch(job_id: JobId, json_: Json = False) -> None:
    """Show a job's progress until it ends."""
    view = show.follow(Crant().job(job_id))
    (show.as_json if json_ else show.job)(view)
    raise typer.Exit(show.exit_code(view))


def items(
    job_id: JobId,
    state: Annotated[str | None, typer.Option(help="Only pending, succeeded or failed ones")] = None,
    json_: Json = False,
) -> None:
    """List what became of each item of a job."""
    views = list(Crant().job(job_id).items(state=state))
    if json_:
        show.as_json(views)
        return
    columns = ("key", "state", "seconds", "error", "message")
    show.table(
        columns, ((v.key, v.state, v.seconds and f"{v.seconds:.2f}", v.error_code, v.error_message) for v in views)
    )


def cancel(job_id: JobId, json_: Json = False) -> None:
    """End a job; what is done stays, work that is going on is stopped."""
    _told(Crant().job(job_id).cancel(), json_)


def pause(job_id: JobId, json_: Json = False) -> None:
    """Start nothing new of a job."""
    _told(Crant().job(job_id).pause(), json_)


def resume(job_id: JobId, json_: Json = False) -> None:
    """Let a paused job go on."""
    _told(Crant().job(job_id).resume(), json_)


def retry(job_id: JobId, json_: Json = False) -> None:
    """Do again what failed or was cancelled; what succeeded is kept."""
    _told(Crant().job(job_id).retry(), json_)


def _told(view: JobView, as_json: bool) -> None:
    (show.as_json if as_json else show.job)(view)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def fetch(
    job_id: JobId,
    folder: Annotated[Path | None, typer.Option("--output", "-o", help="Folder; JOB_ID if left out")] = None,
    json_: Json = False,
) -> None:
    """Download a job's files and check them; what is there is not fetched again, what broke off goes on."""
    folder = folder or Path(job_id)
    files = list(Crant().job(job_id).fetch_each(folder))
    if json_:
        show.plain_json({"folder": str(folder), "files": [path.name for path in files]})
    else:
        show.out.print(f"{len(files)} files in {folder}")


def kinds(json_: Json = False) -> None:
    """List the kinds of jobs and their parameters."""
    found = Crant().kinds()
    if json_:
        show.as_json(found)
        return
    for kind in found:
        show.out.print(f"[bold]{kind.name}[/]  {escape(kind.title)}")
        for name, schema in kind.parameters["properties"].items():
            default = f" [dim](default {escape(str(schema['default']))})[/]" if "default" in schema else ""
            show.out.print(f"  {name}: {escape(schema.get('description', ''))}{default}")


def datasets(json_: Json = False) -> None:
    """List the datasets jobs can run on."""
    found = Crant().datasets()
    if json_:
        show.as_json(found)
        return
    show.table(
        ("dataset", "also", "server", ""), ((d.name, ", ".join(d.aliases), d.server, d.description) for d in found)
    )


def read_ids(words: list[str]) -> list[str]:
    """Read ids given on the command line or in files.

    Raises
    ------
    InvalidInput
        A word is neither digits nor a file.
    """
    ids: list[str] = []
    for word in words:
        ids += [word] if word.lstrip("-").isdigit() else _read_file(Path(word))
    return ids


def _read_file(path: Path) -> list[str]:
    if not path.is_file():
        raise InvalidInput(f"{str(path)!r} is neither an id nor a file", value=str(path), hint="give digits or a file")
    lines = [line.split(",")[0].strip().strip('"') for line in path.read_text(encoding="utf-8-sig").splitlines()]
    filled = [line for line in lines if line]
    return filled[1:] if filled and _is_header(filled[0]) else filled


def _is_header(line: str) -> bool:
    """Say whether a first line is words; a number that is no id, such as 5.76E+17, is bad input and not skipped."""
    try:
        float(line)
    except ValueError:
        return True
    return False


def parameter(text: str) -> tuple[str, Any]:
    """Read name=value; the value is JSON where it can be, else text."""
    name, separator, value = text.partition("=")
    if not separator:
        raise InvalidInput(f"{text!r} is not name=value", value=text, hint="for example: --param heal=false")
    if _JOB_ID.fullmatch(value):  # some look like numbers
        return name, value
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
