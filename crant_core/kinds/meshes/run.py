"""Fetches surfaces of neurons, whole and welded; loaded by workers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter

from crant_core.caching.meshes import Kept
from crant_core.ids import parse_id
from crant_core.kinds import roots
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, Scalar
from crant_core.kinds.meshes.spec import SPEC, MeshesOptions
from crant_core.meshes import formats
from crant_core.meshes.welding import area
from crant_core.morphology.made import header_of
from crant_core.morphology.making import surface

_NM2_PER_UM2 = 1e6
_COLUMNS: Mapping[str, str] = {
    "is_latest": "bool",
    "n_faces": "int64",
    "n_vertices": "int64",
    "area_um2": "float64",
    "l2_chunks_missing": "int64",
    "file_bytes": "int64",
    "download_seconds": "float64",
    "writing_seconds": "float64",
}

plan = roots.items_of  # each distinct id is an item


def run(context: Context, key: str) -> ItemResult:
    """Fetch one neuron's whole surface.

    Raises
    ------
    NotARoot
    MeshNotFound
    DataMissing
        A part of it is not meshed yet.
    SourceError
    """
    began = perf_counter()
    kept = surface(context.source, parse_id(key))
    came = perf_counter()
    files = tuple(_file(context, key, kept, form) for form in MeshesOptions.model_validate(context.parameters).formats)
    metrics: dict[str, Scalar] = {
        "n_faces": len(kept.mesh.faces),
        "n_vertices": len(kept.mesh.vertices),
        "area_um2": area(kept.mesh) / _NM2_PER_UM2,
        "l2_chunks_missing": kept.missing,
        "file_bytes": sum(len(file.data) for file in files),
        "download_seconds": came - began,
        "writing_seconds": perf_counter() - came,
    }
    return ItemResult(metrics=metrics, files=files)


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Summarize the job: `neurons.parquet`."""
    return [roots.table(context, SPEC, items, _COLUMNS)]


def _file(context: Context, key: str, kept: Kept, form: str) -> File:
    dataset = context.source.dataset
    facts: dict[str, Scalar] = {
        "format": form,
        "format_version": formats.FORMAT_VERSION,
        "dataset": dataset.name,
        "datastack": dataset.datastack,
        "root_id": key,
        "timestamp": context.time.timestamp.isoformat(),
        "materialization_version": context.time.version,
        "units": "nm",
        "frame": f"{dataset.name}, origin at voxel (0, 0, 0)",
        "code": roots.code_of(SPEC),
    }
    ply = form == "ply"
    data = formats.to_ply(kept.mesh, header_of(facts)) if ply else formats.to_precomputed(kept.mesh)
    return File(name=f"{key}.{form}", media_type=formats.PLY_MEDIA_TYPE, data=data, meta=facts)
