"""Positions, cutouts, snapping and outdated ids, against the calls that crantpy makes, with the real clients.

All of them ask the offline CAVE over HTTP. Theirs are measured on a part and scaled up, as the table says: one download
of a voxel per position, one pass over a cutout per supervoxel, one cutout per position that is snapped, two requests
per outdated id. Ours are measured whole, with nothing remembered. Requests are those the servers saw. Positions are
spread over five neurons: thousands of storage chunks. The server shares two cores with the clients.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from caveclient import CAVEclient
from cloudvolume import Bbox, CloudVolume

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.identity import update_ids
from crant_core.registry import register
from crant_core.sandbox import names
from crant_core.segmentation import locs_to_supervoxels, snap_to_id
from crant_core.sources import watershed
from tests.fixtures.neurons import live_roots, world
from tests.fixtures.sandbox import Sandbox, run_sandbox

TITLE = "Segmentation (wall time)"
PROFILES = {False: ("fast",), True: ("fast", "realistic")}
POINTS = {False: (1_000,), True: (1_000, 10_000)}
SAMPLE = 60  # positions that the peer's way is measured on
SNAPPED, SNAP_SAMPLE = 100, 10
OUTDATED, UPDATE_SAMPLE = 200, 20
RADIUS = 160.0  # nm

Measured = tuple[float, int]  #: seconds, requests


def table(full: bool = False) -> str:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder, run_sandbox() as sandbox:
        os.environ["CRANT_CACHE_FOLDER"] = folder
        rows = [row for profile in PROFILES[full] for row in _Profile(sandbox, profile).rows(POINTS[full])]
    head = "| what | profile | ours, s | requests | peer's way, s | requests | ratio |\n|---|---|---|---|---|---|---|"
    return "\n".join([(__doc__ or "").strip(), "", head, *rows, "", _relabelling()])


class _Profile:
    """The measurements with the offline CAVE as it is on certain days."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox, self.name = sandbox, name
        self.dataset: Dataset = register(sandbox.dataset, sandbox.token)
        source_of(self.dataset).watershed.scale()  # connects
        self.client = CAVEclient(
            names.DATASTACK, server_address=sandbox.url, auth_token=sandbox.token, write_server_cache=False
        )
        path = f"graphene://{sandbox.url}/segmentation/table/{names.TABLE}"
        secrets = {"token": sandbox.token}
        self.volume = CloudVolume(path, secrets=secrets, use_https=True, progress=False, parallel=1, fill_missing=True)
        sandbox.control("POST", "profile", {"name": name})

    def rows(self, counts: Sequence[int]) -> Iterator[str]:
        """Measure one thing after the other."""
        for count in counts:
            yield self._row(f"supervoxels of {count:,} positions", *self._positions(count))
        yield self._row(f"{SNAPPED} positions onto a neuron", *self._snapping())
        different = world().frame("truth/lineage").old.nunique()
        yield self._row(f"{OUTDATED} outdated ids, {different} different", *self._updates())

    def _row(self, what: str, ours: Measured, theirs: Measured, measured: str) -> str:
        cells = (
            f"{ours[0]:.2f} | {ours[1]:,} | {theirs[0]:.1f} ({measured}) | {theirs[1]:,} | {theirs[0] / ours[0]:.0f} ×"
        )
        return f"| {what} | {self.name} | {cells} |"

    def _positions(self, count: int) -> tuple[Measured, Measured, str]:
        points = np.resize(world().features.middle[::4], (count, 3)) + np.random.default_rng(0).normal(
            0, 100, (count, 3)
        )
        ours = self._measure(lambda: locs_to_supervoxels(points, progress=False, dataset=self.dataset))
        theirs = self._measure(lambda: [self._voxel(point) for point in points[:SAMPLE]])
        return ours, _scaled(theirs, count / SAMPLE), f"{SAMPLE} measured"

    def _voxel(self, point: np.ndarray) -> Any:
        low = (point / self.volume.resolution).astype(int)
        return self.volume.download(Bbox(low, low + 1))

    def _snapping(self) -> tuple[Measured, Measured, str]:
        root = live_roots()[0]
        near = world().features.middle[world().segmentation.neuron == 0]
        points = near[np.arange(SNAPPED) % 25] + np.random.default_rng(1).normal(0, 300, (SNAPPED, 3))
        ours = self._measure(
            lambda: snap_to_id(points, root, snap_zero=True, search_radius=RADIUS, verbose=False, dataset=self.dataset)
        )
        theirs = self._measure(lambda: [self._around(point) for point in points[:SNAP_SAMPLE]])
        return ours, _scaled(theirs, SNAPPED / SNAP_SAMPLE), f"{SNAP_SAMPLE} measured"

    def _around(self, point: np.ndarray) -> Any:
        """Fetch a cutout and its roots, as the peer does for every position."""
        low, high = ((point + side) / self.volume.resolution for side in (-RADIUS, RADIUS))
        box = np.asarray(self.volume.download(Bbox(low.astype(int), high.astype(int) + 1)))
        return self.client.chunkedgraph.get_roots(np.unique(box))

    def _updates(self) -> tuple[Measured, Measured, str]:
        lineage = world().frame("truth/lineage")
        roots = np.resize(lineage.old.unique(), OUTDATED)
        distinct = [int(root) for root in np.unique(roots)]
        ours = self._measure(
            lambda: update_ids(roots, use_annotations=False, progress=False, dataset=self.dataset, clear_cache=True)
        )
        asked = [int(root) for root in np.resize(distinct, UPDATE_SAMPLE)]
        theirs = self._measure(lambda: [self._latest(root) for root in asked])
        return ours, _scaled(theirs, OUTDATED / UPDATE_SAMPLE), f"{UPDATE_SAMPLE} measured"

    def _latest(self, root: int) -> Any:
        return self.client.chunkedgraph.suggest_latest_roots(root, return_all=True, return_fraction_overlap=True)

    def _measure(self, work: Callable[[], object]) -> Measured:
        watershed.forget()
        self.sandbox.control("DELETE", "log")
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        counts = self.sandbox.control("GET", "log")["counts"]
        return seconds, sum(count["requests"] for count in counts.values())


def _scaled(measured: Measured, factor: float) -> Measured:
    return measured[0] * factor, round(measured[1] * factor)


def _relabelling() -> str:
    """Compare one look-up per voxel with one pass per id, on 2 million voxels of 1,000 ids."""
    import fastremap

    chance = np.random.default_rng(0)
    ids = np.sort(chance.integers(1 << 56, 1 << 57, 1000, dtype=np.uint64))
    cutout = np.asfortranarray(ids[chance.integers(0, len(ids), (16, 16, 8))].repeat(8, 0).repeat(8, 1).repeat(16, 2))
    roots = dict(zip(ids.tolist(), range(1, 1 + len(ids)), strict=True))
    with _timed() as ours:
        fastremap.unique(cutout)
        fastremap.remap(cutout.copy(order="F"), roots, in_place=True)
    with _timed() as theirs:
        found = cutout.copy(order="F")
        for one, root in roots.items():
            found[cutout == one] = root
    cells = f"{ours[0] * 1000:.0f} ms, one pass per id {theirs[0]:.2f} s ({theirs[0] / ours[0]:.0f} ×)"
    return f"Relabelling a cutout of {cutout.size:,} voxels with {len(ids):,} ids takes {cells}."


@contextmanager
def _timed() -> Iterator[list[float]]:
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)
