"""Runs every benchmark: `python -m benchmarks`, or `make bench`."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import containment, containment_hard, engine, matrices, sandbox, segmentation, skeletons, synapses

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    """Measure, and write the page."""
    science = (skeletons, segmentation, synapses, containment, containment_hard, matrices)
    parts = [_heading(), *(each.table() for each in (*science, engine, sandbox))]
    PAGE.write_text("\n\n".join(parts) + "\n")
    print(PAGE.read_text())


def _heading() -> str:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"# Benchmarks\n\nWritten by `make bench` on {when} ({machine}). Medians; CPU time unless said."


if __name__ == "__main__":
    main()
