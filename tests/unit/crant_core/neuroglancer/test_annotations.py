from __future__ import annotations

import json
from copy import deepcopy

import navis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.errors import InvalidInput
from crant_core.neuroglancer import add_annotation_layer, add_skeleton_layer, decode_url, encode_url, scene_to_url

NODES = [(1, -1, 800, 800, 4200), (2, 1, 1600, 800, 4200), (3, 2, 1604, 808, 4242), (7, 1, 0, 0, 0)]
SCENE = {"dimensions": {"x": [8e-9, "m"], "y": [8e-9, "m"], "z": [4.2e-8, "m"]}, "layers": []}


def entries(scene) -> list[dict]:
    return scene["layers"][-1]["annotations"]


def skeleton(nodes, **more) -> navis.TreeNeuron:
    table = pd.DataFrame(nodes, columns=["node_id", "parent_id", "x", "y", "z"]).assign(radius=0)
    return navis.TreeNeuron(table, **more)


class TestAnnotations:
    def test_points(self):
        scene = add_annotation_layer(np.array([[1, 2, 3], [4.5, 5, 6]]), SCENE, "mine")
        assert scene["layers"][-1]["type"] == "annotation"
        assert scene["layers"][-1]["name"] == "mine"
        assert entries(scene) == [
            {"point": [1, 2, 3], "type": "point", "id": "0"},
            {"point": [4.5, 5, 6], "type": "point", "id": "1"},
        ]

    def test_lines(self):
        scene = add_annotation_layer([[[1, 2, 3], [4, 5, 6]]], SCENE)
        assert entries(scene) == [{"pointA": [1, 2, 3], "pointB": [4, 5, 6], "type": "line", "id": "0"}]

    def test_ellipsoids(self):
        scene = add_annotation_layer([[1, 2, 3, 10]], SCENE)
        assert entries(scene) == [{"center": [1, 2, 3], "radii": [10, 10, 10], "type": "ellipsoid", "id": "0"}]

    def test_connected_points_are_a_path(self):  # the peer ignores it
        scene = add_annotation_layer([[0, 0, 0], [1, 1, 1], [2, 2, 2]], SCENE, connected=True)
        assert [(one["pointA"], one["pointB"]) for one in entries(scene)] == [
            ([0, 0, 0], [1, 1, 1]),
            ([1, 1, 1], [2, 2, 2]),
        ]

    @pytest.mark.parametrize(
        "points", [pd.Series([[1, 2, 3], [4, 5, 6]]), ((1, 2, 3), (4, 5, 6)), pd.DataFrame([[1, 2, 3], [4, 5, 6]])]
    )
    def test_points_in_any_form(self, points):
        assert [one["point"] for one in entries(add_annotation_layer(points, SCENE))] == [[1, 2, 3], [4, 5, 6]]

    def test_one_point_and_none(self):
        assert len(entries(add_annotation_layer([1, 2, 3], SCENE))) == 1
        assert entries(add_annotation_layer([], SCENE)) == []

    def test_the_callers_scene_stays_as_it_is(self):  # D16: the peer appends to the caller's list of layers
        before = deepcopy(SCENE)
        first = add_annotation_layer([1, 2, 3], SCENE)
        add_annotation_layer([4, 5, 6], first)
        assert before == SCENE
        assert len(first["layers"]) == 1

    def test_the_same_call_makes_the_same_scene(self):  # the peer's ids are random
        assert add_annotation_layer([[1, 2, 3]], SCENE) == add_annotation_layer([[1, 2, 3]], SCENE)

    def test_ids_within_a_layer_differ(self):
        ids = [one["id"] for one in entries(add_annotation_layer(np.zeros((50, 3)), SCENE))]
        assert len(set(ids)) == 50

    def test_layers_of_one_name_get_numbers(self):
        scene = add_annotation_layer([1, 2, 3], add_annotation_layer([1, 2, 3], add_annotation_layer([1, 2, 3], SCENE)))
        assert [layer["name"] for layer in scene["layers"]] == ["annotations", "annotations 2", "annotations 3"]

    def test_the_layer_says_in_which_voxels_it_counts(self):
        source = add_annotation_layer([1, 2, 3], SCENE, dataset="minnie65_public")["layers"][0]["source"]
        assert source["transform"]["outputDimensions"] == {"x": [4e-9, "m"], "y": [4e-9, "m"], "z": [4e-8, "m"]}
        source = add_annotation_layer([1, 2, 3], SCENE)["layers"][0]["source"]
        assert source["transform"]["outputDimensions"] == SCENE["dimensions"]

    @pytest.mark.parametrize("wrong", [[[1, 2]], [[1, 2, np.nan]], "abc", 5, [[1, 2, "x"]], np.zeros((2, 2, 2))])
    def test_other_shapes_are_refused(self, wrong):
        with pytest.raises(InvalidInput, match="no annotations"):
            add_annotation_layer(wrong, SCENE)

    def test_only_points_are_connected(self):
        with pytest.raises(InvalidInput, match="only points"):
            add_annotation_layer([[1, 2, 3, 4]], SCENE, connected=True)

    def test_what_is_no_scene_is_refused(self):
        with pytest.raises(InvalidInput, match="str is no scene"):
            add_annotation_layer([1, 2, 3], "scene")
        with pytest.raises(InvalidInput, match="layers are no list"):
            add_annotation_layer([1, 2, 3], {"layers": {"a": 1}})


class TestSkeletons:
    def test_lines_go_from_each_node_to_its_parent_in_voxels(self):
        scene = add_skeleton_layer(skeleton(NODES, units="1 nm"), SCENE, "s")
        lines = {tuple(map(tuple, (one["pointA"], one["pointB"]))) for one in entries(scene)}
        assert lines == {
            ((200, 100, 100), (100, 100, 100)),
            ((200.5, 101, 101), (200, 100, 100)),
            ((0, 0, 0), (100, 100, 100)),
        }

    def test_a_table_of_nodes_will_do(self):
        table = skeleton(NODES).nodes[["node_id", "parent_id", "x", "y", "z"]]
        assert entries(add_skeleton_layer(table, SCENE)) == entries(add_skeleton_layer(skeleton(NODES), SCENE))

    @pytest.mark.parametrize(("units", "factor"), [("8 nm", 8), ("1 um", 1000), (None, 1)])
    def test_units_of_the_neuron_count(self, units, factor):
        scene = add_skeleton_layer(skeleton([(1, -1, 0, 0, 0), (2, 1, 42, 84, 42)], units=units), SCENE)
        place = [round(42 * factor / 8, 1), round(84 * factor / 8, 1), factor]
        assert entries(scene)[0]["pointA"] == pytest.approx(place)

    def test_another_datasets_voxels(self):
        scene = add_skeleton_layer(skeleton([(1, -1, 0, 0, 0), (2, 1, 40, 40, 40)]), SCENE, dataset="minnie65_public")
        assert entries(scene)[0]["pointA"] == [10, 10, 1]
        assert scene["layers"][0]["source"]["transform"]["outputDimensions"]["z"] == [4e-8, "m"]

    def test_the_layer_takes_the_neurons_name(self):
        neuron = skeleton(NODES, name="O'Brien")
        assert add_skeleton_layer(neuron, SCENE)["layers"][0]["name"] == "O'Brien"
        assert add_skeleton_layer(neuron.nodes, SCENE)["layers"][0]["name"] == "skeleton"

    def test_neither_the_scene_nor_the_neuron_is_changed(self):
        before, neuron = deepcopy(SCENE), skeleton(NODES)
        nodes = neuron.nodes.copy()
        add_skeleton_layer(neuron, SCENE)
        assert before == SCENE
        pd.testing.assert_frame_equal(neuron.nodes, nodes)

    def test_a_real_one_is_json(self):
        neuron = navis.example_neurons(1, kind="skeleton")
        scene = add_skeleton_layer(neuron, SCENE)
        assert len(entries(scene)) == len(neuron.nodes) - len(neuron.root)
        json.dumps(scene, allow_nan=False)

    def test_a_list_of_one_will_do_but_not_of_two(self):
        neuron = skeleton(NODES)
        assert add_skeleton_layer(navis.NeuronList([neuron]), SCENE) == add_skeleton_layer(neuron, SCENE)
        with pytest.raises(InvalidInput, match="NeuronList is no skeleton"):
            add_skeleton_layer(navis.NeuronList([neuron, neuron]), SCENE)

    def test_a_missing_parent_or_column_is_refused(self):
        table = pd.DataFrame({"node_id": [1, 2], "parent_id": [-1, 9], "x": 0, "y": 0, "z": 0})
        with pytest.raises(InvalidInput, match="no node 9"):
            add_skeleton_layer(table, SCENE)
        with pytest.raises(InvalidInput, match="no column parent_id"):
            add_skeleton_layer(table.drop(columns="parent_id"), SCENE)


class TestNames:
    """A name is what was typed; only where nobody gave one there is another."""

    @settings(max_examples=50)
    @given(st.text())
    def test_whatever_is_typed_comes_back_from_the_link(self, name):
        scene = add_skeleton_layer(skeleton(NODES), add_annotation_layer([1, 2, 3], SCENE, name), "lines")
        found = decode_url(scene_to_url(scene, dataset="latest"))["layers"]
        assert [layer["name"] for layer in found][-2] == name

    def test_no_letter_at_all_is_a_name_too(self):
        assert add_annotation_layer([1, 2, 3], SCENE, "")["layers"][-1]["name"] == ""
        assert add_annotation_layer([1, 2, 3], SCENE)["layers"][-1]["name"] == "annotations"
        named = skeleton(NODES, name="O'Brien")
        assert add_skeleton_layer(named, SCENE, "")["layers"][-1]["name"] == ""
        url = encode_url(annotations={"": [1, 2, 3]}, skeletons=[named, named], skeleton_names="", dataset="latest")
        assert [layer["name"] for layer in decode_url(url)["layers"]][-3:] == ["", " 2", " 3"]


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_node_without_a_position_is_named_before_it_spoils_a_link(axis):
    table = pd.DataFrame(NODES, columns=["node_id", "parent_id", "x", "y", "z"]).astype({axis: float})
    table.loc[2, axis] = np.nan
    with pytest.raises(InvalidInput, match="node 3 of the skeleton"):
        add_skeleton_layer(table, SCENE)
