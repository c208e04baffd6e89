"""What happens to the running sandbox: edits at the next free moment, new versions, storms of edits."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import count

import numpy as np

from crant_core.sandbox.graph.operations import EditRefused, Operation
from crant_core.sandbox.live import Sandbox
from crant_core.sandbox.objects.segmentation import supervoxels_at
from crant_core.sandbox.tables.table import Table
from crant_core.sandbox.tables.version import Version
from crant_core.sandbox.world.history import mender_of
from crant_core.sandbox.world.navis_data import BODY_IDS

USER = 1
_TICK = timedelta(milliseconds=1)
_LIFE = timedelta(days=5 * 365)


def next_moment(known: Sandbox) -> datetime:
    """Return now, or just after the last edit if the clock does not stand past it."""
    last = known.graph.operations[-1].timestamp
    return max(known.clock.now(), last + _TICK)


def set_clock(known: Sandbox, now: datetime | None, step: timedelta) -> None:
    """Set the clock and advance it, but never before what has happened already.

    Raises
    ------
    EditRefused
    """
    last = max(known.graph.operations[-1].timestamp, known.versions[-1].timestamp)
    if now is not None and now < last:
        raise EditRefused(f"{now.isoformat()} is before what happened last, at {last.isoformat()}")
    if now is not None:
        known.clock.set(now)
    known.clock.advance(step)


def toggle(known: Sandbox, neuron: int) -> Operation:
    """Cut a real neuron at the last place its history joined it, or join it there again."""
    ids, mender = known.world.segmentation.ids, mender_of(known.world.history, neuron)
    pairs = [(int(ids[one]), int(ids[other])) for one, other in mender.pairs]
    at = next_moment(known)
    roots = known.graph.roots(np.array(pairs, dtype=np.uint64).ravel(), at)
    change = known.graph.cut if len(np.unique(roots)) == 1 else known.graph.merge
    return change(pairs, at, USER)


async def storm(known: Sandbox) -> None:
    """Edit one real neuron after the other, as often as the profile in force says; wait while it says nothing."""
    for number in count():
        every = known.faults.edit_every
        await asyncio.sleep(every or 1.0)
        if known.faults.edit_every:
            toggle(known, number % len(BODY_IDS))


def materialize(known: Sandbox) -> Version:
    """Freeze all tables as they are now in a new version."""
    now = known.clock.now()
    for table in known.tables.values():
        look_up(known, table)
    number = max(version.number for version in known.versions) + 1
    existing = tuple(table.name for table in known.tables.values() if table.deleted is None)
    version = Version(number, now, now + _LIFE, existing)
    known.versions.append(version)
    return version


def look_up(known: Sandbox, table: Table) -> None:
    """Find the supervoxels of points that have none yet."""
    for point in table.points:
        column = f"{point}_supervoxel_id"
        pending = np.flatnonzero(table.rows[column].to_numpy() == 0)
        if not len(pending):
            continue
        positions = table.rows[[f"{point}_position_{axis}" for axis in "xyz"]].to_numpy(dtype=np.float64)[pending]
        found = table.rows[column].to_numpy(copy=True)
        found[pending] = supervoxels_at(known.world, positions * table.voxel_resolution)
        table.rows = table.rows.assign(**{column: found})
