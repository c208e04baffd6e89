"""What a whole `neuropil_matrices` job says: counts, matrices, sums by type, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from crant_core.ids import parse_id
from crant_core.kinds import files as result
from crant_core.kinds.base import Context, DoneItem, File, Scalar
from crant_core.kinds.neurons import types_of
from crant_core.kinds.neuropil_matrices.files import counts_file, merged, parquet, provenance
from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions
from crant_core.kinds.neuropil_matrices.surfaces import places_for
from crant_core.kinds.neuropil_matrices.tables import cell_types_file, neurons_file, notes
from crant_core.matrices import Counts, DirectedNestedMatrix, NeuropilCollection
from crant_core.matrices.parquet import VERSION
from crant_core.matrices.synapses import OTHER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COUNTS, MATRICES, TYPE_SUMS, PICTURE = "counts.parquet", "matrices.parquet", "type_sums.parquet", "heatmaps.png"
_PANELS = 9  # the neuropils with the most connections; more would be too small to read
_COLUMNS = 3
_SIZE = (7.0, 6.0)  # inches of a panel
_CELLS = 4_000_000  # of a matrix of neurons that is drawn: more than there are pixels


def files(context: Context, items: Sequence[DoneItem], options: NeuropilMatricesOptions) -> list[File]:
    """Merge the counts of all items, and make all files of them."""
    counts, given = merged(context, items), types_of(context, options.cell_types)
    types = {one.root_id: one.cell_type for one in given if one.used and one.root_id is not None}
    matrices = matrices_of(counts, [parse_id(item.key) for item in items], types, options)
    meta = (
        provenance(context, options, places_for(context, options).absent)
        | {"n_neurons": len(items)}
        | notes(items, given)
    )
    weighted = meta | {
        "weight_mode": options.weight_mode,
        "normalization_scope": options.normalization_scope,
        "annotation_scope": options.annotation_scope,
        "targets": options.targets,
        "open_neuropils": ", ".join(matrices.open_neuropils),
        "n_typed": len(types),
    }
    return [
        neurons_file(items, meta),
        *([cell_types_file(given, meta)] if given else []),
        counts_file(COUNTS, counts, meta),
        parquet(MATRICES, matrices.to_parquet, weighted | {"format": "neuropil_collection", "format_version": VERSION}),
        *_type_sums(matrices, weighted),
        *([] if context.is_step else _pictures(matrices, weighted)),
    ]


def matrices_of(
    counts: Counts, roots: Sequence[int], types: Mapping[int, str], options: NeuropilMatricesOptions
) -> NeuropilCollection:
    """Make a matrix of each neuropil: rows are the job's neurons, in the order of their types."""
    import pandas as pd

    annotations = pd.DataFrame(
        {
            "root_id": pd.Series([*types], dtype="int64"),
            "cell_type": pd.Series([*types.values()], dtype=object),
        }
    )
    return DirectedNestedMatrix.from_counts(
        counts,
        annotations,
        target_neurons=roots if options.targets == "ids" else None,
        weight_mode=options.weight_mode,
        normalization_scope=options.normalization_scope,
        annotation_scope=options.annotation_scope,
    )


def _type_sums(matrices: NeuropilCollection, meta: dict[str, Scalar]) -> list[File]:
    """Write one row for each neuropil, source type and target type that are connected; none without types."""
    import pyarrow as pa

    if not meta["n_typed"]:
        return []
    rows = [row for name, matrix in matrices.items() for row in _rows(name, matrix)]
    fields = ("neuropil", "string"), ("pre_type", "string"), ("post_type", "string"), ("weight", "double")
    kinds = (*fields, ("n_pre", "int64"), ("n_post", "int64"))
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds])
    return [result.parquet(TYPE_SUMS, pa.Table.from_pylist(rows, schema), meta, sql="type_sums")]


def _rows(neuropil: str, matrix: DirectedNestedMatrix) -> Iterator[dict[str, Any]]:
    """Yield what is not 0, with the numbers of neurons of both types, by which a sum becomes a mean."""
    sums = matrix.sum_type_matrix
    pre, post = (
        {name: stop - start for name, (start, stop) in blocks.items()}
        for blocks in (matrix.source_type_boundaries, matrix.target_type_boundaries)
    )
    for source, row in zip(sums.index, sums.to_numpy(), strict=True):
        for target, weight in zip(sums.columns, row.tolist(), strict=True):
            if weight:
                yield {
                    "neuropil": neuropil,
                    "pre_type": source,
                    "post_type": target,
                    "weight": weight,
                    "n_pre": pre[source],
                    "n_post": post[target],
                }


def _pictures(matrices: NeuropilCollection, meta: dict[str, Scalar]) -> list[File]:
    """Draw the neuropils with the most connections on one sheet; nothing without any."""
    drawn = [(name, level) for name in _largest(matrices) if (level := _level(matrices[name]))][:_PANELS]
    if not drawn:
        return []
    panels = [_panel(matrices[name], name, level) for name, level in drawn]
    about: dict[str, Scalar] = {"format": "png", "drawn": ", ".join(name for name, _ in drawn)}
    return [File(name=PICTURE, media_type="image/png", data=_sheet(panels), meta=meta | about)]


def _largest(matrices: NeuropilCollection) -> list[str]:
    """Return neuropils by their number of connections, the largest first; what is in none comes last."""
    return sorted(matrices, key=lambda name: (name == OTHER, -matrices[name].sparse.nnz))


def _level(matrix: DirectedNestedMatrix) -> str:
    """Return how to draw a matrix: by type if there are types on both axes, by neuron if it is small, or not at all."""
    if matrix.source_type_boundaries and matrix.target_type_boundaries:
        return "type_sum"
    return "neuron" if matrix.shape[0] * matrix.shape[1] <= _CELLS else ""


def _panel(matrix: DirectedNestedMatrix, name: str, level: str) -> NDArray[np.uint8]:
    import numpy as np

    figure, axes = matrix.plot(level=level, figsize=_SIZE)
    summed = "" if level == "neuron" else ", summed by type"
    axes.set_title(f"{name}: {matrix.sparse.nnz:,} connections of neurons{summed}")
    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def _sheet(panels: Sequence[NDArray[np.uint8]]) -> bytes:
    """Put panels of one size into rows."""
    import numpy as np
    from matplotlib.image import imsave

    across = min(_COLUMNS, len(panels))
    blank = np.full_like(panels[0], 255)
    filled = [*panels, *[blank] * (-len(panels) % across)]
    rows = [np.concatenate(filled[start : start + across], axis=1) for start in range(0, len(filled), across)]
    stream = BytesIO()
    # without metadata (matplotlib's version) the same matrices give the same bytes
    software: Any = {"Software": None}
    imsave(stream, np.concatenate(rows), format="png", metadata=software)
    return stream.getvalue()
