"""Every number of the tutorial, from the tables that the sandbox's world consists of.

It runs twice: as its page shows it, and after one of its neurons was cut. The newest version is older than that, so all
answers stay what they were but for the ids that hold now. The peer asks for those of now in the version, and finds
nothing (D0).
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import crant_core as cp
from crant_core.registry import register
from crant_core.sandbox import names
from crant_core.sandbox.objects import imagery
from crant_core.sandbox.world.history import VERSIONS
from tests.fixtures import neurons, tutorial
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox
from tests.fixtures.tutorial import Step
from tests.science.test_connectivity_truth import counted, held

LATEST = 3
CLASSES = ("EBc", "ER", "FBt", "PBt")
PBT = 576460752303423516
IMAGES = "cp.plot_em_image("


class Run:
    """A run of the tutorial, and what the sandbox said was so then."""

    def __init__(self, sandbox: Sandbox, steps: list[Step], is_edited: bool) -> None:
        self.sandbox, self.is_edited, self._steps = sandbox, is_edited, steps
        self.live = [int(one["root_id"]) for one in sandbox.control("GET", "world")["neurons"]]

    def step(self, words: str) -> Step:
        """Return the one step whose code has these words."""
        [found] = [step for step in self._steps if words in step.source]
        return found


@pytest.fixture(scope="module", params=["untouched", "edited"])
def run(request, tmp_path_factory) -> Run:
    is_edited = request.param == "edited"
    with run_sandbox() as sandbox:
        if is_edited:
            sandbox.control("POST", "edit", {"operation": "toggle", "neuron": 2})
        sources = [cell for cell in tutorial.cells() if not (is_edited and IMAGES in cell)]  # they take long to draw
        cp.clear_all_caches()
        yield Run(sandbox, tutorial.run(sources, sandbox, tmp_path_factory.mktemp("cache")), is_edited)
        cp.clear_all_caches()


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """The synapses of the newest version, with the roots of its time."""
    return held(LATEST)


@pytest.fixture(scope="module")
def noted() -> pd.DataFrame:
    """The annotations that name a neuron, each neuron once: its number, and its root in the newest version."""
    table = neurons.world().frame("seatable")
    table = table[table["root_id"].notna()].drop_duplicates("supervoxel_id").reset_index(drop=True)
    table["number"] = _numbers(table["supervoxel_id"])
    table["then"] = table["number"].map(_roots_then())
    return table


def _numbers(parts: pd.Series) -> list[int]:
    """The neurons that supervoxels belong to, by number; they are whole now."""
    now, ours = datetime.now(UTC), neurons.world().frame("truth/neurons")
    number_of = dict(zip(neurons.graph().roots(ours["supervoxel_id"].to_numpy(), now), ours["neuron"], strict=True))
    return [int(number_of[root]) for root in neurons.graph().roots(parts.astype("uint64").to_numpy(), now)]


def _roots_then() -> dict[int, int]:
    """The roots of the newest version that most of each neuron was in, all L2 chunks counting the same."""
    graph, parts = neurons.graph(), neurons.world().segmentation.ids
    table = pd.DataFrame({"number": _numbers(pd.Series(parts)), "chunk": graph.roots(parts, datetime.now(UTC), 2)})
    table["then"] = graph.roots(parts, VERSIONS[LATEST - 1].timestamp).astype(np.int64)
    table["share"] = 1 / table.groupby("chunk")["then"].transform("size")
    shares = table.groupby(["number", "then"])["share"].sum().sort_values()
    return {int(number): int(root) for number, root in shares.index}  # the largest comes last


def _projection(noted: pd.DataFrame, side: str) -> pd.DataFrame:
    is_one = noted["cell_class"] == "olfactory_projection_neuron"
    return noted[is_one & (noted["side"] == side) & (noted["tract"] == "mALT")]


def _central(noted: pd.DataFrame) -> pd.DataFrame:
    in_region = noted["region"].map(lambda cell: cell is not None and "CX" in cell)
    return noted[noted["cell_class"].isin(CLASSES) & in_region]


def _drawn(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A box of the images, put together from its chunks as they are stored."""
    centres = neurons.world().frame(f"tables/{names.SYNAPSES}")[[f"ctr_pt_position_{axis}" for axis in "xyz"]]
    offset, chunk = np.array(imagery.SCALE.offset), np.array(imagery.SCALE.chunk)
    found = np.zeros(high - low, dtype=np.uint8)
    first, last = (low - offset) // chunk, (high - 1 - offset) // chunk
    for index in np.ndindex(*(last - first + 1)):
        start = offset + (first + index) * chunk
        name = "_".join(f"{begin}-{begin + size}" for begin, size in zip(start, chunk, strict=True))
        stored = imagery.find(neurons.world(), centres.to_numpy(np.float64), f"{imagery.SCALE.key}/{name}")
        block = np.frombuffer(gzip.decompress(stored.data), np.uint8).reshape(chunk, order="F")
        begin, end = np.maximum(low, start), np.minimum(high, start + chunk)
        to, source = (tuple(map(slice, begin - corner, end - corner)) for corner in (low, start))
        found[to] = block[source]
    return found


def _sent(rows: pd.DataFrame, noted: pd.DataFrame) -> pd.DataFrame:
    """Synapses of the first three projection neurons: large enough, no autapses, and then three of a pair."""
    mine = _projection(noted, "right")["then"].head(3)
    some = rows[rows["pre"].isin(mine) & (rows["size"] >= 10) & (rows["pre"] != rows["post"])]
    return some[some.groupby(["pre", "post"])["id"].transform("size") >= 3]


def test_the_settings_make_the_client_that_of_the_sandbox(run):
    assert "Default dataset: demo\n" in run.step("CRANT_DEFAULT_DATASET}").said
    client = run.step("get_cave_client")["client"]
    assert (client.datastack_name, client.server_address) == (names.DATASTACK, run.sandbox.url)


def test_neurons_found_are_those_annotated_with_the_roots_of_now(run, noted):
    step, expected = run.step("cp.get_synapses("), _projection(noted, "right")
    assert expected["number"].tolist() == [0, 1, 2, 3, 4]
    assert step["opn_ids"].tolist() == [run.live[number] for number in expected["number"]]
    assert step["opn_ids"].tolist() != expected["then"].tolist()  # three were edited since the version
    assert f"Found {len(expected)} olfactory projection neurons" in step.said


def test_synapses_are_the_rows_of_the_version_that_pass_both_filters(run, rows, noted):  # D0
    found = run.step("cp.get_synapses(")["synapses"].sort_values("id")
    expected = _sent(rows, noted)
    assert len(expected) > 1_000
    assert expected["pre"].nunique() == 3
    for name, column in {"pre_pt_root_id": "pre", "post_pt_root_id": "post", "id": "id", "size": "size"}.items():
        assert found[name].tolist() == expected[column].tolist()
    for name in ("pre_pt_position", "post_pt_position", "ctr_pt_position"):
        places = expected[[f"{name}_{axis}" for axis in "xyz"]].to_numpy() // (8, 8, 42)
        assert found[name].tolist() == places.tolist()
    assert run.step("cp.get_synapses(")["synapses"]["size"].is_monotonic_decreasing


def test_synapses_per_neuron_are_counted(run, rows, noted):
    shown = run.step("synapses.groupby(").shown
    expected = Counter(_sent(rows, noted)["pre"].tolist())
    assert dict(zip(shown["pre_pt_root_id"], shown["num_synapses"], strict=True)) == expected


def test_the_histogram_has_each_neurons_sizes_in_fifty_bins(run, rows, noted):
    [figure] = run.step("sns.histplot").figures
    [axes] = figure.axes
    expected = _sent(rows, noted)
    limits = np.histogram_bin_edges(expected["size"], 50)
    legend = axes.get_legend()
    seen = set()
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        bars = [bar for bar in axes.patches if bar.get_facecolor()[:3] == handle.get_facecolor()[:3]]
        mine = expected[expected["pre"] == int(text.get_text())]["size"]
        seen.add(int(text.get_text()))
        assert [bar.get_height() for bar in bars] == np.histogram(mine, limits)[0].tolist()
    assert seen == set(expected["pre"])


def test_images_are_the_stored_bytes_around_the_three_largest_synapses(run, rows, noted):
    if run.is_edited:
        pytest.skip("its images are those of the other run")
    [figure] = run.step(IMAGES).figures
    largest = _sent(rows, noted).nlargest(3, "size")
    assert len(set(largest["size"])) == 3
    centres = largest[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy() // (8, 8, 42)
    for axes, (x, y, z) in zip(figure.axes, centres.tolist(), strict=True):
        assert axes.get_title() == f"Synapse at ({x}, {y}, {z})"
        expected = _drawn(np.array([x - 250, y - 250, z]), np.array([x + 250, y + 250, z + 1]))[:, :, 0]
        assert np.array_equal(axes.images[0].get_array(), expected)
        assert expected[245:255, 245:255].min() < 30  # a T-bar


def test_inputs_are_counted_pair_by_pair(run, rows, noted):
    step = run.step("post_ids=sample_ids, threshold=3, symmetric=False")
    mine = _projection(noted, "right")["then"].tolist()
    pairs = {pair: weight for pair, weight in counted(rows, 3).items() if pair[1] in mine}
    found = step["adjacency"]
    assert found.index.tolist() == sorted({pre for pre, _ in pairs})
    assert found.columns.tolist() == sorted(mine)
    assert {(pre, post): found.loc[pre, post] for pre in found.index for post in found if found.loc[pre, post]} == pairs
    assert f"Identified {len(found)} input neurons connected to our 5 sample PNs." in step.said


def test_the_first_heatmap_shows_each_pair_under_its_labels(run, rows):
    [figure] = run.step("row_max_locs").figures
    axes, pairs = figure.axes[0], counted(rows, 3)
    cells = axes.images[0].get_array()
    pre, post = ([int(label.get_text()) for label in each] for each in (axes.get_yticklabels(), axes.get_xticklabels()))
    assert cells.tolist() == [[pairs.get((row, column), 0) for column in post] for row in pre]
    assert cells.sum(axis=0).tolist() == sorted(cells.sum(axis=0), reverse=True)
    assert cells.argmax(axis=1).tolist() == sorted(cells.argmax(axis=1))


def test_the_central_complex_is_found_by_class_and_region(run, noted):
    step, expected = run.step("cx_neurons = "), _central(noted)
    assert len(expected) == 28
    assert step["cx_annotations"]["root_id"].tolist() == [str(run.live[number]) for number in expected["number"]]
    assert step["cx_annotations"]["cell_class"].tolist() == expected["cell_class"].tolist()
    assert step.said == "Filtered to 28 neurons in selected classes.\n"
    assert dict(zip(step.shown["cell_class"], step.shown["count"], strict=True)) == Counter(expected["cell_class"])


def test_its_matrix_is_who_really_connects_to_whom(run, rows, noted):
    """Not by supervoxels and roots: the truth about synapses is by neuron."""
    truth = neurons.world().frame("truth/synapse_neurons").set_index("synapse_id").loc[rows["id"]]
    central = _central(noted)
    mine = truth[truth["pre"].isin(central["number"]) & truth["post"].isin(central["number"])]
    pairs = Counter(pair for pair in zip(mine["pre"], mine["post"], strict=True) if pair[0] != pair[1])
    number_of = dict(zip(central["then"], central["number"], strict=True))
    found = run.step("symmetric=True")["adjacency"]
    assert found.index.equals(found.columns)
    assert found.to_numpy().tolist() == [
        [weight if (weight := pairs[number_of[pre], number_of[post]]) >= 3 else 0 for post in found]
        for pre in found.index
    ]
    assert found.to_numpy().sum() > 1_000


def test_the_second_heatmap_is_in_the_order_of_classes(run, noted):
    step = run.step("sns.heatmap")
    [figure] = step.figures
    class_of = dict(zip(_central(noted)["then"], _central(noted)["cell_class"], strict=True))
    order = step["adjacency_sorted"].index.tolist()
    classes = list(dict.fromkeys(class_of[root] for root in order))
    assert [class_of[root] for root in order] == [one for one in classes for root in order if class_of[root] == one]
    sizes = Counter(class_of[root] for root in order)
    assert set(sizes) == set(CLASSES)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        f"{one} (n={sizes[one]})" for one in classes
    ]
    expected = run.step("symmetric=True")["adjacency"].loc[order, order].to_numpy()
    assert np.array_equal(np.asarray(figure.axes[0].collections[0].get_array()).reshape(expected.shape), expected)


def test_the_scene_has_the_brain_and_one_actor_for_each_neuron_in_its_colour(run, noted):
    step = run.step("cp.get_brain_mesh_scene(")
    expected = {"brain": "#808080"}
    for name, color in (("EBc", "#ff0000"), ("PBt", "#0000ff")):
        mine = _central(noted)[_central(noted)["cell_class"] == name]
        expected |= {str(run.live[number]): color for number in mine["number"]}
    [scene] = step.scenes
    assert scene.colors == expected
    assert step.said == "Found 8 EBc neurons and 8 PBt neurons.\n"
    assert scene.picture.shape == (1080, 1920, 3)
    red, green, blue = scene.picture.astype(int).transpose(2, 0, 1)
    assert (red > green + 80).any()
    assert (blue > green + 80).any()


def test_partners_are_listed_with_the_strongest_first(run, rows, noted):
    step = run.step("cp.get_connectivity(")
    pairs = {pair: weight for pair, weight in counted(rows, 5).items() if pair[0] == PBT}
    expected = sorted(((*pair, weight) for pair, weight in pairs.items()), key=lambda row: (-row[2], row[1]))
    assert len(expected) == 10
    assert [*step.shown[["pre", "post", "weight"]].itertuples(index=False, name=None)] == expected
    assert noted.set_index("then").loc[PBT, "cell_class"] == "PBt"
    assert step.said.endswith(f"{PBT} of class PBt\n")


def test_partners_have_their_classes_also_those_edited_since(run, rows, noted):
    shown = run.step(".fillna('Unknown')").shown  # D0: the peer's edited partners are "Unknown"
    number_of = dict(zip(rows["post"], _numbers(rows["post_pt_supervoxel_id"]), strict=True))
    annotated = noted.set_index("number").loc[[number_of[post] for post in shown["post"]]]
    assert shown["post_cell_class"].tolist() == [one or "Unknown" for one in annotated["cell_class"]]
    assert sum(post not in run.live for post in shown["post"]) == 3


def test_partners_by_class_are_counted_and_their_weights_averaged(run):
    partners = run.step(".fillna('Unknown')").shown
    [figure] = run.step("avg_weight").figures
    counts, weights = figure.axes
    for axes, of in ((counts, len), (weights, lambda mine: sum(mine) / len(mine))):
        heights = [bar.get_height() for bar in axes.patches]
        labels = [label.get_text() for label in axes.get_xticklabels()]
        by_class = {
            one: of(partners[partners["post_cell_class"] == one]["weight"].tolist())
            for one in partners["post_cell_class"]
        }
        assert dict(zip(labels, heights, strict=True)) == pytest.approx(by_class)
    assert sum(bar.get_height() for bar in counts.patches) == len(partners)


def test_partners_are_counted_and_drawn_on_the_right_side(run, rows, noted):
    """The published page draws `pre` as upstream: it is how many a neuron is presynaptic to, those downstream."""
    found = run.step("cp.get_synapse_counts(").shown
    mine, pairs = _projection(noted, "left").head(3), counted(rows, 5)
    outputs = [sum(pre == root for pre, _ in pairs) for root in mine["then"]]
    inputs = [sum(post == root for _, post in pairs) for root in mine["then"]]
    assert found.index.tolist() == [run.live[number] for number in mine["number"]]
    assert (found["pre"].tolist(), found["post"].tolist()) == (outputs, inputs)
    assert outputs != inputs
    [figure] = run.step("synapse_counts.iterrows()").figures
    for axes, root, up, down in zip(figure.axes, found.index, inputs, outputs, strict=True):
        assert axes.get_title() == f"PN #{root}"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["Upstream", "Downstream"]
        assert [bar.get_height() for bar in axes.patches] == [up, down]


def test_a_cut_neuron_has_the_same_synapses_whichever_of_its_ids_is_asked(run, rows, tmp_path, monkeypatch):  # D0
    if not run.is_edited:
        pytest.skip("nothing was cut")
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    dataset = register(lasting(run.sandbox.dataset), run.sandbox.token)
    whole, then, now = neurons.live_roots()[2], neurons.roots_at(LATEST)[2], run.live[2]
    assert len({whole, then, now}) == 3
    expected = rows[(rows["pre"] == then) & (rows["post"] != then)]["id"].tolist()
    assert len(expected) > 500
    for root in (whole, then, now, str(now)):
        found = cp.get_synapses(pre_ids=root, materialization="latest", dataset=dataset)
        assert found["id"].tolist() == expected
        assert set(found["pre_pt_root_id"]) == {then}
        assert set(cp.get_synapses(pre_ids=root, materialization="live", dataset=dataset)["pre_pt_root_id"]) == {now}


def test_the_page_shows_what_the_cells_say(run):
    """If this fails, run `make tutorial` and look at what changed."""
    if run.is_edited:
        pytest.skip("the page is of the other run")
    notebook = json.loads((tutorial.FOLDER / "connectivity.ipynb").read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert ["".join(cell["source"]) for cell in code] == tutorial.cells()
    for cell in code:
        step = run.step("".join(cell["source"]))
        said = ["".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream"]
        assert "".join(said) == step.said.replace(run.sandbox.url, "http://127.0.0.1:PORT")
        tables = ["".join(output["data"].get("text/html", [])) for output in cell["outputs"] if "data" in output]
        assert "".join(tables) == (step.shown._repr_html_() if isinstance(step.shown, pd.DataFrame) else "")
        pictures = [output for output in cell["outputs"] if "image/png" in output.get("data", {})]
        assert len(pictures) == len(step.figures) + len(step.scenes)
