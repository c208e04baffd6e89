"""Maps as tables: ids as 64-bit integers, null where there is none, and what is in them said in the file too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from crant_core.kinds.base import Context, File, Scalar
from crant_core.kinds.files import columns, parquet, provenance
from crant_core.kinds.vertex_l2_map.spec import SPEC, VertexL2MapOptions
from crant_core.vertex_map import Method, VertexAssigner


def vertices(key: str, found: VertexAssigner, options: VertexL2MapOptions, meta: Mapping[str, Scalar]) -> File:
    """Write a row for each vertex, in the mesh's order: `l2_id`, null for none, `method`, and `x`, `y`, `z`, nm."""
    names = pa.array([method.name.lower() for method in Method])
    made = {
        "l2_id": pa.array(found.mesh_label, pa.int64(), mask=found.mesh_label == 0),
        "method": pa.DictionaryArray.from_arrays(pa.array(found.method, pa.uint8()), names),
    }
    if options.include_mesh:
        made |= {axis: pa.array(np.ascontiguousarray(found.vertices[:, n])) for n, axis in enumerate("xyz")}
    return parquet(f"{key}.vertices.parquet", pa.table(made), {**meta, "rows": "vertices", "units": "nm"})


def faces(key: str, found: VertexAssigner, meta: Mapping[str, Scalar]) -> File:
    """Write a row for each triangle: the rows of its corners among the vertices, from 0."""
    corners = columns({name: ("uint32", found.faces[:, n]) for n, name in enumerate("abc")})
    return parquet(f"{key}.faces.parquet", corners, {**meta, "rows": "faces"})


def about(context: Context, key: str, options: VertexL2MapOptions) -> dict[str, Scalar]:
    """Say where, when and how a map was made."""
    frame = f"{context.source.dataset.name}, origin at voxel (0, 0, 0)"
    return provenance(context, SPEC, options) | {"frame": frame, "root_id": key}
