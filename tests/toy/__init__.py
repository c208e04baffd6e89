"""A kind of job for tests, which does what its parameters say; importing this makes it one of the kinds."""

from __future__ import annotations

from pathlib import Path

from crant_core import kinds

kinds.__path__.append(str(Path(__file__).parent / "kinds"))
