"""From counts of pairs to a matrix whose axes are in order: scope, selection, weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.matrices.annotations import Annotations, Arrangement, arrange, read_annotations
from crant_core.matrices.axes import Axis
from crant_core.matrices.normalising import by_column, by_row
from crant_core.matrices.ordering import without_effect
from crant_core.matrices.reading import many, neuron_label, one_of, type_label

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]

_log = logging.getLogger(__name__)

MODES = ("relative_outgoing", "relative_incoming", "count", "column")
SCOPES = ("annotated_only", "all")
NORMALIZATIONS = ("selected", "all")
_SHOWN = 5  # of names in a message
_SHARES = {"relative_outgoing": by_row, "relative_incoming": by_column}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Request:
    """What someone asks of a matrix, in the words of the constructors' arguments.

    Attributes
    ----------
    annotations : pandas.DataFrame
    cell_type_column, neuron_id_column : str
    annotation_scope : str
    weight_mode : str
    weight_column : str or None
    source_order, target_order : sequence or None
        Of types, for rows and for columns.
    source_types, target_types, source_neurons, target_neurons : object
        Selectors; one value or many. Both of an axis None: all neurons.
    normalization_scope : str
    square : bool
        Both axes have the same neurons.
    """

    annotations: pd.DataFrame
    cell_type_column: str
    neuron_id_column: str
    annotation_scope: str
    weight_mode: str = "count"
    weight_column: str | None = None
    source_order: Sequence[Any] | None = None
    target_order: Sequence[Any] | None = None
    source_types: Any = None
    target_types: Any = None
    source_neurons: Any = None
    target_neurons: Any = None
    normalization_scope: str = "selected"
    square: bool = True

    def __post_init__(self) -> None:
        one_of("annotation_scope", self.annotation_scope, SCOPES)
        one_of("weight_mode", self.weight_mode, MODES)
        one_of("normalization_scope", self.normalization_scope, NORMALIZATIONS)

    def check_weights(self) -> None:
        """Refuse a column of weights that is missing or not used.

        Raises
        ------
        InvalidInput
        """
        if self.weight_mode == "column" and self.weight_column is None:
            raise InvalidInput('weight_mode="column" needs weight_column', hint="name the column to add up")
        if self.weight_mode != "column" and self.weight_column is not None:
            hint = 'leave weight_column out, or give weight_mode="column"'
            message = f"weight_column={self.weight_column!r} is not used by weight_mode={self.weight_mode!r}"
            raise InvalidInput(message, value=self.weight_column, hint=hint)

    def plan(self, labels: Sequence[str]) -> Plan:
        """Order neurons, and find those that are asked for.

        Raises
        ------
        InvalidInput
            Annotations lack a column.
        NoMatchesError
            A selected type occurs nowhere in the annotations.
        """
        known = read_annotations(self.annotations, self.cell_type_column, self.neuron_id_column)
        self._tell(labels, known)
        rows = arrange(labels, known, self.source_order)
        return Plan(
            request=self,
            rows=rows,
            columns=rows if self.source_order is self.target_order else arrange(labels, known, self.target_order),
            annotated=np.array([label in known.place for label in labels], dtype=np.bool_),
            sources=_selected(labels, known, self.source_types, self.source_neurons),
            targets=_selected(labels, known, self.target_types, self.target_neurons),
        )

    def _tell(self, labels: Sequence[str], known: Annotations) -> None:
        """Log what is asked for in vain."""
        for order in (self.source_order, None if self.source_order is self.target_order else self.target_order):
            if unused := without_effect(set(known.types.values()), order):
                _log.warning("type_order names types that no neuron is annotated with: %s", _some(unused))
        there = set(labels)
        for side, neurons in (("source", self.source_neurons), ("target", self.target_neurons)):
            absent = [label for label in map(neuron_label, many(neurons)) if label not in there]
            if absent:
                _log.warning("%s_neurons that do not occur are left out: %s", side, _some(absent))


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Plan:
    """A request, worked out for certain neurons; it builds any number of matrices over them.

    Attributes
    ----------
    request : Request
    rows, columns : Arrangement
    annotated : ndarray, (n,), bool
    sources, targets : ndarray, (n,), bool
        Neurons that are selected.
    """

    request: Request
    rows: Arrangement
    columns: Arrangement
    annotated: Mask
    sources: Mask
    targets: Mask

    @property
    def kept(self) -> Mask:
        """Neurons that the annotation scope keeps, (n,)."""
        return self.annotated if self.request.annotation_scope == "annotated_only" else np.ones_like(self.annotated)

    def from_counts(self, counts: Any) -> tuple[Any, Axis, Axis]:
        """Build a matrix of counted synapses, (n, n): the scope keeps rows whose both neurons it keeps."""
        kept = _within(counts, self.kept)
        present = (np.diff(kept.indptr) > 0, np.bincount(kept.indices, minlength=kept.shape[1]) > 0)
        return self.build(kept, *present)

    def build(self, weights: Any, on_rows: Mask, on_columns: Mask) -> tuple[Any, Axis, Axis]:
        """Select neurons, order them, and weight their connections.

        Parameters
        ----------
        weights : scipy.sparse.csr_array, (n, n)
        on_rows, on_columns : ndarray, (n,), bool
            Neurons that there are on each axis.

        Returns
        -------
        weights : scipy.sparse.csr_array, float64
        rows, columns : Axis
        """
        if self.request.square:
            on_rows = on_columns = on_rows | on_columns
        row, rows = self.rows.select(on_rows & self.kept & self.sources)
        column, columns = self.columns.select(on_columns & self.kept & self.targets)
        share = _SHARES.get(self.request.weight_mode)
        first = share is not None and self.request.normalization_scope == "all"
        found = (share(weights) if share is not None and first else weights)[row][:, column]
        found.sort_indices()
        found = share(found) if share is not None and not first else found.astype(np.float64)
        return found, rows, rows if self.request.square else columns


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}, … ({len(names):,} in all)"


def _within(weights: Any, kept: Mask) -> Any:
    """Keep entries between neurons of a mask."""
    from scipy.sparse import csr_array

    if kept.all():
        return weights
    inside = np.repeat(kept, np.diff(weights.indptr)) & kept[weights.indices]
    stops = np.concatenate([[0], np.cumsum(inside)])[weights.indptr]
    return csr_array((weights.data[inside], weights.indices[inside], stops), shape=weights.shape)


def _selected(labels: Sequence[str], known: Annotations, types: Any, neurons: Any) -> Mask:
    if types is None and neurons is None:
        return np.ones(len(labels), dtype=np.bool_)
    kinds, chosen = _types_selected(known, types), {neuron_label(neuron) for neuron in many(neurons)}
    return np.array([label in chosen or known.types.get(label) in kinds for label in labels], dtype=np.bool_)


def _types_selected(known: Annotations, types: Any) -> set[str]:
    chosen = {label for label in map(type_label, many(types)) if label is not None}
    there = set(known.types.values())
    for label in sorted(chosen - there):
        near = get_close_matches(label, there, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "types are whole labels of the annotations"
        raise NoMatchesError(f"no neuron is annotated as {label!r}", value=label, hint=hint)
    return chosen
