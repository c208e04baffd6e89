"""The command `crant demo`: real neurons through the whole house."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

from crant_core.cli import show
from crant_core.cli.up import interruptible, notice
from crant_core.client import Crant, Job

if TYPE_CHECKING:
    from crant_core.stack import RunningStack


def demo(
    data: Annotated[Path, typer.Option(help="Folder for everything the demo makes")] = Path("demo-data"),
    keep: Annotated[bool | None, typer.Option(help="Leave it running to look around (default: on a terminal)")] = None,
) -> None:
    """Start everything, skeletonize five real neurons, show where the results are."""
    from crant_core.stack import Stack, StackOptions

    interruptible()
    with Stack(StackOptions(data=data, sandbox=True), notice) as running:
        service = Crant(running.url, running.token)
        show.out.print("\nFive olfactory projection neurons of a fly, dataset demo:")
        job = service.submit("skeletonize", dataset="demo", ids=_real_neurons(running), label="demo: five real neurons")
        view = show.follow(job)
        show.job(view)
        _explain(_deliver(job, data))
        if sys.stdout.isatty() if keep is None else keep:
            show.facts({"live dashboard ": f"{running.url}/login?next=/jobs/{job.id}#{running.token}"})
            show.out.print("\n  Press Ctrl-C to stop.")
            with suppress(KeyboardInterrupt):
                running.wait()
    raise typer.Exit(show.exit_code(view))


def _real_neurons(running: RunningStack) -> list[str]:
    """Return the current roots of the neurons that the offline CAVE did not make up."""
    world = httpx.get(f"{running.sandbox_url}/_sandbox/world", timeout=30).raise_for_status().json()
    return [neuron["root_id"] for neuron in world["neurons"] if neuron["body_id"]]


def _deliver(job: Job, data: Path) -> Path:
    """Fetch the results and the finished job's page, so that both can be looked at when nothing runs any more."""
    folder = data / "results"
    job.fetch(folder)
    report = job.service.http.get(f"/jobs/{job.id}/report").raise_for_status()
    (folder / "report.html").write_bytes(report.content)
    return folder


def _explain(folder: Path) -> None:
    skeletons = sorted(folder.glob("*.swc"))
    show.facts(
        {
            "skeletons": f"{folder}/*.swc ({len(skeletons)} files)",
            "page to look at": f"{folder}/report.html",
            "rows in SQL": f"{folder.parent}/crant.sqlite (tables jobs, items, artifacts, events)",
        }
    )
