"""Which L2 id a vertex gets: surfaces whose owners are known. D… are defects of cortical-tools."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from crant_core.mesh import Mesh
from crant_core.vertex_map import ChunkGrid, L2Chunks, Limits, Method, assign_vertices
from crant_core.vertex_map.pieces import _pieces
from crant_core.vertex_map.proximity import close_to

GRID = ChunkGrid(np.zeros(3), np.full(3, 1000.0))
UNKNOWN = (np.nan,) * 3
A, B, C = 2 << 56 | 11, 2 << 56 | 22, 2 << 56 | 33


def ball(centre: tuple[float, ...], radius: float = 100.0) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    return Mesh(np.asarray(made.vertices) + centre, np.asarray(made.faces).astype(np.int64))


def rod(low: float, high: float, at: float = 500.0) -> Mesh:
    """A square rod along x with rings every 50 nm, open at both ends."""
    x = np.arange(low, high + 1, 50.0)
    ring = np.array([[-40, -40], [40, -40], [40, 40], [-40, 40]], dtype=float) + at
    vertices = np.array([[place, *corner] for place in x for corner in ring])
    quads = [
        (4 * i + j, 4 * i + (j + 1) % 4, 4 * i + 4 + (j + 1) % 4, 4 * i + 4 + j)
        for i in range(len(x) - 1)
        for j in range(4)
    ]
    return Mesh(vertices, np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))], dtype=np.int64))


def flipped(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces[:, ::-1].copy())


def joined(*meshes: Mesh) -> Mesh:
    shifts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + shift for mesh, shift in zip(meshes, shifts, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def l2(*rows: tuple[int, tuple[float, ...], tuple[int, ...]]) -> L2Chunks:
    ids, points, chunks = zip(*rows, strict=True)
    return L2Chunks(np.array(ids), np.array(points, dtype=float), np.array(chunks))


def by_mesh(found: np.ndarray, *meshes: Mesh) -> list[set[int]]:
    return [set(part.tolist()) for part in np.split(found, np.cumsum([len(mesh.vertices) for mesh in meshes])[:-1])]


HERE = (0, 0, 0)
LEFT, RIGHT = (250.0, 500.0, 500.0), (750.0, 500.0, 500.0)


class TestSolo:
    def test_d16_a_chunk_with_one_id_needs_no_point(self):
        mesh = rod(0, 2000)
        found = assign_vertices(mesh, l2((A, UNKNOWN, HERE), (B, (1500, 500, 500), (1, 0, 0))), GRID)
        assert found.mesh_label.tolist() == np.where(mesh.vertices[:, 0] < 1000, A, B).tolist()
        assert set(found.method.tolist()) == {Method.SOLO}
        assert found.coverage.l2_ids_without_point == 1

    def test_the_last_border_belongs_to_the_last_chunk(self):
        found = assign_vertices(rod(0, 1000), l2((A, UNKNOWN, HERE)), GRID)
        assert set(found.mesh_label.tolist()) == {A}

    def test_a_neuron_without_l2_ids_has_a_map_of_nothing(self):
        empty = L2Chunks(np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3), np.int64))
        found = assign_vertices(rod(0, 500), empty, GRID)
        assert set(found.mesh_label.tolist()) == {0}
        assert found.coverage.share == 0

    def test_a_mesh_without_vertices(self):
        nothing = Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
        found = assign_vertices(nothing, l2((A, LEFT, HERE), (B, RIGHT, HERE)), GRID)
        assert found.mesh_label.dtype == np.int64
        assert np.isnan(found.coverage.share)


class TestWinding:
    @pytest.mark.parametrize("turn_left", [False, True])
    @pytest.mark.parametrize("turn_right", [False, True])
    def test_d18_faces_may_be_stored_either_way_round(self, turn_left, turn_right):
        # signed, the reversed one of two balls would be given to the other's point
        one, two = ball(LEFT), ball(RIGHT)
        mesh = joined(flipped(one) if turn_left else one, flipped(two) if turn_right else two)
        found = assign_vertices(mesh, l2((A, RIGHT, HERE), (B, LEFT, HERE)), GRID)
        assert by_mesh(found.mesh_label, one, two) == [{B}, {A}]
        assert set(found.method.tolist()) == {Method.WINDING}

    def test_a_surface_that_the_chunk_cuts_open_is_around_its_point_still(self):
        high, low = rod(0, 2000, 700), rod(0, 2000, 300)
        ids = l2((A, (990, 300, 300), HERE), (B, (30, 700, 700), HERE), (C, UNKNOWN, (1, 0, 0)))
        found = assign_vertices(joined(high, low), ids, GRID)
        before = joined(high, low).vertices[:, 0] < 1000
        assert by_mesh(found.mesh_label[before], *(rod(0, 950, at) for at in (700, 300))) == [{B}, {A}]
        assert set(found.mesh_label[~before].tolist()) == {C}

    def test_a_ball_around_two_points_is_divided_between_them(self):
        mesh = ball((500, 500, 500), 300)
        found = assign_vertices(mesh, l2((A, (400, 500, 500), HERE), (B, (600, 500, 500), HERE)), GRID)
        assert (found.mesh_label[mesh.vertices[:, 0] < 499] == A).all()
        assert (found.mesh_label[mesh.vertices[:, 0] > 501] == B).all()
        assert set(found.method.tolist()) == {Method.WINDING}

    def test_d16_an_unknown_point_leaves_the_known_one_its_surface(self):
        one, two = ball(LEFT), ball((250, 500, 250))
        found = assign_vertices(joined(one, two), l2((A, LEFT, HERE), (B, UNKNOWN, HERE)), GRID)
        assert set(found.mesh_label[: len(one.vertices)].tolist()) == {A}
        assert set(found.method[: len(one.vertices)].tolist()) == {Method.WINDING}


class TestProximity:
    def test_a_bubble_in_a_surface_belongs_to_what_it_is_close_to(self):
        one, bubble, two = ball(LEFT), ball((250, 400, 500), 10), ball(RIGHT)
        found = assign_vertices(joined(one, bubble, two), l2((A, LEFT, HERE), (B, RIGHT, HERE)), GRID)
        assert by_mesh(found.mesh_label, one, bubble, two) == [{A}, {A}, {B}]
        assert set(found.method[len(one.vertices) : -len(two.vertices)].tolist()) == {Method.PROXIMITY}

    def test_d19_a_piece_is_given_once_and_the_closest_goes_first(self):
        # the peer kept pairs from before a piece was given, and the last of them won
        strip = [ball((x, 500, 500), 30) for x in (100, 180, 260, 900)]
        pieces = _pieces(0, joined(*strip).vertices, joined(*strip).faces)
        points = np.array([[100.0, 500, 500], [900, 500, 500]])
        owners, to_point = close_to(
            pieces, np.array([0, -1, -1, 1]), points, Limits(max_distance=700, ratio_better=0.5)
        )
        assert owners.tolist() == [0, 0, 0, 1]  # the third is 20 nm from the second, 580 nm from the fourth
        assert not to_point.any()

    def test_d19_where_nothing_is_given_nothing_is_close(self):
        pieces = _pieces(0, joined(ball(LEFT), ball(RIGHT)).vertices, joined(ball(LEFT), ball(RIGHT)).faces)
        owners, _ = close_to(
            pieces, np.array([-1, -1]), np.full((2, 3), np.nan), Limits()
        )  # an IndexError of the peer's
        assert owners.tolist() == [-1, -1]

    @pytest.mark.parametrize(("ratio", "expected"), [(0.5, -1), (0.9, 0)])
    def test_between_two_it_must_be_better_by_the_ratio(self, ratio, expected):
        strip = joined(*(ball((x, 500, 500), 30) for x in (100, 240, 400)))  # gaps of 80 and 100 nm
        pieces = _pieces(0, strip.vertices, strip.faces)
        points = np.array([[100.0, 500, 500], [400, 500, 500]])
        owners, _ = close_to(pieces, np.array([0, -1, 1]), points, Limits(ratio_better=ratio))
        assert owners.tolist() == [0, expected, 1]

    def test_farther_than_the_limit_is_not_close(self):
        far = joined(ball(LEFT), ball((750, 500, 500)))
        pieces = _pieces(0, far.vertices, far.faces)
        owners, _ = close_to(pieces, np.array([0, -1]), np.array([LEFT, UNKNOWN]), Limits(max_distance=250))
        assert owners.tolist() == [0, -1]

    def test_a_point_just_outside_a_piece_is_close_to_it(self):
        one, thin = ball(LEFT), ball(RIGHT, 20)
        found = assign_vertices(joined(one, thin), l2((A, LEFT, HERE), (B, (750, 500, 540), HERE)), GRID)
        assert by_mesh(found.mesh_label, one, thin) == [{A}, {B}]
        assert set(found.method[len(one.vertices) :].tolist()) == {Method.NEAREST}


class TestPropagation:
    ONE_KNOWN = l2((A, UNKNOWN, HERE))

    def test_what_leaves_the_chunks_takes_over_what_it_hangs_on(self):
        found = assign_vertices(rod(0, 1500), self.ONE_KNOWN, GRID)
        assert set(found.mesh_label.tolist()) == {A}
        assert set(found.method[rod(0, 1500).vertices[:, 0] > 1000].tolist()) == {Method.PROPAGATED}

    @pytest.mark.parametrize(
        ("limits", "farthest"),
        [
            (Limits(hop_limit=0), 1000),
            (Limits(hop_limit=3), 1150),
            (Limits(path_limit=210), 1200),
            (Limits(hop_limit=3, path_limit=110), 1100),
        ],
    )
    def test_not_farther_than_edges_and_nm_allow(self, limits, farthest):
        mesh = rod(0, 1500)
        found = assign_vertices(mesh, self.ONE_KNOWN, GRID, limits)
        assert mesh.vertices[found.mesh_label == A, 0].max() == farthest
        assert set(found.method[found.mesh_label == 0].tolist()) == {Method.NONE}

    def test_d16_several_unknown_points_take_over_from_the_next_chunk(self):
        mesh = rod(0, 2000)
        ids = l2((A, UNKNOWN, HERE), (B, UNKNOWN, HERE), (C, UNKNOWN, (1, 0, 0)))
        found = assign_vertices(mesh, ids, GRID)
        assert set(found.mesh_label.tolist()) == {C}
        assert (found.method == np.where(mesh.vertices[:, 0] < 1000, Method.PROPAGATED, Method.SOLO)).all()


class TestAnswer:
    IDS = l2((A, LEFT, HERE), (B, RIGHT, HERE), (C, UNKNOWN, (2, 0, 0)))
    MESH = joined(ball(LEFT), ball(RIGHT))

    def test_it_says_how_much_is_covered_and_how(self):
        found = assign_vertices(self.MESH, self.IDS, GRID).coverage
        assert found.by_method["winding"] == found.vertices == len(self.MESH.vertices)
        assert sum(found.by_method.values()) == found.vertices
        assert (found.l2_ids, found.l2_ids_without_point, found.l2_ids_without_vertices) == (3, 1, 1)
        assert found.share == 1

    def test_it_has_what_cortical_tools_assigner_has(self):
        found = assign_vertices(self.MESH, self.IDS, GRID)
        assert found.vertices is self.MESH.vertices
        assert found.faces is self.MESH.faces
        assert found.lvl2_ids.tolist() == found.chunk_df.l2_id.tolist() == [A, B, C]
        assert found.chunk_df.ids_in_chunk.tolist() == [2, 2, 1]
        assert found.chunk_df[["start_x", "end_x"]].to_numpy().tolist() == [[0, 1000], [0, 1000], [2000, 3000]]
        assert found.chunk_df.l2_id.dtype == found.mesh_label.dtype == np.int64

    def test_it_is_the_same_every_time(self):
        one, two = (assign_vertices(self.MESH, self.IDS, GRID) for _ in range(2))
        assert (one.mesh_label == two.mesh_label).all()
        assert (one.method == two.method).all()

    def test_a_lookup_goes_before_guesses(self):
        one, left = ball(LEFT), ball((250, 500, 720), 20)
        ids = l2((A, LEFT, HERE), (B, UNKNOWN, HERE))
        asked = []

        def lookup(candidates, surfaces):
            asked.append((candidates.tolist(), [len(surface) for surface in surfaces]))
            return np.array([1])

        found = assign_vertices(joined(one, left), ids, GRID, lookup=lookup)
        assert by_mesh(found.mesh_label, one, left) == [{A}, {B}]
        assert asked == [([A, B], [len(left.vertices)])]
        assert set(found.method[len(one.vertices) :].tolist()) == {Method.LOOKUP}
