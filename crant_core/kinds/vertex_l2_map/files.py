"""Maps as Parquet: ids as 64-bit integers, null where there is none, and what is in them said in the file too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from crant_core.ids import parse_id
from crant_core.kinds.base import Context, DoneItem, File, Scalar
from crant_core.kinds.vertex_l2_map.spec import SPEC, VertexL2MapOptions
from crant_core.vertex_map import Method, VertexAssigner

if TYPE_CHECKING:
    import pyarrow as pa

NEURONS = "neurons.parquet"
FORMAT_VERSION = 1
_PARQUET = "application/vnd.apache.parquet"
_COUNTS = ("n_vertices", "n_faces", *(f"n_{method.name.lower()}" for method in Method))
_L2_COUNTS = ("n_l2_ids", "n_l2_ids_without_point", "n_l2_ids_without_vertices")


def vertices(key: str, found: VertexAssigner, options: VertexL2MapOptions, meta: Mapping[str, Scalar]) -> File:
    """Write a row for each vertex, in the mesh's order: `l2_id`, null for none, `method`, and `x`, `y`, `z`, nm."""
    import pyarrow as pa

    names = pa.array([method.name.lower() for method in Method])
    columns = {
        "l2_id": pa.array(found.mesh_label, pa.int64(), mask=found.mesh_label == 0),
        "method": pa.DictionaryArray.from_arrays(pa.array(found.method, pa.uint8()), names),
    }
    if options.include_mesh:
        columns |= {axis: pa.array(np.ascontiguousarray(found.vertices[:, n])) for n, axis in enumerate("xyz")}
    return _file(f"{key}.vertices.parquet", pa.table(columns), {**meta, "rows": "vertices", "units": "nm"})


def faces(key: str, found: VertexAssigner, meta: Mapping[str, Scalar]) -> File:
    """Write a row for each triangle: the rows of its corners among the vertices, from 0."""
    import pyarrow as pa

    columns = {name: pa.array(found.faces[:, n].astype(np.uint32)) for n, name in enumerate("abc")}
    return _file(f"{key}.faces.parquet", pa.table(columns), {**meta, "rows": "faces"})


def neurons(items: Iterable[DoneItem], meta: Mapping[str, Scalar]) -> File:
    """Write a row for each neuron: `root_id` and its metrics; one that nobody measured is null."""
    import pyarrow as pa

    done = list(items)
    columns = {"root_id": pa.array([parse_id(item.key) for item in done], pa.int64())}
    kinds = {"share_mapped": pa.float64()} | dict.fromkeys((*_COUNTS, *_L2_COUNTS), pa.int64())
    for name, kind in kinds.items():
        columns[name] = pa.array([item.metrics.get(name) for item in done], kind)
    return _file(NEURONS, pa.table(columns), {**meta, "rows": "neurons"})


def provenance(context: Context, options: VertexL2MapOptions) -> dict[str, Scalar]:
    """Say where, when and how a map was made."""
    dataset = context.source.dataset
    return {
        "kind": SPEC.name,
        "dataset": dataset.name,
        "datastack": dataset.datastack,
        "timestamp": context.time.timestamp.isoformat(),
        "materialization_version": context.time.version,
        "frame": f"{dataset.name}, origin at voxel (0, 0, 0)",
        **options.model_dump(),
        "code": f"{SPEC.name} {SPEC.code_version}, crant-batch {version('crant-batch')}",
    }


def _file(name: str, table: pa.Table, meta: Mapping[str, Scalar]) -> File:
    import pyarrow.parquet as pq

    about = {**meta, "format": "parquet", "format_version": FORMAT_VERSION, "n_rows": table.num_rows}
    described = table.replace_schema_metadata({key: str(value) for key, value in about.items()})
    stream = BytesIO()
    pq.write_table(described, stream, compression="zstd")
    return File(name=name, media_type=_PARQUET, data=stream.getvalue(), meta=about)
