"""Neuropils of the sandbox, against the truth it was made from."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from trimesh import Trimesh
from trimesh.creation import box
from trimesh.proximity import closest_point_naive

from crant_core.errors import InvalidInput, MeshNotFound, NoMatchesError, SourceError
from crant_core.mesh import Mesh
from crant_core.neuropils import (
    NEUROPIL_MESH_DICT,
    get_supported_neuropil_mesh_labels,
    load_neuropil_mesh,
    prepare,
)
from crant_core.neuropils.meshes import load_all_neuropil_meshes, load_neuropil_meshes
from crant_core.sandbox import names
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.solids import exactly_inside

ROUNDING = 2.0  # nm: tables round positions to whole nm, the served meshes to a 65,535th of their extent


@pytest.fixture(scope="module")
def true_meshes() -> dict[str, Mesh]:
    rows = neurons.world().frame("neuropils")
    return {
        name: neurons.world().surface(f"neuropil_{number}") for number, name in zip(rows.number, rows.name, strict=True)
    }


@pytest.fixture(scope="module")
def served(sandbox: Sandbox, true_meshes: dict[str, Mesh]) -> dict[str, Mesh]:
    return load_neuropil_meshes(true_meshes, sandbox.dataset)


def places() -> tuple[np.ndarray, np.ndarray]:
    """Return ids and positions of all synapses."""
    rows = neurons.world().frame(f"tables/{names.SYNAPSES}")
    return rows.id.to_numpy(), rows[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy(dtype=np.float64)


def true_table(ids: np.ndarray) -> np.ndarray:
    numbers = neurons.world().frame("neuropils").number
    truth = neurons.world().frame("truth/synapse_neuropils")
    return np.stack([np.isin(ids, truth.synapse_id[truth.neuropil == number]) for number in numbers], axis=1)


def test_every_mesh_is_the_true_one(served, true_meshes):
    for name, mesh in true_meshes.items():
        assert np.abs(served[name].vertices - mesh.vertices).max() < ROUNDING
        assert (served[name].faces == mesh.faces).all()


@pytest.mark.parametrize("which", ["served", "true_meshes"])
def test_synapses_are_in_the_neuropils_that_truly_hold_them(which, request):
    meshes = request.getfixturevalue(which)
    ids, points = places()
    found, expected = prepare(meshes).find(points).table(), true_table(ids)
    assert expected.sum() > 30_000
    for column, mesh in enumerate(meshes.values()):
        differing = np.flatnonzero(found[:, column] != expected[:, column])
        if len(differing):  # hulls have synapses for corners, which the tables' rounding moves out or in
            surface = Trimesh(mesh.vertices, mesh.faces, process=False)
            assert closest_point_naive(surface, points[differing])[1].max() < ROUNDING
            assert found[differing, column].tolist() == exactly_inside(points[differing], mesh)


def test_no_mesh_of_the_sandbox_needs_repair(served):
    assert [(repair.changed, repair.closed) for repair in prepare(served).repairs] == [(False, True)] * len(served)


def test_a_union_is_its_parts_together(sandbox, served):
    parts = ("NOc_r", "NOm1_r", "NOm2_r", "NOs_r")
    union = load_neuropil_mesh("nodulus_right", sandbox.dataset)
    assert len(union.faces) == sum(len(served[part].faces) for part in parts)
    assert union.is_watertight
    points = np.random.default_rng(3).uniform(*union.bounds, (20_000, 3))
    found = prepare({"union": union} | {part: served[part] for part in parts}).find(points).table()
    assert (found[:, 0] == found[:, 1:].any(axis=1)).all()
    assert (found[:, 1:].sum(axis=1) > 1).any(), "no two parts overlap: the test proves nothing"


def test_a_folder_of_meshes_without_a_volume_is_read_too(sandbox, served):
    mesh = load_neuropil_mesh("ellipsoid_body", source=f"{sandbox.dataset.neuropil_source}/mesh/")
    assert (mesh.vertices == served["ellipsoid_body"].vertices).all()


def test_a_name_that_does_not_exist_is_refused_with_near_ones(sandbox):
    with pytest.raises(NoMatchesError, match="did you mean lateral_horn_right") as caught:
        load_neuropil_mesh("lateral_horn_rigth", sandbox.dataset)
    assert caught.value.value == "lateral_horn_rigth"


def test_a_mesh_that_the_source_lacks_is_named(sandbox):
    with pytest.raises(MeshNotFound, match="no mesh of gall_left"):
        load_neuropil_mesh("gall_left", sandbox.dataset)


def test_all_neuropils_are_those_that_the_source_has_and_the_others_are_named(sandbox, served, caplog):
    meshes, absent = load_all_neuropil_meshes(sandbox.dataset)
    assert list(meshes) == [name for name in NEUROPIL_MESH_DICT.values() if name in served]
    assert absent == tuple(name for name in NEUROPIL_MESH_DICT.values() if name not in served)
    assert all((meshes[name].vertices == served[name].vertices).all() for name in served)
    assert f"lacks {len(absent)} neuropils" in caplog.text


def test_the_names_of_a_dataset_are_those_that_can_be_loaded(sandbox, served):
    names = get_supported_neuropil_mesh_labels(sandbox.dataset)
    assert names == [*(name for name in NEUROPIL_MESH_DICT.values() if name in served), "nodulus_right"]
    assert load_neuropil_meshes(names, sandbox.dataset).keys() == set(names)
    assert get_supported_neuropil_mesh_labels(source=sandbox.dataset.neuropil_source) == names


@pytest.mark.parametrize("place", ["precomputed://file:///nowhere/at/all", "precomputed://{bucket}/nothing"])
def test_an_address_without_anything_is_refused_plainly(place, sandbox):
    place = place.format(bucket=f"{sandbox.url}/gcs")
    for ask in (get_supported_neuropil_mesh_labels, load_all_neuropil_meshes, partial(load_neuropil_mesh, "gall_left")):
        with pytest.raises(SourceError, match="is no precomputed source") as caught:
            ask(source=place)
        assert caught.value.value == place
        assert "\x1b" not in str(caught.value)


def test_all_neuropils_of_a_folder_are_all_of_its_meshes(tmp_path):
    for name in ("my_own", "gall_left", "notes"):
        box().export(tmp_path / f"{name}.{'txt' if name == 'notes' else 'ply'}", file_type="ply")
    meshes, absent = load_all_neuropil_meshes(source=tmp_path)
    assert list(meshes) == ["gall_left", "my_own"]
    assert len(absent) == len(NEUROPIL_MESH_DICT) - 1
    assert "gall_left" not in absent


def test_a_source_without_any_neuropil_is_refused(tmp_path):
    with pytest.raises(NoMatchesError, match="has no neuropil"):
        load_all_neuropil_meshes(source=tmp_path)
    with pytest.raises(InvalidInput, match="there is no folder"):
        load_all_neuropil_meshes(source=tmp_path / "nowhere")


def test_a_dataset_without_neuropils_says_so():
    with pytest.raises(InvalidInput, match="has no source of neuropils"):
        load_neuropil_mesh("gall_left", "v1dd")
