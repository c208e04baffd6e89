from __future__ import annotations

import navis
import numpy as np
import pytest

from crant_core.errors import InvalidParameters, WrongType
from crant_core.skeleton import Options, skeletonize_mesh, trace
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


def test_the_wavefront_refuses_waves_and_skeletor_what_is_no_number_of_them():
    surface = tube(100, 4000)
    with pytest.raises(InvalidParameters, match="no use for waves"):
        skeletonize_mesh(surface, waves=2)
    for wrong in ({"waves": 0}, {"waves": 1.5}, {"step_size": 1.5}, {"step_size": "x"}):
        with pytest.raises(InvalidParameters, match="a whole number, 1 or more"):
            skeletonize_mesh(surface, method="skeletor", **wrong)


def test_options_are_numbers_and_switches():
    for wrong in ({"twig_radii": "x"}, {"shave": "no"}, {"heal": 2}, {"soma_ratio": None}):
        with pytest.raises(InvalidParameters, match=next(iter(wrong))):
            Options(**wrong)


def test_what_is_traced_is_converted_to_nm_or_refused():
    mesh = tube(100, 4000)
    neuron = navis.MeshNeuron({"vertices": mesh.vertices * 1e-3, "faces": mesh.faces}, units="1 um")
    assert np.median(trace(neuron).skeleton.radii) == pytest.approx(100, rel=0.1)
    with pytest.raises(WrongType, match="no mesh"):
        trace("x")
