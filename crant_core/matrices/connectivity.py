"""Connectivity that is aggregated already: adjacency matrices and lists of edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from crant_core.errors import InvalidInput
from crant_core.matrices.counting import summed
from crant_core.matrices.reading import neuron_label, neuron_labels, numbers_in, rows_named, table_given

if TYPE_CHECKING:
    import pandas as pd

#: Names of the columns of source, target and weight.
FORMATS = (
    ("type.from", "type.to", ("weight",)),
    ("pre", "post", ("weight",)),
    ("source", "target", ("weight", "n_syn")),
)


@dataclass(frozen=True, eq=False, slots=True)
class Connectivity:
    """Weights between neurons.

    Attributes
    ----------
    labels : list of str
        Neurons, in order of appearance.
    weights : scipy.sparse.csr_array, (n, n), float64
    on_rows, on_columns : ndarray, (n,), bool
        Neurons that occur as sources, as targets.
    """

    labels: list[str]
    weights: Any
    on_rows: NDArray[np.bool_]
    on_columns: NDArray[np.bool_]


def read_connectivity(table: pd.DataFrame) -> Connectivity:
    """Read an adjacency matrix (index and columns are neurons) or a list of edges; see `FORMATS`.

    Edges without a column of weights weigh 1. In a matrix, a cell that is NaN is no connection.

    Raises
    ------
    InvalidInput
        The table fits no format or several; a pair or a neuron occurs twice; a weight is not a finite number.
    InvalidId
        Ids are floats or missing.
    """
    table_given(table, "connectivity")
    fitting = [fit for fit in FORMATS if fit[0] in table.columns and fit[1] in table.columns]
    if len(fitting) > 1:
        names = " and ".join(f"{source}/{target}" for source, target, _ in fitting)
        raise InvalidInput(f"the table has columns of several formats: {names}", hint="drop the columns of one")
    return _edges(table, *fitting[0]) if fitting else _adjacency(table)


def _edges(table: pd.DataFrame, source: str, target: str, weights: tuple[str, ...]) -> Connectivity:
    named = [name for name in weights if name in table.columns]
    if len(named) > 1:
        raise InvalidInput(f"both {' and '.join(named)} are weights", value=named, hint="drop one of these columns")
    values = numbers_in(table[named[0]]) if named else np.ones(len(table))
    labels, row, column = _numbered(table[source], table[target])
    _check_pairs(table, row * len(labels) + column, source, target)
    return _connectivity(labels, values, (row, column), row, column)


def _numbered(source: pd.Series, target: pd.Series) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Number neurons in order of appearance, those of the first column before those of the second."""
    number: dict[str, int] = {}
    codes = [_codes(column, number) for column in (source, target)]
    return list(number), codes[0], codes[1]


def _codes(column: pd.Series, number: dict[str, int]) -> NDArray[np.int64]:
    import pandas as pd

    codes, different = pd.factorize(column, use_na_sentinel=False)
    labels = neuron_labels(different) if column.dtype.kind in "iu" else [neuron_label(value) for value in different]
    known = [number.setdefault(label, len(number)) for label in labels]
    return np.array(known, dtype=np.int64)[codes]


def _check_pairs(table: pd.DataFrame, keys: NDArray[np.int64], source: str, target: str) -> None:
    import pandas as pd

    twice = pd.Series(keys).duplicated().to_numpy()
    if twice.any():
        first = table.iloc[int(np.flatnonzero(twice)[0])]
        pair = (str(first[source]), str(first[target]))
        hint = "each pair must occur once: group by both columns and sum first, or use from_synapses"
        raise InvalidInput(f"the pair {pair} occurs twice, {rows_named(table, twice)}", value=pair, hint=hint)


def _adjacency(table: pd.DataFrame) -> Connectivity:
    index, columns = neuron_labels(table.index), neuron_labels(table.columns)
    _check_adjacency(table, index, columns)
    number: dict[str, int] = {}
    row, column = (
        np.array([number.setdefault(label, len(number)) for label in labels], dtype=np.int64)
        for labels in (index, columns)
    )
    cells = _cells(table)
    at_row, at_column = np.nonzero(cells)
    return _connectivity(list(number), cells[at_row, at_column], (row[at_row], column[at_column]), row, column)


def _cells(table: pd.DataFrame) -> NDArray[np.float64]:
    try:
        cells = table.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the matrix has cells that are no numbers: {error}", hint=_hint()) from error
    if np.isinf(cells).any():
        raise InvalidInput(f"weights are infinite, {rows_named(table, np.isinf(cells).any(axis=1))}")
    return np.where(np.isnan(cells), 0.0, cells)


def _check_adjacency(table: pd.DataFrame, index: list[str], columns: list[str]) -> None:
    for name, labels in (("index", index), ("columns", columns)):
        if len(set(labels)) != len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise InvalidInput(f"{twice} occurs twice in the {name} of the matrix", value=twice)
    ids = all(label.isdecimal() for label in index)
    if table.size and ids and not any(label.isdecimal() for label in columns):
        names = ", ".join(columns[:5])
        raise InvalidInput(f"this is neither a matrix of neurons nor a list of edges: {names}", hint=_hint())


def _hint() -> str:
    formats = "; ".join(f"{source}, {target}, {' or '.join(weights)}" for source, target, weights in FORMATS)
    return f"lists of edges have the columns {formats}"


def _connectivity(
    labels: list[str],
    values: NDArray[np.float64],
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
    sources: NDArray[np.int64],
    targets: NDArray[np.int64],
) -> Connectivity:
    size = len(labels)
    on_rows, on_columns = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    on_rows[sources], on_columns[targets] = True, True
    weights = summed(values, *at, (size, size)) if size else csr_array((0, 0), dtype=np.float64)
    return Connectivity(labels, weights, on_rows, on_columns)
