"""Synapses in surfaces: all of those in one mesh, and numbers of neurons' outputs in neuropils."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crant_core.errors import InvalidInput, WrongType
from crant_core.mesh import Mesh
from crant_core.neuropils import prepare
from crant_core.neuropils.containment import Containment
from crant_core.neuropils.meshes import load_neuropil_meshes
from crant_core.settings import library_settings
from crant_core.synapses import rows as table
from crant_core.synapses.filters import Filters
from crant_core.synapses.in_box import rows_in_box
from crant_core.synapses.listing import completed, with_lists
from crant_core.synapses.question import Question
from crant_core.synapses.rows import CENTRE, NM, POST, POST_AT, PRE, PRE_AT
from crant_core.units import voxels_to_nm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crant_core.neuropils import Neuropils
    from crant_core.times import When

    Mask = NDArray[np.bool_]

_PLACES = (PRE_AT, POST_AT, CENTRE)
_ONE = {"ctr": CENTRE, "pre": PRE_AT}
_ALL = {"ctr": (CENTRE,), "all": (CENTRE, PRE_AT, POST_AT)}
_UNITS = ("nm", "voxels")


def get_synapses_in_mesh(  # noqa: PLR0917 - the order that people know
    mesh: Any,
    min_synapses_per_neuron: int = 1,
    min_synapses_per_pair: int = 1,
    min_size: float | None = None,
    loc: str = "ctr",
    materialization: When = "latest",
    return_pixels: bool = True,
    clean: bool = True,
    mesh_coordinates: str = "nm",
    dataset: Any = None,
) -> pd.DataFrame:
    """Fetch all synapses in a mesh.

    Parameters
    ----------
    mesh : trimesh.Trimesh or other mesh, or str
        Anything with `vertices` (n, 3) and `faces` (m, 3), or the name of a neuropil of the dataset, see
        `get_supported_neuropil_mesh_labels`.
    min_synapses_per_neuron : int, default 1
        Keep synapses of presynaptic neurons that have so many at least in the mesh.
    min_synapses_per_pair : int, default 1
        Keep synapses of pairs of neurons that have so many at least in the mesh.
    min_size, materialization, return_pixels, clean, dataset
        As in `get_synapses`.
    loc : {"ctr", "all"}
        Which positions must be inside: the centre, or the centre and both sides.
    mesh_coordinates : {"nm", "voxels"}
        Unit of the mesh; voxels are those of the dataset's viewer (8 × 8 × 42 nm in CRANT). A neuropil is in nm.

    Returns
    -------
    pandas.DataFrame
        As of `get_synapses`, and `in_mesh` (bool), which is True in every row. `attrs` has `mesh_is_open` (bool), too:
        the mesh does not close even after repair, so which synapses are in it is a judgement and not a fact.

    Raises
    ------
    InvalidInput
        The mesh has no faces; an argument is none of its words; a minimum is no whole number, 0 or more; a neuropil is
        said to be in voxels, or the dataset has no source of neuropils.
    WrongType
        `mesh` is neither a mesh nor a name.
    NoMatchesError
        No neuropil has this name; with the nearest names.
    MeshNotFound
        The dataset's source lacks it.
    InvalidTime, VersionNotFound, SourceError
        As `get_synapses`.
    Truncated
        More synapses than the server gives have their centres in one voxel.

    Notes
    -----
    Filters work in this order: `min_size`, `clean`, the mesh; then both minima, each counted over what is left.

    Endpoints: for a version `POST /materialize/api/v3/datastack/{datastack}/version/{version}/table/{table}/query`,
    else `POST /materialize/api/v3/datastack/{datastack}/query`, with the mesh's box as the condition. A box of which
    the server cuts the rows is halved along its longest axis until no answer is cut. Which of the rows are inside is
    decided exactly, see `crant_core.neuropils`.
    """
    _one_of("loc", loc, _ALL)
    _one_of("mesh_coordinates", mesh_coordinates, _UNITS)
    minima = Minima(min_synapses_per_neuron, min_synapses_per_pair)
    _check_mesh(mesh, mesh_coordinates)
    question = Question.of(dataset, materialization, update=False)
    resolution = question.source.dataset.viewer_resolution
    given = load_neuropil_meshes([mesh], question.source.dataset)[mesh] if isinstance(mesh, str) else mesh
    surface = _in_nm(given, resolution if mesh_coordinates == "voxels" else NM)
    filters = Filters(1, min_size, clean)
    rows = filters.keep(completed(rows_in_box(question, _box(surface), (*filters.columns, *_PLACES))))
    inside, is_open = _inside(rows, surface, _ALL[loc])
    kept = minima.keep(rows[inside])
    listed = with_lists(kept.reset_index(drop=True), resolution if return_pixels else None)
    listed["in_mesh"] = np.ones(len(listed), dtype=np.bool_)
    listed.attrs |= question.attributes | {"mesh_is_open": is_open}
    return listed


def count_synapses_in_mesh(  # noqa: PLR0917 - the order that people know
    neuron_ids: Any,
    neuropil_mesh_names: str | Iterable[str],
    min_synapses_per_neuron: int = 1,
    min_synapses_per_pair: int = 1,
    materialization: When = "latest",
    update_ids: bool = True,
    dataset: Any = None,
    loc: str = "pre",
) -> pd.DataFrame:
    """Count the outputs of neurons in neuropils.

    Parameters
    ----------
    neuron_ids : ids, neurons or NeuronCriteria
        Presynaptic neurons, as in `get_synapses`.
    neuropil_mesh_names : str or sequence of str
        See `get_supported_neuropil_mesh_labels`.
    min_synapses_per_neuron : int, default 1
        A neuron with fewer in a neuropil counts as 0 there.
    min_synapses_per_pair : int, default 1
        Synapses of pairs of neurons with fewer in a neuropil do not count there.
    materialization, update_ids, dataset
        As in `get_synapses`.
    loc : {"pre", "ctr"}
        Which position must be inside: that of the presynaptic side, or the centre.

    Returns
    -------
    pandas.DataFrame
        One row per id, in input order, repetitions kept; the index `neuron_id` (int64) has the ids as they were asked
        for, outdated ones too. One column per neuropil, int64; a synapse in several counts in each. `attrs` as in
        `get_synapses`, and `open_neuropils` (list): those whose mesh does not close even after repair.

    Raises
    ------
    InvalidInput
        `loc` is neither, a minimum is no whole number, 0 or more, or the dataset has no source of neuropils.
    NoMatchesError
        No neuropil has this name; with the nearest names.
    MeshNotFound
        The dataset's source lacks it.
    InvalidId, InvalidTime, VersionNotFound, SourceError
        As `get_synapses`.

    Notes
    -----
    Synapses of a neuron with itself and with background do not count. Both minima are counted over the synapses in the
    neuropil, independently: a synapse counts if its neuron and its pair have enough.

    Endpoints: as in `get_synapses`, and those of `load_neuropil_mesh`; what is prepared of the meshes is kept in the
    cache folder.
    """
    _one_of("loc", loc, _ONE)
    minima = Minima(min_synapses_per_neuron, min_synapses_per_pair)
    names = [neuropil_mesh_names] if isinstance(neuropil_mesh_names, str) else list(neuropil_mesh_names)
    question = Question.of(dataset, materialization, update=update_ids)
    meshes = load_neuropil_meshes(dict.fromkeys(names), question.source.dataset)
    (neurons,) = question.neurons(neuron_ids)
    filters, where = Filters(), {PRE: neurons.roots.tolist()}
    rows = filters.keep(table.fetch(question, [where], (*filters.columns, _ONE[loc])))
    places = table.positions(rows, _ONE[loc])
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    rows, places = rows.iloc[known], places[known]
    found = within_boxes(prepare(meshes, library_settings().cache_folder), places)
    numbers = {name: _outputs(minima.keep(rows[found.inside(name)]), neurons.roots) for name in meshes}
    counts = pd.DataFrame(
        numbers, index=pd.Index(neurons.asked, name="neuron_id"), columns=list(meshes), dtype=np.int64
    )
    counts.attrs |= question.attributes | {"open_neuropils": list(found.open_meshes)}
    return counts


def within_boxes(neuropils: Neuropils, places: NDArray[np.float64]) -> Containment:
    """Find the neuropils of places that are known to be nm, (n, 3).

    Only those in some neuropil's box are looked up: that none is there says nothing about the unit then.
    """
    near = np.zeros(len(places), dtype=np.bool_)
    for low, high in neuropils.boxes:
        near |= ((places >= low) & (places <= high)).all(axis=1)
    rows = np.flatnonzero(near)
    found = neuropils.find(places[rows])
    return Containment(found.names, len(places), rows[found.point], found.mesh, found.repairs)


@dataclass(frozen=True, slots=True)
class Minima:
    """How many synapses a presynaptic neuron, and a pair of neurons, must have.

    Raises
    ------
    InvalidInput
        Something is no whole number, or below 0.
    """

    per_neuron: int = 1
    per_pair: int = 1

    def __post_init__(self) -> None:
        for name, least in (("neuron", self.per_neuron), ("pair", self.per_pair)):
            if not isinstance(least, int | np.integer) or least < 0:
                message = f"min_synapses_per_{name} is {least!r}"
                raise InvalidInput(message, value=least, hint="give a whole number, 0 or more")

    def keep(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the synapses whose neuron and whose pair have enough of these."""
        enough = _enough(rows, [PRE], self.per_neuron) & _enough(rows, [PRE, POST], self.per_pair)
        return rows if enough.all() else rows[enough]


def _enough(rows: pd.DataFrame, columns: list[str], least: int) -> Mask:
    if least <= 1 or not len(rows):
        return np.ones(len(rows), dtype=np.bool_)
    counts = rows.groupby(columns, sort=False)[PRE].transform("size")
    return np.asarray(counts.to_numpy() >= least)


def _outputs(rows: pd.DataFrame, roots: NDArray[np.int64]) -> NDArray[np.int64]:
    ordered = np.sort(rows[PRE].to_numpy())
    return np.searchsorted(ordered, roots, "right") - np.searchsorted(ordered, roots, "left")


def _check_mesh(mesh: Any, unit: str) -> None:
    if isinstance(mesh, str):
        if unit != "nm":
            raise InvalidInput("neuropils are in nm", value=unit, hint='leave mesh_coordinates out, or give "nm"')
    elif not hasattr(mesh, "vertices") or not hasattr(mesh, "faces"):
        hint = "give something with vertices and faces, or the name of a neuropil"
        raise WrongType(f"the mesh is a {type(mesh).__name__}", value=type(mesh).__name__, hint=hint)


def _in_nm(mesh: Any, unit: Sequence[float]) -> Mesh:
    vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)
    if not len(faces):
        raise InvalidInput("the mesh has no faces", hint="there is nothing that it could contain")
    if not np.isfinite(vertices).all():
        raise InvalidInput("the mesh has vertices that are not finite numbers")
    return Mesh(voxels_to_nm(vertices, (unit[0], unit[1], unit[2])), faces)


def _box(surface: Mesh) -> NDArray[np.float64]:
    used = surface.vertices[np.unique(surface.faces)]
    return np.stack([used.min(axis=0), used.max(axis=0)])


def _inside(rows: pd.DataFrame, surface: Mesh, places: Sequence[str]) -> tuple[Mask, bool]:
    """Return which rows have all of some positions inside, and whether the surface stays open."""
    prepared, inside = prepare({"mesh": surface}), np.ones(len(rows), dtype=np.bool_)
    for name in places:
        found = table.positions(rows, name)
        inside &= np.isfinite(found).all(axis=1)
        asked = np.flatnonzero(inside)
        inside[asked] = within_boxes(prepared, found[asked]).inside("mesh")
    return inside, not prepared.repairs[0].closed


def _one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise InvalidInput(f"{name} is {value!r}", value=value, hint=f"give one of: {', '.join(allowed)}")
