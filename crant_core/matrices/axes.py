"""One axis of a nested matrix: neurons in blocks of their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from crant_core.errors import InvalidInput
from crant_core.matrices.reading import neuron_label, neuron_labels, type_label

Boundaries = dict[str, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Axis:
    """Neurons, those of a type beside each other, those without one at the end.

    Many axes may share one array of labels, so that 70 neuropils do not need 70 lists of the same strings.

    Attributes
    ----------
    labels : ndarray, (n,), object
        Neurons as strings, these and others, in order.
    places : ndarray, (m,), int64
        Where these are among them, ascending.
    boundaries : dict of str to (int, int)
        By type, in order: where its neurons start and stop on the axis.
    """

    labels: NDArray[Any]
    places: NDArray[np.int64]
    boundaries: Boundaries

    @classmethod
    def of(cls, neurons: Sequence[str], boundaries: Boundaries) -> Axis:
        """Make an axis of exactly these neurons."""
        labels = np.empty(len(neurons), dtype=object)
        labels[:] = neurons
        return cls(labels, np.arange(len(neurons)), boundaries)

    def __len__(self) -> int:
        return len(self.places)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axis):
            return NotImplemented
        blocks = list(self.boundaries.items()), list(other.boundaries.items())
        return self.neurons == other.neurons and blocks[0] == blocks[1]

    def __hash__(self) -> int:
        return hash((self.neurons, tuple(self.boundaries.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return Axis.of, (self.neurons, self.boundaries)

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """Neurons in order."""
        return tuple(self.labels[self.places].tolist())

    @property
    def typed(self) -> int:
        """How many neurons have a type."""
        return max((stop for _, stop in self.boundaries.values()), default=0)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many neurons each type has."""
        return np.array([stop - start for start, stop in self.boundaries.values()], dtype=np.int64)

    def types(self) -> dict[str, str]:
        """Return the type of each neuron that has one."""
        return {neuron: name for name, (start, stop) in self.boundaries.items() for neuron in self.neurons[start:stop]}

    def indicator(self) -> Any:
        """Return a matrix of ones, (types, neurons) CSR: which neurons are of a type."""
        indptr = np.concatenate([[0], np.cumsum(self.sizes)])
        return csr_array((np.ones(self.typed), np.arange(self.typed), indptr), shape=(len(self.sizes), len(self)))


def checked_axis(
    neurons: Iterable[Any],
    boundaries: Mapping[Any, tuple[int, int]] | None,
    types: Mapping[Any, Any] | None,
) -> Axis:
    """Make an axis of what someone says about it; of boundaries and types one is enough.

    Raises
    ------
    InvalidInput
        A neuron occurs twice; boundaries leave gaps, overlap, or do not start at 0; they contradict the types; a type
        stands in two places; or a neuron without a type stands before one with a type.
    """
    labels = tuple(neuron_labels(neurons))
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise InvalidInput(f"neuron {twice} occurs twice on one axis", value=twice)
    given = None if types is None else _types_given(types)
    blocks = _blocks(labels, given or {}) if boundaries is None else _boundaries_given(boundaries, len(labels))
    axis = Axis.of(labels, blocks)
    if given is not None:
        _check_types(axis, given)
    return axis


def _types_given(types: Mapping[Any, Any]) -> dict[str, str]:
    read = ((neuron_label(neuron), type_label(label)) for neuron, label in types.items())
    return {neuron: label for neuron, label in read if label is not None}


def _blocks(labels: tuple[str, ...], types: Mapping[str, str]) -> Boundaries:
    """Find where types start and stop."""
    found: Boundaries = {}
    for kind, run in groupby(range(len(labels)), key=lambda place: types.get(labels[place])):
        places = list(run)
        if kind in found:
            raise InvalidInput(f"the neurons of type {kind!r} do not stand beside each other", value=kind)
        if kind is not None:
            found[kind] = (places[0], places[-1] + 1)
    return found


def _boundaries_given(boundaries: Mapping[Any, tuple[int, int]], size: int) -> Boundaries:
    blocks = [(type_label(name), int(start), int(stop)) for name, (start, stop) in boundaries.items()]
    found: Boundaries = {}
    at = 0
    for name, start, stop in sorted(blocks, key=lambda block: block[1:]):
        if name is None or name in found:
            raise InvalidInput(f"{name!r} is no type, or occurs twice", value=name)
        if start != at or not start < stop <= size:
            hint = "boundaries start at 0, and each starts where the one before it stops"
            raise InvalidInput(
                f"the boundaries of type {name!r} are {start} and {stop}", value=(start, stop), hint=hint
            )
        found[name] = (start, stop)
        at = stop
    return found


def _check_types(axis: Axis, given: Mapping[str, str]) -> None:
    if axis.typed != sum(label in given for label in axis.neurons):
        late = next((label for label in axis.neurons[axis.typed :] if label in given), None)
        early = next((label for label in axis.neurons[: axis.typed] if label not in given), late)
        hint = "neurons without a type stand after all neurons with one"
        raise InvalidInput(f"boundaries and types disagree about neuron {early}", value=early, hint=hint)
    for neuron, name in axis.types().items():
        if given.get(neuron) != name:
            message = f"neuron {neuron} stands in the block of type {name!r}, but its type is {given.get(neuron)!r}"
            raise InvalidInput(message, value=neuron)
