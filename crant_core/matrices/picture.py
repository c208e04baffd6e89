"""Draws nested matrices as heat maps."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.matrices.axes import Axis
from crant_core.matrices.reading import one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

LEVELS = ("neuron", "type_mean", "type_sum")
NO_TYPE = "no type"  #: the label of the block of neurons without a type
_CAPTIONS = {"neuron": "weight", "type_mean": "mean weight", "type_sum": "sum of weights"}
_DPI = 300
_WHITE, _PALE, _PURPLE = "#ffffff", "#e4dcf1", "#2d004b"  # a value that is not 0 must be seen: it never is white
_BOUNDARY, _LINE = "#7f7f7f", 0.6  # points
_FONT = (3.0, 11.0)  # points; what does not fit at the smallest size is left out
_LEADING = 1.15  # of a line of text, in font sizes
_SHARE = 0.75  # of the figure that the matrix takes
_POINTS = 72.0  # per inch
_PERCENT = 100.0
_ROUNDING = 1e-9

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How to draw; see `Blocks.plot`.

    Raises
    ------
    InvalidInput
        Something is out of its range.
    """

    figsize: tuple[float, float]
    neuron_labels: bool
    percentiles: tuple[float, float]
    least: int
    line_width: float

    def __post_init__(self) -> None:
        low, high = self.percentiles
        if not 0 <= low <= high <= _PERCENT:
            raise InvalidInput(f"percentiles are {low} and {high}", value=(low, high), hint="0 ≤ vmin ≤ vmax ≤ 100")
        if self.line_width <= 0 or not math.isfinite(self.line_width):
            raise InvalidInput(f"linewidth_scale is {self.line_width}", value=self.line_width, hint="give more than 0")
        if not isinstance(self.least, int | np.integer) or self.least < 1:
            hint = "give a whole number, 1 or more"
            raise InvalidInput(f"min_neurons_for_plot is {self.least!r}", value=self.least, hint=hint)
        if not _is_size(self.figsize):
            hint = "give width and height in inches, two numbers above 0"
            raise InvalidInput(f"figsize is {self.figsize!r}", value=self.figsize, hint=hint)


def _is_size(value: Any) -> bool:
    try:
        sides = [float(side) for side in value]
    except (TypeError, ValueError):
        return False
    return len(sides) == 2 and all(side > 0 and math.isfinite(side) for side in sides)  # noqa: PLR2004


@dataclass(frozen=True, eq=False, slots=True)
class Ticks:
    """What is written along an axis: texts, their places, how many neurons each is for; and boundaries of blocks."""

    texts: Sequence[str]
    places: NDArray[np.float64]
    sizes: NDArray[np.int64]
    boundaries: Sequence[float]


def draw(  # noqa: PLR0917 - one caller
    weights: Any, rows: Axis, columns: Axis, level: str, style: Style, path: str | PathLike[str] | None
) -> tuple[Figure, Axes]:
    """Draw a matrix; see `Blocks.plot`."""
    one_of("level", level, LEVELS)
    if path is not None:
        _check_file(path)
    row, rows = _large_enough(rows, style.least)
    column, columns = _large_enough(columns, style.least)
    if not len(row) or not len(column):
        message = f"no type has {style.least} neurons" if style.least > 1 else "the matrix has no neurons"
        raise NoMatchesError(message, value=style.least)
    cells = _cells(weights[row][:, column], rows, columns, level)
    figure, axes = _heat_map(cells, style, _CAPTIONS[level])
    for along_x, axis in ((False, rows), (True, columns)):
        _mark(axes, along_x, _ticks(axis, level, style.neuron_labels), style)
    if path is not None:
        _save(figure, Path(path))
    return figure, axes


def _large_enough(axis: Axis, least: int) -> tuple[NDArray[np.int64], Axis]:
    """Return the neurons of types that have enough of them, and the axis they make."""
    if least <= 1:
        return np.arange(len(axis)), axis
    places: list[int] = []
    boundaries = {}
    for name, (start, stop) in axis.boundaries.items():
        if stop - start >= least:
            boundaries[name] = (len(places), len(places) + stop - start)
            places.extend(range(start, stop))
    kept = np.array(places, dtype=np.int64)
    return kept, Axis(axis.labels, axis.places[kept], boundaries)


def _cells(weights: Any, rows: Axis, columns: Axis, level: str) -> Matrix:
    from crant_core.matrices.blocks import dense

    if level == "neuron":
        return dense(weights)
    sums = np.asarray((rows.indicator() @ weights @ columns.indicator().T).toarray())
    if not sums.size:
        raise NoMatchesError("no neuron has a type", hint='use level="neuron"')
    return sums / np.multiply.outer(rows.sizes, columns.sizes) if level == "type_mean" else sums


def _heat_map(cells: Matrix, style: Style, caption: str) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=style.figsize, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    low, high = limits(cells, style.percentiles)
    seen = np.ma.masked_equal(cells, 0.0)
    image = axes.imshow(
        seen, cmap=_colours(), vmin=low, vmax=high, origin="lower", aspect="auto", interpolation="nearest"
    )
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, extend=_beyond(seen, low, high))
    bar.set_label(caption)
    axes.set_xlabel("postsynaptic")
    axes.set_ylabel("presynaptic")
    return figure, axes


def limits(cells: Matrix, percentiles: tuple[float, float]) -> tuple[float, float]:
    """Return the values at which the colours start and end, different ones: percentiles of those that are not 0."""
    values = cells[cells != 0]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(values, percentiles))
    return (low, high) if low < high else (low - abs(low) / 2, high)


def _beyond(seen: Any, low: float, high: float) -> str:
    """Return at which ends of the colour bar a tip says that there are values beyond it."""
    below, above = bool((seen < low).any()), bool((seen > high).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _colours() -> Colormap:
    """Return colours from pale to dark purple; what is masked is white."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("white_purple", [_PALE, "#9e7fc4", _PURPLE]).with_extremes(bad=_WHITE)


def _ticks(axis: Axis, level: str, neuron_labels: bool) -> Ticks:
    if level != "neuron":
        return Ticks(list(axis.boundaries), np.arange(len(axis.boundaries), dtype=np.float64), axis.sizes, [])
    blocks = np.array(list(axis.boundaries.values()), dtype=np.float64).reshape(-1, 2)
    lines = [stop - 0.5 for stop in blocks[:, 1].tolist() if stop < len(axis)]
    if neuron_labels:
        return Ticks(axis.neurons, np.arange(len(axis), dtype=np.float64), np.ones(len(axis), dtype=np.int64), lines)
    rest = len(axis) - axis.typed
    texts = [*axis.boundaries, NO_TYPE] if rest else list(axis.boundaries)
    middles = np.append(blocks.mean(axis=1), [axis.typed + rest / 2] * bool(rest)) - 0.5
    return Ticks(texts, middles, np.append(axis.sizes, [rest] * bool(rest)).astype(np.int64), lines)


def _mark(axes: Axes, along_x: bool, ticks: Ticks, style: Style) -> None:
    """Draw boundaries across an axis and write its labels, as large as they fit."""
    axis, end = (axes.xaxis, axes.get_xlim()[1]) if along_x else (axes.yaxis, axes.get_ylim()[1])
    inches = style.figsize[0 if along_x else 1] * _SHARE
    size, kept = fitting(ticks.places * (inches * _POINTS / (end + 0.5)), ticks.sizes)
    axis.set_ticks(ticks.places[kept], [ticks.texts[place] for place in kept])
    axis.set_tick_params(labelsize=size, length=2, labelrotation=90 if along_x else 0)
    across = axes.axvline if along_x else axes.axhline
    for place in ticks.boundaries:
        across(place, color=_BOUNDARY, linewidth=_LINE * style.line_width)


def fitting(places: NDArray[np.float64], sizes: NDArray[np.int64]) -> tuple[float, list[int]]:
    """Choose a font size for labels at places given in points, and those labels that do not cover another.

    The size fits the median distance. Of labels nearer to each other than a line is high, the one of more neurons is
    kept.
    """
    gaps = np.diff(places)
    size = float(np.clip(np.median(gaps) / _LEADING if len(gaps) else _FONT[1], *_FONT))
    kept: list[int] = []
    for place in np.argsort(-sizes, kind="stable").tolist():
        if all(abs(places[place] - places[other]) >= size * _LEADING - _ROUNDING for other in kept):
            kept.append(place)
    return size, sorted(kept)


def is_folder(path: str | PathLike[str]) -> bool:
    """Say whether a path is a folder's: one ends with a slash, or is there."""
    return str(path).endswith(("/", os.sep)) or Path(path).is_dir()


def _check_file(path: str | PathLike[str]) -> None:
    """Refuse what is no file of a kind that matplotlib writes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = FigureCanvasAgg.get_supported_filetypes()
    suffix = Path(path).suffix[1:].lower()
    if is_folder(path) or (suffix and suffix not in known):
        hint = f"name a file, such as matrix.png; suffixes are {', '.join(sorted(known))}"
        raise InvalidInput(f"a picture cannot be saved as {path}", value=str(path), hint=hint)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without metadata (matplotlib's version) the same matrix gives the same bytes.
    figure.savefig(path, dpi=_DPI, metadata={"Software": None} if path.suffix == ".png" else None)
