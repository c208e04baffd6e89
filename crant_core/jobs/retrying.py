"""How often what failed is tried again, and after which pause: a matter of the error's class."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from crant_core.errors import CrantError


@dataclass(frozen=True)
class Patience:
    """How long an error is waited out.

    Attributes
    ----------
    attempts : int
        Tries in all.
    first, longest : float
        Seconds of the first pause at most, which doubles with each, and of any pause.
    """

    attempts: int
    first: float
    longest: float

    def pause(self, attempt: int) -> timedelta:
        """Draw the pause after a failed attempt, counted from 1: long and all different, so that nobody stampedes."""
        most = min(self.longest, self.first * 2.0 ** (attempt - 1))
        return timedelta(seconds=random.uniform(most / 10, most))  # noqa: S311 - not a secret


_USUAL = Patience(attempts=8, first=2, longest=300)  # outlasts a server's restart: half of 2 + 4 + … + 128 seconds
_BY_CODE = {
    "data_missing": Patience(attempts=6, first=30, longest=1800),  # fresh edits are meshed with a delay of minutes
    "needs_memory": Patience(attempts=3, first=0.1, longest=0.1),  # where there is more of it; then once again
}
_LONGEST_WANTED = 1800.0  #: seconds, whatever a server says
#: after a crash: soon, as what is tried next is another slice, and hours of others' work are not at stake
CRASHED = Patience(attempts=3, first=1, longest=60)


def pause_after(error: CrantError, attempt: int) -> timedelta:
    """Draw the pause after a failed attempt, counted from 1: not shorter than the server wants it, if it said so."""
    wanted = min(getattr(error, "retry_after", None) or 0.0, _LONGEST_WANTED)
    spread = random.uniform(1.0, 1.1)  # noqa: S311 - not a secret
    return max(patience(error.code).pause(attempt), timedelta(seconds=wanted * spread))


def patience(code: str) -> Patience:
    """Say how long a retryable error with this code is waited out."""
    return _BY_CODE.get(code, _USUAL)
