from __future__ import annotations

import navis
import numpy as np
import pytest
import trimesh

from crant_core.errors import InvalidInput, InvalidParameters, WrongType
from crant_core.mesh import Mesh
from crant_core.somata import detect_soma, detect_soma_mesh, divide_local_neighbourhood, measure_soma
from tests.fixtures.shapes import joined, tube
from tests.fixtures.solids import ball
from tests.unit.crant_core.somata.test_search import CENTRE, cell

RESOLUTION = np.array([8, 8, 42])


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def as_navis(mesh: Mesh, units: str = "1 nm") -> navis.MeshNeuron:
    return navis.MeshNeuron({"vertices": mesh.vertices, "faces": mesh.faces}, units=units, process=False)


def broken_up(mesh: Mesh) -> Mesh:
    """Give each face vertices of its own."""
    return Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(mesh.faces.size).reshape(-1, 3))


class TestVertices:
    def test_they_are_those_of_the_ball_and_not_of_the_neurite(self):
        mesh = cell()
        found = detect_soma_mesh(mesh)
        of_ball = len(ball(CENTRE, 2000.0, 4).vertices)
        assert found.dtype == np.int64
        assert found.tolist() == list(range(of_ball))  # the neurite is not connected to it

    @pytest.mark.parametrize("form", [as_trimesh, as_navis])
    def test_every_form_of_a_mesh_gives_the_same(self, form):
        assert detect_soma_mesh(form(cell())).tolist() == detect_soma_mesh(cell()).tolist()

    def test_repeated_vertices_are_all_found(self):
        mesh = broken_up(cell())
        found = detect_soma_mesh(mesh)
        assert len(found) == ball(CENTRE, 2000.0, 4).faces.size

    def test_a_mesh_without_a_soma_has_none(self):
        found = detect_soma_mesh(tube(1000, 20_000, spacing=100))
        assert found.shape == (0,)
        assert found.dtype == np.int64

    def test_a_blob_beside_the_soma_is_not_of_it(self):
        blob = ball(CENTRE + np.array([0, 2700, 0]), 150.0, 2)
        assert len(detect_soma_mesh(joined(cell(), blob))) == len(detect_soma_mesh(cell()))

    def test_it_must_be_a_mesh_in_nm(self):
        with pytest.raises(WrongType, match="list is no mesh"):
            detect_soma_mesh([[0, 0, 0]])
        with pytest.raises(InvalidInput, match="not nm"):
            detect_soma_mesh(as_navis(cell(), "8 nm"))


class TestPlaces:
    def test_of_one_mesh_it_is_three_whole_voxels(self):
        found = detect_soma(cell())
        assert found.dtype == np.int64
        assert found.shape == (3,)
        assert np.abs(found * RESOLUTION - CENTRE).max() < 400

    def test_of_many_each_is_in_its_row_and_what_is_not_there_is_none(self):
        thick, other = tube(1000, 20_000, spacing=100), cell()
        shifted = Mesh(other.vertices + 80_000, other.faces)
        found = detect_soma([cell(), thick, as_navis(shifted), cell()])
        assert found[1].tolist() == [None] * 3
        assert found[0].tolist() == found[3].tolist() == detect_soma(cell()).tolist()
        assert np.abs(found[2].astype(np.int64) * RESOLUTION - CENTRE - 80_000).max() < 450
        assert all(type(value) is int for value in found[0])

    def test_a_list_of_one_is_one_row(self):
        assert detect_soma([cell()]).shape == (1, 3)
        assert detect_soma(navis.NeuronList([as_navis(cell())])).shape == (1, 3)

    def test_one_without_a_soma_is_three_times_none(self):
        assert detect_soma(tube(1000, 20_000, spacing=100)).tolist() == [None] * 3

    def test_more_meshes_than_are_held_at_a_time_keep_their_order(self):
        meshes = [cell(), tube(1000, 8000, spacing=200)] * 10
        assert [row[0] is not None for row in detect_soma(meshes)] == [True, False] * 10

    def test_so_many_vertices_must_belong_to_it(self):
        mesh = cell()
        many = len(detect_soma_mesh(mesh))
        assert measure_soma(mesh, N=many).found
        assert not measure_soma(mesh, N=many + 1).found

    def test_how_clear_it_is_can_be_asked(self):
        clear, thick = measure_soma([cell(), tube(1000, 20_000, spacing=100)])
        assert clear.found
        assert clear.ratio > 4
        assert not thick.found
        assert thick.ratio < 1.3

    def test_it_is_measured_on_meshes_or_by_radii(self):
        with pytest.raises(InvalidParameters, match="guessing"):
            measure_soma(cell(), by="guessing")


class TestPatches:
    def test_each_vertex_is_in_one_at_least_and_each_patch_is_no_wider_than_said(self):
        mesh = tube(300, 10_000, spacing=100)
        patches = divide_local_neighbourhood(mesh, 1500)
        assert sorted(set(np.concatenate(patches).tolist())) == list(range(len(mesh.vertices)))
        assert 4 < len(patches) < 40
        for patch in patches:
            assert patch.tolist() == sorted(set(patch.tolist()))
            assert np.ptp(mesh.vertices[patch, 0]) <= 3000

    def test_they_overlap(self):
        patches = divide_local_neighbourhood(tube(300, 10_000, spacing=100), 1500)
        assert sum(map(len, patches)) > len(tube(300, 10_000, spacing=100).vertices)

    def test_they_follow_the_surface(self):
        # two tubes side by side: nothing of one is reached from the other
        one = tube(300, 3000, spacing=100)
        both = joined(one, tube(300, 3000, spacing=100, start=np.array([0, 601.0, 0])))
        patches = divide_local_neighbourhood(both, 1000)
        assert len(np.unique(np.concatenate(patches))) == len(both.vertices)
        for patch in patches:
            assert len(set((patch < len(one.vertices)).tolist())) == 1

    def test_by_hand(self):
        # a strip of unit squares along x, each of two triangles
        along = np.arange(6.0)
        vertices = np.concatenate([[[x, 0, 0], [x, 1, 0]] for x in along])
        faces = np.array([face for i in range(0, 10, 2) for face in ((i, i + 1, i + 2), (i + 1, i + 3, i + 2))])
        patches = divide_local_neighbourhood(Mesh(vertices, faces), 2.0)
        # from 0: by x at most 2, and (1, 1) over (0, 1)
        assert patches[0].tolist() == [0, 1, 2, 3, 4]
        assert patches[1].tolist()[0] == 1  # the first vertex that is in none is 5, at (2, 1)
        assert set(range(12)) == set(np.concatenate(patches).tolist())

    def test_repeated_vertices_are_one_place(self):
        mesh = tube(300, 3000, spacing=100)
        once, twice = (divide_local_neighbourhood(each, 1000) for each in (mesh, joined(mesh, mesh)))
        assert [patch[: len(patch) // 2].tolist() for patch in twice] == [patch.tolist() for patch in once]

    @pytest.mark.parametrize("radius", [0, -1, np.nan, np.inf])
    def test_the_radius_must_be_one(self, radius):
        with pytest.raises(InvalidParameters, match="radius"):
            divide_local_neighbourhood(tube(300, 3000), radius)

    def test_nothing_has_no_patches(self):
        assert divide_local_neighbourhood(Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)), 10) == []
