"""Draws skeletons: a picture that shows at a glance whether a job went well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crant_core.skeleton.tree import Skeleton
from crant_core.units import NM_PER_UM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

# Paul Tol's "bright" scheme without its grey: told apart by colour-blind readers, visible on white and on black.
_PALETTE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
_INK = "#808080"  # as far from white as from black
_SCALE_BAR_UM = 50.0
_MARGIN = 0.04
_DPI = 150
_POINTS_PER_INCH = 72.0
_LINE_WIDTHS = (0.3, 1.5)  # points; a thin neurite must stay visible, a soma must not hide its neighbours
_EDGES_AT_MOST = 50_000  # roughly: ends and branches are never left out
_NAMES_AT_MOST = 12  # a longer legend would cover the neurons


def draw(skeletons: Mapping[str, Skeleton], *, size_px: int = 1200, caption: str | None = None) -> bytes:
    """Draw skeletons from the front: x to the right, y down, as neuroglancer shows them.

    Parameters
    ----------
    skeletons : mapping of str to Skeleton
        By name; at least one. Positions in nm.
    size_px : int
        Longer side of the picture in pixels.
    caption : str, optional
        A line at the bottom.

    Returns
    -------
    bytes
        PNG with transparent background, one colour per neuron, lines as wide as the neurites as far as that is
        legible, and a scale bar.
    """
    low, high = _extent(skeletons)
    figure, axes = _canvas(low, high, size_px)
    axes.add_collection(_lines(list(skeletons.values()), _points_per_um(low, high, size_px)))
    _scale_bar(axes, low, high)
    _names(axes, skeletons)
    if caption:
        axes.text(0.99, 0.01, caption, transform=axes.transAxes, ha="right", va="bottom", color=_INK, fontsize=7)
    return _png(figure)


def _extent(skeletons: Mapping[str, Skeleton]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the drawn area in µm, with a margin and room for the scale bar below."""
    flat = np.concatenate([skeleton.nodes[:, :2] for skeleton in skeletons.values()]) / NM_PER_UM
    low, high = flat.min(axis=0), flat.max(axis=0)
    size = np.maximum(high - low, _SCALE_BAR_UM)
    centre, margin = (low + high) / 2, size.max() * _MARGIN
    half = size / 2 + margin
    return centre - half, centre + half + [0, 1.5 * margin]


def _canvas(low: NDArray[np.float64], high: NDArray[np.float64], size_px: int) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    width, height = (high - low) / (high - low).max() * size_px / _DPI
    figure = Figure(figsize=(width, height), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(high[1], low[1])
    return figure, axes


def _points_per_um(low: NDArray[np.float64], high: NDArray[np.float64], size_px: int) -> float:
    return float(size_px / _DPI * _POINTS_PER_INCH / (high - low).max())


def _colours(count: int) -> list[tuple[float, ...]]:
    """Give each neuron a colour; beyond the palette, evenly spaced ones from the middle of a colour map."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba

    if count <= len(_PALETTE):
        return [to_rgba(colour) for colour in _PALETTE[:count]]
    return [tuple(colour) for colour in colormaps["plasma"](np.linspace(0.15, 0.85, count))]


def _lines(skeletons: Sequence[Skeleton], points_per_um: float) -> LineCollection:
    """Make one collection of all edges, the far ones first: where neurons cross, the nearer one is seen."""
    from matplotlib.collections import LineCollection

    skeletons = _legible(skeletons)
    edges = np.concatenate([_edges(skeleton) for skeleton in skeletons])
    owners = np.repeat(np.arange(len(skeletons)), [(skeleton.parents >= 0).sum() for skeleton in skeletons])
    radii = np.concatenate([skeleton.radii[skeleton.parents >= 0] for skeleton in skeletons])
    far_first = np.argsort(-edges[:, :, 2].mean(axis=1), kind="stable")
    return LineCollection(
        list(edges[far_first, :, :2]),
        colors=np.array(_colours(len(skeletons)))[owners[far_first]],
        linewidths=np.clip(2 * radii[far_first] / NM_PER_UM * points_per_um, *_LINE_WIDTHS),
        capstyle="round",
    )


def _legible(skeletons: Sequence[Skeleton]) -> Sequence[Skeleton]:
    """Return as many edges as a picture can show: matplotlib takes seconds for a million, which nobody sees."""
    every = -(-sum(len(skeleton.nodes) for skeleton in skeletons) // _EDGES_AT_MOST)
    return skeletons if every < 2 else [_thinned(skeleton, every) for skeleton in skeletons]  # noqa: PLR2004


def _thinned(skeleton: Skeleton, every: int) -> Skeleton:
    """Keep one node in so many, and all ends, branches and roots."""
    parents, count = skeleton.parents, len(skeleton.nodes)
    kept = np.bincount(parents[parents >= 0], minlength=count) != 1
    kept |= (parents < 0) | (np.arange(count) % every == 0)
    above = parents.copy()
    while (passed := (above >= 0) & ~kept[above]).any():
        above[passed] = parents[above[passed]]
    number = np.cumsum(kept) - 1
    return Skeleton(skeleton.nodes[kept], skeleton.radii[kept], np.where(above[kept] < 0, -1, number[above[kept]]))


def _edges(skeleton: Skeleton) -> NDArray[np.float64]:
    """Return both ends of each edge in µm, shape (m, 2, 3)."""
    children = np.flatnonzero(skeleton.parents >= 0)
    return np.stack([skeleton.nodes[children], skeleton.nodes[skeleton.parents[children]]], axis=1) / NM_PER_UM


def _scale_bar(axes: Axes, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    inset = (high - low).max() * _MARGIN / 2
    x, y = low[0] + inset, high[1] - inset
    axes.plot([x, x + _SCALE_BAR_UM], [y, y], color=_INK, linewidth=2, solid_capstyle="butt")
    axes.text(x, y - inset / 3, f"{_SCALE_BAR_UM:.0f} µm", color=_INK, fontsize=8, ha="left", va="bottom")


def _names(axes: Axes, skeletons: Mapping[str, Skeleton]) -> None:
    if len(skeletons) > _NAMES_AT_MOST:
        return
    for row, (name, colour) in enumerate(zip(skeletons, _colours(len(skeletons)), strict=True)):
        axes.text(
            0.985, 0.985 - row * 0.02, name, transform=axes.transAxes, ha="right", va="top", color=colour, fontsize=7
        )


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    stream = BytesIO()
    # Without metadata (matplotlib's version) the same skeletons give the same bytes.
    figure.savefig(stream, format="png", transparent=True, metadata={"Software": None})
    return stream.getvalue()
