"""The command `crant doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import typer

from crant_core.cli import show
from crant_core.cli.jobs import Json
from crant_core.client import Crant, stack_folder
from crant_core.errors import CrantError
from crant_core.sandbox import demo_dataset

_MARKS = {True: "[green]ok[/]  ", False: "[red]bad[/] "}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    is_well: bool
    says: str
    hint: str = ""


def doctor(json_: Json = False) -> None:
    """Look at service, token, database, broker, store and CAVE tokens, and say what to do; exits with 1 if one is bad.

    Database, broker, store and CAVE tokens are looked at where their settings are known: for the stack that `crant up`
    started on this machine, or in the environment of the service (CRANT_DATABASE_URL and others).
    """
    findings = [*_of_service(), *_of_machine()]
    if json_:
        show.plain_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            show.out.print(f"{_MARKS[finding.is_well]} [bold]{finding.name}[/]  {finding.says}", soft_wrap=True)
            if finding.hint and not finding.is_well:
                show.out.print(f"     {finding.hint}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if all(finding.is_well for finding in findings) else show.ERROR)


def _of_service() -> list[Finding]:
    try:
        service = Crant()
        me = service.me()
        ready = service.http.get("/readyz").json()
    except (CrantError, httpx.HTTPError, ValueError) as error:
        hint = (
            getattr(error, "hint", None) or "is it running? start it with `crant up`, or set CRANT_URL and CRANT_TOKEN"
        )
        return [Finding("service", False, str(error), hint)]
    checks = ready["checks"]
    return [
        Finding("service", True, str(service.http.base_url)),
        Finding("token", True, f"of {me.owner}, allows to {', '.join(me.scopes)}"),
        Finding(
            "schema", checks["database"], "usable" if checks["database"] else "an older release's, or none",
            "run: python -m crant_core.jobs db upgrade",
        ),
        Finding(
            "worker", checks["worker"], "alive" if checks["worker"] else "none is alive; jobs wait",
            "start one: celery -A worker.main worker, or `crant up` on one machine; its log says why it ended",
        ),
        *_of_beat(ready.get("beat")),
    ]  # fmt: skip


def _of_beat(beat: dict[str, Any] | None) -> list[Finding]:
    """Say whether beat ticks; nothing where the database cannot be asked."""
    if beat is None:
        return []
    last = f"last tick at {beat['last']}" if beat["last"] else "it never ticked"
    hint = "start it: celery -A worker.main beat; meanwhile workers look for schedules, up to a minute late"
    return [Finding("beat", beat["ticks"], last, hint)]


def _of_machine() -> list[Finding]:
    """Look from the inside, in a process of its own: the command line loads neither SQL nor the broker's client."""
    environment = _stacks_settings() | os.environ
    if "CRANT_DATABASE_URL" not in environment:
        return []
    command = [sys.executable, "-m", "crant_core.jobs", "doctor"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path.cwd(), env=environment)
    if ran.returncode:
        return [Finding("settings", False, ran.stderr.strip()[-500:], "see deploy/env.example")]
    return [Finding(**found) for found in json.loads(ran.stdout)]


def _stacks_settings() -> dict[str, str]:
    """Return the settings that this machine's stack made up for itself, the offline CAVE and its token among them."""
    known, secrets = (_read(stack_folder() / name) for name in ("client.json", "secrets.json"))
    found = {name: value for name, value in known.items() if name.startswith("CRANT_") and value}
    if found and known.get("sandbox_url"):
        url = known["sandbox_url"]
        found["CRANT_DATASETS"] = json.dumps([demo_dataset(url).model_dump(mode="json")])
        found["CRANT_CAVE_TOKENS"] = json.dumps({url: secrets.get("sandbox", "")})
    return found


def _read(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    return found
