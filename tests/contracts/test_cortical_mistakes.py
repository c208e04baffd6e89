"""What people who know cortical-tools get wrong: an error of this project that says so, and never a false answer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pyperclip
import pytest

from crant_core.cautions import OutdatedRootWarning
from crant_core.dataset_client import DatasetClient, MeshClient, to_navis
from crant_core.errors import (
    InvalidId,
    InvalidInput,
    InvalidParameters,
    NotInstalled,
    SourceError,
    SourceUnavailable,
    TableNotFound,
    WrongType,
)
from crant_core.registry import register
from tests.fixtures.neurons import live_roots, roots_at
from tests.fixtures.sandbox import Sandbox, run_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """An offline CAVE that this module's tests write into."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> DatasetClient:
    return DatasetClient.of(register(sandbox.dataset, sandbox.token))


@pytest.fixture
def root() -> int:
    return roots_at(3)[0]


def entries(sandbox: Sandbox, word: str) -> int:
    return sum(word in entry["path"] for entry in sandbox.control("GET", "log")["entries"])


class TestClients:
    @pytest.mark.parametrize("wrong", [5, "minnie65_public", object()], ids=["number", "name", "object"])
    def test_what_is_no_client_is_refused_at_once(self, client, wrong):
        with pytest.raises(WrongType, match="no client"):
            DatasetClient(caveclient=wrong)
        with pytest.raises(WrongType, match="no client"):
            MeshClient(wrong)
        with pytest.raises(WrongType, match="no client"):
            client.root_id_to_cell_id([1], client=wrong)

    def test_what_is_no_name_is_refused_at_once(self):
        with pytest.raises(InvalidInput, match="no datastack"):
            DatasetClient(5)

    @pytest.mark.parametrize("wrong", [True, 2.0, "3", None])
    def test_what_is_no_version_is_refused(self, client, wrong):
        with pytest.raises(InvalidInput, match="no version"):
            client.version = wrong
        with pytest.raises(InvalidInput, match="no version"):
            client.version_timestamp(wrong if wrong is not None else "")

    def test_they_show_what_they_are_in_a_line(self, client):
        assert repr(client.mesh) == "MeshClient(crant_demo)"
        assert repr(MeshClient(cv_path="precomputed://x")) == "MeshClient(cv_path='precomputed://x')"


class TestChunks:
    def test_ids_that_are_none_of_l2_chunks_have_no_features(self, client, root):
        for wrong in (root, 7):
            with pytest.raises(InvalidId, match="no L2 id"):
                client.get_l2data([wrong])

    def test_one_feature_may_be_a_text(self, client, root):
        l2_ids = client.get_l2_ids(root)[:2]
        assert list(client.get_l2data(l2_ids, attributes="size_nm3")) == ["size_nm3"]


class TestSynapses:
    def test_outdated_roots_have_no_synapses_and_that_is_said(self, client, sandbox, root):
        outdated = next(one for one in roots_at(2) if one not in roots_at(3))
        with pytest.warns(OutdatedRootWarning, match=str(outdated)):
            assert client.query_synapses([outdated, 123, root], pre=True)["pre_pt_root_id"].unique().tolist() == [root]
        sandbox.control("DELETE", "log")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            client.query_synapses(root, pre=True, post=True)
        assert entries(sandbox, "is_latest") == 0

    @pytest.mark.parametrize("live", [False, True])
    def test_tables_that_are_not_there_are_named_with_those_nearest(self, client, root, live):
        with pytest.raises(TableNotFound, match="synapses_v2") as caught:
            client.query_synapses(live_roots()[0] if live else root, pre=True, synapse_table="synapse_v2", live=live)
        assert len(str(caught.value)) < 200
        with pytest.raises(TableNotFound, match="doubt"):
            client.query_synapses(root, pre=True, reference_tables="doubt")

    def test_a_suffix_for_another_table_is_refused(self, client, root):
        with pytest.raises(InvalidParameters, match="'cel_info'"):
            client.query_synapses(root, pre=True, reference_tables="cell_info", suffixes={"cel_info": "_x"})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"resolution": "nm"},
            {"resolution": 4},
            {"resolution": [4, 4]},
            {"batch_size": 1.5},
            {"batch_size": True},
            {"batch_size": 0},
            {"suffixes": 5},
            {"parts": []},
        ],
        ids=str,
    )
    def test_numbers_and_units_that_are_none_are_refused(self, client, root, wrong):
        with pytest.raises(InvalidParameters):
            client.query_synapses(root, pre=True, **wrong)


class TestSkeletons:
    @pytest.mark.parametrize("wrong", [99, "4", 4.5, True])
    def test_versions_that_there_are_not_are_refused(self, client, root, wrong):
        with pytest.raises(InvalidParameters, match="no version of skeletons"):
            client.get_skeleton(root, skeleton_version=wrong)
        with pytest.raises(InvalidParameters, match="no version of skeletons"):
            client.skeletons_exist(wrong, root)

    def test_a_cell_that_does_not_say_what_it_is_has_no_neuron(self, client):
        cell = client.get_skeleton(live_roots()[0], synapses=False)
        for lost in ("units", "root_id"):
            told = SimpleNamespace(meta={key: value for key, value in cell.meta.items() if key != lost})
            with pytest.raises(InvalidInput, match="whose it is"):
                to_navis(told)
        for wrong in (None, 5, "cell"):
            with pytest.raises(WrongType, match="no cell"):
                to_navis(wrong)


class TestLinks:
    def test_without_a_clipboard_the_link_is_not_lost(self, client, monkeypatch):
        def nowhere(text: str) -> None:
            raise pyperclip.PyperclipException("none")

        monkeypatch.setattr(pyperclip, "copy", nowhere)
        with pytest.raises(NotInstalled, match="clipboard=True") as caught:
            client.neuroglancer_url(clipboard=True)
        assert caught.value.value == client.neuroglancer_url()


class TestMeshes:
    def test_a_path_where_nothing_is_is_an_error_of_ours(self, tmp_path):
        with pytest.raises(SourceError, match="no volume"):
            MeshClient(cv_path=f"precomputed://file://{tmp_path}").get_mesh(live_roots()[0])

    def test_a_site_that_does_not_answer_may_be_tried_again(self, monkeypatch):
        monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
        with pytest.raises(SourceUnavailable, match="did not answer"):
            MeshClient(cv_path="precomputed://http://127.0.0.1:9/x").get_mesh(live_roots()[0])

    @pytest.mark.parametrize("factor", [1e-3, 1 / 4000])
    def test_a_surface_in_another_unit_has_no_map_of_nothing(self, client, factor):
        mesh = client.mesh.get_mesh(live_roots()[0])
        with pytest.raises(InvalidParameters, match="vertices are nm"):
            client.mesh.compute_vertex_to_l2_mapping(live_roots()[0], mesh.vertices * factor, mesh.faces)

    @pytest.mark.parametrize("wrong", [2.5, True, "5"])
    def test_a_limit_that_is_no_number_of_edges_is_refused(self, client, wrong):
        with pytest.raises(InvalidParameters, match="hop_limit"):
            client.mesh.compute_vertex_to_l2_mapping(live_roots()[0], hop_limit=wrong)

    @pytest.mark.parametrize("name", ["max_distance", "ratio_better", "path_limit", "mesh_kwargs"])
    def test_a_limit_that_is_no_number_is_named(self, client, name):
        with pytest.raises(InvalidParameters, match=name):
            client.mesh.compute_vertex_to_l2_mapping(live_roots()[0], **{name: "x"})

    def test_meshes_go_into_a_mapping(self, client):
        with pytest.raises(InvalidParameters, match="into"):
            client.mesh.get_meshes(live_roots(), into=[])

    def test_l2_ids_alone_are_enough(self, client):
        root = live_roots()[0]
        expected, assigner = client.mesh.compute_vertex_to_l2_mapping(root, return_assigner=True)
        found = client.mesh.compute_vertex_to_l2_mapping(root, lvl2_ids=client.get_l2_ids(root)[::-1])
        assert np.array_equal(found, expected)
        assert len(repr(assigner)) < 400


class TestServices:
    def test_skeletons_that_exist_are_told_by_root_or_of_the_one(self, client):
        roots = live_roots()
        found = client.skeletons_exist(root_ids=[*roots, roots[0]])
        assert list(found) == roots
        assert found[roots[0]] is client.skeletons_exist(root_ids=roots[0])
        assert set(found.values()) == {True, False}
        assert client.skeletons_exist(root_ids=roots[:1]) == {roots[0]: found[roots[0]]}
        assert client.skeletons_exist(root_ids=[]) == {}

    def test_what_is_no_scene_is_not_kept(self, client):
        for wrong in (None, [], "scene"):
            with pytest.raises(InvalidInput, match="no scene"):
                client.upload_state_json(wrong)

    def test_scenes_are_kept_and_come_back(self, client):
        number = client.upload_state_json({"layers": [], "title": "mine"})
        assert client.get_state_json(number)["title"] == "mine"

    def test_options_that_volumes_do_not_have_are_no_trouble_with_the_server(self, client):
        for opened in (client.image_cloudvolume, client.segmentation_cloudvolume):
            with pytest.raises(InvalidInput, match="scale"):
                opened(scale=1)

    def test_volumes_are_opened(self, client):
        volume = client.segmentation_cloudvolume(progress=False)
        assert volume.meta.server_url in client.segmentation_source()
        assert client.image_source().endswith(client.image_cloudvolume(progress=False).meta.cloudpath)

    def test_staged_annotations_are_uploaded(self, client):
        options = {"schema_name": "bound_tag", "description": "for a test", "voxel_resolution": [1, 1, 1]}
        client.cave.annotation.create_table(table_name="tags", **options)
        staged = client.stage_annotations("tags")
        staged.add(tag="here", pt_position=[1, 2, 3])
        assert len(client.upload_staged_annotations(staged)) == 1
