"""Faults on purpose: real processes are killed, frozen, starved and cut off, and every item has exactly one result.

`python -m tests.chaos` (or `make chaos`) runs everything; `test_faults.py` and `test_schedules.py` are the shorter part
that runs with all tests. `stand` starts the processes, `faults` has what is done to them, `schedules` mixes faults at
random, `truth` says what must hold of a job whatever was done. Importing this makes `chaos` one of the kinds.
"""

from __future__ import annotations

from pathlib import Path

from crant_core import kinds

kinds.__path__.append(str(Path(__file__).parent / "kinds"))
