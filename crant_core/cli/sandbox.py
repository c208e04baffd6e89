"""The command `crant sandbox`: the offline CAVE alone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one")] = 0,
    token: Annotated[str | None, typer.Option(envvar="CRANT_SANDBOX_TOKEN", help="32 hex digits")] = None,
) -> None:
    """Run the offline CAVE: five real neurons, served to the real caveclient and cloud-volume."""
    command = [sys.executable, "-m", "crant_core.sandbox", "--port", str(port)]
    environment = os.environ | ({"CRANT_SANDBOX_TOKEN": token} if token else {})  # not for others to see in `ps`
    raise typer.Exit(subprocess.call(command, env=environment))
