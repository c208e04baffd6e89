from __future__ import annotations

import navis
import numpy as np
import pytest

from crant_core.errors import WrongType
from crant_core.skeleton import skeletonize_mesh
from tests.fixtures.shapes import tube


def test_a_mesh_neuron_in_another_unit_is_converted():
    mesh = tube(100, 4000)
    expected = skeletonize_mesh(mesh)
    for units, scale in (("1 um", 1e-3), ("1 nm", 1.0), (None, 1.0)):
        neuron = navis.MeshNeuron({"vertices": mesh.vertices * scale, "faces": mesh.faces}, units=units)
        found = skeletonize_mesh(neuron)
        assert found.cable_length == pytest.approx(expected.cable_length, rel=1e-3)
        assert np.median(found.radii) == pytest.approx(100, rel=0.1)


def test_what_is_no_mesh_is_refused():
    with pytest.raises(WrongType, match="int is no mesh"):
        skeletonize_mesh(5)
