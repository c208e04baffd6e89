from __future__ import annotations

import numpy as np
import pytest

from crant_core.errors import InvalidInput
from crant_core.mesh import Mesh
from crant_core.neuropils.edges import turned_one_way
from crant_core.neuropils.repair import Repair, repair_mesh
from crant_core.neuropils.shells import solids
from tests.fixtures.shapes import joined
from tests.fixtures.solids import ball, box, turned

CUBE = box((0, 0, 0), (1, 1, 1))


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def with_faces(mesh: Mesh, faces) -> Mesh:
    return Mesh(mesh.vertices, np.asarray(faces))


def test_a_sound_mesh_is_returned_as_it_is_and_nothing_is_reported():
    mesh, report = repair_mesh(CUBE)
    assert (mesh.vertices == CUBE.vertices).all()
    assert (mesh.faces == CUBE.faces).all()
    assert report == Repair()
    assert report.closed
    assert not report.changed


def test_corners_at_the_same_place_are_joined():
    soup = Mesh(CUBE.vertices[CUBE.faces].reshape(-1, 3), np.arange(36).reshape(-1, 3))
    soup.vertices[soup.vertices == 0] *= -1  # -0.0 is the same place
    mesh, report = repair_mesh(soup)
    assert report == Repair()
    assert volume(mesh) == 1


def test_faces_without_three_corners_are_dropped():
    _, report = repair_mesh(with_faces(CUBE, [*CUBE.faces, (0, 0, 1), (2, 3, 2)]))
    assert report == Repair(dropped_faces=2)


def test_faces_there_twice_are_removed_whichever_way_they_face():
    for more in (CUBE.faces[[3]], CUBE.faces[[3]][:, ::-1], CUBE.faces[[3, 3]], np.roll(CUBE.faces[[3]], 1, axis=1)):
        mesh, report = repair_mesh(with_faces(CUBE, np.concatenate([CUBE.faces, more])))
        assert report.duplicate_faces == len(more)
        assert report.closed
        assert volume(mesh) == 1


def test_the_wall_between_touching_parts_is_removed_on_both_sides():
    mesh, report = repair_mesh(joined(CUBE, Mesh(CUBE.vertices * (-1, 1, 1), CUBE.faces[:, ::-1])))
    assert (report.duplicate_faces, report.shells, report.open_edges) == (4, 1, 0)
    assert volume(mesh) == 2


def test_a_mesh_that_is_inside_out_is_turned():
    mesh, report = repair_mesh(turned(CUBE))
    assert report == Repair(flipped_faces=12)
    assert volume(mesh) == 1


def test_single_faces_that_are_turned_over_are_turned_back():
    faces = CUBE.faces.copy()
    faces[[1, 5, 7]] = faces[[1, 5, 7], ::-1]
    mesh, report = repair_mesh(with_faces(CUBE, faces))
    assert report == Repair(flipped_faces=3)
    assert volume(mesh) == 1


def test_every_shell_is_turned_by_itself_and_cavities_inward():
    outer, inner, apart = box((0, 0, 0), (9, 9, 9)), box((3, 3, 3), (6, 6, 6)), box((20, 0, 0), (21, 1, 1))
    mesh, report = repair_mesh(joined(turned(outer), inner, turned(apart)))
    assert (report.shells, report.flipped_faces) == (3, 36)
    assert volume(mesh) == 9**3 - 3**3 + 1


def test_a_missing_triangle_is_put_back():
    whole = ball((0, 0, 0), 1.0, 3)
    mesh, report = repair_mesh(with_faces(whole, np.delete(whole.faces, [5, 700], axis=0)))
    assert report == Repair(filled_holes=2, added_faces=2)
    assert volume(mesh) == pytest.approx(volume(whole), rel=1e-12)


def test_a_hole_of_several_triangles_is_filled_between_its_corners():
    whole = ball((0, 0, 0), 1.0, 4)
    around = (whole.faces == 100).any(axis=1)
    mesh, report = repair_mesh(with_faces(whole, whole.faces[~around]))
    assert around.sum() == 6
    assert report == Repair(filled_holes=1, added_faces=4)
    assert volume(mesh) == pytest.approx(volume(whole), rel=1e-3)


def test_a_large_hole_is_left_and_its_edges_counted():
    _, report = repair_mesh(with_faces(CUBE, CUBE.faces[2:]))
    assert not report.closed
    assert report.open_edges == 4


def test_a_surface_with_one_side_only_is_reported():
    strip = [(k, k + 1, k + 2) if k % 2 else (k + 1, k, k + 2) for k in range(5)]
    moebius = np.array([*strip, (5, 6, 0), (6, 0, 1)]) % 7
    assert not turned_one_way(moebius)[1]


def test_crossing_shells_are_solids_of_their_own_and_nested_ones_are_not():
    left, right, hole = ball((0, 0, 0), 3.0), ball((4, 0, 0), 3.0), ball((-1, 0, 0), 0.5)
    assert [len(solid.faces) for solid in solids(joined(left, right, hole))] == [640, 320]
    assert len(solids(joined(left, hole))) == 1
    assert len(solids(joined(left, ball((90, 0, 0), 1.0)))) == 1


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (np.zeros((3, 2)), np.zeros((1, 3), int), "no triangles in space"),
        (np.zeros((3, 3)), np.zeros((0, 3), int), "no faces"),
        (np.full((3, 3), np.nan), np.zeros((1, 3), int), "not a finite number"),
        (np.zeros((3, 3)), np.array([(0, 1, 3)]), "names vertex 3 of 3"),
    ],
)
def test_what_is_no_mesh_is_refused(vertices, faces, message):
    with pytest.raises(InvalidInput, match=message):
        repair_mesh(Mesh(vertices, faces))
