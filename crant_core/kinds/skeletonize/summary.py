"""What a whole skeletonize job says: a table of its neurons and a picture of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, Scalar
from crant_core.kinds.skeletonize.spec import SPEC
from crant_core.skeleton import Skeleton
from crant_core.skeleton.picture import draw
from crant_core.skeleton.swc import read_swc

TABLE = "neurons.parquet"
PICTURE = "skeletons.png"
DRAWN_AT_MOST = 200  # more only hide each other

_COLUMNS: Mapping[str, str] = {
    "is_latest": "bool",
    "n_nodes": "int64",
    "cable_length_um": "float64",
    "n_branches": "int64",
    "n_ends": "int64",
    "n_roots": "int64",
    "n_faces": "int64",
    "n_vertices": "int64",
}


def table(context: Context, items: Sequence[DoneItem]) -> File:
    """Write one row per neuron: `root_id` and its metrics, typed; a metric nobody measured is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    meta = {**_provenance(context), "format": "parquet", "format_version": 1, "n_neurons": len(items)}
    columns = {"root_id": pa.array([parse_id(item.key) for item in items], pa.int64())}
    for name, kind in _COLUMNS.items():
        columns[name] = pa.array([item.metrics.get(name) for item in items], pa.type_for_alias(kind))
    rows = pa.table(columns).replace_schema_metadata({name: str(value) for name, value in meta.items()})
    stream = BytesIO()
    pq.write_table(rows, stream, compression="zstd")
    return File(name=TABLE, media_type="application/vnd.apache.parquet", data=stream.getvalue(), meta=meta)


def pictures(context: Context, items: Sequence[DoneItem]) -> list[File]:
    """Draw the first neurons; a job without any has no picture."""
    drawn = items[:DRAWN_AT_MOST]
    if not drawn:
        return []
    meta: dict[str, Scalar] = {
        **_provenance(context),
        "format": "png",
        "view": "front: x right, y down",
        "n_drawn": len(drawn),
        "n_neurons": len(items),
    }
    data = draw(dict(_read(context, item) for item in drawn), caption=_caption(context, len(drawn), len(items)))
    return [File(name=PICTURE, media_type="image/png", data=data, meta=meta)]


def _read(context: Context, item: DoneItem) -> tuple[str, Skeleton]:
    (name,) = (name for name in item.files if name.endswith(".swc"))
    return item.key, read_swc(context.read(name))


def _caption(context: Context, drawn: int, total: int) -> str:
    count = f"{total:,} neurons" if drawn == total else f"the first {drawn:,} of {total:,} neurons"
    return f"{context.source.dataset.name} · {context.time.timestamp:%Y-%m-%d %H:%M} UTC · {count}"


def _provenance(context: Context) -> dict[str, Scalar]:
    return {
        "kind": SPEC.name,
        "code_version": SPEC.code_version,
        "dataset": context.source.dataset.name,
        "timestamp": context.time.timestamp.isoformat(),
        "materialization_version": context.time.version,
        "units": "cable_length_um in µm, positions in nm",
    }
