from __future__ import annotations

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core.errors import InvalidInput, InvalidParameters, WrongType
from crant_core.mesh import Mesh
from crant_core.skeleton import Skeleton
from crant_core.somata import detect_soma_skeleton, measure_soma

SOMA = [100, 100, 900, 2000, 1200, 300, 300, 300, 300, 300, 300, 300]


def line(radii, *, parents=None, first: int = 1, spacing: float = 1000.0, units: str = "1 nm") -> navis.TreeNeuron:
    """Nodes along x, 1 µm apart, each the parent of the next."""
    ids = np.arange(first, first + len(radii))
    table = pd.DataFrame({"node_id": ids, "parent_id": [-1, *ids[:-1]] if parents is None else parents})
    table[["x", "y", "z"]] = np.stack([np.arange(len(radii)) * spacing, 0 * ids, 0 * ids], axis=1)
    table["radius"] = np.asarray(radii, dtype=float)
    return navis.TreeNeuron(table, units=units, id=1)


def test_it_is_the_thickest_of_enough_thick_nodes_in_a_row():
    assert detect_soma_skeleton(line(SOMA)) == 4
    assert detect_soma_skeleton(line(SOMA), 800, 3) == 4


def test_ids_may_be_any_numbers():
    assert detect_soma_skeleton(line(SOMA, first=8 << 56)) == (8 << 56) + 3
    assert type(detect_soma_skeleton(line(SOMA))) is int


def test_of_a_plain_skeleton_it_is_an_index():
    count = len(SOMA)
    nodes = np.stack([np.arange(count) * 1000.0, np.zeros(count), np.zeros(count)], axis=1)
    assert detect_soma_skeleton(Skeleton(nodes, np.array(SOMA, dtype=float), np.arange(count) - 1)) == 3


def test_fewer_in_a_row_are_none():
    assert detect_soma_skeleton(line([300, 300, 900, 2000, 300, 300, 300, 300, 300])) is None
    assert detect_soma_skeleton(line([300, 300, 900, 2000, 300, 300, 300, 300, 300]), N=2) == 4


def test_a_row_goes_along_a_branch_and_does_not_turn_at_it():
    # 1 ─ 2 ┬ 3 and ├ 4: three thick nodes, of which two are children of the third
    forked = line([300, 2000, 900, 900], parents=[-1, 1, 2, 2], spacing=9000)
    assert detect_soma_skeleton(forked, N=2) == 2
    assert detect_soma_skeleton(forked, N=3) is None


def test_the_order_of_nodes_does_not_matter():
    neuron = line(SOMA)
    mixed = navis.TreeNeuron(neuron.nodes.sample(frac=1, random_state=3), units="1 nm", id=1)
    assert detect_soma_skeleton(mixed) == 4


def test_a_thick_neurite_is_none_because_it_goes_on():
    # the peer takes it for a soma: D14
    trunk = line([300, 900, 1000, 1100, 1000, 900, 950, 1000, 900, 300])
    assert detect_soma_skeleton(trunk) is None
    assert detect_soma_skeleton(trunk, min_ratio=0) == 4


def test_radii_that_are_not_known_are_thin():
    assert detect_soma_skeleton(line([np.nan, 300, 900, 2000, 1200, 300, 300, -1, np.nan, 0])) == 4
    assert detect_soma_skeleton(line([np.nan, -1, 0])) is None


def test_the_first_node_can_be_the_soma():
    # the peer overlooks it: D14
    assert detect_soma_skeleton(line([2000, 1500, 900, 300, 300, 300, 300, 300])) == 1


def test_how_clear_it_is_can_be_asked():
    soma = measure_soma(line(SOMA), by="radii")
    assert (soma.node, soma.position, soma.radius, soma.found) == (4, (3000, 0, 0), 2000, True)
    assert soma.ratio == pytest.approx(2000 / 300)
    assert [each.found for each in measure_soma([line(SOMA), line([300, 300])], by="radii")] == [True, False]


def test_it_must_be_a_skeleton_in_nm_with_nodes_in_a_row():
    with pytest.raises(WrongType, match="Mesh"):
        detect_soma_skeleton(Mesh(np.zeros((1, 3)), np.empty((0, 3), dtype=np.int64)))
    with pytest.raises(InvalidInput, match="not nm"):
        detect_soma_skeleton(line(SOMA, units="8 nm"))
    with pytest.raises(InvalidParameters, match="N is 0"):
        detect_soma_skeleton(line(SOMA), N=0)
    with pytest.raises(InvalidParameters, match="min_radius"):
        detect_soma_skeleton(line(SOMA), min_rad=float("nan"))
