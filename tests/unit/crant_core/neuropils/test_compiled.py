"""Compiled code against its twins in numpy."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.mesh import Mesh
from crant_core.neuropils import (
    bounds,
    compiled,
    crossing,
    follow,
    labels,
    layout,
    lookup,
    prepare,
    repair,
    scan,
    solid_angles,
    sound,
)
from crant_core.neuropils.frame import frame_around
from crant_core.neuropils.planes import planes_of
from crant_core.neuropils.ranges import expanded
from crant_core.neuropils.raster import raster
from crant_core.neuropils.repair import repair_mesh
from tests.fixtures.shapes import joined
from tests.fixtures.solids import ball, box, turned
from tests.fixtures.winding import winding_numbers as twin

TETRAHEDRON = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])
BALL = ball((0, 0, 0), 1000.0, 3)
SURFACES = [BALL, ball((500, 100, 0), 1500.0, 4), box((-400, -400, -400), (400, 400, 400)), ball((0, 0, 0), 90.0, 1)]
RANDOM = np.random.default_rng(6)
POINTS = np.concatenate(
    [
        RANDOM.uniform(-2200, 2200, (20_000, 3)),
        BALL.vertices[RANDOM.integers(len(BALL.vertices), size=5_000)] * RANDOM.uniform(0.999, 1.001, (5_000, 1)),
        BALL.vertices,
        RANDOM.integers(-5, 6, (500, 3)) * 80.0,
        [(1e300, 0, 0), (-1e300, 1e300, -5)],
    ]
)
coordinate = st.integers(0, 4)
tetrahedron = st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=4, max_size=4, unique=True)


def same(one: crossing.Pairs, other: crossing.Pairs) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


class TestLookUp:
    @pytest.mark.parametrize("cells", [None, 1, 300, 50_000])
    def test_both_grids_give_both_ways_the_same_pairs(self, cells):
        frame, twin = labels.build(SURFACES, cells, labels.laid)
        expected = crossing.find(POINTS, frame, twin)
        assert len(expected[0]) > 10_000
        assert same(lookup.find(POINTS, frame, twin), expected)
        _, ours = labels.build(SURFACES, cells)
        assert same(crossing.find(POINTS, frame, ours), expected)
        assert same(lookup.find(POINTS, frame, ours), expected)

    def test_a_cell_with_more_triangles_than_fit_the_list_is_decided_in_parts(self):
        frame, ours = labels.build([ball((0, 0, 0), 1000.0, 5)], 1)
        assert ours.pair_counts.max() > 4096
        assert same(lookup.find(POINTS[:500], frame, ours), crossing.find(POINTS[:500], frame, ours))

    @settings(max_examples=40, deadline=None)
    @given(st.lists(tetrahedron, min_size=1, max_size=4))
    def test_lattice_tetrahedra_and_lattice_points(self, shapes):
        solids = [Mesh(np.array(shape, dtype=np.float64), TETRAHEDRON) for shape in shapes]
        lattice = np.stack(np.meshgrid(*[np.arange(-1, 6)] * 3), axis=-1).reshape(-1, 3).astype(np.float64)
        frame, twin = labels.build(solids, None, labels.laid)
        _, ours = labels.build(solids)
        assert same(lookup.find(lattice, frame, ours), crossing.find(lattice, frame, twin))

    def test_no_points_and_no_surfaces(self):
        for solids, points in ((SURFACES, POINTS[:0]), ([], POINTS)):
            frame, ours = labels.build(solids)
            assert [len(part) for part in lookup.find(points, frame, ours)] == [0, 0]

    def test_arrays_of_a_grid_cannot_be_written(self):
        _, ours = labels.build([BALL])
        assert not any(getattr(ours, field.name).flags.writeable for field in fields(ours))


class TestScan:
    @pytest.mark.parametrize("mesh", SURFACES)
    def test_cells_states_and_pairs_are_the_twins_but_for_cells_that_a_triangle_only_seems_to_touch(self, mesh):
        frame = frame_around(*bounds.box(mesh.vertices), 20_000)
        ours, twin = scan.scanned(mesh, frame), raster(planes_of(mesh, frame.reach), frame)
        assert _inside(ours) == _inside(twin)
        pairs = _pairs(twin)
        assert _pairs(ours) <= pairs
        assert len(_pairs(ours)) > 0.6 * len(pairs)

    def test_rows_of_triangles_are_the_twins_in_another_order(self):
        frame, ours = labels.build([BALL])
        _, twin = labels.build([BALL], None, labels.laid)
        order = [np.lexsort(one.faces.T) for one in (ours, twin)]
        assert (ours.faces[order[0]] == twin.faces[order[1]]).all()
        assert ours.quick[order[0]] == pytest.approx(twin.quick[order[1]], rel=1e-6, abs=1e-4)
        assert ours.quick.ctypes.data % 64 == 0
        assert frame.size > 10_000

    def test_upright_faces_and_exactly_flat_ones_need_no_twin(self):
        frame = frame_around(np.zeros(3), np.full(3, 1000.0), 5_000)
        flat = np.concatenate([box((100, 100, 100), (900, 900, 900)).faces, [(0, 1, 1)]])
        assert scan.scanned(Mesh(box((100, 100, 100), (900, 900, 900)).vertices, flat), frame) is not None

    def test_what_needs_exact_arithmetic_is_left_to_the_twin(self):
        sliver = Mesh(np.array([(0, 0, 0), (1e6, 1e-9, 0), (5e5, 1e-9, 1e-9), (5e5, 1e3, 1e3)]), TETRAHEDRON)
        frame, found = labels.build([sliver])
        assert scan.scanned(sliver, frame) is None
        assert len(found.faces) == 4

    @given(*[st.floats(-1e6, 1e6).map(lambda value: round(value, 3))] * 4)
    def test_a_determinant_is_null_exactly_if_it_is(self, a, b, c, d):
        for p, q, r, s in ((a, b, c, d), (a, b, b, a), (3 * a, b, a, 3 * b)):
            expected = Fraction(p) * Fraction(q) == Fraction(r) * Fraction(s)
            normal = all(value == 0 or abs(value) > 1e-100 for value in (p, q, r, s))
            assert not normal or follow._is_null(p, q, r, s) == expected

    def test_products_too_small_to_have_an_error_are_not_taken_for_equal(self):
        assert not follow._is_null(1e-200, 1e-200, 1e-200, 2e-200)
        assert follow._is_null(0.0, 1e-200, 1e-200, 0.0)

    @given(*[st.floats(-1e9, 1e9)] * 2)
    def test_a_difference_is_exact_if_nothing_was_rounded(self, a, b):
        expected = Fraction(b) - Fraction(a) == Fraction(b - a)
        assert follow._is_exact((a, a, a), (b, b, b), (b - a,) * 3) == expected


def _inside(touching) -> set[int]:
    """Return the cells of which the centre is inside."""
    _, within = expanded(touching.within[:, 0], touching.within[:, 1] - touching.within[:, 0])
    return set(within.tolist()) | set(touching.cells[touching.states].tolist())


def _pairs(touching) -> set[tuple[int, int]]:
    owner, at = expanded(touching.starts[:-1], np.diff(touching.starts))
    return set(zip(touching.cells[owner].tolist(), touching.pairs[at].tolist(), strict=True))


class TestSound:
    @pytest.mark.parametrize("mesh", [BALL, box((0, 0, 0), (1, 2, 3)), ball((1e6, 1e6, 1e6), 1.0)])
    def test_a_closed_outward_shell_is(self, mesh):
        assert sound.is_sound(mesh.vertices, mesh.faces)

    @pytest.mark.parametrize(
        "mesh",
        [
            turned(BALL),
            joined(BALL, ball((5000, 0, 0), 1.0)),
            Mesh(BALL.vertices, BALL.faces[1:]),
            Mesh(BALL.vertices, np.concatenate([BALL.faces, BALL.faces[:1]])),
            Mesh(BALL.vertices, np.concatenate([BALL.faces, BALL.faces[:1], BALL.faces[:1, ::-1]])),
            Mesh(BALL.vertices, np.concatenate([BALL.faces, [(0, 0, 1)]])),
            Mesh(BALL.vertices, np.concatenate([BALL.faces[:1, ::-1], BALL.faces[1:]])),
            Mesh(np.concatenate([BALL.vertices, BALL.vertices[:1]]), BALL.faces),
            Mesh(np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (-0.0, 0, 0), (0, 0, 1.0)]), TETRAHEDRON),
        ],
    )
    def test_anything_else_is_looked_at_more_closely(self, mesh):
        assert not sound.is_sound(mesh.vertices, mesh.faces)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=12))
    def test_what_it_passes_needs_no_repair(self, faces):
        mesh = Mesh(np.random.default_rng(1).normal(size=(6, 3)), np.array(faces, dtype=np.int64))
        if sound.is_sound(mesh.vertices, mesh.faces):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(repair, "is_sound", lambda *_: False)
                assert repair_mesh(mesh)[1] == repair.Repair()

    def test_the_long_way_reports_the_same_for_a_sound_mesh(self, monkeypatch):
        monkeypatch.setattr(repair, "is_sound", lambda *_: False)
        mesh, report = repair_mesh(BALL)
        assert report == repair.Repair()
        assert (mesh.faces == BALL.faces).all()

    def test_unused_vertices_do_no_harm(self):
        assert sound.is_sound(np.concatenate([[(7, 7, 7)], BALL.vertices]), BALL.faces + 1)

    def test_a_vertex_of_very_many_faces_is_left_to_numpy(self):
        angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        rim = np.stack([np.cos(angle), np.sin(angle), np.zeros(200)], axis=1)
        at = np.arange(200) + 2
        after = np.roll(at, -1)
        up = np.stack([np.zeros(200, int), at, after], axis=1)
        faces = np.concatenate([up, np.stack([np.ones(200, int), after, at], axis=1)])
        mesh = Mesh(np.concatenate([[(0, 0, 1), (0, 0, -1)], rim]), faces)
        assert not sound.is_sound(mesh.vertices, mesh.faces)
        assert repair_mesh(mesh)[1] == repair.Repair()


class TestWinding:
    @pytest.mark.parametrize(
        "mesh",
        [
            BALL,
            turned(BALL),
            Mesh(BALL.vertices, BALL.faces[300:]),
            Mesh(BALL.vertices, np.concatenate([BALL.faces] * 5)),
            Mesh(BALL.vertices * 1e-12, BALL.faces[50:]),
            Mesh(BALL.vertices, BALL.faces[:0]),
        ],
    )
    def test_numbers_are_the_twins(self, mesh):
        points = np.random.default_rng(2).uniform(-1200, 1200, (300, 3)) * (np.abs(mesh.vertices).max() / 1000)
        expected = twin(points, mesh)
        assert solid_angles.winding_numbers(points, mesh) == pytest.approx(expected, abs=1e-12)

    def test_a_point_on_a_vertex_is_a_number_too(self):
        assert np.isfinite(solid_angles.winding_numbers(BALL.vertices, BALL)).all()


def test_shells_that_cross_with_no_corner_in_each_other_are_united():
    one, two = box((-10, -1, -1), (3, 1, 1)), box((-2, -7, -0.5), (0.3, 2.9, 0.5))
    points = np.random.default_rng(3).uniform(-4, 4, (20_000, 3))
    found = prepare({"both": joined(one, two), "one": one, "two": two}).find(points).table()
    assert (found[:, 1] & found[:, 2]).sum() > 100
    assert (found[:, 0] == (found[:, 1] | found[:, 2])).all()


def test_a_box_has_the_least_and_the_largest_coordinates():
    assert (bounds.box(POINTS) == [POINTS.min(axis=0), POINTS.max(axis=0)]).all()
    assert bounds.box(np.zeros((0, 3))).tolist() == [[np.inf] * 3, [-np.inf] * 3]


def test_without_a_folder_for_machine_code_it_is_compiled_all_the_same(monkeypatch):
    real = numba.njit

    def njit(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(compiled.numba, "njit", njit)
    assert compiled.kernel(lambda a: a + 1)(2) == 3


def test_members_of_sets_are_ascending_and_every_set_is_there_once():
    _, ours = labels.build(SURFACES)
    sets = [tuple(part.tolist()) for part in np.split(ours.set_members, ours.set_starts[1:-1])]
    assert len(set(sets)) == len(sets)
    assert all(list(one) == sorted(set(one)) for one in sets)
    assert layout._LINE == 64
