"""Neurons in the brain, in three dimensions."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crant_core.access import source_of
from crant_core.bounds import is_finite
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, NotInstalled
from crant_core.parsing import root_ids_of
from crant_core.viewing.colors import colors_of, hex_color
from crant_core.viewing.surfaces import brain_mesh

if TYPE_CHECKING:
    import pyvista

    from crant_core.mesh import Mesh
    from crant_core.sources.cave import CaveSource

_BACKENDS = ("client", "server", "trame", "html", "static", "none")
_THREADS = 4  # meshes on their way at a time; each has many pieces, which are fetched at once
_MANY = 10  # neurons from which on a progress bar may be of use
_UP = (0.0, -1.0, 0.0)  # y goes down, as in Neuroglancer


def get_brain_mesh_scene(  # noqa: PLR0917 - the documented order
    neurons: Any,
    brain_mesh_color: Any = "grey",
    alpha: float = 0.1,
    neuron_mesh_alpha: float = 1,
    neuron_mesh_colors: Any = None,
    backend: str | None = "client",
    dataset: str | Dataset | None = None,
    *,
    off_screen: bool | None = None,
) -> pyvista.Plotter:
    """Put the surfaces of neurons into that of the brain.

    Source: `GET /meshing/api/v1/table/{table}/manifest/{root}:0` and its fragments, for each neuron once; the brain as
    in `load_whole_brain_mesh`. Roots that were edited since still have meshes, so ids are taken as they are.

    Parameters
    ----------
    neurons : int, str, array_like, pandas.Series, pandas.DataFrame, NeuronCriteria, navis neuron(s)
        Root ids in any form; see `parse_root_ids`. None at all is fine: `[]` shows the brain alone.
    brain_mesh_color : str or tuple, default "grey"
    alpha : float, default 0.1
        Opacity of the brain, 0 to 1.
    neuron_mesh_alpha : float, default 1
        Opacity of the neurons, 0 to 1.
    neuron_mesh_colors : str, tuple, list, dict or array, optional
        One colour for all, one for each in a list or by id in a dict, or an array of labels. Left out, all differ.
    backend : {"client", "server", "trame", "html", "static", "none"} or None, default "client"
        How a notebook shows it: "static" is a picture; None takes what is installed; all others but "none" need
        `pyvista[jupyter]`. It is the plotter's own: pyvista's global backend and theme stay as they are. Outside
        notebooks it has no effect.
    dataset : str or Dataset, optional
        Left out, the default dataset.
    off_screen : bool, optional
        Draw without a window, for `screenshot` and `show(screenshot=…)`. Left out, that is so where there is no
        display.

    Returns
    -------
    pyvista.Plotter
        In nm; seen from the front, x to the right and y down. An actor is named `"brain"`, the others by root id.

    Raises
    ------
    InvalidInput
        Not as many colours as neurons, an opacity beyond 0 to 1, an unknown backend, or a dataset without a brain.
    InvalidId
    MeshNotFound
        A neuron has no mesh; nothing is left out.
    NotInstalled
        pyvista, or in a notebook what the backend needs, is not installed.
    SourceError
    """
    source = source_of(dataset)
    asked = root_ids_of(neurons).tolist()
    colors, shade = _colors(asked, neuron_mesh_colors), hex_color(brain_mesh_color)
    ids = list(colors)
    for opacity in (alpha, neuron_mesh_alpha):
        _check_opacity(opacity)
    plotter = _plotter(backend, off_screen)  # before anything is fetched
    brain, meshes = brain_mesh(source.dataset), _meshes(source, ids)
    _add(plotter, "brain", brain, shade, alpha)
    for root_id, mesh in zip(ids, meshes, strict=True):
        _add(plotter, str(root_id), mesh, colors[root_id], neuron_mesh_alpha)
    plotter.view_xy(negative=True)  # type: ignore[call-arg] # pyvista's decorator hides self
    plotter.camera.up = _UP
    return plotter


def _colors(asked: Sequence[int], colors: Any) -> dict[int, str]:
    """Return a colour for every neuron, each of them once; those that are given none get one that differs."""
    given = {} if colors is None else colors_of(asked, colors)
    others = colors_of(list(dict.fromkeys(asked)), None)
    return {root_id: given.get(root_id, other) for root_id, other in others.items()}


def _meshes(source: CaveSource, ids: Sequence[int]) -> list[Mesh]:
    from crant_core.sources.chunks import in_threads

    return in_threads(lambda number: source.mesh(ids[number]), len(ids), _THREADS, len(ids) >= _MANY)


def _add(plotter: pyvista.Plotter, name: str, mesh: Mesh, color: str, opacity: float) -> None:
    import pyvista

    surface = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)  # type: ignore[arg-type] # wants int, not int64
    plotter.add_mesh(surface, color=color, opacity=opacity, name=name, reset_camera=False, render=False)


def _plotter(backend: str | None, off_screen: bool | None) -> pyvista.Plotter:
    if backend is not None and backend not in _BACKENDS:
        hint = f"use one of {', '.join(_BACKENDS)}"
        raise InvalidInput(f"backend={backend!r} is not known", value=backend, hint=hint)
    try:
        import pyvista
    except ImportError as error:
        raise NotInstalled("scenes need pyvista", value="pyvista", hint="pip install pyvista") from error
    plotter = pyvista.Plotter(off_screen=(True if _has_no_display() else None) if off_screen is None else off_screen)
    if plotter.notebook:
        _set_backend(plotter, backend)
    return plotter


def _set_backend(plotter: pyvista.Plotter, backend: str | None) -> None:
    """Set the backend in the plotter's own copy of the theme."""
    try:
        plotter.theme.jupyter_backend = backend
    except ImportError as error:
        hint = 'pip install "pyvista[jupyter]", or use backend="static"'
        raise NotInstalled(f"backend={backend!r} cannot be used: {error}", value=backend, hint=hint) from error


def _has_no_display() -> bool:
    return sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _check_opacity(opacity: float) -> None:
    if not (is_finite(opacity) and 0 <= opacity <= 1):
        raise InvalidInput(f"{opacity!r} is no opacity", value=opacity, hint="give a number from 0 to 1")
