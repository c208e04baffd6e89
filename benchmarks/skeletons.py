"""Mesh to SWC text: ours against the pipeline that crantpy's users run and against bare skeletor with fastcore.

Meshes are surfaces of known truth around hemibrain's skeletons of five neurons (`benchmarks/skeleton_meshes.py`), and
the smallest is navis' own decimated surface. The method's numbers were chosen on 722817260, 754538881, 1734350788 and
1734350908; **754534424 is held out**. The peers are re-enacted in `benchmarks/skeleton_peer.py`, with the versions of
`requirements/lock.txt`. CPU seconds, medians; memory is the peak of a process of its own above its input and imports.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.skeleton_meshes import Example, example
from benchmarks.skeleton_peer import bare_skeletor, crantpy_pipeline
from benchmarks.skeleton_quality import Score, score
from benchmarks.timing import cpu_seconds
from crant_core.mesh import Mesh
from crant_core.sandbox.world.navis_data import BODY_IDS, read_skeleton, read_surface
from crant_core.skeleton import Skeleton, arrays, kernels, trace
from crant_core.skeleton.swc import to_swc

TITLE = "Mesh to SWC"
HELD_OUT, TUNED_ON = 754534424, 722817260
VOXELS = (256.0, 128.0, 64.0)  # nm: 0.2, 0.7 and 2.8 million faces
FULL = ((HELD_OUT, 128.0), (HELD_OUT, 64.0), (TUNED_ON, 128.0))  # neurons and voxels whose quality is measured
_ROUNDS = 5
_LARGE = 1_000_000  # faces: there the peers run once

Work = Callable[[Mesh], object]
METHODS: dict[str, Work] = {
    "ours": lambda mesh: to_swc(trace(mesh, heavy=kernels).skeleton, {}),
    "ours without numba": lambda mesh: to_swc(trace(mesh, heavy=arrays).skeleton, {}),
    "skeletor, bare": bare_skeletor,
    "crantpy's pipeline": crantpy_pipeline,
}


def table(full: bool = False) -> str:
    """Measure time, memory, quality and threads; each of these can be run alone, too."""
    voxels, chosen = (VOXELS, FULL) if full else (VOXELS[:2], FULL[:1])
    parts = speed(voxels), memory(voxels[-1]), quality(chosen), threads()
    return "\n\n".join([(__doc__ or "").strip(), *parts, *([large()] if full else [])])


def speed(voxels: tuple[float, ...] = VOXELS) -> str:
    """Compare CPU time on one neuron at several resolutions."""
    meshes = [read_surface(HELD_OUT), *(_example(HELD_OUT, voxel).mesh for voxel in voxels)]
    head = "| faces | " + " | ".join(f"{name}, s" for name in METHODS) + " | theirs / ours |"
    return "\n".join([head, "|---" * (len(METHODS) + 2) + "|", *map(_speed_row, meshes)])


def _speed_row(mesh: Mesh) -> str:
    times = _medians(mesh)
    ratios = " / ".join(f"{times[name] / times['ours']:.1f}" for name in list(METHODS)[1:])
    return f"| {len(mesh.faces):,} | " + " | ".join(f"{time:.3f}" for time in times.values()) + f" | {ratios} |"


def memory(voxel: float = VOXELS[-1]) -> str:
    """Compare peaks of memory on one mesh."""
    mesh = _example(HELD_OUT, voxel).mesh
    rows = [f"| {name} | {peak_memory(mesh, name):,.0f} |" for name in METHODS]
    return "\n".join([f"| {len(mesh.faces):,} faces | MB above input |", "|---|---|", *rows])


def large(copies: int = 4) -> str:
    """Measure the peak of memory on eleven million faces: copies of the largest mesh beside each other."""
    mesh = _example(HELD_OUT, VOXELS[-1]).mesh
    shift = np.array([1.1 * np.ptp(mesh.vertices[:, 0]), 0, 0])
    vertices = np.concatenate([mesh.vertices + number * shift for number in range(copies)])
    faces = np.concatenate([mesh.faces + number * len(mesh.vertices) for number in range(copies)])
    megabytes = peak_memory(Mesh(vertices, faces), "ours")
    return f"{len(faces):,} faces: {megabytes:,.0f} MB above input, {megabytes * 1e6 / len(faces):.0f} bytes a face"


def _medians(mesh: Mesh) -> dict[str, float]:
    """Run all methods in turns, so that a machine that slows down slows all; ours is compiled before."""
    METHODS["ours"](mesh)
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    for number in range(_ROUNDS):
        for name, work in METHODS.items():
            if number == 0 or name == "ours" or len(mesh.faces) < _LARGE / 5:
                gc.collect()
                times[name].append(_quiet(lambda work=work: cpu_seconds(lambda: work(mesh))))
    return {name: median(found) for name, found in times.items()}


def _quiet(work: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()


def peak_memory(mesh: Mesh, name: str) -> float:
    """Return by how many MB one run raises a process' peak above what it had with imports done and input read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.npz"
        np.savez(path, vertices=mesh.vertices, faces=mesh.faces)
        command = [sys.executable, "-m", "benchmarks.skeletons", "memory", name, str(path)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def _memory(name: str, path: str) -> float:
    small = read_surface(BODY_IDS[0])
    _quiet(lambda: METHODS[name](small))  # imports, machine code
    with np.load(path) as found:
        mesh = Mesh(found["vertices"], found["faces"])
    before = _peak_mb()
    _quiet(lambda: METHODS[name](mesh))
    return _peak_mb() - before


def _peak_mb() -> float:
    """Return this process' own peak; `ru_maxrss` would begin with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def quality(chosen: tuple[tuple[int, float], ...] = FULL) -> str:
    """Compare with the truth."""
    columns = "mesh | method | nodes | roots | tips | coverage | topology | radius error | p95, nm | inside | leaves"
    rows = [row for neuron, voxel in chosen for row in _quality_rows(_example(neuron, voxel))]
    rows += _quality_rows(Example(f"{HELD_OUT}, decimated", read_surface(HELD_OUT), read_skeleton(HELD_OUT)))
    return "\n".join([f"| {columns} |", "|---" * 11 + "|", *rows])


def _quality_rows(found: Example) -> list[str]:
    made: dict[str, Skeleton] = {"ours": trace(found.mesh).skeleton}
    made["crantpy's pipeline"] = _quiet(lambda: crantpy_pipeline(found.mesh))
    return [_quality_row(found.name, name, score(tree, found.mesh, found.truth)) for name, tree in made.items()]


def _quality_row(mesh: str, method: str, found: Score) -> str:
    shares = " | ".join(f"{share:.3f}" for share in (found.tips, found.coverage, found.topology, found.radius_error))
    rest = f"{found.p95:.0f} | {found.inside:.4f} | {found.leaf_ratio:.2f}"
    return f"| {mesh} | {method} | {found.nodes:,} | {found.roots} | {shares} | {rest} |"


def threads(count: int = 4) -> str:
    """Compare wall time of several neurons one after the other and in two threads of one process."""
    mesh = _example(HELD_OUT, 128.0).mesh
    walls = [_wall(mesh, count, workers) for workers in (1, 2)]
    faces = count * len(mesh.faces) / 1e6
    rates = " | ".join(
        f"{workers} | {wall:.2f} | {faces / wall:.1f}" for workers, wall in zip((1, 2), walls, strict=True)
    )
    return (
        "| threads | wall, s | million faces/s |\n|---|---|---|\n| " + rates.replace(" | 2 | ", " |\n| 2 | ", 1) + " |"
    )


def _wall(mesh: Mesh, count: int, workers: int) -> float:
    began = perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(METHODS["ours"], [mesh] * count))
    return perf_counter() - began


@cache
def _example(neuron: int, voxel: float) -> Example:
    found = example(f"{neuron}, {voxel:.0f} nm", read_skeleton(neuron), voxel)
    return Example(f"{found.name}, {len(found.mesh.faces) / 1e6:.1f} M", found.mesh, found.truth)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["memory", name, path]:
            print(_memory(name, path))
        case [part]:
            print(globals()[part]())
        case _:
            print(table())
