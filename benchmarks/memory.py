"""How much memory work takes: in a fresh process, beyond what its data takes (Linux)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def peak(module: str, *arguments: str) -> float:
    """Run `python -m module arguments`, which prints what `grown_by` says, and return that: bytes."""
    command = [sys.executable, "-m", module, *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def grown_by(work: Callable[[], object]) -> int:
    """Return by how many bytes this process's highest resident set exceeds that before some work."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest resident set becomes the present one
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))
