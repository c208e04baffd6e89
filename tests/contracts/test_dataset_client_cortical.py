"""Exports, frames, links and cells of a dataset's client, against the sandbox. D… are defects of cortical-tools."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crant_core.access import register
from crant_core.dataset_client import DatasetClient, MinniePublicClient, V1ddClient
from crant_core.errors import ExportNotFound, InvalidInput
from crant_core.sandbox import names
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, run_sandbox

pytestmark = pytest.mark.xdist_group("dataset_client")


@pytest.fixture(scope="module")
def own():
    """A sandbox whose skeletons may be made and whose state server may be filled."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def client(own: Sandbox) -> DatasetClient:
    register(own.dataset, own.token)
    return DatasetClient.of(own.dataset)


@pytest.fixture
def root() -> int:
    return int(neurons.live_roots()[1])


class TestExports:
    def test_d7_without_a_path_the_error_says_how_to_set_one(self, client):
        with pytest.raises(InvalidInput, match="set_export_cloudpath"):
            _ = client.exports

    def test_every_table_of_every_version_is_listed(self, client, own):
        client.set_export_cloudpath(own.control("GET", "world")["exports"])
        assert names.SYNAPSES in client.exports.available_tables
        assert client.exports.available_versions(names.SYNAPSES) == [1, 2, 3]

    # D1, D3: not a row lost, and the positions in nm, as the server gives them
    @pytest.mark.parametrize("over_http", [False, True])
    def test_d1_d3_an_export_equals_the_query_in_nm(self, client, own, over_http):
        folder = f"{own.url}/gcs/exports/{names.DATASTACK}" if over_http else own.control("GET", "world")["exports"]
        client.set_export_cloudpath(folder)
        found = client.exports.get_table(names.NUCLEI, 3).set_index("id").sort_index()
        queried = (
            client.cave.materialize.query_table(
                names.NUCLEI, materialization_version=3, desired_resolution=[1, 1, 1], split_positions=True
            )
            .set_index("id")
            .sort_index()
        )
        assert found.index.tolist() == queried.index.tolist()
        assert found.pt_root_id.tolist() == queried.pt_root_id.tolist()
        for axis in "xyz":
            assert np.allclose(found[f"pt_position_{axis}"], queried[f"pt_position_{axis}"])

    def test_a_site_that_cannot_list_says_what_works_instead(self, client, own):
        client.set_export_cloudpath(f"{own.url}/gcs/exports/{names.DATASTACK}")
        with pytest.raises(InvalidInput, match="get_table"):
            _ = client.exports.available_tables
        with pytest.raises(ExportNotFound):
            client.exports.get_table("nothing", 3)


class TestSkeletons:
    # D22: the unit of cortical-tools' cells depends on an argument, and nothing says which it is
    def test_d22_cells_say_their_unit_and_frame(self, client, root):
        cell = client.get_skeleton(root)
        assert {key: cell.meta[key] for key in ("units", "frame", "transform_version", "root_id")} == {
            "units": "nm",
            "frame": "dataset",
            "transform_version": None,
            "root_id": root,
        }

    # D22: radii stay nm in µm
    def test_d22_radii_are_moved_with_the_coordinates(self, client, root):
        import standard_transform as st

        moving = DatasetClient(caveclient=client.cave, dataset_transform=st.minnie_ds)
        plain, moved = client.get_skeleton(root, False), moving.get_skeleton(root, False, transform="rigid")
        ratio = np.asarray(plain.skeleton.features["radius"]) / np.asarray(moved.skeleton.features["radius"])
        assert np.allclose(ratio, 1000)
        assert plain.skeleton.cable_length() / moved.skeleton.cable_length() == pytest.approx(1000, rel=1e-6)
        assert (moved.meta["units"], moved.meta["transform_version"]) == ("um", "1.4")

    def test_a_streamlines_frame_is_beside_the_root_and_as_deep_as_the_rigid_one(self, client, root):
        import standard_transform as st

        moving = DatasetClient(caveclient=client.cave, dataset_transform=st.v1dd_ds)
        rigid, along = (moving.get_skeleton(root, False, transform=kind) for kind in ("rigid", "streamline"))
        assert np.allclose(rigid.skeleton.vertices[:, 1], along.skeleton.vertices[:, 1])
        assert np.allclose(along.skeleton.root_location[[0, 2]], 0, atol=1e-3)
        assert along.meta["frame"] == "v1dd streamline"

    def test_a_kind_of_frame_that_is_none_is_an_error(self, client, root):
        import standard_transform as st

        with pytest.raises(InvalidInput, match="rigid, streamline"):
            DatasetClient(caveclient=client.cave, dataset_transform=st.v1dd_ds).get_skeleton(root, transform="bent")

    # D17: cortical-tools' graph has made-up places where the cache has none
    def test_d17_chunks_without_a_place_are_not_a_number(self, client, root):
        cell = client.get_skeleton(root, False)
        features = client.get_l2data(cell.graph.vertex_index)
        assert np.array_equal(
            np.asarray(cell.graph.vertices), features[[f"rep_coord_nm_{axis}" for axis in "xyz"]], equal_nan=True
        )

    def test_partners_are_kept_and_autapses_are_not(self, client, root):
        cell = client.get_skeleton(root)
        when = cell.meta["timestamp"]
        for side, other in (("pre", "post"), ("post", "pre")):
            rows = client.query_synapses([root], timestamp=when, **{side: True})
            layer = cell.annotations[f"{side}_syn"]
            assert sorted(layer.vertex_index) == sorted(rows["id"])
            partners = layer.nodes[f"{other}_pt_root_id"]
            assert partners.loc[rows["id"]].tolist() == rows[f"{other}_pt_root_id"].tolist()
            assert partners.dtype.kind in "iu"

    def test_the_graph_has_edges_if_they_are_asked_for(self, client, root):
        assert len(client.get_skeleton(root, False).graph.edges) == 0
        assert len(client.get_skeleton(root, False, restore_graph=True).graph.edges) > 0

    def test_navis_sees_the_same_tree(self, client, root):
        from crant_core.dataset_client.ossified import to_navis

        cell = client.get_skeleton(root, False)
        neuron = to_navis(cell)
        assert neuron.n_trees == 1
        assert neuron.cable_length == pytest.approx(cell.skeleton.cable_length(), rel=1e-4)
        assert neuron.id == root
        assert str(neuron.units) == "1 nanometer"

    def test_a_transform_of_a_dataset_without_a_frame_is_an_error(self, client, root):
        with pytest.raises(InvalidInput, match="no oriented frame"):
            client.get_skeleton(root, transform="rigid")


# D7: what is not configured is None in cortical-tools
def test_d7_presets_have_their_frames_and_others_say_that_they_have_none(client):
    assert MinniePublicClient().space.name == "minnie65"
    assert V1ddClient().dataset_transform.name == "v1dd"
    with pytest.raises(InvalidInput, match="no oriented frame"):
        _ = client.space


class TestLinks:
    def test_a_link_shows_the_neurons(self, client, root):
        scene = client.neuroglancer_viewer([root]).to_dict()
        [layer] = [one for one in scene["layers"] if one["name"] == "segmentation"]
        assert layer["segments"] == [str(root)]
        assert client.neuroglancer_url("https://example.org", root_ids=[root]).startswith("https://example.org")

    def test_a_short_link_names_a_scene_that_is_kept(self, client, own, root):
        url = client.neuroglancer_url(own.url, shorten=True, root_ids=[root])
        number = int(url.rstrip("/").rsplit("/", 1)[-1])
        assert str(root) in json.dumps(client.cave.state.get_state_json(number))

    def test_properties_of_segments_are_a_source_of_their_layer(self, client, own, root):
        properties = {"@type": "neuroglancer_segment_properties", "inline": {"ids": [str(root)], "properties": []}}
        scene = client.neuroglancer_viewer([root], properties).to_dict()
        [layer] = [one for one in scene["layers"] if one["name"] == "segmentation"]
        assert "property" in json.dumps(layer["source"])
