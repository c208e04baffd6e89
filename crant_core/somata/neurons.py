"""Cell bodies of neurons: their meshes are fetched, and measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crant_core.access import source_of
from crant_core.bounds import check_counts, check_finite
from crant_core.datasets import Dataset
from crant_core.errors import CrantError, InvalidParameters
from crant_core.mesh import Mesh
from crant_core.meshes.bulk import at_once, is_one, roots_of
from crant_core.meshes.neurons import whole_meshes
from crant_core.registry import dataset_of
from crant_core.skeleton import Skeleton, Soma
from crant_core.somata import skeletons
from crant_core.somata.inputs import is_mesh, mesh_of
from crant_core.somata.meshes import vertices_of
from crant_core.somata.search import MIN_RATIO, NOWHERE, search
from crant_core.values import is_many

_TOGETHER = 16  # meshes in memory at a time
_QUIET_SECONDS = 2.0  # before a progress bar is worth showing
_log = logging.getLogger(__name__)


def detect_soma(
    x: Any,
    min_rad: float = 800,
    N: int = 3,  # noqa: N803 - the name that people know
    *,
    min_ratio: float = MIN_RATIO,
    missing_ok: bool = False,
    threads: int = 4,
    progress: bool = False,
    dataset: str | Dataset | None = None,
) -> NDArray[Any]:
    """Find where the cell bodies of neurons are, in voxels.

    A cell body is the widest place of a neuron that is wide enough, and so many times as wide as any farther than two
    of its radii: see `detect_soma_mesh`. `measure_soma` says what was found, in nm, and how clear it is.

    Source: as `get_mesh_neuron`, and nothing for meshes.

    Parameters
    ----------
    x : ids, neurons or meshes
        One or many. Root ids in any form and navis.TreeNeurons by their ids: their whole meshes are fetched, or read
        from disk if they were before; old roots work too. Mesh, trimesh.Trimesh and navis.MeshNeuron, in nm, are used
        as they are.
    min_rad : float, default 800
        Least radius of the largest ball that fits in, nm.
    N : int, default 3
        So many vertices of the mesh, or more, belong to it.
    min_ratio : float
        See `detect_soma_mesh`.
    missing_ok : bool, default False
        Take neurons without a mesh, which are no roots, or lack a piece, for neurons without a soma, and log it.
        Trouble with the server always raises.
    threads : int, default 4
        Neurons worked on at a time.
    progress : bool, default False
        Show a bar if it takes longer than two seconds.
    dataset : str or Dataset, optional
        Name or alias; left out, the default dataset.

    Returns
    -------
    (3,) or (n, 3)
        Voxels of the dataset's viewer (8 × 8 × 42 nm for CRANT); of many neurons, and of a list of one, a row each, in
        input order. int64 if all have a soma; otherwise objects, and None in the row of each that has none.

    Raises
    ------
    InvalidId
        Something is no root id.
    InvalidInput
        A mesh is not in nm.
    InvalidParameters
    MeshNotFound, NotARoot, DataMissing
        Unless `missing_ok`.
    SkeletonError
        A mesh has vertices that are not finite, or faces of vertices that are not there.
    SourceError
    """
    somata = measure_soma(
        x,
        min_rad,
        N,
        min_ratio=min_ratio,
        missing_ok=missing_ok,
        threads=threads,
        progress=progress,
        dataset=dataset,
    )
    resolution = dataset_of(dataset).viewer_resolution
    return voxels_of([somata], resolution)[0] if isinstance(somata, Soma) else voxels_of(somata, resolution)


def measure_soma(
    x: Any,
    min_rad: float = 800,
    N: int = 3,  # noqa: N803 - as in detect_soma
    *,
    by: str = "mesh",
    min_ratio: float | None = None,
    missing_ok: bool = False,
    threads: int = 4,
    progress: bool = False,
    dataset: str | Dataset | None = None,
) -> Any:
    """Say of each neuron where its widest place is, how wide it is, and how clearly it is a cell body.

    Parameters
    ----------
    x : ids, neurons or meshes
        As in `detect_soma`.
    min_rad, N, min_ratio, missing_ok, threads, progress, dataset
        As in `detect_soma`.
        `min_ratio` is, if left out, that of `detect_soma`, or of `detect_soma_skeleton`.
    by : str, default "mesh"
        With `"radii"`, skeletons are measured as they are, as in `detect_soma_skeleton`; nothing is fetched.

    Returns
    -------
    Soma or list of Soma
        In nm. `ratio` is the confidence: how many times as wide it is as any place farther than two of its radii,
        infinite where there is none; `found`, whether it is taken for a cell body. `node` is the nearest vertex, and by
        radii the node's id. Where there is no mesh, or nothing in it, `node` is -1, `position` NaN, and the others 0.

    Raises
    ------
    WrongType
        By radii: something is no skeleton.
    CrantError
        As `detect_soma`.
    """
    if by not in {"mesh", "radii"}:
        raise InvalidParameters(f"somata cannot be measured by {by!r}", value=by, hint="mesh or radii")
    usual = MIN_RATIO if by == "mesh" else skeletons.MIN_RATIO
    ratio = usual if min_ratio is None else min_ratio
    check_finite(min_rad=min_rad, min_ratio=ratio)
    check_counts(N=N)
    single = is_one(x) or isinstance(x, Skeleton)
    if by == "radii":
        found = [skeletons.measured(one, min_rad, N, ratio) for one in ([x] if single else x)]
        return found[0] if single else found

    def measure(mesh: Mesh) -> Soma:
        soma = search(mesh, min_radius=min_rad, min_ratio=ratio)
        return replace(soma, found=soma.found and len(vertices_of(mesh, soma)) >= N)

    found = []
    for part in _batches(_wanted(x, dataset), progress):
        found += at_once(
            lambda mesh: measure(mesh) if mesh else NOWHERE, _meshes(part, missing_ok, threads, dataset), threads
        )
    return found[0] if single else found


def voxels_of(somata: Sequence[Soma], resolution: tuple[float, float, float]) -> NDArray[Any]:
    """Return the voxels that somata are in, (n, 3): int64, or objects with None where one was not found."""
    missing = np.array([not soma.found for soma in somata], dtype=np.bool_)
    places = np.array([(0.0, 0.0, 0.0) if not soma.found else soma.position for soma in somata]).reshape(-1, 3)
    voxels = np.floor(places / np.array(resolution)).astype(np.int64)
    if not missing.any():
        return np.asarray(voxels)
    nullable: NDArray[Any] = voxels.astype(object)
    nullable[missing] = None
    return nullable


def _wanted(x: Any, dataset: Any) -> list[Mesh | int]:
    """Return the meshes that were given, and the roots of which they have to be fetched, in input order."""
    listed = [x] if is_one(x) else list(x) if is_many(x) and not hasattr(x, "get_roots") else []
    meshes = {number: mesh_of(one) for number, one in enumerate(listed) if is_mesh(one)}
    if len(meshes) == len(listed) and meshes:
        return list(meshes.values())
    if not meshes:
        return list(roots_of(source_of(dataset), x))
    roots = iter(roots_of(source_of(dataset), [one for number, one in enumerate(listed) if number not in meshes]))
    return [meshes[number] if number in meshes else next(roots) for number in range(len(listed))]


def _batches(wanted: Sequence[Mesh | int], progress: bool) -> Any:
    from tqdm import tqdm

    parts = [wanted[begin : begin + _TOGETHER] for begin in range(0, len(wanted), _TOGETHER)]
    return tqdm(parts, desc="somata", disable=not progress, delay=_QUIET_SECONDS, leave=False)


def _meshes(wanted: Sequence[Mesh | int], missing_ok: bool, threads: int, dataset: Any) -> list[Mesh | None]:
    """Return meshes in the order in which they are wanted; None for those that may be missing, and are."""
    roots = [one for one in wanted if isinstance(one, int)]
    fetched = whole_meshes(source_of(dataset), roots, True if missing_ok else None, threads) if roots else {}
    found: list[Mesh | None] = []
    for one in wanted:
        outcome = fetched[one] if isinstance(one, int) else one
        if isinstance(outcome, CrantError):
            _log.warning("%s counts as a neuron without a soma: %s", one, outcome)
            found.append(None)
        else:
            found.append(outcome if isinstance(outcome, Mesh) else outcome.mesh)
    return found
