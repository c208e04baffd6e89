"""Somata of the sandbox's neurons, against hemibrain's own skeletons, and of what has none."""

from __future__ import annotations

import numpy as np
import pytest

from crant_core.mesh import Mesh
from crant_core.skeleton import trace
from crant_core.somata import detect_soma_mesh, detect_soma_skeleton, measure_soma
from tests.fixtures.neurons import world

WITH_SOMA, WITHOUT = (1, 2, 3, 4), 0


def surface(number: int) -> Mesh:
    """The surface as the world serves it: decimated, cut at chunks, vertices repeated on the borders."""
    found = world()
    return found.triangles.part(np.flatnonzero(found.segmentation.neuron == number))


def soma(number: int) -> np.ndarray:
    tree = world().trees[number]
    return tree.nodes[tree.radii.argmax()]


@pytest.mark.parametrize("number", WITH_SOMA)
def test_real_somata_are_found_on_meshes(number):
    # the peer is 20 to 33 µm off: D14
    mesh = surface(number)
    found = mesh.vertices[detect_soma_mesh(mesh)]
    assert len(found) > 20
    assert np.linalg.norm(found - soma(number), axis=1).max() < 4000
    assert np.linalg.norm(found.mean(axis=0) - soma(number)) < 2000


@pytest.mark.parametrize("number", WITH_SOMA)
def test_real_somata_are_found_on_skeletons(number):
    skeleton = trace(surface(number)).skeleton
    node = detect_soma_skeleton(skeleton)
    assert node is not None
    assert np.linalg.norm(skeleton.nodes[node] - soma(number)) < 3500


def test_the_neuron_without_one_has_none():
    mesh = surface(WITHOUT)
    assert not len(detect_soma_mesh(mesh))
    assert detect_soma_skeleton(trace(mesh).skeleton) is None  # the peer takes its thickest neurite: D14


@pytest.mark.parametrize("number", WITH_SOMA)
def test_neurons_whose_soma_was_cut_away_have_none(number):
    mesh = surface(number)
    far = np.linalg.norm(mesh.vertices - soma(number), axis=1) > 6000
    assert not measure_soma(Mesh(mesh.vertices, mesh.faces[far[mesh.faces].all(axis=1)])).found


def test_none_of_the_made_up_neurons_has_one():
    somata = measure_soma([surface(number) for number in range(5, len(world().trees))])
    assert len(somata) == 60
    assert not any(found.found for found in somata)
