"""The report for people: one HTML file that needs no network, readable in light and in dark."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import log1p
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

_WORDS = {
    "cable_length_um": "cable, µm",
    "n_nodes": "nodes",
    "n_branches": "branch points",
    "n_ends": "ends",
    "n_pre": "outputs",
    "n_post": "inputs",
}
_CELL = 9  # pixels


def page(told: Mapping[str, Any]) -> str:
    """Write the report.

    Parameters
    ----------
    told : mapping
        As `telling.as_json` says it.

    Returns
    -------
    str
        HTML, with everything in it.
    """
    return _template().render(told=told, words=_WORDS, svg=_svg)


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("crant_core.refresh", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"signed": _signed, "number": _number}
    return environment.get_template("report.html")


def _svg(one: Mapping[str, Any], which: str) -> str:
    """Draw a matrix, only its cells that are not 0; the more, the stronger, on the scale of both matrices."""
    from markupsafe import Markup

    pre, post, matrix = one["pre"], one["post"], one[which]
    most = max(value for side in ("before", "after") for values in one[side] for value in values)
    cells = [
        Markup('<rect x="{}" y="{}" opacity="{:.2f}"><title>{} → {}: {}</title></rect>').format(
            column * _CELL, row * _CELL, 0.12 + 0.88 * log1p(value) / log1p(most), pre[row], post[column], value
        )
        for row, values in enumerate(matrix)
        for column, value in enumerate(values)
        if value
    ]
    size = len(post) * _CELL, len(pre) * _CELL
    return Markup('<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img">{}</svg>').format(
        *size, *size, Markup("").join(cells)
    )


def _signed(after: float | None, before: float | None) -> str:
    if after is None or before is None:
        return "–"
    change = after - before
    return f"{'+' if change > 0 else ''}{_number(change)}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
