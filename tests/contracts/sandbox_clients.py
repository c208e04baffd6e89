"""The real clients, pointed at a sandbox, and what is true of its world, from the truth files alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import requests
from caveclient import CAVEclient
from cloudvolume import CloudVolume
from seatable_api import Base
from trimesh import Trimesh

from crant_core.sandbox import names
from crant_core.sandbox.world.history import INGESTED, VERSIONS
from crant_core.sandbox.world.navis_data import BODY_IDS
from tests.fixtures.neurons import world
from tests.fixtures.sandbox import Sandbox

MS = timedelta(milliseconds=1)
TIMES = {version.number: version.timestamp for version in VERSIONS}
REAL = len(BODY_IDS)
#: how many parts each real neuron was in, by version, from the script of edits; the last are today's
PARTS = {1: (2, 3, 4, 4, 4), 2: (2, 2, 2, 4, 4), 3: (1, 1, 2, 2, 3), "live": (1, 1, 1, 1, 1)}


def cave(sandbox: Sandbox, **more: Any) -> CAVEclient:
    """Return a client of its own, with empty caches."""
    return CAVEclient(
        names.DATASTACK,
        server_address=sandbox.url,
        auth_token=sandbox.token,
        write_server_cache=False,
        **more,
    )


def segmentation(sandbox: Sandbox, table: str = names.TABLE, **more: Any) -> CloudVolume:
    """Return the graphene volume."""
    path = f"graphene://{sandbox.url}/segmentation/table/{table}"
    return CloudVolume(path, secrets={"token": sandbox.token}, use_https=True, progress=False, parallel=1, **more)


def stored(sandbox: Sandbox, folder: str, **more: Any) -> CloudVolume:
    """Return a precomputed volume of the bucket."""
    path = f"precomputed://{sandbox.url}/gcs/{folder}"
    return CloudVolume(path, use_https=True, progress=False, parallel=1, **more)


def base(sandbox: Sandbox) -> Base:
    """Return the annotation base, signed in."""
    found = Base(sandbox.token, sandbox.url)
    found.auth()
    return found


def post(sandbox: Sandbox, path: str, body: object) -> requests.Response:
    """Post JSON as caveclient posts it."""
    return requests.post(
        sandbox.url + path, json=body, headers={"Authorization": f"Bearer {sandbox.token}"}, timeout=30
    )


def shape(mesh: Any) -> Trimesh:
    """Take a mesh as it is."""
    return Trimesh(mesh.vertices, mesh.faces, process=False)


def moment(at: int | str) -> datetime:
    """Return the time of a version, or now."""
    return datetime.now(UTC) if at == "live" else TIMES[int(at)]


@cache
def truth(name: str) -> pd.DataFrame:
    """Read a truth file."""
    return world().frame(f"truth/{name}")


def supervoxels_of(neuron: int) -> np.ndarray:
    """Return all supervoxels of a neuron."""
    found = world().segmentation
    return found.ids[found.neuron == neuron]


@cache
def ids_by_neuron() -> pd.Series:
    """Return the number of the neuron that each supervoxel belongs to."""
    found = world().segmentation
    return pd.Series(found.neuron, index=found.ids)


def edits(until: datetime | None = None, after: datetime = INGESTED) -> pd.DataFrame:
    """Return the rows of the lineage between two times, the later one included."""
    rows = truth("lineage")
    return rows[(rows.timestamp > after) & (rows.timestamp <= (until or datetime.now(UTC)))]


def outdated(at: datetime) -> set[int]:
    """Return the roots that had ended by a time."""
    return set(edits(at).old.tolist())


def born(at: datetime) -> set[int]:
    """Return the roots that edits had made by a time."""
    return set(edits(at).new.tolist())


def heirs(roots: Iterable[int], after: datetime, until: datetime) -> set[int]:
    """Follow roots from one time to another."""
    found = {int(root) for root in roots}
    for _, edit in edits(until, after).groupby("operation_id"):
        if found & set(edit.old):
            gone = edit[edit.old.isin(found)]
            found = (found - set(gone.old)) | set(gone.new.tolist())
    return found


def living(at: datetime) -> pd.Series:
    """Say which synapses held at a time, by id."""
    rows = world().frame(f"tables/{names.SYNAPSES}")
    held = (rows.created <= at) & ~(rows.deleted <= at)
    return pd.Series(held.to_numpy(), index=rows.id.to_numpy())
