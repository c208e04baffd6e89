"""The command `crant sandbox`: the offline CAVE alone."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

import typer

Profile = Literal["fast", "realistic", "bad_day", "truncate", "auth", "half_data", "expired", "edit_storm"]


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one")] = 0,
    token: Annotated[str | None, typer.Option(envvar="CRANT_SANDBOX_TOKEN", help="32 hex digits")] = None,
    neurons: Annotated[int, typer.Option(min=0, max=10_000, help="Copies of the real neurons to add, for load")] = 0,
    profile: Annotated[Profile, typer.Option(help="Latency and faults")] = "fast",
    seed: Annotated[int, typer.Option(help="Of the profile's faults: the same seed, the same faults")] = 0,
    scale: Annotated[float, typer.Option(min=0, help="Of the profile's latencies: 0.1 is ten times faster")] = 1.0,
) -> None:
    """Run the offline CAVE: five real neurons and their history, served to caveclient, cloud-volume and seatable-api.

    The first start on a machine builds its world, which takes about half a minute.
    """
    options = {"port": port, "neurons": neurons, "profile": profile, "seed": seed, "scale": scale}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    environment = os.environ | ({"CRANT_SANDBOX_TOKEN": token} if token else {})  # not for others to see in `ps`
    # The server takes this process's place, so that whoever ends `crant sandbox` ends the server.
    os.execve(sys.executable, [sys.executable, "-m", "crant_core.sandbox", *words], environment)  # noqa: S606
