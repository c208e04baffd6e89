"""Counts as Parquet in memory, and what every file of a job says about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from crant_core.kinds.base import Context, DoneItem, File, Scalar
from crant_core.kinds.neuropil_matrices.spec import SPEC, NeuropilMatricesOptions
from crant_core.matrices import Counts, merge
from crant_core.matrices.parquet import VERSION, dump_counts, load_counts
from crant_core.release import release

if TYPE_CHECKING:
    from os import PathLike

PARQUET = "application/vnd.apache.parquet"
_AT_ONCE = 1000  # parts that are merged together; more would need their memory twice


def parquet(name: str, write: Callable[[PathLike[str]], object], meta: dict[str, Scalar]) -> File:
    """Make a Parquet file of what a function writes to a path."""
    with TemporaryDirectory(prefix="crant-") as folder:
        path = Path(folder) / "table.parquet"
        write(path)
        return File(name=name, media_type=PARQUET, data=path.read_bytes(), meta=meta)


def counts_file(name: str, counts: Counts, meta: dict[str, Scalar]) -> File:
    """Write counts; see `crant_core.matrices.read_counts`."""
    described = meta | {"format": "synapse_counts", "format_version": VERSION}
    return File(name=name, media_type=PARQUET, data=dump_counts(counts), meta=described)


def merged(context: Context, items: Iterable[DoneItem]) -> Counts:
    """Add up the counts of all items: exactly what counting all of their synapses at once gives."""
    names = [name for item in items for name in item.files if name.endswith(".parquet")]
    return merge(_some(context, names[start : start + _AT_ONCE]) for start in range(0, len(names), _AT_ONCE))


def _some(context: Context, names: list[str]) -> Counts:
    return merge(_read(context, names))


def _read(context: Context, names: Iterable[str]) -> Iterator[Counts]:
    for name in names:
        yield load_counts(context.read(name))


def provenance(context: Context, options: NeuropilMatricesOptions, absent: Iterable[str]) -> dict[str, Scalar]:
    """Say where, when and how the synapses were counted, and which neuropils the dataset lacks if all were wanted."""
    dataset = context.source.dataset
    return {
        "kind": SPEC.name,
        "dataset": dataset.name,
        "datastack": dataset.datastack,
        "timestamp": context.time.timestamp.isoformat(),
        "materialization_version": context.time.version,
        "neuropils": "all" if options.neuropils is None else ", ".join(options.neuropils),
        "neuropils_absent": ", ".join(absent),
        "include_other": options.include_other,
        "position": options.position,
        "min_size": options.min_size,
        "threshold": options.threshold,
        "units": "synapses",
        "code": f"{SPEC.name} {SPEC.code_version}, crant-batch {release()}",
    }
