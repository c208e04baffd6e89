"""A lab's refresh: ids updated, skeletons made, synapses attached, matrices counted; with the service and without.

The neurons of the offline CAVE, under ids of the version before, at the newest version: real ones, made-up ones, and
copies of the real ones. The service has two worker processes, SQLite and Redis, and stores every result with checksums.
The peers' way is what notebooks do, neuron by neuron: caveclient for ids and synapses, cloud-volume for meshes, the
pipeline of crantpy's users (skeletor and navis) for skeletons, scipy's k-d tree to attach, `navis.in_volume` and pandas
for matrices; in a loop, and in a pool of two processes. Results stay in memory there, but for the skeletons. Wall time,
everything warm.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.skeleton_peer import crantpy_pipeline
from crant_core.kinds.registry import get_kind
from crant_core.mesh import Mesh
from crant_core.neuropils.meshes import load_neuropil_meshes
from crant_core.registry import register
from crant_core.sandbox import demo_dataset
from crant_core.sandbox.world.history import VERSIONS
from tests.fixtures.neurons import world
from tests.fixtures.service import Service, running_service
from tests.fixtures.synapse_truth import names

TITLE = "A whole lab's refresh (wall time)"
NEURONS = {False: 4, True: 200}
EVERY = {False: 1, True: 5}  #: the peers' share, which takes a quarter of an hour otherwise
COPIES = 140  #: of the real neurons, which the offline CAVE adds to its 65
STEPS = ("update_ids", "skeletonize", "attach_synapses", "neuropil_matrices")
AT, VERSION = VERSIONS[2].timestamp, 3
_REACH = 10_000.0  # nm
_POLL = 0.05  # seconds

Seconds = dict[str, float]
Run = Callable[[Callable[[str], Any], Iterable[str]], Iterable[Any]]


def table(full: bool = False) -> str:
    """Measure all ways against one sandbox."""
    options = ("--neurons", str(COPIES)) if full else ()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(f"sqlite:///{folder}/jobs.sqlite", *options) as service,
    ):
        _tell(service, folder)
        old = _ids(service)[: NEURONS[full]] if full else _ids(service)[-NEURONS[full] :]
        ways = {"the service, 2 processes": _service(service, old)}
        every = EVERY[full]
        ways["peers in a loop"] = _peers(map, old, every)
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            ways["peers in a pool of 2"] = _peers(lambda do, keys: pool.imap(do, keys, chunksize=1), old, every)
    head = f"| by | {' | '.join(STEPS)} | all, s |\n|---|" + "---|" * (len(STEPS) + 1)
    lines = [
        f"| {name} | {' | '.join(f'{took[step]:.1f}' for step in STEPS)} | {sum(took.values()):.1f} |"
        for name, took in ways.items()
    ]
    return "\n".join(
        [
            (__doc__ or "").strip(),
            "",
            f"{len(old)} neurons{'' if full else ', few and small: not the size that counts'}; seconds."
            f"{f' Peers did every {every}th neuron; seconds are {every} times what that took.' if full else ''}",
            "",
            head,
            *lines,
        ]
    )


def _ids(service: Service) -> list[int]:
    """List the neurons under the ids of the version before: real ones, made-up ones, and copies of the real ones."""
    supervoxels = world().frame("truth/neurons").supervoxel_id.to_numpy(np.uint64)
    found = _client().chunkedgraph.get_roots(supervoxels, timestamp=VERSIONS[1].timestamp)
    copies = [int(copy["root_id"]) for copy in service.sandbox.control("GET", "world")["copies"]]
    return [*dict.fromkeys(map(int, found)), *copies]


def _service(service: Service, old: Sequence[int]) -> Seconds:
    service.start_worker(processes=2)
    _pipeline(service, old[-4:])  # imports, machine code, connections
    return _pipeline(service, old)


def _pipeline(service: Service, old: Sequence[int]) -> Seconds:
    took: Seconds = {}
    updates = _job(service, took, "update_ids", old)
    new = [int(item.metrics["new_id"]) for item in service.engine.jobs.items(updates, limit=1000)]
    skeletons = _job(service, took, "skeletonize", new)
    _job(service, took, "attach_synapses", new, skeletons=skeletons)
    _job(service, took, "neuropil_matrices", new)
    return took


def _job(service: Service, took: Seconds, kind: str, ids: Sequence[int], **options: object) -> str:
    spec = get_kind(kind)
    given = spec.parameters.model_validate({"ids": list(ids), **options})
    stored, began = given.model_dump(mode="json", exclude={"ids"}), time.perf_counter()
    job = service.engine.submit(
        ids, kind=kind, code_version=spec.code_version, parameters=stored, at=f"mat_{VERSION}", reuse=False
    )
    while service.engine.see(job).finished_at is None:
        time.sleep(_POLL)
    took[kind] = time.perf_counter() - began
    assert service.engine.see(job).state == "succeeded", service.logs()
    return job.id


def _tell(service: Service, folder: str) -> None:
    """Let processes of the peers know where CAVE is."""
    about = {"url": service.sandbox.url, "token": service.sandbox.token, "folder": folder}
    os.environ["BENCH_CAVE"] = json.dumps(about)


def _peers(run: Run, whole: Sequence[int], every: int) -> Seconds:
    took: Seconds = {}
    old = whole[::every]
    for step in STEPS:  # warm
        list(run(_DO[step], [str(old[-1])] * 4))
    with _timed(took, "update_ids"):
        new = [str(one) for one in run(_update, map(str, old))]
    for step in STEPS[1:]:
        with _timed(took, step):
            list(run(_DO[step], new))
    return {step: every * seconds for step, seconds in took.items()}


@contextmanager
def _timed(took: Seconds, step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    took[step] = time.perf_counter() - began


@cache
def _about() -> dict[str, str]:
    found: dict[str, str] = json.loads(os.environ["BENCH_CAVE"])
    return found


@cache
def _client() -> Any:
    from caveclient import CAVEclient

    about = _about()
    return CAVEclient("crant_demo", server_address=about["url"], auth_token=about["token"], write_server_cache=False)


@cache
def _volumes() -> dict[str, Any]:
    import navis

    dataset = register(demo_dataset(_about()["url"]), _about()["token"])
    meshes = load_neuropil_meshes(names(), dataset)
    return {name: navis.Volume(mesh.vertices, mesh.faces, name=name) for name, mesh in meshes.items()}


def _update(key: str) -> int:
    graph_ = _client().chunkedgraph
    if graph_.is_latest_roots([int(key)], timestamp=AT)[0]:
        return int(key)
    return int(graph_.suggest_latest_roots(int(key), timestamp=AT))


def _skeletonize(key: str) -> int:
    found = _client().info.segmentation_cloudvolume(progress=False).mesh.get(int(key))
    mesh = found[int(key)] if isinstance(found, dict) else found
    nodes = crantpy_pipeline(Mesh(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))).nodes
    np.save(Path(_about()["folder"]) / f"{key}.npy", nodes)
    return len(nodes)


def _synapses(key: str, side: str) -> Any:
    asked = {f"{side}_ids": int(key)}
    return _client().materialize.synapse_query(**asked, materialization_version=VERSION, desired_resolution=(1, 1, 1))


def _attach(key: str) -> int:
    from scipy.spatial import cKDTree

    tree, count = cKDTree(np.load(Path(_about()["folder"]) / f"{key}.npy")), 0
    for side in ("pre", "post"):
        rows = _synapses(key, side)
        rows = rows[rows.pre_pt_root_id != rows.post_pt_root_id]
        if len(rows):
            distances, _ = tree.query(np.stack(rows[f"{side}_pt_position"].to_numpy()))
            count += int((distances <= _REACH).sum())
    return count


def _matrices(key: str) -> int:
    import navis

    rows, count = _synapses(key, "pre"), 0
    if not len(rows):
        return 0
    places = np.stack(rows["ctr_pt_position"].to_numpy()).astype(np.float64)
    for volume in _volumes().values():
        inside = rows[np.asarray(navis.in_volume(places, volume))]
        count += int(inside.groupby(["pre_pt_root_id", "post_pt_root_id"]).size().sum())
    return count


_DO: dict[str, Callable[[str], Any]] = dict(zip(STEPS, (_update, _skeletonize, _attach, _matrices), strict=True))


if __name__ == "__main__":
    print(table())
