"""Maps the vertices of neurons' surfaces to L2 chunks; loaded by workers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from crant_core.ids import parse_id
from crant_core.kinds import roots
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, Scalar
from crant_core.kinds.vertex_l2_map import files
from crant_core.kinds.vertex_l2_map.spec import SPEC, VertexL2MapOptions
from crant_core.vertex_map import Limits, Method, SegmentationLookup, VertexAssigner, map_neuron

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource

_COLUMNS: Mapping[str, str] = {
    "is_latest": "bool",
    "share_mapped": "float64",
    "n_vertices": "int64",
    "n_faces": "int64",
    **{f"n_{method.name.lower()}": "int64" for method in Method},
    "n_l2_ids": "int64",
    "n_l2_ids_without_point": "int64",
    "n_l2_ids_without_vertices": "int64",
}

plan = roots.items_of  # each distinct id is an item


def run(context: Context, key: str) -> ItemResult:
    """Map one neuron: `{root}.vertices.parquet`, and `{root}.faces.parquet` if wanted.

    Raises
    ------
    NotARoot
    MeshNotFound
    DataMissing
    SourceError
    """
    root, options = parse_id(key), VertexL2MapOptions.model_validate(context.parameters)
    source = cast("CaveSource", context.source)
    lookup = SegmentationLookup(source) if options.cloudvolume_fallback else None
    found = map_neuron(source, root, _limits(options), lookup)
    meta = files.about(context, key, options)
    stored = [files.vertices(key, found, options, meta)]
    stored += [files.faces(key, found, meta)] if options.include_mesh else []
    return ItemResult(metrics=_metrics(found), files=tuple(stored))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Summarize the job: `neurons.parquet`, how much of each neuron's surface has L2 ids, and how they came about."""
    return [roots.table(context, SPEC, items, _COLUMNS)]


def _limits(options: VertexL2MapOptions) -> Limits:
    return Limits(max_distance=options.max_distance, ratio_better=options.ratio_better, hop_limit=options.hop_limit)


def _metrics(found: VertexAssigner) -> dict[str, Scalar]:
    coverage = found.coverage
    return {
        "n_vertices": coverage.vertices,
        "n_faces": len(found.faces),
        "share_mapped": coverage.share,
        **{f"n_{method}": count for method, count in coverage.by_method.items()},
        "n_l2_ids": coverage.l2_ids,
        "n_l2_ids_without_point": coverage.l2_ids_without_point,
        "n_l2_ids_without_vertices": coverage.l2_ids_without_vertices,
    }
