"""Whatever goes wrong, as an error of ours."""

from __future__ import annotations

from billiard.exceptions import SoftTimeLimitExceeded

from crant_core.errors import CrantError, DatabaseUnavailable, Internal, NeedsMemory, TimeLimit
from crant_core.jobs.database import OUTAGE


def explained(error: Exception) -> CrantError:
    """Return the error of ours that says what another one means here."""
    if isinstance(error, CrantError):
        return error
    if isinstance(error, SoftTimeLimitExceeded):
        return TimeLimit()
    if isinstance(error, OUTAGE):
        return DatabaseUnavailable(str(error).partition("\n")[0])
    if isinstance(error, MemoryError):
        return NeedsMemory(f"MemoryError: {error}")
    return Internal(f"{type(error).__name__}: {error}")
