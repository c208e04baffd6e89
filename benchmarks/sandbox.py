"""What one process of the offline CAVE serves to one client that asks as fast as it can, and what it costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import requests

from crant_core.sandbox import names
from crant_core.sandbox.world.build import build
from tests.fixtures.sandbox import Sandbox, run_sandbox

TITLE = "Offline CAVE (wall time)"
SECONDS = {False: 1.0, True: 2.0}
ROUNDS = 3
COPIES = 1000

Call = Callable[[], requests.Response]


def table(full: bool = False) -> str:
    """Measure; building the world and its copies only in full."""
    with run_sandbox() as small:
        rows = [f"| {name} | {_per_second(call, SECONDS[full]):,.0f} |" for name, call in _calls(small).items()]
    head = "| request | per second |\n|---|---|"
    return "\n".join([(__doc__ or "").strip(), "", head, *rows, "", *(_costs() if full else [])])


def _calls(sandbox: Sandbox) -> dict[str, Call]:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {sandbox.token}"
    neurons = sandbox.control("GET", "world")["neurons"]
    roots, supervoxels = ([int(one[name]) for one in neurons] for name in ("root_id", "supervoxel_id"))
    graph = f"{sandbox.url}/segmentation/api/v1/table/{names.TABLE}"
    many = np.resize(np.array(supervoxels, dtype="<u8"), 25_000).tobytes()
    query = f"{sandbox.url}/materialize/api/v3/datastack/{names.DATASTACK}/version/3/table/{names.SYNAPSES}/query"
    asked = {"filter_in_dict": {names.SYNAPSES: {"pre_pt_root_id": roots[:1]}}}
    return {
        "is_latest_roots, 5 ids": lambda: session.post(f"{graph}/is_latest_roots", json={"node_ids": roots[:5]}),
        "roots_binary, 65 ids": lambda: session.post(
            f"{graph}/roots_binary", data=np.array(supervoxels, dtype="<u8").tobytes()
        ),
        "roots_binary, 25,000 ids": lambda: session.post(f"{graph}/roots_binary", data=many),
        "leaves of a neuron, stop_layer 2": lambda: session.get(f"{graph}/node/{roots[0]}/leaves?stop_layer=2"),
        "synapses of a neuron, 660 rows": lambda: session.post(
            f"{query}?return_pyarrow=True&arrow_format=True", json=asked
        ),
        "datastack info": lambda: session.get(f"{sandbox.url}/info/api/v2/datastack/full/{names.DATASTACK}"),
    }


def _per_second(call: Call, seconds: float) -> float:
    call().raise_for_status()
    return median(_round(call, seconds) for _ in range(ROUNDS))


def _round(call: Call, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - began)


def _costs() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        build(Path(folder))
        seconds = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    with run_sandbox("--neurons", str(COPIES)) as large:
        _per_second(_calls(large)["synapses of a neuron, 660 rows"], SECONDS[True])
        memory = psutil.Process(large.pid).memory_info().rss / 2**20
    return [
        f"Building its world takes {seconds:.0f} s and {size:.0f} MB on disk. "
        f"With {COPIES:,} copies, a million synapses and 100,000 annotated fragments it takes {memory:.0f} MiB.",
    ]
