"""Containment against exact rational arithmetic, on the points where rounding decides, and against other libraries."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.cautions import WrongUnitWarning
from crant_core.mesh import Mesh
from crant_core.neuropils import prepare
from tests.fixtures.shapes import joined
from tests.fixtures.solids import ball, box, exactly_inside, turned

TETRAHEDRON = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])
LATTICE = np.stack(np.meshgrid(*[np.arange(-1, 6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float64)
NEAR = 150.0  # nm
ALL = slice(None)


def inside(points, *meshes: Mesh) -> np.ndarray:
    return prepare({str(number): mesh for number, mesh in enumerate(meshes)}).find(points).table()


def rounded(mesh: Mesh) -> Mesh:
    """Put vertices where single precision has them, so that all libraries see the same mesh."""
    return Mesh(mesh.vertices.astype(np.float32).astype(np.float64), mesh.faces)


def beside(mesh: Mesh, count: int, distance: float, random: np.random.Generator) -> np.ndarray:
    corners = mesh.vertices[mesh.faces[random.integers(len(mesh.faces), size=count)]]
    on = (corners * random.dirichlet((1, 1, 1), count)[..., None]).sum(axis=1)
    return on + random.normal(size=(count, 3)) * distance * random.random((count, 1))


def on_edges(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    return np.concatenate([(a + b) / 2, a * 0.25 + c * 0.75, (a + b + c) / 3])


coordinate = st.integers(0, 4)
corner = st.tuples(coordinate, coordinate, coordinate)


class TestExactly:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.lists(corner, min_size=4, max_size=4, unique=True), min_size=1, max_size=3))
    def test_every_lattice_point_in_on_and_around_lattice_tetrahedra_is_where_exact_arithmetic_puts_it(self, shapes):
        meshes = [Mesh(np.array(shape, dtype=np.float64), TETRAHEDRON) for shape in shapes]
        expected = np.stack([exactly_inside(LATTICE, mesh) for mesh in meshes], axis=1)
        assert (inside(LATTICE, *meshes) == expected).all()

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e7), st.floats(-1e7, 1e7))
    def test_a_point_a_few_units_in_the_last_place_from_a_surface_is_on_the_right_side(self, seed, size, shift):
        random = np.random.default_rng(seed)
        mesh = Mesh(random.normal(size=(4, 3)) * size + shift, TETRAHEDRON)
        points = beside(mesh, 30, 0.0, random)
        for _ in range(3):
            points = np.nextafter(points, random.choice([-np.inf, np.inf], points.shape))
        assert inside(points, mesh)[:, 0].tolist() == exactly_inside(points, mesh)

    @pytest.mark.parametrize("subdivisions", [1, 2])
    def test_corners_middles_of_edges_and_points_on_faces(self, subdivisions):
        mesh = ball((10, 20, 30), 1000.0, subdivisions)
        points = np.concatenate([mesh.vertices, on_edges(mesh)])[::3]
        assert inside(points, mesh)[:, 0].tolist() == exactly_inside(points, mesh)

    def test_points_level_with_corners_and_edges_of_a_finer_ball_than_cells(self):
        mesh = ball((0, 0, 0), 1000.0, 3)
        random = np.random.default_rng(5)
        points = mesh.vertices[random.integers(len(mesh.vertices), size=(300, 3)), [0, 1, 2]]
        assert inside(points, mesh)[:, 0].tolist() == exactly_inside(points, mesh)

    def test_a_sliver_a_needle_and_a_flat_triangle(self):
        a, b, c, d = (0, 0, 0), (1e6, 1e-9, 0), (5e5, 1e-9, 1e-9), (5e5, 1e3, 1e3)
        mesh = Mesh(np.array([a, b, c, d], dtype=np.float64), TETRAHEDRON)
        points = beside(mesh, 200, 1e-9, np.random.default_rng(1))
        assert inside(points, mesh)[:, 0].tolist() == exactly_inside(points, mesh)
        midpoint = Mesh(np.concatenate([_SPLIT, [[0.5, 0, 0]]]), np.array(_SPLIT_FACES))
        assert inside(LATTICE / 4, midpoint)[:, 0].tolist() == exactly_inside(LATTICE / 4, midpoint)


_SPLIT = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], dtype=np.float64)
_SPLIT_FACES = [(0, 2, 4), (4, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3), (0, 4, 1)]  # the last one is a line


class TestSurfaces:
    def test_a_point_on_a_surface_belongs_to_what_begins_just_beyond_it_along_x(self):
        points = np.array([(0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2), (0, 0, 0), (2, 2, 2)])
        expected = [True, False, True, False, True, False, True, False]
        assert inside(points, box((0, 0, 0), (2, 2, 2)))[:, 0].tolist() == expected

    def test_of_neighbours_that_share_borders_exactly_one_has_each_point_on_them(self):
        blocks = [box((x, y, z), (x + 2, y + 2, z + 2)) for x in (0, 2) for y in (0, 2) for z in (0, 2)]
        counts = inside(LATTICE, *blocks).sum(axis=1)
        assert (counts == ((LATTICE >= 0) & (LATTICE < 4)).all(axis=1)).all()

    def test_turning_a_mesh_inside_out_changes_nothing(self):
        mesh = ball((0, 0, 0), 1000.0)
        points = np.concatenate([beside(mesh, 2000, NEAR, np.random.default_rng(2)), mesh.vertices])
        assert (inside(points, mesh) == inside(points, turned(mesh))).all()

    def test_labels_do_not_depend_on_which_other_meshes_there_are(self):
        one, other = ball((0, 0, 0), 1000.0), ball((500, 100, 0), 1500.0, 3)
        points = np.concatenate([beside(one, 2000, NEAR, np.random.default_rng(3)), on_edges(other)])
        both = inside(points, one, other)
        assert (both[:, :1] == inside(points, one)).all()
        assert (both[:, 1:] == inside(points, other)).all()


class TestShapes:
    points = np.random.default_rng(8).uniform(-1500, 1500, (3000, 3))
    distance = np.linalg.norm(points, axis=1)

    def test_cavities_alternate_whichever_way_they_face(self):
        shells = [ball((0, 0, 0), radius, 3) for radius in (1200, 800, 400)]
        clear = (np.abs(self.distance[:, None] - (1190, 790, 395)) > 15).all(axis=1)
        expected = ((self.distance < 1200) & (self.distance > 800)) | (self.distance < 400)
        for mesh in (joined(*shells), joined(shells[0], turned(shells[1]), shells[2])):
            assert (inside(self.points, mesh)[clear, 0] == expected[clear]).all()
            assert inside(self.points[:100], mesh)[:, 0].tolist() == exactly_inside(self.points[:100], mesh)

    def test_several_shells_apart(self):
        parts = [ball((x, 0, 0), 300.0) for x in (-1000, 0, 1000)]
        found = inside(self.points, joined(*parts))[:, 0]
        assert (found == inside(self.points, *parts).any(axis=1)).all()
        assert found.any()

    def test_shells_that_cross_are_united_and_keep_their_cavities(self):
        left, right, hole = ball((-300, 0, 0), 700.0), ball((300, 0, 0), 700.0), ball((-600, 0, 0), 150.0)
        found = inside(self.points, joined(left, right, hole), left, right, hole)
        assert (found[:, 0] == ((found[:, 1] & ~found[:, 3]) | found[:, 2])).all()
        assert (found[:, 1] & found[:, 2]).any()

    def test_a_point_in_several_meshes_has_all_of_them(self):
        outer, inner = ball((0, 0, 0), 1200.0), ball((0, 0, 0), 400.0)
        found = inside(self.points, outer, inner)
        assert (found[:, 0] >= found[:, 1]).all()
        assert found.all(axis=1).sum() == found[:, 1].sum() > 0


class TestDamage:
    """Wrong answers are counted against the undamaged mesh."""

    mesh = ball((0, 0, 0), 10_000.0, 4)
    random = np.random.default_rng(11)
    points = np.concatenate([random.uniform(-1.2e4, 1.2e4, (4000, 3)), beside(mesh, 2000, NEAR, random)])
    truth = inside(points, mesh)[:, 0]

    def wrong(self, faces) -> int:
        return int((inside(self.points, Mesh(self.mesh.vertices, faces))[:, 0] != self.truth).sum())

    def test_all_faces_turned_over(self):
        assert self.wrong(self.mesh.faces[:, ::-1]) == 0

    def test_a_tenth_turned_over(self):
        some = self.random.random(len(self.mesh.faces)) < 0.1
        assert self.wrong(np.where(some[:, None], self.mesh.faces[:, ::-1], self.mesh.faces)) == 0

    def test_faces_there_twice_also_turned_over(self):
        some = self.mesh.faces[::97]
        assert self.wrong(np.concatenate([self.mesh.faces, some])) == 0
        assert self.wrong(np.concatenate([self.mesh.faces, some[:, ::-1]])) == 0

    def test_single_faces_missing(self):
        assert self.wrong(np.delete(self.mesh.faces, np.arange(0, len(self.mesh.faces), 197), axis=0)) == 0

    def test_a_large_hole_stays_open_is_flagged_and_decided_by_the_winding_number(self):
        low = self.mesh.vertices[self.mesh.faces].mean(axis=1)[:, 2] < -9_600  # 2 % of the surface
        damaged = Mesh(self.mesh.vertices, self.mesh.faces[~low])
        found = prepare({"whole": self.mesh, "damaged": damaged}).find(self.points)
        assert found.open_meshes == ("damaged",)
        assert (found.inside("whole") == self.truth).all()
        assert (found.inside("damaged") != self.truth).mean() < 0.01


class TestOtherLibraries:
    """Where another library says otherwise, exact arithmetic says what we say."""

    random = np.random.default_rng(21)
    meshes = (rounded(ball((2e4, 3e4, 1e4), 9e3, 3)), rounded(ball((3e4, 3e4, 1e4), 7e3, 3)))
    points = np.concatenate(
        [
            beside(meshes[0], 10_000, NEAR, random),
            beside(meshes[1], 10_000, NEAR, random),
            random.uniform((1e4, 2e4, 0), (4e4, 4e4, 2e4), (10_000, 3)),
        ]
    )

    ours = inside(points, *meshes)

    def settle(self, chosen: np.ndarray, theirs: np.ndarray, number: int) -> None:
        ours, points = self.ours[chosen, number], self.points[chosen]
        differing = np.flatnonzero(ours != theirs)
        assert len(differing) < 30
        assert ours[differing].tolist() == exactly_inside(points[differing], self.meshes[number])

    @pytest.mark.parametrize("number", [0, 1])
    def test_ncollpyde(self, number):
        import ncollpyde

        mesh = self.meshes[number]
        volume = ncollpyde.Volume(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
        self.settle(ALL, volume.contains(self.points, threads=False), number)

    @pytest.mark.parametrize("number", [0, 1])
    def test_navis(self, number):
        import navis

        volume = navis.Volume(self.meshes[number].vertices, self.meshes[number].faces)
        self.settle(ALL, np.asarray(navis.in_volume(self.points, volume)), number)

    @pytest.mark.parametrize("number", [0, 1])
    def test_vtk(self, number):
        import pyvista

        surface = pyvista.make_tri_mesh(self.meshes[number].vertices, self.meshes[number].faces)
        chosen = np.arange(len(self.points))[::10]
        cloud = pyvista.PolyData(self.points[chosen])
        found = cloud.select_interior_points(surface, method="signed_distance", check_surface=False)
        self.settle(chosen, np.asarray(found["selected_points"], dtype=bool), number)


def test_points_in_the_wrong_unit_are_noticed():
    found = prepare({"ball": ball((2e5, 1e5, 1e5), 1e5)})
    points = beside(ball((2e5, 1e5, 1e5), 5e4), 100, 1.0, np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.find(points)
    with pytest.warns(WrongUnitWarning, match=r"wrong unit\? \(they would fit if they were µm\)"):
        assert found.find(points / 1000).nowhere.all()
    with pytest.warns(WrongUnitWarning, match="voxels of 8 × 8 × 42 nm"):
        found.find(points / (8, 8, 42))
