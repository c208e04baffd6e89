"""The fewest moments at which all of some roots can be looked at, each while it held."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

Life = tuple[datetime, datetime | None]  #: from the first moment, included, to the last, excluded; None: it still holds

_TICK = timedelta(milliseconds=1)  # the chunkedgraph knows no finer time
_NEVER = datetime.max.replace(tzinfo=UTC)


def epochs(lives: Mapping[int, Life]) -> list[tuple[datetime, list[int]]]:
    """Group roots by moments at which they held.

    No smaller number of moments would do: each one is chosen for a root that held at none of the earlier ones. The end
    comes on every input: each root is in one group, also one that is said to have ended when, or before, it was made.

    Parameters
    ----------
    lives : dict of int to (datetime, datetime or None)
        Of each root.

    Returns
    -------
    list of (datetime, list of int)
        Ascending moments, each with its roots; a root that never held is looked at when it was made.
    """
    found: dict[datetime, list[int]] = {}
    lasting = {root: life for root, life in lives.items() if life[1] is None or life[0] < life[1]}
    for root in lives.keys() - lasting.keys():
        found.setdefault(lives[root][0], []).append(root)
    begins = sorted(born for born, _ in lasting.values())
    covered, moment = None, None
    for root, (born, end) in sorted(lasting.items(), key=lambda item: item[1][1] or _NEVER):
        if covered is None or moment is None or born > covered:
            covered = begins[bisect_left(begins, end or _NEVER) - 1]
            moment = _inside(covered, end)
        found.setdefault(moment, []).append(root)
    return sorted(found.items())


def _inside(begin: datetime, end: datetime | None) -> datetime:
    """Return a moment a little later, if there is one: servers round the moment of an edit down."""
    later = begin + _TICK
    return later if end is None or later < end else begin
