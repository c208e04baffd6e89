"""The engine on shapes whose skeleton is known, on broken meshes, and under motions that must not matter."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.errors import InvalidParameters, SkeletonError
from crant_core.mesh import Mesh
from crant_core.skeleton import Options, Skeleton, arrays, kernels, trace
from tests.fixtures.shapes import fork, joined, tube

BOTH = pytest.mark.parametrize("heavy", [kernels, arrays], ids=["kernels", "arrays"])


def sphere(radius: float, centre=(0.0, 0.0, 0.0), *, rings: int = 24) -> Mesh:
    """A ball of latitudes and longitudes; both poles are single vertices."""
    turn, height = np.arange(2 * rings) * np.pi / rings, np.arange(1, rings) * np.pi / rings
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    rows = np.stack([np.column_stack([circle * np.sin(h), np.full(2 * rings, -np.cos(h))]) for h in height])
    n = 2 * rings
    here, after = np.arange(n), (np.arange(n) + 1) % n
    faces = [np.stack([after, here, np.full(n, (rings - 1) * n)], axis=1)]
    for row in range(rings - 2):
        a, b = row * n, (row + 1) * n
        faces += [np.stack([here + a, after + a, here + b], 1), np.stack([after + a, after + b, here + b], 1)]
    last = (rings - 2) * n
    faces.append(np.stack([here + last, after + last, np.full(n, (rings - 1) * n + 1)], axis=1))
    places = np.concatenate([rows.reshape(-1, 3), [[0, 0, -1], [0, 0, 1]]])
    return Mesh(places * radius + np.array(centre), np.concatenate(faces))


def torus(ring: float, radius: float, *, around: int = 200, sides: int = 16) -> Mesh:
    turn, side = np.arange(around) * 2 * np.pi / around, np.arange(sides) * 2 * np.pi / sides
    out = ring + radius * np.cos(side)
    places = np.stack(
        [np.outer(np.cos(turn), out), np.outer(np.sin(turn), out), np.outer(np.ones(around), radius * np.sin(side))], 2
    )
    i, j = np.meshgrid(np.arange(around), np.arange(sides), indexing="ij")
    a, b = i * sides + j, i * sides + (j + 1) % sides
    c, d = (i + 1) % around * sides + j, (i + 1) % around * sides + (j + 1) % sides
    faces = np.concatenate([np.stack([a, c, b], 2).reshape(-1, 3), np.stack([b, c, d], 2).reshape(-1, 3)])
    return Mesh(places.reshape(-1, 3), faces)


def rotation(seed: int) -> np.ndarray:
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def profile(skeleton: Skeleton) -> tuple[int, int, int]:
    return skeleton.n_roots, skeleton.n_branches, skeleton.n_ends


@BOTH
class TestShapes:
    def test_a_sphere_is_a_soma_with_its_centre_and_radius(self, heavy):
        found = trace(sphere(3000, (1000, 2000, 3000)), Options(longest_step=0), heavy)
        assert found.soma.found
        assert found.soma.radius == pytest.approx(3000, rel=0.05)
        assert np.linalg.norm(np.array(found.soma.position) - [1000, 2000, 3000]) < 300
        assert profile(found.skeleton) == (1, 0, 2)
        assert found.skeleton.parents[found.soma.node] == -1

    def test_a_neuron_with_a_soma_is_rooted_there_and_says_how_sure_it_is(self, heavy):
        neuron = joined(sphere(3000, (0, 0, 0)), tube(200, 30_000, start=np.array([2900.0, 0, 0])))
        found = trace(neuron, heavy=heavy)
        assert found.soma.found
        assert found.soma.ratio > 5
        assert np.linalg.norm(found.soma.position) < 400
        assert found.skeleton.n_roots == 1
        assert np.linalg.norm(found.skeleton.nodes[0]) < 400

    def test_a_plain_tube_has_no_soma(self, heavy):
        found = trace(tube(900, 40_000, spacing=150.0), heavy=heavy)
        assert not found.soma.found
        assert found.soma.ratio < 1.1
        assert found.quality.soma_radius == 0

    def test_a_forks_radius_is_its_tubes(self, heavy):
        found = trace(fork(radius=100, length=3000), heavy=heavy)
        assert profile(found.skeleton) == (1, 1, 3)
        assert np.median(found.skeleton.radii) == pytest.approx(100, rel=0.05)
        assert found.quality.inside > 0.98  # an end on the rim of a flat cap may count as outside
        assert found.quality.coverage > 0.99

    def test_a_torus_is_a_ring_cut_open_once(self, heavy):
        skeleton = trace(torus(3000, 200), heavy=heavy).skeleton
        assert skeleton.n_roots == 1
        assert skeleton.cable_length == pytest.approx(2 * np.pi * 3000, rel=0.06)
        off_circle = np.hypot(np.linalg.norm(skeleton.nodes[:, :2], axis=1) - 3000, skeleton.nodes[:, 2])
        assert np.percentile(off_circle, 95) < 100

    def test_two_tubes_that_touch_at_one_vertex_are_one_tree(self, heavy):
        first = tube(100, 3000)
        second = tube(100, 3000, start=np.array([3000.0, 0, 0]))  # their caps share a centre and a rim
        assert trace(joined(first, second), Options(heal=False), heavy).skeleton.n_roots == 1

    def test_two_tubes_apart_are_two_trees_unless_healed(self, heavy):
        pair = joined(tube(100, 3000), tube(100, 3000, start=np.array([0.0, 500, 0])))
        assert trace(pair, Options(heal=False), heavy).quality.roots == 2
        healed = trace(pair, heavy=heavy)
        assert (healed.quality.roots, healed.quality.pieces) == (1, 2)

    def test_floaters_are_dropped_and_reported(self, heavy):
        floaters = [sphere(150, (x, 1000, 0), rings=6) for x in range(0, 4000, 500)]
        found = trace(joined(tube(100, 4000), *floaters), heavy=heavy)
        clean = trace(tube(100, 4000), heavy=heavy)
        assert np.array_equal(found.skeleton.parents, clean.skeleton.parents)
        assert np.allclose(found.skeleton.nodes, clean.skeleton.nodes, atol=0.01)
        assert 0.05 < found.quality.dropped < 0.5
        assert found.quality.coverage == pytest.approx(1 - found.quality.dropped, abs=0.02)

    def test_the_soma_is_sought_on_what_is_followed_only(self, heavy):
        floater = sphere(250, (0, 3000, 0), rings=40)
        found = trace(
            joined(floater, tube(100, 2000, spacing=3.0)), heavy=heavy
        )  # about as many points as are looked at
        assert found.quality.dropped > 0.1
        assert found.soma.radius == pytest.approx(100, rel=0.1)

    def test_a_lone_floater_is_not_dropped(self, heavy):
        assert trace(sphere(150), heavy=heavy).skeleton.n_nodes >= 1


@BOTH
class TestBrokenMeshes:
    def test_an_open_tube_keeps_its_centreline(self, heavy):
        whole = tube(100, 4000)
        lid = (whole.vertices[whole.faces][:, :, 0] > 3900).any(axis=1)
        skeleton = trace(Mesh(whole.vertices, whole.faces[~lid]), heavy=heavy).skeleton
        assert profile(skeleton) == (1, 0, 2)
        assert np.linalg.norm(skeleton.nodes[2:-2, 1:], axis=1).max() < 20

    def test_a_tube_with_a_tenth_of_its_faces_missing_stays_one(self, heavy):
        whole = tube(100, 4000)
        kept = np.random.default_rng(3).random(len(whole.faces)) > 0.1
        skeleton = trace(Mesh(whole.vertices, whole.faces[kept]), heavy=heavy).skeleton
        assert skeleton.n_roots == 1
        assert skeleton.cable_length == pytest.approx(4000, rel=0.1)

    def test_faces_turned_inside_out_change_no_tree(self, heavy):
        whole = tube(100, 4000)
        turned = whole.faces.copy()
        some = np.random.default_rng(4).random(len(turned)) < 0.2
        turned[some] = turned[some][:, ::-1]
        # What is inside is judged by the faces' orientation, and halved faces are halved along it.
        options = Options(centre=False, longest_step=0)
        here, there = (trace(Mesh(whole.vertices, faces), options, heavy) for faces in (whole.faces, turned))
        assert np.array_equal(here.skeleton.parents, there.skeleton.parents)
        assert np.allclose(here.skeleton.nodes, there.skeleton.nodes)

    def test_fins_three_faces_to_an_edge_and_doubled_faces_do_no_harm(self, heavy):
        whole = tube(100, 4000)
        fin = np.array([[0, 24, len(whole.vertices)]])
        vertices = np.concatenate([whole.vertices, [[10.0, 150, 0]]])
        faces = np.concatenate([whole.faces, fin, whole.faces[::7]])
        skeleton = trace(Mesh(vertices, faces), heavy=heavy).skeleton
        assert skeleton.n_roots == 1
        assert skeleton.cable_length == pytest.approx(4000, rel=0.05)

    def test_vertices_repeated_on_chunk_borders_are_welded(self, heavy):
        whole = fork(100, 3000)
        chunk = np.floor(whole.vertices[whole.faces].mean(axis=1) / 512).astype(int)
        _, number = np.unique(chunk, axis=0, return_inverse=True)
        parts = [Mesh(whole.vertices, whole.faces[number.ravel() == k]) for k in range(number.max() + 1)]
        assert len(parts) > 10
        in_chunks, at_once = (trace(mesh, Options(heal=False), heavy).skeleton for mesh in (joined(*parts), whole))
        assert profile(in_chunks) == profile(at_once) == (1, 1, 3)
        assert in_chunks.cable_length == pytest.approx(at_once.cable_length, rel=0.01)

    def test_one_vertex_is_refused(self, heavy):
        with pytest.raises(SkeletonError, match="flat"):
            trace(Mesh(np.zeros((1, 3)), np.zeros((1, 3), dtype=np.int64)), heavy=heavy)

    def test_a_vertex_that_is_not_a_number_is_refused(self, heavy):
        mesh = tube(100, 1000)
        mesh.vertices[7, 1] = np.nan
        with pytest.raises(SkeletonError, match="finite"):
            trace(mesh, heavy=heavy)

    def test_a_single_triangle_is_one_node_in_its_middle(self, heavy):
        skeleton = trace(
            Mesh(np.array([[0.0, 0, 0], [90, 0, 0], [0, 90, 0]]), np.array([[0, 1, 2]])), heavy=heavy
        ).skeleton
        assert skeleton.n_nodes == 1
        assert skeleton.nodes[0] == pytest.approx([30, 30, 0], abs=0.01)


class TestMotions:
    @pytest.mark.parametrize("seed", range(3))
    def test_turning_a_fork_turns_its_skeleton(self, seed):
        mesh, turn = fork(100, 3000), rotation(seed)
        here, there = trace(mesh).skeleton, trace(Mesh(mesh.vertices @ turn.T, mesh.faces)).skeleton
        assert profile(here) == profile(there)
        assert there.cable_length == pytest.approx(here.cable_length, rel=0.03)
        assert np.median(there.radii) == pytest.approx(np.median(here.radii), rel=0.03)
        nearest = np.linalg.norm((there.nodes @ turn)[:, None] - here.nodes, axis=2).min(axis=1)
        assert np.percentile(nearest, 90) < 50  # slabs may begin elsewhere; their line stays
        assert nearest.max() < 150  # where the arms meet, by less than it is wide there

    def test_scaling_mesh_and_lengths_scales_the_skeleton(self):
        mesh, options = fork(100, 3000), Options()
        lengths = {
            name: 8 * getattr(options, name) for name in ("longest_step", "min_component", "soma_radius", "soma_reach")
        }
        small, large = (
            trace(mesh, options).skeleton,
            trace(Mesh(mesh.vertices * 8, mesh.faces), replace(options, **lengths)).skeleton,
        )
        assert np.array_equal(small.parents, large.parents)
        assert np.percentile(np.abs(small.nodes - large.nodes / 8), 98) < 0.01
        assert np.percentile(np.abs(small.radii - large.radii / 8), 98) < 0.01

    @pytest.mark.parametrize("factor", [1e-9, 1e9, 1e30])
    def test_tiny_and_huge_shapes_are_shapes(self, factor):
        mesh = fork(100 * factor, 3000 * factor, spacing=20 * factor)
        lengths = {name: factor * getattr(Options(), name) for name in ("longest_step", "min_component", "soma_reach")}
        skeleton = trace(mesh, replace(Options(), **lengths, centre=False)).skeleton
        assert profile(skeleton) == (1, 1, 3)
        assert skeleton.cable_length == pytest.approx(9000 * factor, rel=0.05)

    def test_a_stray_vertex_of_no_face_changes_nothing(self):
        mesh = fork(100, 3000)
        stray = Mesh(np.concatenate([mesh.vertices, [[1e15, 0, -1e12]]]), mesh.faces)
        here, there = trace(mesh).skeleton, trace(stray).skeleton
        assert np.array_equal(here.nodes, there.nodes)
        assert np.array_equal(here.parents, there.parents)

    def test_the_order_of_faces_does_not_matter(self):
        mesh = fork(100, 3000)
        order = np.random.default_rng(5).permutation(len(mesh.faces))
        here, there = trace(mesh).skeleton, trace(Mesh(mesh.vertices, mesh.faces[order])).skeleton
        assert np.array_equal(here.parents, there.parents)
        apart = np.linalg.norm(here.nodes - there.nodes, axis=1)
        assert np.percentile(apart, 95) < 1e-6
        assert apart.max() < 100  # of the widest rings, every second or third cut is looked at

    def test_the_arrays_handed_in_stay_as_they_are(self):
        mesh = fork(100, 3000)
        mesh.vertices.flags.writeable = mesh.faces.flags.writeable = False
        assert trace(mesh).skeleton.n_nodes > 50

    def test_threads_get_what_one_gets(self):
        meshes, found = [fork(100, 2000 + 100 * number) for number in range(6)], {}
        threads = [
            threading.Thread(target=lambda n=n, mesh=mesh: found.update({n: trace(mesh).skeleton}))
            for n, mesh in enumerate(meshes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(np.array_equal(found[n].nodes, trace(mesh).skeleton.nodes) for n, mesh in enumerate(meshes))


class TestOptions:
    def test_unshaved_bumps_become_twigs_and_shaving_takes_them(self):
        mesh = joined(tube(300, 6000, spacing=60.0), sphere(120, (3000, 330, 0), rings=8))
        bump = Options(heal=True, min_component=0.0)
        assert trace(mesh, replace(bump, shave=False)).skeleton.n_ends >= trace(mesh, bump).skeleton.n_ends

    def test_ends_reach_the_tips(self):
        reach = [np.ptp(trace(tube(100, 4000), Options(tip_reach=share)).skeleton.nodes[:, 0]) for share in (0.0, 1.0)]
        assert reach[0] < reach[1] <= 4000
        assert reach[1] > 3900

    def test_the_hairball_goes_and_the_soma_stays(self):
        arms = [tube(150, 2500, start=np.array([x, 0.0, 0])) for x in (-2600.0, 2000.0)]
        neuron = joined(sphere(3000), tube(200, 30_000, start=np.array([2900.0, 0, 0])), *arms)
        plain, cleaned = (trace(neuron, Options(remove_soma_hairball=flag, shave=False)) for flag in (False, True))
        assert cleaned.soma.found
        assert cleaned.skeleton.parents[cleaned.soma.node] == -1
        assert np.allclose(cleaned.soma.position, plain.soma.position)
        assert cleaned.skeleton.n_nodes < plain.skeleton.n_nodes
        assert cleaned.skeleton.nodes[:, 0].max() == plain.skeleton.nodes[:, 0].max()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"edges_per_step": 0},
            {"edges_per_step": 1.4},
            {"longest_step": -1},
            {"min_twig": np.nan},
            {"tip_reach": 1.5},
        ],
    )
    def test_numbers_without_meaning_are_refused(self, wrong):
        with pytest.raises(InvalidParameters):
            Options(**wrong)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_kernels_and_arrays_agree_on_any_heap_of_triangles(data):
    count = data.draw(st.integers(3, 14))
    coordinate = st.integers(-3000, 3000).map(float)
    vertices = data.draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=count, max_size=count))
    corner = st.integers(0, count - 1)
    faces = data.draw(st.lists(st.tuples(corner, corner, corner), min_size=1, max_size=25))
    mesh = Mesh(np.array(vertices), np.array(faces))
    try:
        ours = trace(mesh, Options(centre=False), kernels)
    except SkeletonError:
        with pytest.raises(SkeletonError):
            trace(mesh, Options(centre=False), arrays)
        return
    theirs = trace(mesh, Options(centre=False), arrays)
    assert np.array_equal(ours.skeleton.parents, theirs.skeleton.parents)
    assert np.allclose(ours.skeleton.nodes, theirs.skeleton.nodes, atol=1e-6)
    assert np.allclose(ours.skeleton.radii, theirs.skeleton.radii, atol=1e-5)
