"""What kinds share that make skeletons: their files, their table, their picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from time import perf_counter

from crant_core.kinds.base import Context, DoneItem, File, ItemResult, KindSpec, Scalar
from crant_core.kinds.roots import code_of, job_facts, table
from crant_core.morphology.files import encoded
from crant_core.morphology.made import Made, header_of, measured, provenance
from crant_core.skeleton import Skeleton, parquet, precomputed, swc
from crant_core.skeleton.picture import draw

PICTURE = "skeletons.png"
INFO = "precomputed.info.json"  #: what Neuroglancer asks for as `info`, for all precomputed skeletons of a job
DRAWN_AT_MOST = 200  # more only hide each other

# SWC has no registered media type; as plain text every browser and spreadsheet shows it instead of guessing.
_MEDIA_TYPES = {
    "swc": "text/plain; charset=utf-8",
    "parquet": parquet.MEDIA_TYPE,
    "precomputed": "application/octet-stream",
}
_VERSIONS = {
    "swc": swc.FORMAT_VERSION,
    "parquet": parquet.FORMAT_VERSION,
    "precomputed": precomputed.FORMAT_VERSION,
}
#: what reads a skeleton back, by format
READERS: Mapping[str, Callable[[bytes], Skeleton]] = {
    "swc": swc.read_swc,
    "parquet": parquet.read_parquet,
    "precomputed": precomputed.read_precomputed,
}
_COLUMNS: Mapping[str, str] = {
    "is_latest": "bool",
    "n_nodes": "int64",
    "cable_length_um": "float64",
    "n_branches": "int64",
    "n_ends": "int64",
    "n_roots": "int64",
    "coverage": "float64",
    "inside": "float64",
    "dropped": "float64",
    "moved": "float64",
    "radius_nm": "float64",
    "n_pieces": "int64",
    "soma_ratio": "float64",
    "soma_radius_nm": "float64",
    "id_match": "float64",
    "n_faces": "int64",
    "n_vertices": "int64",
    "l2_chunks_missing": "int64",
    "file_bytes": "int64",
    "download_seconds": "float64",
    "skeleton_seconds": "float64",
    "check_seconds": "float64",
    "writing_seconds": "float64",
}


def result(context: Context, spec: KindSpec, made: Made, formats: Sequence[str]) -> ItemResult:
    """Write one neuron's files, and say how good its skeleton is and what it cost.

    Source: one `is_latest` request, if the plan did not ask it: a job of another time may get these files too.
    """
    if made.is_latest is None:
        made = replace(made, is_latest=_holds(context, made.root))
    began = perf_counter()
    files = tuple(_file(context, spec, made, form) for form in formats)
    cost = {"file_bytes": sum(len(file.data) for file in files), "writing_seconds": perf_counter() - began}
    numbers = measured(made) | cost
    return ItemResult(metrics={name: numbers[name] for name in _COLUMNS if name in numbers}, files=files)


def _holds(context: Context, root: int) -> bool:
    known = context.planned.get(str(root), {}).get("is_latest")
    return bool(context.source.is_latest([root], context.time.timestamp)[0] if known is None else known)


def summary(context: Context, spec: KindSpec, items: Iterable[DoneItem], formats: Sequence[str]) -> list[File]:
    """Summarize the job: the table of its neurons, `info` for Neuroglancer, and a picture if there is any neuron."""
    info = [_info(context, spec)] if "precomputed" in formats else []
    neurons, drawn = table(context, spec, items, _COLUMNS), list(islice(items, DRAWN_AT_MOST))
    return [neurons, *info, *_pictures(context, spec, drawn, int(str(neurons.meta["n_neurons"])))]


def _file(context: Context, spec: KindSpec, made: Made, form: str) -> File:
    facts: dict[str, Scalar] = {"format": form, "format_version": _VERSIONS[form]}
    facts |= provenance(made, context.source.dataset, context.time) | {"code": code_of(spec)}
    data = encoded(made, form, header_of(facts))
    return File(name=f"{made.root}.{form}", media_type=_MEDIA_TYPES[form], data=data, meta=facts)


def _info(context: Context, spec: KindSpec) -> File:
    facts = job_facts(context, spec) | {"units": "nm"}
    return File(name=INFO, media_type="application/json", data=precomputed.precomputed_info(facts), meta=facts)


def _pictures(context: Context, spec: KindSpec, drawn: Sequence[DoneItem], total: int) -> list[File]:
    """Draw the first neurons of all; a job without any has no picture, nor has a step of a pipeline."""
    if not drawn or context.is_step:
        return []
    meta: dict[str, Scalar] = {
        **job_facts(context, spec),
        "format": "png",
        "view": "front: x right, y down",
        "n_drawn": len(drawn),
        "n_neurons": total,
    }
    data = draw(dict(_read(context, item) for item in drawn), caption=_caption(context, len(drawn), total))
    return [File(name=PICTURE, media_type="image/png", data=data, meta=meta)]


def _read(context: Context, item: DoneItem) -> tuple[str, Skeleton]:
    name = item.files[0]
    return item.key, READERS[name.rpartition(".")[2]](context.read(name))


def _caption(context: Context, drawn: int, total: int) -> str:
    count = f"{total:,} neurons" if drawn == total else f"the first {drawn:,} of {total:,} neurons"
    return f"{context.source.dataset.name} · {context.time.timestamp:%Y-%m-%d %H:%M} UTC · {count}"
