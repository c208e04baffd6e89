"""Jobs of the kind `skeletonize` through broker, workers and database: what a second worker process adds.

**From disk**: surfaces of known truth (`benchmarks/skeleton_meshes.py`) of 216,000 faces lie in the store of meshes
that the kind keeps, so that what the workers do is to make skeletons, check them, write them and record them, in one
job after the other.
**Downloaded**: all roots of the offline CAVE's real neurons, those of the past too, again and again; nothing is kept,
so each mesh is downloaded each time. Then the offline CAVE works on the same cores as the workers, and the second
process has only what is left of them: see its CPU time.

Nothing is reused. Wall time from the submission to the last job's end, begun when all processes are warm. One process
takes a minute or more, so that plans and finishes count as in jobs of a usual size: while they are made, others may
have nothing to do, and those of 80 skeletons take two seconds. CPU time is that of worker processes and their parent,
and of the offline CAVE. The last column is how long a process waited, for CAVE, disk, database, broker, or a core.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.skeleton_meshes import example
from crant_core.caching.meshes import FOLDER, Kept, MeshStore
from crant_core.jobs.model import JobState
from crant_core.kinds.skeletonize.spec import SPEC
from crant_core.sandbox.world.navis_data import BODY_IDS, read_skeleton
from crant_core.sources.cave import CaveSource
from tests.fixtures.neurons import live_roots, roots_at
from tests.fixtures.sandbox import lasting
from tests.fixtures.service import Service, running_service

TITLE = "Skeleton jobs"
_VOXEL = 256.0  # nm
_STORED = {False: 400, True: 1200}  #: meshes on disk, of some 5 MB each
_ROUNDS_STORED = 3  #: jobs of all of them
_ROUNDS = {False: 21, True: 80}  #: jobs of all downloaded roots
_LOOK_SECONDS = 0.5  #: between two looks whether jobs have ended: who looks works on the same cores
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  #: as `crant up` does


@dataclass(frozen=True)
class Run:
    """What some jobs took."""

    processes: int
    items: int
    wall: float
    workers: float  #: CPU seconds
    server: float  #: CPU seconds

    def row(self, name: str, one: Run) -> str:
        """Compare with one process."""
        waited = self.processes * self.wall - self.workers
        each = [f"{1000 * part / self.items:,.0f}" for part in (self.workers, self.server, waited)]
        faster = one.wall / one.items / (self.wall / self.items)
        rate = f"{self.items / self.wall:.1f}"
        return f"| {' | '.join([name, str(self.processes), str(self.items), rate, *each, f'{faster:.2f}'])} |"


def table(full: bool = False) -> str:
    """Measure one and two worker processes, both ways."""
    head = "| meshes | processes | items | items/s | workers, ms CPU each | CAVE, ms CPU each | waited, ms each | × |"
    rows = [head, "|---" * 8 + "|"]
    for name, kept in (("from disk", True), ("downloaded", False)):
        runs = [_measured(processes, kept=kept, full=full) for processes in (1, 2)]
        rows += [run.row(name, runs[0]) for run in runs]
    return "\n".join([(__doc__ or "").strip(), "", *rows])


def _measured(processes: int, *, kept: bool, full: bool) -> Run:
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder), kept=kept) as service:
        roots = _stored(service, Path(folder), _STORED[full]) if kept else _downloaded()
        worker = service.start_worker(processes=processes)
        watched = worker, psutil.Process(service.sandbox.pid)
        _do(service, [roots[: 4 * processes]] * 3)  # imports, machine code, connections, and what an item costs
        before = [_cpu(one) for one in watched]
        items, wall = _do(service, [roots] * (_ROUNDS_STORED if kept else _ROUNDS[full]))
        workers, server = (_cpu(one) - old for one, old in zip(watched, before, strict=True))
    return Run(processes, items, wall, workers, server)


@contextmanager
def _service(folder: Path, *, kept: bool) -> Iterator[Service]:
    with running_service(f"sqlite:///{folder}/jobs.sqlite") as service:
        dataset = lasting(service.sandbox.dataset) if kept else service.sandbox.dataset
        service.environment |= _ONE_THREAD | {
            "CRANT_DATASETS": f"[{dataset.model_dump_json()}]",
            "CRANT_CACHE_FOLDER": str(folder / "cache"),
            "CRANT_CACHE_MEGABYTES": "20000",
        }
        yield service


def _stored(service: Service, folder: Path, count: int) -> list[int]:
    """Keep surfaces as those of roots that there are not, so that nothing else could be fetched."""
    space = CaveSource(lasting(service.sandbox.dataset), service.sandbox.token).graph.name
    store = MeshStore(folder / "cache" / FOLDER, 20 << 30)
    meshes = [example(str(body), read_skeleton(body), _VOXEL).mesh for body in BODY_IDS]
    roots = [live_roots()[0] + (1 << 20) + number for number in range(count)]
    for number, root in enumerate(roots):
        store.put(space, root, Kept(meshes[number % len(meshes)], 0))
    os.sync()
    return roots


def _downloaded() -> list[int]:
    return list(dict.fromkeys([*live_roots(), *(root for version in (1, 2, 3) for root in roots_at(version))]))


def _do(service: Service, jobs: Sequence[Sequence[int]]) -> tuple[int, float]:
    """Do jobs; return how many items they had, and how long they took together, by the database's clock."""
    fields = {"kind": SPEC.name, "code_version": SPEC.code_version, "parameters": {}, "reuse": False}
    submitted = [service.engine.submit(roots, **fields) for roots in jobs]
    while not all(JobState(service.engine.see(job).state).ended for job in submitted):
        time.sleep(_LOOK_SECONDS)
    ended = [service.engine.see(job) for job in submitted]
    assert all(job.state == "succeeded" for job in ended), service.logs()
    took = max(job.finished_at or job.created_at for job in ended) - min(job.created_at for job in ended)
    return sum(job.total for job in ended), took.total_seconds()


def _cpu(process: psutil.Process) -> float:
    """Sum the CPU time of a process and its children, those that ended too."""
    own, family = process.cpu_times(), [child.cpu_times() for child in process.children(recursive=True)]
    return sum(times.user + times.system for times in (own, *family)) + own.children_user + own.children_system


if __name__ == "__main__":
    print(table())
