"""Links that need no server: scenes written into them, and read from them."""

from __future__ import annotations

import json
import sys
import types
from copy import deepcopy
from urllib.parse import quote, unquote

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core.errors import InvalidId, InvalidInput, NotInstalled, WrongType
from crant_core.neuroglancer import construct_scene, decode_url, encode_url, neurons_to_url, scene_to_url

A, B, C = 576460752641833774, 576460752777916050, 576460752664524086


def neurons_in(url: str) -> dict:
    [layer] = [layer for layer in decode_url(url)["layers"] if layer["name"] == "proofreadable seg"]
    return layer


def layer_names(url: str) -> list[str]:
    return [layer["name"] for layer in decode_url(url)["layers"]]


class TestWriting:
    def test_a_link_is_a_site_and_percent_encoded_json(self):
        scene = {"layers": [], "position": [1, 2, 3]}
        site, _, text = scene_to_url(scene, dataset="latest").partition("/#!")
        assert site == "https://spelunker.cave-explorer.org"
        assert json.loads(unquote(text)) == scene
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%-_.~/:,")

    def test_base_neuroglancer_is_googles_site(self):
        assert scene_to_url({"layers": []}, True).startswith("https://neuroglancer-demo.appspot.com/#!%7B")

    @pytest.mark.parametrize(
        "name", ["O'Brien's", "True story", "it is False", 'a "quote"', "a_b,c&d", "100 %", "ä//b#!"]
    )
    def test_names_survive(self, name):  # D16: the peer replaces apostrophes and the words True and False
        scene = {"layers": [{"type": "annotation", "name": name, "annotations": []}], "flag": True, "other": False}
        assert decode_url(scene_to_url(scene)) == scene

    def test_ids_that_javascript_would_round_become_strings(self):
        scene = {"layers": [{"type": "segmentation", "segments": [A, np.int64(B), 5], "segmentColors": {A: "#ff0000"}}]}
        [layer] = decode_url(scene_to_url(scene))["layers"]
        assert layer == {"type": "segmentation", "segments": [str(A), str(B), 5], "segmentColors": {str(A): "#ff0000"}}

    def test_numpys_values_and_tuples_are_written(self):
        scene = {
            "layers": [],
            "position": np.array([1.5, 2, 3]),
            "a": np.float32(0.5),
            "b": np.bool_(True),
            "c": (1, 2),
        }
        assert decode_url(scene_to_url(scene)) == {
            "layers": [],
            "position": [1.5, 2, 3],
            "a": 0.5,
            "b": True,
            "c": [1, 2],
        }

    @pytest.mark.parametrize("value", [float("nan"), np.inf, object()])
    def test_what_json_has_not_is_refused(self, value):
        with pytest.raises(InvalidInput, match="cannot be written as JSON"):
            scene_to_url({"layers": [], "x": value})

    def test_nothing_is_opened_copied_or_printed_unasked(self, monkeypatch, capsys):
        monkeypatch.setattr("webbrowser.open", lambda url: pytest.fail("opened"))
        monkeypatch.setitem(sys.modules, "pyperclip", types.SimpleNamespace(copy=lambda url: pytest.fail("copied")))
        encode_url([A])
        assert capsys.readouterr() == ("", "")

    def test_it_is_opened_and_copied_when_asked(self, monkeypatch):
        seen = []
        monkeypatch.setattr("webbrowser.open", lambda url: seen.append(url) or True)
        monkeypatch.setitem(sys.modules, "pyperclip", types.SimpleNamespace(copy=seen.append))
        url = encode_url([A], open=True, to_clipboard=True)
        assert seen == [url, url]

    def test_a_missing_clipboard_or_browser_is_said(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyperclip", None)
        with pytest.raises(NotInstalled, match="pip install pyperclip"):
            scene_to_url({"layers": []}, to_clipboard=True)
        monkeypatch.setattr("webbrowser.open", lambda url: False)
        with pytest.raises(NotInstalled, match="no browser"):
            scene_to_url({"layers": []}, open=True)


class TestReading:
    def test_older_neuroglancers_links_are_read(self):
        text = "{'layers':[{'type':'segmentation'_'name':'it\\'s_\"x\"'_'segments':['1'_'2']}]_'showSlices':false}"
        assert decode_url(f"https://old/#!{text}") == {
            "layers": [{"type": "segmentation", "name": 'it\'s_"x"', "segments": ["1", "2"]}],
            "showSlices": False,
        }

    def test_brief_is_about_neurons(self):  # the peer lists the brain's surface, segment 1, among the neurons
        url = encode_url([A, B], invis_segs=[C], coords=[10, 20, 30], annotations=[[1, 2, 3]], dataset="latest")
        brief = decode_url(url, "brief")
        assert brief["position"] == [10, 20, 30]
        assert brief["selected"] == [str(A), str(B)]
        assert [one["point"] for one in brief["annotations"]] == [[1, 2, 3]]

    def test_the_table_has_hidden_segments_too(self):  # the peer leaves out hiddenSegments
        url = encode_url([A], invis_segs=[B], dataset="latest")
        table = decode_url(url, format="dataframe")
        mine = table[table.layer == "proofreadable seg"]
        assert mine.segment.tolist() == [A, B]
        assert mine.visible.tolist() == [True, False]
        assert table.dtypes.astype(str).to_dict() == {"segment": "int64", "layer": "object", "visible": "bool"}

    def test_hidden_segments_of_older_scenes(self):
        layer = {"type": "segmentation", "name": "s", "segments": ["1"], "hiddenSegments": ["2"]}
        table = decode_url(scene_to_url({"layers": [layer]}), "dataframe")
        assert list(table.itertuples(index=False, name=None)) == [(1, "s", True), (2, "s", False)]

    def test_a_table_of_nothing_is_typed(self):
        table = decode_url(scene_to_url({"layers": []}), "dataframe")
        assert len(table) == 0
        assert str(table.segment.dtype) == "int64"

    def test_an_old_scenes_position(self):
        scene = {"layers": [], "navigation": {"pose": {"position": {"voxelCoordinates": [1, 2, 3]}}}}
        assert decode_url(scene_to_url(scene), "brief")["position"] == [1, 2, 3]
        assert decode_url(scene_to_url({"layers": []}), "brief")["position"] is None

    def test_many_links_at_once(self):
        urls = [encode_url([A], dataset="latest"), encode_url([B], dataset="latest")]
        assert [brief["selected"] for brief in decode_url(urls, "brief")] == [[str(A)], [str(B)]]
        assert {A, B} <= set(decode_url(urls, "dataframe").segment)

    @pytest.mark.parametrize("wrong", ["https://spelunker.cave-explorer.org/", "hello", 5, ["x"]])
    def test_what_is_no_link_is_refused(self, wrong):
        with pytest.raises(InvalidInput):
            decode_url(wrong)

    def test_a_cut_link_is_refused(self):
        with pytest.raises(InvalidInput, match=r"damaged.*copied whole"):
            decode_url(encode_url([A], dataset="latest")[:-20])

    def test_an_unknown_form_is_refused(self):
        with pytest.raises(InvalidInput, match="json, brief, dataframe"):
            decode_url("https://x/#!{}", format="table")


class TestSegments:
    @pytest.mark.parametrize(
        "ids",
        [[A, B], [str(A), str(B)], np.array([A, B]), pd.Series([A, B]), pd.DataFrame({"root_id": [A, B]}), (A, B, A)],
    )
    def test_ids_in_any_form_are_written_as_strings(self, ids):
        assert neurons_in(encode_url(ids))["segments"] == [str(A), str(B)]

    def test_a_single_numpy_id(self):  # D7
        assert neurons_in(encode_url(np.int64(A)))["segments"] == [str(A)]

    def test_criteria_are_asked_for_their_roots(self):
        class NeuronCriteria:
            def get_roots(self):
                return np.array([A, C])

        assert neurons_in(encode_url(NeuronCriteria()))["segments"] == [str(A), str(C)]

    def test_a_float_id_is_refused(self):
        with pytest.raises(InvalidId):
            encode_url([5.764607526418338e17])

    def test_hidden_ones_are_listed_but_not_shown(self):
        layer = neurons_in(encode_url([A], invis_segs=B))
        assert layer["segments"] == [str(A), f"!{B}"]  # as Neuroglancer and Spelunker read it
        assert layer["hiddenSegments"] == [str(B)]  # as older ones do

    def test_a_given_scene_keeps_its_segments_and_stays_as_it_is(self):  # D16
        scene = construct_scene(dataset="latest")
        scene["layers"][1]["segments"] = [str(A), f"!{B}"]
        before = deepcopy(scene)
        assert neurons_in(encode_url([B, C], scene=scene))["segments"] == [str(A), str(B), str(C)]
        assert scene == before

    def test_a_given_link_will_do(self):
        assert neurons_in(encode_url([B], scene=encode_url([A])))["segments"] == [str(A), str(B)]

    def test_the_layout_is_the_asked_one(self):
        assert decode_url(encode_url(scene=construct_scene(layout="3d"), layout="4panel"))["layout"]["type"] == "4panel"

    def test_a_scene_without_neurons_is_an_error_only_if_there_are_some(self):
        scene = construct_scene(segmentation=False, dataset="latest")
        assert "aligned" in layer_names(encode_url(scene=scene, coords=[1, 2, 3]))
        with pytest.raises(InvalidInput, match="which layer"):
            encode_url([A], scene=scene)


class TestColours:
    @pytest.mark.parametrize(
        ("colors", "expected"),
        [
            ("red", {A: "#ff0000", B: "#ff0000"}),
            ((0, 0, 1.0), {A: "#0000ff", B: "#0000ff"}),
            ((0, 255, 0), {A: "#00ff00", B: "#00ff00"}),
            (["red", (0, 0, 255)], {A: "#ff0000", B: "#0000ff"}),
            ({A: "red", str(B): "#00FF00"}, {A: "#ff0000", B: "#00ff00"}),
            ({B: "red"}, {B: "#ff0000"}),
            (np.array(["x", "y"]), {A: "#1f77b4", B: "#ff7f0e"}),
            (pd.Series(["x", "x"]), {A: "#1f77b4", B: "#1f77b4"}),
            (pd.Series(["x", None]), {A: "#1f77b4"}),
            ([7, 7], {A: "#1f77b4", B: "#1f77b4"}),
            (np.array([[1.0, 0, 0], [0, 0, 1]]), {A: "#ff0000", B: "#0000ff"}),
        ],
    )
    def test_forms(self, colors, expected):
        found = neurons_in(encode_url([A, B], seg_colors=colors))["segmentColors"]
        assert found == {str(root): color for root, color in expected.items()}

    def test_of_a_given_scene(self):
        url = encode_url(scene=encode_url([A, B]), seg_colors="red")
        assert neurons_in(url)["segmentColors"] == {str(A): "#ff0000", str(B): "#ff0000"}

    @pytest.mark.parametrize("colors", [["red"], ["red"] * 3, np.array([1])])
    def test_another_number_is_refused(self, colors):
        with pytest.raises(InvalidInput, match="colours for 2 neurons"):
            encode_url([A, B], seg_colors=colors)

    @pytest.mark.parametrize("colors", ["redd", (1, 2), (300, 0, 0), ["red", "nocolour"], {A: 5}, object()])
    def test_what_is_no_colour_is_refused(self, colors):
        with pytest.raises(InvalidInput, match="no colour"):
            encode_url([A, B], seg_colors=colors)


class TestGroups:
    def test_labels_make_hidden_layers(self):
        url = encode_url([A, B, C], seg_groups=["x", "y", "x"], seg_colors="red", dataset="latest")
        layers = {layer["name"]: layer for layer in decode_url(url)["layers"]}
        assert layers["group_x"]["segments"] == [str(A), str(C)]
        assert layers["group_y"]["segments"] == [str(B)]
        assert layers["group_y"]["segmentColors"] == {str(B): "#ff0000"}
        assert not layers["group_x"]["visible"]
        assert layers["group_x"]["source"] == layers["proofreadable seg"]["source"]
        assert layers["proofreadable seg"]["segments"] == []

    def test_a_mapping_names_the_layers(self):
        url = encode_url(seg_groups={"mine": [A, B], "yours": C}, dataset="latest")
        assert layer_names(url)[-2:] == ["mine", "yours"]

    def test_who_is_in_no_group_stays(self):
        assert neurons_in(encode_url([A, B], seg_groups=["x", None]))["segments"] == [str(B)]
        assert neurons_in(encode_url([A, B], seg_groups={"x": [A]}))["segments"] == [str(B)]

    def test_another_number_of_labels_is_refused(self):
        with pytest.raises(InvalidInput, match="1 labels of groups for 2 segments"):
            encode_url([A, B], seg_groups=["x"])


class TestTheRest:
    def test_positions_are_whole_voxels(self):
        assert decode_url(encode_url(coords=np.array([1.4, 2.6, 3])))["position"] == [1, 3, 3]

    def test_positions_of_another_datasets_voxels_are_converted(self):
        scene = construct_scene(dataset="latest")  # 8, 8, 42 nm
        url = encode_url(coords=[20, 20, 21], scene=scene, dataset="minnie65_public")  # 4, 4, 40 nm
        assert decode_url(url)["position"] == [10, 10, 20]

    @pytest.mark.parametrize("coords", [[1, 2], [1, 2, np.nan], "abc", [[1, 2, 3]]])
    def test_what_is_no_position_is_refused(self, coords):
        with pytest.raises(InvalidInput, match="no position"):
            encode_url(coords=coords)

    def test_annotations_by_name(self):
        url = encode_url(annotations={"a": [[1, 2, 3]], "b": np.zeros((2, 4))})
        assert layer_names(url)[-2:] == ["a", "b"]

    def test_skeletons_are_layers_with_names(self):
        pair = navis.example_neurons(2, kind="skeleton")
        assert layer_names(encode_url(skeletons=pair[0], skeleton_names="one"))[-1] == "one"
        assert layer_names(encode_url(skeletons=pair, skeleton_names=["one", "two"]))[-2:] == ["one", "two"]
        assert layer_names(encode_url(skeletons=list(pair), skeleton_names="s"))[-2:] == ["s", "s 2"]
        with pytest.raises(InvalidInput, match="1 names for 2 skeletons"):
            encode_url(skeletons=pair, skeleton_names=["one"])

    def test_the_same_call_makes_the_same_link(self):
        neuron = navis.example_neurons(1, kind="skeleton")
        assert encode_url([A], skeletons=neuron, annotations=[1, 2, 3]) == encode_url(
            [A], skeletons=neuron, annotations=[1, 2, 3]
        )


class TestManyNeurons:
    def test_a_row_per_neuron_in_input_order(self):
        pair = navis.example_neurons(2, kind="skeleton")
        table = neurons_to_url(pair, downsample=10, seg_colors="red", dataset="latest")
        assert table.columns.tolist() == ["id", "name", "url"]
        assert table.id.tolist() == [int(neuron.id) for neuron in pair]
        assert str(table.id.dtype) == "int64"
        for row in table.itertuples():
            assert neurons_in(row.url)["segments"] == [str(row.id)]
            assert neurons_in(row.url)["segmentColors"] == {str(row.id): "#ff0000"}
            assert layer_names(row.url)[-1] == row.name

    def test_the_neurons_stay_as_they_are_and_thinned_skeletons_are_shorter(self):
        neuron = navis.example_neurons(1, kind="skeleton")
        before = neuron.n_nodes
        whole, thinned = (neurons_to_url(neuron, downsample=factor).url[0] for factor in (None, 20))
        assert len(thinned) < len(whole) / 3
        assert neuron.n_nodes == before

    def test_without_skeletons_meshes_will_do(self):
        mesh = navis.example_neurons(1, kind="mesh")
        assert "annotation" not in {layer["type"] for layer in decode_url(neurons_to_url(mesh, False).url[0])["layers"]}
        with pytest.raises(InvalidInput, match="include_skeleton=False"):
            neurons_to_url(mesh)

    def test_none_is_a_typed_table(self):
        table = neurons_to_url(navis.NeuronList([]))
        assert len(table) == 0
        assert table.dtypes.astype(str).to_dict() == {"id": "int64", "name": "object", "url": "object"}

    def test_segments_are_each_neurons_own(self):
        with pytest.raises(InvalidInput, match="segments is each neuron's own"):
            neurons_to_url(navis.example_neurons(1), segments=[A])


def test_a_plain_quoted_link_of_somebody_else_is_read():
    scene = {"layers": [{"type": "segmentation", "name": "s", "segments": ["1"]}]}
    assert decode_url(f"https://ngl.example.org/#!{quote(json.dumps(scene))}") == scene


class TestWhatIsRefused:
    @pytest.mark.parametrize("wrong", [0, -1, 1, np.nan, "x", True])
    def test_a_factor_that_thins_nothing(self, wrong):
        neuron = navis.example_neurons(1)
        with pytest.raises(InvalidInput, match="downsample"):
            neurons_to_url(neuron, downsample=wrong, dataset="latest")

    @pytest.mark.parametrize("wrong", [None, A, [A], "x", pd.DataFrame({"root_id": [A]})])
    def test_what_is_no_neuron_has_no_link_and_no_empty_table_either(self, wrong):
        with pytest.raises(WrongType, match="no neuron"):
            neurons_to_url(wrong, dataset="latest")

    @pytest.mark.parametrize(
        ("wrong", "match"),
        [
            ({"seg_groups": 5}, "no groups"),
            ({"seg_groups": "left"}, "no groups"),
            ({"skeletons": navis.example_neurons(1), "skeleton_names": 5}, "no name"),
            ({"skeleton_names": "alone"}, "no skeletons"),
        ],
    )
    def test_groups_and_names_that_are_for_nothing(self, wrong, match):
        with pytest.raises(InvalidInput, match=match):
            encode_url([A, B], dataset="latest", **wrong)
