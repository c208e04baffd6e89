"""Which release of the project this is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache  # every result file names it, and looking it up takes longer than writing a small one
def release() -> str:
    """Return the version of the installed package."""
    return version("crant-batch")
