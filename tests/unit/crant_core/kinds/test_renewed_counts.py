"""Counts of before, with the connections to edited neurons counted again: what counting everything gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crant_core.kinds.neuropil_matrices.counting import EditedOutputs, Outputs, part_of
from crant_core.matrices import count
from tests.fixtures.neuropil_jobs import same

NAMES = ("a", "b")
ROOT = 576460752303423500
PARTNERS = [ROOT + number for number in range(1, 7)]
connections = st.lists(st.tuples(st.sampled_from(PARTNERS), st.sampled_from(range(len(NAMES)))), max_size=20)


def counted(rows):
    post = np.array([partner for partner, _ in rows], dtype=np.int64)
    region = np.array([place for _, place in rows], dtype=np.int64)
    return part_of(count(np.full(len(rows), ROOT), post, region, NAMES), ROOT)


@given(connections, connections, st.sets(st.sampled_from(PARTNERS)))
def test_only_connections_to_edited_partners_are_counted_again(before, anew, edited):
    stays = [row for row in before if row[0] not in edited]
    new = [row for row in anew if row[0] in edited]
    found = EditedOutputs(Outputs(counted(new), {}, {}, {}), np.array(sorted(edited), dtype=np.int64))
    assert same(found.renewed(counted(before), ROOT), counted(stays + new))
