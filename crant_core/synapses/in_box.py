"""Rows of a dataset's synapse table by place: whole, typed, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from crant_core.sources.chunkedgraph_requests import asking
from crant_core.sources.table_parts import Box
from crant_core.sources.table_requests import check_columns
from crant_core.sources.tables import Tables
from crant_core.synapses import rows as table
from crant_core.synapses.rows import CENTRE, NM

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from crant_core.synapses.question import Question


def rows_in_box(question: Question, box: NDArray[np.float64], columns: Sequence[str]) -> pd.DataFrame:
    """Fetch the synapses whose centre is in a box, and some in the voxels around it.

    Requests: one, and two more for each that the server cut at its row limit.

    Parameters
    ----------
    question : Question
    box : (2, 3) float64
        Its lowest and its highest corner, nm.
    columns : sequence of str
        Those needed; others are fetched too.

    Returns
    -------
    DataFrame
        As of `rows.fetch`.

    Raises
    ------
    Truncated
        More rows than the server gives are in one voxel.
    SourceError
        The table lacks a column, or as in `Tables.select`.
    """
    name = table.synapse_table(question.source)
    unit = _voxel(question, name)
    low, high = np.floor(box[0] / unit), np.floor(box[1] / unit) + 1
    space = Box(_corner(low), _corner(high))
    found = Tables(question.source).select(name, {}, question.base, resolution=NM, place=CENTRE, box=space)
    check_columns(name, columns, found)
    rows: pd.DataFrame = table.joined([found], columns)
    return rows


def _voxel(question: Question, name: str) -> NDArray[np.float64]:
    """Return the unit, nm, in which a server is asked about space: the table's own."""
    with asking(question.source.dataset.server):
        materialize = question.source.client().materialize
        about = materialize.get_table_metadata(name, version=question.base.version, log_warning=False)
    return np.array(about["voxel_resolution"], dtype=np.float64)


def _corner(place: NDArray[np.float64]) -> tuple[int, int, int]:
    x, y, z = place.tolist()
    return int(x), int(y), int(z)
