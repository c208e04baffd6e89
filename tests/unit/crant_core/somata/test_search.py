from __future__ import annotations

import numpy as np
import pytest

from crant_core.errors import InvalidParameters, SkeletonError
from crant_core.mesh import Mesh
from crant_core.somata.search import search
from tests.fixtures.shapes import fork, joined, tube
from tests.fixtures.solids import ball, turned

CENTRE = np.array([20_000.0, 30_000, 40_000])


def cell(radius: float = 2000.0, neurite: float = 300.0, length: float = 30_000.0) -> Mesh:
    """A ball with a neurite that leaves it along x; the two are not one surface, but cross."""
    start = CENTRE + np.array([0.9 * radius, 0, 0])
    return joined(ball(CENTRE, radius, 4), tube(neurite, length, sides=12, spacing=120, start=start))


def rotation(seed: int) -> np.ndarray:
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return turn * np.sign(np.linalg.det(turn))


def torus(large: float, small: float) -> Mesh:
    """A ring; its hole is wider than itself."""
    u, v = (np.linspace(0, 2 * np.pi, count, endpoint=False) for count in (120, 24))
    across = large + small * np.cos(v)
    x, y = np.outer(np.cos(u), across), np.outer(np.sin(u), across)
    z = np.tile(small * np.sin(v), (120, 1))
    row, column = np.divmod(np.arange(120 * 24), 24)
    at = [((row + i) % 120) * 24 + (column + j) % 24 for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
    faces = np.concatenate([np.stack([at[0], at[1], at[2]], axis=1), np.stack([at[0], at[2], at[3]], axis=1)])
    return Mesh(np.stack([x, y, z], axis=2).reshape(-1, 3), faces)


def test_a_ball_at_the_end_of_a_neurite_is_found():
    soma = search(cell())
    assert soma.found
    assert np.linalg.norm(soma.position - CENTRE) < 400
    assert soma.radius == pytest.approx(2000, rel=0.2)
    assert soma.ratio > 4


def test_the_node_is_the_nearest_vertex():
    mesh = cell()
    soma = search(mesh)
    distances = np.linalg.norm(mesh.vertices - soma.position, axis=1)
    assert distances[soma.node] == distances.min()


@pytest.mark.parametrize("seed", range(3))
def test_it_does_not_matter_how_a_neuron_lies_nor_which_way_it_faces(seed):
    mesh = cell()
    turn, shift = rotation(seed), np.array([1e6, -3e5, 7e4])
    soma = search(turned(Mesh(mesh.vertices @ turn.T + shift, mesh.faces)))
    assert soma.found
    assert np.linalg.norm(soma.position - (CENTRE @ turn.T + shift)) < 500


def test_the_same_mesh_gives_the_same_answer():
    assert search(cell()) == search(cell())


@pytest.mark.parametrize(
    "mesh",
    [tube(1000, 20_000, spacing=100), tube(1500, 8000, spacing=100), fork(900, 15_000), torus(6000, 900)],
    ids=["tube", "short tube", "fork", "ring"],
)
def test_thick_neurites_are_none_because_they_go_on(mesh):
    soma = search(mesh)
    assert not soma.found
    assert soma.radius > 800
    assert soma.ratio < 1.3


def test_the_space_between_neurites_is_none():
    # the middle of a ring of 24 tubes is farther from all of them than they are thick
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    bars = [
        tube(300, 9000, sides=12, spacing=150, start=np.array([0, 2500 * np.cos(a), 2500 * np.sin(a)])) for a in angles
    ]
    assert not search(joined(*bars)).found


def test_a_lone_ball_stands_out_without_end():
    soma = search(ball(CENTRE, 1500.0, 4))
    assert soma.found
    assert soma.ratio == float("inf")


def test_a_ball_too_small_is_none_until_it_is_asked_for():
    small = cell(radius=700, neurite=150)
    assert not search(small).found
    assert search(small, min_radius=500).found


def test_how_much_it_must_stand_out_can_be_said():
    assert not search(cell(), min_ratio=20).found


def test_the_wall_of_a_nucleus_left_out_of_a_soma_does_not_hide_it():
    soma = search(joined(cell(), turned(ball(CENTRE, 1200.0, 3))))
    assert soma.found
    assert np.linalg.norm(soma.position - CENTRE) < 400


def test_a_soma_that_the_volume_cuts_open_is_found():
    mesh = cell()
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    soma = search(Mesh(mesh.vertices, mesh.faces[middle[:, 0] > CENTRE[0] - 1000]))
    assert soma.found
    assert np.linalg.norm(soma.position - CENTRE) < 1000


@pytest.mark.parametrize(
    "mesh",
    [
        Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)),
        Mesh(np.zeros((1, 3)), np.empty((0, 3), dtype=np.int64)),
        Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])),
        Mesh(np.eye(4, 3), np.array([[0, 1, 2]])),
        Mesh(5000 * np.eye(5, 3), np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4]])),
    ],
    ids=["nothing", "one vertex", "flat", "one face", "three faces"],
)
def test_what_has_no_inside_has_no_soma(mesh):
    assert not search(mesh).found


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vertices_must_be_finite(value):
    mesh = cell()
    mesh.vertices[7, 1] = value
    with pytest.raises(SkeletonError, match="finite"):
        search(mesh)


@pytest.mark.parametrize("limits", [{"min_radius": -1.0}, {"min_ratio": np.nan}])
def test_limits_must_be_numbers(limits):
    with pytest.raises(InvalidParameters, match=next(iter(limits))):
        search(cell(), **limits)
