"""Writes `env.example` from the settings themselves: `python -m deploy.settings_example > deploy/env.example`."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import wrap

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from crant_core.jobs.settings import Settings

_HEADING = """\
# Settings of the service. Written by `python -m deploy.settings_example`; what is commented out is the default.
"""
_COMPOSE = """\
# For docker-compose.yml only; what it needs beside these are the files of deploy/new-secrets.sh.

# Folder of those files
#CRANT_SECRETS=./secrets

# Where the API, Flower and the proxy listen on this machine
#CRANT_API_PORT=8000
#FLOWER_PORT=5555
#PROXY_PORT=8080

# Processes of the workers
#CRANT_CPU_PROCESSES=2
#CRANT_IO_PROCESSES=8
"""


def text() -> str:
    """Write every setting with its description and default."""
    settings = "\n".join(_entry(name, field) for name, field in Settings.model_fields.items())
    return f"{_HEADING}\n{settings}\n{_COMPOSE}"


def _entry(name: str, field: FieldInfo) -> str:
    lines = [f"# {line}" for line in wrap(field.description or "", 118)]
    value = "" if field.is_required() or field.default is None else _write(field.default)
    return "\n".join([*lines, f"#{variable(name, field)}={value}", ""])


def variable(name: str, field: FieldInfo) -> str:
    """Return the environment variable of a setting; of several, the first."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return alias if isinstance(alias, str) else f"CRANT_{name.upper()}"


def _write(value: object) -> str:
    return str(value) if isinstance(value, str | Path) else json.dumps(value)


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201 - that is its output
