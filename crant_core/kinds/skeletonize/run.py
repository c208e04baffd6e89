"""Skeletonizes neurons: mesh in, SWC out; loaded by workers only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version

from crant_core.errors import NotARoot
from crant_core.ids import layer_of, parse_id
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem, Scalar
from crant_core.kinds.skeletonize import summary
from crant_core.kinds.skeletonize.spec import SPEC, SkeletonizeOptions
from crant_core.mesh import Mesh
from crant_core.skeleton import Skeleton, skeletonize_mesh, swc
from crant_core.skeleton.skeletonization import METHOD
from crant_core.units import NM_PER_UM

# SWC has no registered media type; as plain text every browser and spreadsheet shows it instead of guessing.
SWC_MEDIA_TYPE = "text/plain; charset=utf-8"


def plan(context: Context, ids: Sequence[int]) -> list[PlannedItem]:
    """Make each distinct id an item; those that cannot be roots fail at once, before anything is downloaded.

    Source: one `is_latest` request for all, at the job's one point in time.
    """
    layer = context.source.root_layer()
    distinct = list(dict.fromkeys(ids))
    roots = [root_id for root_id in distinct if layer_of(root_id) == layer]
    is_latest = dict(zip(roots, context.source.is_latest(roots, context.time.timestamp), strict=True))
    return [_planned(root_id, layer, is_latest.get(root_id)) for root_id in distinct]


def _planned(root_id: int, layer: int, is_latest: bool | None) -> PlannedItem:
    if is_latest is not None:
        return PlannedItem(key=str(root_id), metrics={"is_latest": is_latest})
    message = f"{root_id} is an id of layer {layer_of(root_id)}, not a root (layer {layer})"
    return PlannedItem(key=str(root_id), error=NotARoot(message, value=root_id))


def run(context: Context, key: str) -> ItemResult:
    """Skeletonize one neuron.

    Raises
    ------
    MeshNotFound
    SkeletonError
    SourceError
    """
    root_id, options = parse_id(key), SkeletonizeOptions.model_validate(context.parameters)
    mesh = context.source.mesh(root_id)
    skeleton = skeletonize_mesh(mesh, waves=options.waves, step_size=options.step_size, heal=options.heal)
    return ItemResult(metrics=_metrics(mesh, skeleton), files=(_swc_file(context, root_id, skeleton, options),))


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    """Summarize the job: `neurons.parquet`, and `skeletons.png` when there is something to draw."""
    done = list(items)
    return [summary.table(context, done), *summary.pictures(context, done)]


def _metrics(mesh: Mesh, skeleton: Skeleton) -> dict[str, Scalar]:
    return {
        "n_nodes": skeleton.n_nodes,
        "cable_length_um": skeleton.cable_length / NM_PER_UM,
        "n_branches": skeleton.n_branches,
        "n_ends": skeleton.n_ends,
        "n_roots": skeleton.n_roots,
        "n_faces": len(mesh.faces),
        "n_vertices": len(mesh.vertices),
    }


def _swc_file(context: Context, root_id: int, skeleton: Skeleton, options: SkeletonizeOptions) -> File:
    meta = _provenance(context, root_id, options)
    header = {name: "none" if value is None else str(value) for name, value in meta.items()}
    return File(name=f"{root_id}.swc", media_type=SWC_MEDIA_TYPE, data=swc.to_swc(skeleton, header), meta=meta)


def _provenance(context: Context, root_id: int, options: SkeletonizeOptions) -> dict[str, Scalar]:
    """Say what the file is and how it came about: all of it in the header too, as files travel without us."""
    dataset = context.source.dataset
    return {
        "format": swc.FORMAT,
        "format_version": swc.FORMAT_VERSION,
        "dataset": dataset.name,
        "datastack": dataset.datastack,
        "root_id": str(root_id),
        "timestamp": context.time.timestamp.isoformat(),
        "materialization_version": context.time.version,
        "units": "nm",
        "frame": f"{dataset.name}, origin at voxel (0, 0, 0)",
        "method": METHOD,
        **options.model_dump(),
        "code": f"{SPEC.name} {SPEC.code_version}, crant-batch {version('crant-batch')}",
    }
