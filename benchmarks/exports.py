"""Reading an exported table of some GB: memory and rate, against pandas.read_csv, which is cortical-tools' way.

`python -m benchmarks.exports` generates the table in a temporary folder and removes it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

ROWS, PART = 24_000_000, 500_000
COLUMNS = ("id", "pre_pt_root_id", "post_pt_root_id", *(f"ctr_pt_position_{axis}" for axis in "xyz"), "size")
HEADER = "".join(f"{name},bigint\n" for name in COLUMNS) + "valid,boolean\ncreated,timestamp without time zone\n"
_MEASURE = """
import json, resource, sys, time
began = time.perf_counter()
{work}
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1e3
print(json.dumps([rows, time.perf_counter() - began, peak]))
"""
_EXPORT = """
from crant_core.exports import TableExportClient
export = TableExportClient(sys.argv[1], voxel_resolution=(4, 4, 40)).get_export("synapses", 1)
"""
OURS = _EXPORT + "rows = sum(part.num_rows for part in export.iter_batches())"
SOME = _EXPORT + (
    "rows = sum(part.num_rows for part in export.iter_batches("
    "['id', 'post_pt_root_id'], {'pre_pt_root_id': [864691135000000000 + one for one in range(1000)]}))"
)
JOB = """
from datetime import UTC, datetime
from types import SimpleNamespace
from crant_core.datasets import Dataset
from crant_core.kinds.base import Context
from crant_core.kinds.export_table import run
from crant_core.times import TimeBase
place = {"export_source": sys.argv[1], "viewer_resolution": (4, 4, 40)}
dataset = Dataset(name="made", datastack="made", server="http://127.0.0.1:9", **place)
parameters = {"table": "synapses", "voxel_resolution": [4, 4, 40]}
source, time_ = SimpleNamespace(dataset=dataset), TimeBase("1", datetime.now(UTC), 1)
result = run.run(Context(source=source, time=time_, parameters=parameters, read=None), "synapses.v1")
for file in result.files:
    pass
rows = result.metrics["n_rows"]
"""
THEIRS = """
import pandas
rows = len(pandas.read_csv(f"{sys.argv[1]}/v1/synapses.csv.gz"))
"""


def generate(folder: Path, rows: int) -> int:
    """Write a table of synapses; return the size of its text in bytes."""
    random, size, done = np.random.default_rng(0), 0, 0
    (folder / "v1").mkdir()
    (folder / "v1/synapses_header.csv").write_text(HEADER)
    options, zip_ = pc.WriteOptions(include_header=False, quoting_style="none"), zlib.compressobj(1, wbits=31)
    with (folder / "v1/synapses.csv.gz").open("wb") as file:
        while done < rows:
            sink = pa.BufferOutputStream()
            pc.write_csv(_part(random, done), sink, options)
            text = sink.getvalue().to_pybytes()
            file.write(zip_.compress(text))
            size, done = size + len(text), done + PART
        file.write(zip_.flush())
    return size


def measure(work: str, folder: Path) -> tuple[int, float, float]:
    """Return rows, seconds and the peak of memory (MB) of a process of its own."""
    command = [sys.executable, "-c", _MEASURE.format(work=work), str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, seconds, peak = json.loads(ran.stdout)
    return rows, seconds, peak


TITLE = "Exports"


def table(full: bool = False) -> str:
    """Generate a table, and measure how it is read."""
    rows = ROWS if full else ROWS // 12
    with tempfile.TemporaryDirectory(prefix="crant-exports-") as name:
        folder = Path(name)
        size = generate(folder, rows)
        packed = (folder / "v1/synapses.csv.gz").stat().st_size
        parts = {
            "iter_batches, everything": OURS,
            "iter_batches, two columns, 1 000 neurons": SOME,
            "export_table": JOB,
        }
        lines = [_line(name, size, measure(work, folder)) for name, work in parts.items()]
        lines.append(_line("pandas.read_csv, as cortical-tools", size, measure(THEIRS, folder)))
    text = f"{rows:,} synapses, {size / 1e9:.1f} GB of text, {packed / 1e9:.2f} GB compressed, local.\n"
    heading = f"{(__doc__ or '').strip()}\n\n{text}"
    return "\n".join([heading, "| way | rows | s | MB text/s | peak MB |", "|---|---|---|---|---|", *lines])


def _line(name: str, size: int, found: tuple[int, float, float]) -> str:
    rows, seconds, peak = found
    return f"| {name} | {rows:,} | {seconds:.1f} | {size / seconds / 1e6:.0f} | {peak:,.0f} |"


def _part(random: np.random.Generator, first: int) -> pa.Table:
    roots = [864691135000000000 + random.integers(0, 100_000, PART) for _ in range(2)]
    places = [random.integers(0, 400_000, PART) for _ in range(3)]
    numbers = [np.arange(first, first + PART), *roots, *places, random.integers(1, 5000, PART)]
    columns = dict(zip(COLUMNS, numbers, strict=True))
    words = {"valid": ["t"] * PART, "created": ["2025-01-06 10:00:00.250000"] * PART}
    return pa.table(columns | words)


if __name__ == "__main__":
    print(table(full=True))
