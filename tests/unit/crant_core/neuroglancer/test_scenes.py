"""Scenes of the preset datasets, which need no server."""

from __future__ import annotations

import json

import pytest

from crant_core.datasets import Dataset, get_dataset
from crant_core.errors import InvalidInput, UnknownDataset
from crant_core.neuroglancer import construct_scene
from crant_core.neuroglancer.layers import find_segmentation

BARE = Dataset(
    name="bare",
    datastack="bare",
    server="http://127.0.0.1:9",
    viewer_resolution=(4, 4.5, 40),
    image_source="precomputed://gs://bucket/em",
    segmentation_source="graphene://https://server/segmentation/table/bare",
)


def names(scene) -> list[str]:
    return [layer["name"] for layer in scene["layers"]]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may ask a server."""
    monkeypatch.setattr("crant_core.sources.cave.CaveSource.client", lambda self: pytest.fail("a server is asked"))


def test_a_scene_of_crant_has_its_layers_in_the_documented_order():
    scene = construct_scene(al_glomeruli=False, merge_biased_seg=True, nuclei=True, dataset="latest")
    assert names(scene) == ["aligned", "proofreadable seg", "brain mesh", "neuropil mesh", "merge-biased seg", "nuclei"]
    assert [layer.get("visible", True) for layer in scene["layers"]] == [True, True, True, True, False, False]
    assert scene["selectedLayer"] == {"visible": True, "layer": "proofreadable seg"}


def test_a_scene_of_crant_looks_where_and_how_the_documentation_says():
    scene = construct_scene(dataset="latest")
    assert scene["dimensions"] == {"x": [8e-9, "m"], "y": [8e-9, "m"], "z": [4.2e-8, "m"]}
    assert scene["position"] == [25148.33, 19334.74, 1531.5]
    assert (scene["crossSectionScale"], scene["projectionScale"]) == (85.66, 78956.26)
    assert scene["layout"] == {"type": "xy-3d", "orthographicProjection": True}


def test_crants_sandbox_shows_its_own_segmentation():
    [url] = [find_segmentation(construct_scene(dataset=name))["source"]["url"] for name in ["crant_sandbox"]]
    assert url == "graphene://middleauth+https://data.proofreading.zetta.ai/segmentation/table/kronauer_ant_sandbox_x1"


def test_graphene_sources_say_that_they_need_caves_sign_in():
    url = find_segmentation(construct_scene(dataset=BARE))["source"]["url"]
    assert url == "graphene://middleauth+https://server/segmentation/table/bare"


def test_another_datasets_scene_counts_its_own_voxels_and_has_no_position_of_crants():
    scene = construct_scene(dataset=BARE)
    assert scene["dimensions"] == {"x": [4e-9, "m"], "y": [4.5e-9, "m"], "z": [4e-8, "m"]}
    assert "position" not in scene


def test_what_is_on_by_default_is_left_out_where_a_dataset_has_none():
    assert names(construct_scene(dataset=BARE)) == ["aligned", "proofreadable seg"]


@pytest.mark.parametrize("layer", ["al_glomeruli", "merge_biased_seg", "nuclei"])
def test_what_is_switched_on_is_an_error_where_a_dataset_has_none(layer):
    with pytest.raises(InvalidInput, match="dataset bare has nothing"):
        construct_scene(dataset=BARE, **{layer: True})


def test_sources_are_the_datasets():
    dataset = BARE.model_copy(
        update={
            "neuropil_source": "precomputed://n",
            "neuropil_segments": (5, 16),
            "glomeruli_source": "precomputed://g",
        }
    )
    neuropils, glomeruli = construct_scene(al_glomeruli=True, dataset=dataset)["layers"][2:]
    assert (neuropils["source"], neuropils["segments"]) == ("precomputed://n", ["5", "16"])
    assert (glomeruli["source"], glomeruli["segments"]) == ("precomputed://g", [])


def test_layers_can_be_left_out():
    scene = construct_scene(image=False, segmentation=False, brain_mesh=False, neuropil_mesh=False, dataset="latest")
    assert scene["layers"] == []
    assert "selectedLayer" not in scene


def test_two_scenes_share_nothing():
    first, second = construct_scene(dataset="latest"), construct_scene(dataset="latest")
    first["layers"][1]["segments"].append("1")
    first["position"][0] = 0
    assert second["layers"][1]["segments"] == []
    assert second == construct_scene(dataset="latest")


def test_a_scene_is_json_as_it_is():
    scene = construct_scene(dataset="latest")
    assert json.loads(json.dumps(scene)) == scene


def test_unknown_layouts_and_datasets_are_refused():
    with pytest.raises(InvalidInput, match=r"layout='3D'.*xy-3d"):
        construct_scene(layout="3D", dataset="latest")
    with pytest.raises(UnknownDataset):
        construct_scene(dataset="latets")


def test_every_preset_of_crant_needs_no_server_for_a_link():
    assert get_dataset("latest").neuroglancer.states == "https://global.daf-apis.com/nglstate"


class TestFindingTheNeurons:
    def test_the_name_counts_more_than_the_source(self):
        layers = [
            {"type": "segmentation", "name": "old", "source": "graphene://a"},
            {"type": "segmentation", "name": "Proofreadable seg", "source": "precomputed://b"},
        ]
        assert find_segmentation({"layers": layers}) is layers[1]

    def test_a_chunkedgraph_counts_more_than_the_order(self):
        layers = [
            {"type": "segmentation", "name": "nuclei", "source": "precomputed://n"},
            {"type": "segmentation", "name": "neurons", "source": [{"url": "graphene://a"}, "precomputed://skeletons"]},
        ]
        assert find_segmentation({"layers": layers}) is layers[1]

    def test_surfaces_are_no_neurons(self):
        layers = [
            {"type": "segmentation", "name": "brain", "source": "precomputed://b#type=mesh"},
            {"type": "segmentation", "name": "hemibrain", "source": "precomputed://s"},
        ]
        assert find_segmentation({"layers": layers}) is layers[1]

    @pytest.mark.parametrize("count", [0, 2])
    def test_none_or_one_of_several_is_an_error_that_names_them(self, count):
        layers = [
            {"type": "segmentation", "name": f"s{number}", "source": "precomputed://s"} for number in range(count)
        ]
        with pytest.raises(InvalidInput, match="none" if not count else "s0, s1"):
            find_segmentation({"layers": layers})
