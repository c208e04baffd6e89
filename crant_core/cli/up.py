"""The command `crant up`: the whole service on one machine."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crant_core.cli import show
from crant_core.client import data_folder

if TYPE_CHECKING:
    from crant_core.stack import RunningStack


def up(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Add an offline CAVE with the dataset `demo`")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder for everything it keeps", show_default=False)] = None,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The API's port; another if it is taken")] = 8000,
    flower_port: Annotated[int, typer.Option(min=0, max=65535, help="Flower's port; another if it is taken")] = 5555,
    public_url: Annotated[
        str | None,
        typer.Option(envvar="CRANT_PUBLIC_URL", help="Where people reach the API, if not there", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes")] = os.cpu_count() or 1,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from crant_core.stack import Stack, StackOptions

    options = StackOptions(
        data=data or data_folder(),
        sandbox=sandbox,
        host=host,
        port=port,
        flower_port=flower_port,
        workers=workers,
        public_url=public_url,
    )
    interruptible()
    try:
        with Stack(options, notice) as running:
            describe(running)
            running.wait()
    except KeyboardInterrupt:
        show.out.print("stopped")


def interruptible() -> None:
    """Treat a polite request to end, and a closed terminal, as Ctrl-C: everything is stopped in order."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)


def notice(line: str) -> None:
    """Say what the stack is doing."""
    show.out.print(f"  {line}", style="dim")


def describe(running: RunningStack) -> None:
    """Say where everything is, and the token when it is new."""
    url = running.public_url or running.url
    rows = {
        # what follows # never leaves the browser, so the token reaches no log
        "dashboard": f"{url}/login#{running.token}" if running.is_first_start else url,
        "API": f"{url}/docs",
        "Flower": f"{running.flower_url}  (user {running.flower_user}, password {running.flower_password})",
        "token": running.token if running.is_first_start else f"as before, in {running.data}/client.json",
        "data": str(running.data),
    }
    if running.sandbox_url:
        rows["offline CAVE"] = f"{running.sandbox_url}  (dataset demo; token: 'sandbox' in {running.data}/secrets.json)"
    show.out.print()
    show.facts(rows)
    show.out.print("\n  Press Ctrl-C to stop.\n")
