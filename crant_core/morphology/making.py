"""One neuron's skeleton, by any method."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from time import perf_counter
from typing import Any

from crant_core.caching.meshes import Kept
from crant_core.errors import CrantError, InvalidParameters, NotARoot, SkeletonError
from crant_core.l2.skeletons import skeletons_of
from crant_core.meshes.neurons import whole_meshes
from crant_core.morphology.choices import L2, SERVICE, SKELETOR, WAVEFRONT, Choices
from crant_core.morphology.made import Made
from crant_core.morphology.matching import checked
from crant_core.morphology.service import of_service
from crant_core.morphology.treeneurons import skeleton_of
from crant_core.morphology.warming import warm
from crant_core.skeleton.engine import trace
from crant_core.skeleton.skeletonization import skeletonize_mesh
from crant_core.sources.base import Source
from crant_core.sources.cave import CaveSource
from crant_core.sources.limits import check_size

Slot = AbstractContextManager[Any]  #: held while a processor is busy
_log = logging.getLogger(__name__)


def make(source: Source, root: int, choices: Choices, slot: Slot | None = None) -> Made:
    """Make a skeleton as chosen, and check it against the voxels if that was asked for.

    Parameters
    ----------
    source : Source
        For the methods `l2` and `service`, and to check, it must be CAVE.
    root : int
    choices : Choices
    slot : context manager, optional
        Entered for the time of computing, and not for that of downloads.

    Raises
    ------
    NotARoot
    MeshNotFound
    DataMissing
        The mesh is not whole.
    SkeletonError
    IdMismatch
    SourceError
    """
    made = _made(source, root, choices, slot or nullcontext())
    if choices.most_elsewhere is None:
        return made
    began, cave = perf_counter(), _cave(source, "checking ids")
    match = checked(cave, made, choices.most_elsewhere)
    return replace(made, match=match, cost={**made.cost, "check_seconds": perf_counter() - began})


def surface(source: Source, root: int) -> Kept:
    """Return a neuron's whole surface; of a source without a chunkedgraph to ask, what it says is whole.

    Raises
    ------
    NeedsMemory
        It is larger than this process may work on.
    CrantError
        As `make`.
    """
    if isinstance(source, CaveSource):
        found = whole_meshes(source, [root])[root]
        if isinstance(found, CrantError):
            raise found
        check_size(root, len(found.mesh.vertices))
        return found
    return Kept(source.mesh(root), 0)


def _made(source: Source, root: int, choices: Choices, slot: Slot) -> Made:
    try:
        return _METHODS[choices.method](source, root, choices, slot)
    except SkeletonError as error:
        if not choices.otherwise:
            raise
        _log.warning("%s is made from its mesh: %s", root, error)
        return replace(from_mesh(source, root, replace(choices, method=WAVEFRONT), slot), note=error.message)


def from_mesh(source: Source, root: int, choices: Choices, slot: Slot) -> Made:
    """Make a skeleton from the neuron's surface, by the wavefront or by skeletor."""
    began = perf_counter()
    kept = surface(source, root)
    downloaded = perf_counter()
    with slot:
        if choices.method == WAVEFRONT:
            warm()
        started = perf_counter()
        made = _traced(root, kept, choices)
        ended = perf_counter()
    cost = {
        "download_seconds": downloaded - began,
        "skeleton_seconds": ended - started,
        "n_faces": len(kept.mesh.faces),
        "n_vertices": len(kept.mesh.vertices),
        "l2_chunks_missing": kept.missing,
    }
    return replace(made, cost=cost)


def _traced(root: int, kept: Kept, choices: Choices) -> Made:
    about: dict[str, Any] = {"root": root, "method": choices.method, "choices": choices.described(choices.method)}
    if choices.method == SKELETOR:
        skeleton = skeletonize_mesh(
            kept.mesh, method=SKELETOR, waves=choices.waves, step_size=choices.step_size, heal=choices.heal
        )
        return Made(skeleton=skeleton, **about)
    found = trace(kept.mesh, choices.options)
    soma = found.soma.node if found.soma is not None and found.soma.found else None
    return Made(skeleton=found.skeleton, soma=soma, quality=found.quality, **about)


def from_l2(source: Source, root: int, choices: Choices, slot: Slot) -> Made:
    """Make a skeleton from the neuron's L2 chunks; it is never shaved, as all its edges are long."""
    began = perf_counter()
    [neuron] = skeletons_of(_cave(source, L2), [root])
    return of_l2(root, neuron, perf_counter() - began)


def of_l2(root: int, neuron: Any, seconds: float) -> Made:
    """Return what `get_l2_skeleton` made, as a `Made`."""
    cost = {"download_seconds": seconds, "l2_chunks_missing": int(neuron._l2_chunks_missing)}
    return Made(root=root, skeleton=skeleton_of(neuron), method=L2, cost=cost)


def _from_service(source: Source, root: int, choices: Choices, slot: Slot) -> Made:
    cave = _cave(source, SERVICE)
    try:
        return of_service(cave, root)
    except SkeletonError as error:
        if cave.graph.root_timestamps([root])[0] is None:
            raise NotARoot(f"{cave.dataset.name} has no root {root}", value=root) from error
        raise


def _cave(source: Source, what: str) -> CaveSource:
    if not isinstance(source, CaveSource):
        raise InvalidParameters(f"{what} needs CAVE, not {type(source).__name__}", value=what)
    return source


_METHODS: dict[str, Callable[[Source, int, Choices, Slot], Made]] = {
    WAVEFRONT: from_mesh,
    SKELETOR: from_mesh,
    L2: from_l2,
    SERVICE: _from_service,
}
