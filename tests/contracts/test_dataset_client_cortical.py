"""Exports, frames, links and cells of a dataset's client, against the sandbox. D… are defects of cortical-tools."""

from __future__ import annotations

import json
from importlib.metadata import version

import numpy as np
import pytest

from crant_core.access import register
from crant_core.dataset_client import DatasetClient, MinniePublicClient, V1ddClient, to_navis
from crant_core.errors import ExportNotFound, InvalidInput, InvalidParameters
from crant_core.exports.voxels import voxels_of
from crant_core.sandbox import names
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, run_sandbox


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


@pytest.fixture(scope="module")
def notes(own: Sandbox) -> None:
    """A table that says something about every other synapse, as of now."""
    register(own.dataset, own.token)
    client = DatasetClient.of(own.dataset)
    root = int(neurons.live_roots()[1])
    ids = client.query_synapses([root], pre=True, post=True, live=True)["id"].tolist()[::2]
    annotation = client.cave.annotation
    annotation.create_table(
        table_name="notes",
        schema_name="reference_tag",
        description="for a test",
        voxel_resolution=[1, 1, 1],
        reference_table=names.SYNAPSES,
    )
    annotation.post_annotation("notes", [{"tag": "noted", "target_id": one} for one in ids])


class TestExports:
    def test_d7_without_a_path_the_error_says_how_to_set_one(self, own):
        nowhere = DatasetClient.of(own.dataset.model_copy(update={"export_source": None}))
        with pytest.raises(InvalidInput, match="set_export_cloudpath"):
            _ = nowhere.exports

    def test_a_dataset_that_knows_where_it_exports_needs_no_path(self, client, own):
        assert client.exports.cloudpath == own.dataset.export_source
        assert MinniePublicClient().exports.cloudpath == "gs://mat_dbs/public/minnie65_phase3_v1"
        assert V1ddClient().exports.cloudpath == "gs://cave_annotation_bucket/public/v1dd"

    def test_every_table_of_every_version_is_listed(self, client, own):
        client.set_export_cloudpath(own.control("GET", "world")["exports"])
        assert names.SYNAPSES in client.exports.available_tables
        assert client.exports.available_versions(names.SYNAPSES) == [1, 2, 3]

    # D1, D3: not a row lost, and the positions in nm, as the server gives them
    @pytest.mark.parametrize("over_http", [False, True])
    @pytest.mark.parametrize("table", [names.NUCLEI, names.SYNAPSES])  # of different voxels
    def test_d1_d3_an_export_equals_the_query_in_nm(self, client, own, over_http, table):
        if not over_http:
            client.set_export_cloudpath(own.control("GET", "world")["exports"])
        found = client.exports.get_table(table, 3).set_index("id").sort_index()
        queried = (
            client.cave.materialize.query_table(
                table, materialization_version=3, desired_resolution=[1, 1, 1], split_positions=True
            )
            .set_index("id")
            .sort_index()
        )
        assert found.index.tolist() == queried.index.tolist()
        roots = [name for name in found if name.endswith("_root_id")]
        places = [name for name in found if "_position_" in name]
        assert roots
        assert places
        for name in roots:
            assert found[name].tolist() == queried[name].tolist()
        assert np.allclose(found[places].to_numpy(float), queried[places].to_numpy(float))

    def test_what_positions_count_is_known_of_tables_views_and_joined_exports(self, client):
        known = {
            names.SYNAPSES: (1, 1, 1),
            names.NUCLEI: (8, 8, 42),
            f"{names.NUCLEI}_merged": (8, 8, 42),
            f"{names.SYNAPSES}__some_segmentation": (1, 1, 1),
            "nucleus_detection_lookup_v1": (8, 8, 42),
            "dropped_long_ago": None,
        }
        assert {name: voxels_of(client._source, name) for name in known} == known

    def test_a_site_that_cannot_list_says_what_works_instead(self, client):
        with pytest.raises(InvalidInput, match="get_table"):
            _ = client.exports.available_tables
        with pytest.raises(ExportNotFound):
            client.exports.get_table("nothing", 3)


class TestSkeletons:
    # D22: the unit of cortical-tools' cells depends on an argument, and nothing says which it is
    def test_d22_cells_say_their_unit_and_frame(self, client, root):
        cell = client.get_skeleton(root)
        assert {
            key: cell.meta[key] for key in ("units", "frame", "transform_version", "standard_transform", "root_id")
        } == {
            "units": "nm",
            "frame": "dataset",
            "transform_version": None,
            "standard_transform": None,
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
        assert moved.meta["standard_transform"] == version("standard-transform")

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

    def test_chunks_are_where_the_cache_has_them(self, client, root):
        cell = client.get_skeleton(root, False)
        features = client.get_l2data(cell.graph.vertex_index)
        places = features[[f"rep_coord_nm_{axis}" for axis in "xyz"]]
        assert np.array_equal(np.asarray(cell.graph.vertices), places, equal_nan=True)

    # D17: cortical-tools' graph has made-up places where the cache has none
    @pytest.mark.parametrize("restore_properties", [False, True])
    def test_d17_a_chunk_that_the_cache_lacks_is_not_a_number_and_no_other_moves(
        self, client, own, root, restore_properties
    ):
        whole = client.get_skeleton(root, False)
        lost = int(whole.graph.vertex_index[3])
        known = client.get_l2data(whole.graph.vertex_index, as_dataframe=False)
        body = {str(one): {} if one == lost else features for one, features in known.items()}
        own.control("POST", "fault", {"pattern": "/l2cache/", "status": 200, "body": body, "times": 1})
        cell = client.get_skeleton(root, False, restore_properties=restore_properties)
        places, before = np.asarray(cell.graph.vertices), np.asarray(whole.graph.vertices)
        assert np.isnan(places[3]).all()
        assert np.array_equal(np.delete(places, 3, axis=0), np.delete(before, 3, axis=0))
        assert np.array_equal(cell.skeleton.vertices, whole.skeleton.vertices)
        if restore_properties:
            assert cell.graph.nodes.loc[lost].drop(["rep_coord_nm_x", "rep_coord_nm_y", "rep_coord_nm_z"]).isna().all()

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
        cell = client.get_skeleton(root, False)
        neuron = to_navis(cell)
        assert neuron.n_trees == 1
        assert neuron.cable_length == pytest.approx(cell.skeleton.cable_length(), rel=1e-4)
        assert neuron.id == root
        assert str(neuron.units) == "1 nanometer"
        assert not neuron.has_connectors

    @pytest.mark.parametrize("transform", [None, "rigid"])
    def test_navis_sees_the_same_synapses(self, client, root, transform):
        import standard_transform as st

        moving = DatasetClient(caveclient=client.cave, dataset_transform=st.minnie_ds)
        cell = moving.get_skeleton(root, transform=transform)
        neuron = to_navis(cell)
        found = neuron.connectors
        columns = ["connector_id", "x", "y", "z", "type", "partner_id", "node_id", "synapse_id"]
        assert (list(found), found.connector_id.tolist()) == (columns, list(range(len(found))))
        for side, other in (("pre", "post"), ("post", "pre")):
            layer, mine = cell.annotations[f"{side}_syn"], found[found.type == side].set_index("synapse_id")
            assert len(mine) > 0
            assert sorted(mine.index) == sorted(layer.vertex_index)
            assert mine.partner_id.loc[layer.vertex_index].tolist() == layer.nodes[f"{other}_pt_root_id"].tolist()
            assert np.allclose(mine.loc[layer.vertex_index, ["x", "y", "z"]], layer.vertices)
        nodes = neuron.nodes.set_index("node_id").loc[found.node_id, ["x", "y", "z"]].to_numpy()
        far = np.linalg.norm(nodes - found[["x", "y", "z"]].to_numpy(), axis=1) * (1 if transform is None else 1000)
        assert np.median(far) < 5_000  # nm: a synapse is at the node of its own L2 chunk

    @pytest.mark.parametrize("named", ["synapse_reference_tables", "reference_tables"])
    @pytest.mark.parametrize("given", ["notes", ["notes"], {"pre": "notes"}])
    def test_what_other_tables_say_about_synapses_is_with_them(self, client, notes, root, named, given):
        cell = client.get_skeleton(root, **{named: given})
        when = cell.meta["timestamp"]
        for side in ("pre", "post"):
            layer = cell.annotations[f"{side}_syn"]
            if side == "post" and isinstance(given, dict):
                assert "tag" not in layer.nodes
                continue
            rows = client.query_synapses([root], reference_tables="notes", timestamp=when, **{side: True})
            assert layer.nodes["tag"].loc[rows["id"]].fillna("").tolist() == rows["tag"].fillna("").tolist()
            assert (rows["tag"] == "noted").any()

    def test_tables_under_both_names_or_of_no_side_are_errors(self, client, root):
        with pytest.raises(InvalidParameters, match="reference_tables"):
            client.get_skeleton(root, True, False, True, ["notes"], reference_tables=["notes"])
        with pytest.raises(InvalidParameters, match="no side"):
            client.get_skeleton(root, reference_tables={"both": "notes"})

    def test_a_transform_of_a_dataset_without_a_frame_is_an_error(self, client, root):
        with pytest.raises(InvalidInput, match="no oriented frame"):
            client.get_skeleton(root, transform="rigid")


# D7: what is not configured is None in cortical-tools
def test_d7_presets_have_their_frames_and_others_say_that_they_have_none(client):
    assert MinniePublicClient().space.name == "minnie65"
    assert V1ddClient().dataset_transform.name == "v1dd"
    assert DatasetClient("minnie65_public").space.name == "minnie65"
    framed = client._described.model_copy(update={"oriented_frame": "v1dd_ds"})
    assert DatasetClient.of(framed).space.name == "v1dd"
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
        url = client.neuroglancer_url(own.url, shorten=True, root_ids=[root], seg_prop=properties)
        number = int(url.rstrip("/").rsplit("/", 1)[-1])
        assert "property" in json.dumps(client.cave.state.get_state_json(number))

    def test_a_link_is_copied_and_given_if_that_is_asked_for(self, client, root, monkeypatch):
        copied: list[str] = []
        monkeypatch.setattr("pyperclip.copy", copied.append)
        plain = client.neuroglancer_url("https://example.org", root_ids=[root])
        assert copied == []
        assert client.neuroglancer_url("https://example.org", clipboard=True, root_ids=[root]) == plain
        assert copied == [plain]
