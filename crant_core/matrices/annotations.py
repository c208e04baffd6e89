"""What is known about neurons: which are annotated, their types, and the order that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.matrices.axes import Axis
from crant_core.matrices.ordering import COLUMNAR, eb_rank, neuron_key, sorted_types
from crant_core.matrices.reading import column_of, neuron_label, type_label
from crant_core.parsing import is_missing

if TYPE_CHECKING:
    import pandas as pd

_COLUMN_TEXTS = ("cell_instance", "cell_subtype")


@dataclass(frozen=True, slots=True)
class Annotations:
    """Annotations, one for each neuron.

    Attributes
    ----------
    place : dict of str to int
        By neuron: the row in which it occurs first.
    types : dict of str to str
        Of neurons that have one: the type of the first row that has one.
    column : dict of str to int
        Of neurons of the type EPG/PEG: the place of their column in the ellipsoid body.
    """

    place: dict[str, int]
    types: dict[str, str]
    column: dict[str, int]


def read_annotations(table: pd.DataFrame, cell_type_column: str, neuron_id_column: str) -> Annotations:
    """Read a table of annotations.

    A neuron that occurs in several rows stands where it occurs first, and has the type of the first of its rows that
    names one. Rows without a neuron annotate nothing.

    Raises
    ------
    InvalidInput
        The table lacks a column.
    InvalidId
        Something is no id, or ids are floats.
    """
    ids = column_of(table, neuron_id_column, "table of annotations").tolist()
    types = column_of(table, cell_type_column, "table of annotations").tolist()
    found = Annotations({}, {}, {})
    typed_row: dict[str, int] = {}
    for row, (value, label) in enumerate(zip(ids, types, strict=True)):
        if is_missing(value):
            continue
        neuron, kind = neuron_label(value), type_label(label)
        found.place.setdefault(neuron, row)
        if kind is not None and neuron not in found.types:
            found.types[neuron] = kind
            typed_row[neuron] = row
    texts = [table[name].tolist() for name in _COLUMN_TEXTS if name in table.columns]
    columnar = [(neuron, typed_row[neuron]) for neuron, kind in found.types.items() if kind == COLUMNAR]
    found.column.update({neuron: eb_rank(*(text[row] for text in texts)) for neuron, row in columnar})
    return found


@dataclass(frozen=True, eq=False, slots=True)
class Arrangement:
    """Neurons in the order of an axis; any selection of them keeps it.

    Attributes
    ----------
    labels : ndarray, (n,), object
        Neurons as strings, in order: by type, then those without a type, then those without an annotation.
    order : ndarray, (n,), int64
        Their numbers.
    types : list of str
        In order.
    type_of : ndarray, (n,), int64
        Along `labels`: each neuron's type as a number along `types`, -1 if it has none.
    """

    labels: NDArray[Any]
    order: NDArray[np.int64]
    types: list[str]
    type_of: NDArray[np.int64]

    def select(self, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Axis]:
        """Return the numbers of chosen neurons, (m,), in order, and the axis they make."""
        places = np.flatnonzero(chosen[self.order])
        kinds = self.type_of[places]
        sizes = np.bincount(kinds[kinds >= 0], minlength=len(self.types))
        stops = np.cumsum(sizes).tolist()
        blocks = zip(self.types, sizes.tolist(), stops, strict=True)
        boundaries = {name: (stop - size, stop) for name, size, stop in blocks if size}
        return self.order[places], Axis(self.labels, places, boundaries)


def arrange(labels: Sequence[str], known: Annotations, type_order: Sequence[Any] | None) -> Arrangement:
    """Order neurons as they stand on an axis.

    By type (see `sorted_types`); within a type by their place in the annotations, those of EPG/PEG by their column in
    the ellipsoid body first; then neurons without a type, then neurons without an annotation, both by id.
    """
    types = sorted_types({known.types[label] for label in labels if label in known.types}, type_order)
    rank = {name: number for number, name in enumerate(types)}
    order = sorted(range(len(labels)), key=lambda number: _key(labels[number], known, rank))
    names = np.empty(len(labels), dtype=object)
    names[:] = [labels[number] for number in order]
    kinds = [rank[known.types[label]] if label in known.types else -1 for label in names]
    return Arrangement(names, np.array(order, dtype=np.int64), types, np.array(kinds, dtype=np.int64))


def _key(label: str, known: Annotations, rank: dict[str, int]) -> tuple[Any, ...]:
    if label in known.types:
        return 0, rank[known.types[label]], known.column.get(label, 0), known.place[label]
    return (1 if label in known.place else 2, *neuron_key(label))
