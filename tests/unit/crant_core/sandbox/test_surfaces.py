from __future__ import annotations

import numpy as np
import pytest

from crant_core.errors import StackError
from crant_core.mesh import Mesh
from crant_core.sandbox import surfaces


def test_a_surface_is_read_in_nanometres_with_indices_from_0():
    mesh = surfaces.read_surface(722817260)
    assert (mesh.vertices.shape, mesh.faces.shape) == ((6582, 3), (13772, 3))
    assert mesh.vertices[0] == pytest.approx([16384 * 8, 36872.0625 * 8, 25671.890625 * 8])
    assert (mesh.faces.min(), mesh.faces.max()) == (0, 6581)


def test_a_fragment_is_count_positions_triangles():
    mesh = Mesh(np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9.5]]), np.array([[0, 1, 2]]))
    data = surfaces.encode_fragment(mesh)
    assert np.frombuffer(data, "<u4", 1).tolist() == [3]
    assert np.frombuffer(data, "<f4", 9, offset=4).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9.5]
    assert np.frombuffer(data, "<u4", 3, offset=40).tolist() == [0, 1, 2]


def test_without_navis_the_error_says_so(monkeypatch):
    monkeypatch.setattr(surfaces, "find_spec", lambda name: None)
    with pytest.raises(StackError, match="navis"):
        surfaces.data_folder.__wrapped__()
