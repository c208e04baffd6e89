"""Jobs of the kind `skeletonize` through broker, workers and database, against the offline CAVE.

All roots of the real neurons, those of the past too. Nothing is kept between items, so each mesh is downloaded. The
items' own numbers say where their time went; what is left of it is the store's. Wall time, begun when all processes
are warm.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from crant_core.jobs.tables import ItemRow
from crant_core.kinds.skeletonize.spec import SPEC
from tests.fixtures.neurons import live_roots, roots_at
from tests.fixtures.service import Service, running_service

JOBS = 1
_STEPS = ("download", "skeleton", "writing")


TITLE = "Skeleton jobs"


def table(full: bool = False) -> str:
    """Measure one and two worker processes. It has one size."""
    head = "| processes | items | items/s | faces/s | download | skeleton | writing | storage |"
    rows = [head, "|---" * 8 + "|", *(_row(processes) for processes in (1, 2))]
    return "\n".join([(__doc__ or "").strip(), "", *rows])


def _row(processes: int) -> str:
    with tempfile.TemporaryDirectory() as folder, running_service(f"sqlite:///{Path(folder)}/jobs.sqlite") as service:
        service.start_worker(processes=processes)
        _run(service, live_roots()[:3], jobs=1)  # imports, machine code, connections
        began = time.perf_counter()
        items = _run(service, _roots(), JOBS)
        wall = time.perf_counter() - began
    faces = sum(item.metrics["n_faces"] for item in items)
    shares = " | ".join(f"{share:.1%}" for share in _shares(items))
    return f"| {processes} | {len(items)} | {len(items) / wall:.2f} | {faces / wall:,.0f} | {shares} |"


def _roots() -> list[int]:
    return list(dict.fromkeys([*live_roots(), *(root for version in (1, 2, 3) for root in roots_at(version))]))


def _run(service: Service, roots: Sequence[int], jobs: int) -> list[ItemRow]:
    submitted = [
        service.engine.submit(roots, kind="skeletonize", code_version=SPEC.code_version, parameters={})
        for _ in range(jobs)
    ]
    ended = [service.ended(job) for job in submitted]
    assert all(job.state == "succeeded" for job in ended), service.logs()
    return [item for job in ended for item in service.engine.jobs.items(job.id, limit=1000)]


def _shares(items: Sequence[ItemRow]) -> list[float]:
    total = sum(item.seconds or 0.0 for item in items)
    known = [sum(item.metrics[f"{step}_seconds"] for item in items) / total for step in _STEPS]
    return [*known, 1 - sum(known)]


if __name__ == "__main__":
    print(table())
