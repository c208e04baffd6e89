"""Matrices of any synapses, against dictionaries that count one synapse after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.matrices import DirectedNestedMatrix, NestedMatrix
from tests.fixtures.five_neurons import BOXES, X, weight_column
from tests.fixtures.matrices import entries, naive_counts, naive_shares, synapses

MODES = ("column", "count", "relative_incoming", "relative_outgoing")
NEURONS = st.integers(1, 8)
SYNAPSES = st.lists(
    st.tuples(NEURONS, NEURONS, st.integers(-3, 9), st.sampled_from(sorted(X)), st.integers(0, 40)), max_size=40
)
LABELS = st.sampled_from(["A", "B2", "B10", "PFN?", "7", None])
KNOWN = st.lists(st.tuples(NEURONS, LABELS), max_size=12)


def naive(rows: list[tuple[int, int, float]], mode: str) -> dict[tuple[int, int], float]:
    weighted = rows if mode == "column" else [(pre, post, 1.0) for pre, post, _ in rows]
    found = naive_counts(weighted)
    if mode.startswith("relative"):
        found = naive_shares(found, 0 if mode == "relative_outgoing" else 1)
    return {pair: weight for pair, weight in found.items() if weight}


def distinct(rows: list[tuple[int, int, int, str, int]]) -> list[tuple[int, int, int, str, int]]:
    return list({row[4]: row for row in reversed(rows)}.values())


@settings(max_examples=60)
@given(SYNAPSES, KNOWN, st.sampled_from(MODES), st.booleans())
def test_every_mode_and_scope_agrees_with_dictionaries_in_every_neuropil(rows, known, mode, everyone):
    frame = synapses(
        [row[:2] for row in rows],
        size=[float(row[2]) for row in rows],
        ctr_pt_position=pd.Series([[X[row[3]], 5.0, 5.0] for row in rows], dtype=object),
        id=np.array([row[4] for row in rows], dtype=np.int64),
    )
    labels = pd.DataFrame(known, columns=["root_id", "cell_type"])
    options = {"weight_mode": mode, "annotation_scope": "all" if everyone else "annotated_only", **weight_column(mode)}
    kept = [row for row in distinct(rows) if everyone or {row[0], row[1]} <= {one for one, _ in known}]
    whole = NestedMatrix.from_synapses(frame, labels, **options)
    assert entries(whole.matrix) == pytest.approx(naive([row[:3] for row in kept], mode))
    assert set(whole.ordered_neurons) == {str(one) for row in kept for one in row[:2]}
    found = NestedMatrix.from_synapses_by_neuropil(frame, labels, membership=BOXES, **options)
    for name in ("left", "right", "other"):
        here = [row[:3] for row in kept if row[3] == name or (row[3] == "both" and name != "other")]
        assert entries(found[name].matrix if name in found else pd.DataFrame()) == pytest.approx(naive(here, mode))


@settings(max_examples=60)
@given(SYNAPSES, KNOWN, st.sampled_from(MODES), st.tuples(st.sets(NEURONS), st.sets(NEURONS)), st.booleans())
def test_every_selection_agrees_with_dictionaries(rows, known, mode, chosen_on, first):
    sources, targets = chosen_on
    frame = synapses([row[:2] for row in rows], size=[float(row[2]) for row in rows])
    labels = pd.DataFrame(known, columns=["root_id", "cell_type"])
    found = DirectedNestedMatrix.from_synapses(
        frame,
        labels,
        source_neurons=sources,
        target_neurons=targets,
        weight_mode=mode,
        normalization_scope="all" if first else "selected",
        annotation_scope="all",
        **weight_column(mode),
    )
    chosen = [row[:3] for row in rows if row[0] in sources and row[1] in targets]
    everything = naive([row[:3] for row in rows], mode)
    expected = {(a, b): w for (a, b), w in everything.items() if a in sources and b in targets}
    assert entries(found.matrix) == pytest.approx(expected if first else naive(chosen, mode))
    assert set(found.source_neurons) == {str(row[0]) for row in rows if row[0] in sources}


@settings(max_examples=60)
@given(SYNAPSES, KNOWN)
def test_blocks_hold_their_types_and_types_add_up(rows, known):
    labels = pd.DataFrame(known, columns=["root_id", "cell_type"])
    matrix = NestedMatrix.from_synapses(
        synapses([row[:2] for row in rows]), labels, weight_mode="count", annotation_scope="all"
    )
    again = NestedMatrix(matrix.matrix, matrix.type_boundaries, matrix.ordered_neurons, matrix.neuron_to_type)
    assert again.matrix.equals(matrix.matrix)
    typed = [one for one in matrix.ordered_neurons if one in matrix.neuron_to_type]
    assert matrix.sum_type_matrix.to_numpy().sum() == matrix.matrix.loc[typed, typed].to_numpy().sum()
    for name, (start, stop) in matrix.type_boundaries.items():
        assert {matrix.neuron_to_type[one] for one in matrix.ordered_neurons[start:stop]} == {name}
