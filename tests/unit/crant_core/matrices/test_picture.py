"""Pictures, compared with pictures that were looked at.

To make new ones: `python -m tests.unit.crant_core.matrices.test_picture`, and look at them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from crant_core.errors import InvalidInput, NoMatchesError, WrongType
from crant_core.matrices import All, DirectedNestedMatrix, NestedMatrix, NeuropilCollection
from crant_core.matrices.picture import fitting, limits

PICTURES = Path(__file__).parent / "pictures"
SIZE = (4, 3.5)
LIKE = 4.0  # of 255: another version of FreeType moves letters by less, a few wrong cells change more


def nested() -> NestedMatrix:
    """EPG/PEG 6, ER2 4, ER10 3, KC 8, PFN? 1, two without a type; the weights rise along the diagonal."""
    sizes = {"EPG/PEG": 6, "ER2": 4, "ER10": 3, "KC": 8, "PFN?": 1}
    count = sum(sizes.values()) + 2
    place = np.arange(count)
    cells = np.where(np.abs(place[:, None] - place) % 7 < 3, place[:, None] + 2.0 * place, 0)
    cells[6:10, :6] = 0  # no connection from ER2 to EPG/PEG
    stops = np.cumsum(list(sizes.values())).tolist()
    boundaries = {name: (stop - size, stop) for (name, size), stop in zip(sizes.items(), stops, strict=True)}
    types = {str(n): name for name, (start, stop) in boundaries.items() for n in range(start, stop)}
    return NestedMatrix(pd.DataFrame(cells, place, place), boundaries, place, types)


def directed() -> DirectedNestedMatrix:
    cells = pd.DataFrame([[1.0, 0, 3], [0, 5, 0]], [1, 2], [7, 8, 9])
    return DirectedNestedMatrix(cells, [1, 2], [7, 8, 9], {"A": (0, 1), "B": (1, 2)}, {"C": (0, 2), "D": (2, 3)})


CASES = {
    "neuron": (nested, {}),
    "neuron_labels": (nested, {"show_neuron_labels": True, "vmin_percentile": 20, "vmax_percentile": 80}),
    "neuron_large_types": (nested, {"min_neurons_for_plot": 4, "linewidth_scale": 4}),
    "type_mean": (nested, {"level": "type_mean"}),
    "type_sum": (nested, {"level": "type_sum", "min_neurons_for_plot": 2}),
    "directed": (directed, {}),
}


def small_picture(name: str, folder: Path) -> Image.Image:
    """Draw a case at full size, and make it small: what a pixel shows is then its mean colour, not an edge."""
    make, options = CASES[name]
    make().plot(folder / "new" / f"{name}.png", figsize=SIZE, **options)
    full = Image.open(folder / "new" / f"{name}.png").convert("RGB")
    assert full.size == (SIZE[0] * 300, SIZE[1] * 300)
    return full.resize((400, 350), Image.Resampling.BOX)


@pytest.mark.parametrize("name", CASES)
def test_a_picture_looks_like_the_one_that_was_looked_at(name, tmp_path):
    small = np.asarray(small_picture(name, tmp_path), dtype=float)
    expected = np.asarray(Image.open(PICTURES / f"{name}.png").convert("RGB"), dtype=float)
    assert difference(small, expected) < LIKE


def test_two_swapped_rows_do_not_look_the_same(tmp_path):
    right, cells = nested(), nested().matrix.to_numpy().copy()
    cells[[2, 9]] = cells[[9, 2]]
    frame = pd.DataFrame(cells, right.ordered_neurons, right.ordered_neurons)
    NestedMatrix(frame, right.type_boundaries, right.ordered_neurons, right.neuron_to_type).plot(
        tmp_path / "wrong.png", figsize=SIZE
    )
    small = Image.open(tmp_path / "wrong.png").convert("RGB").resize((400, 350), Image.Resampling.BOX)
    expected = np.asarray(Image.open(PICTURES / "neuron.png").convert("RGB"), dtype=float)
    assert difference(np.asarray(small, dtype=float), expected) > LIKE


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(((one - other) ** 2).mean()))


def image_of(axes) -> np.ma.MaskedArray:
    return axes.images[0].get_array()


def texts(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def test_rows_are_sources_from_below_and_zeros_are_white():
    figure, axes = directed().plot()
    assert image_of(axes).filled(-1).tolist() == [[1, -1, 3], [-1, 5, -1]]
    assert axes.get_ylim() == (-0.5, 1.5)
    assert axes.images[0].cmap.get_bad().tolist() == [1, 1, 1, 1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("postsynaptic", "presynaptic")
    assert (texts(axes.yaxis), texts(axes.xaxis)) == (["A", "B"], ["C", "D"])
    assert axes.get_xticks().tolist() == [0.5, 2]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_xdata()[0] == line.get_xdata()[1]] == [1.5]
    assert tuple(figure.get_size_inches()) == (16, 14)


def test_colours_go_from_pale_to_dark_purple_and_never_start_at_white():
    _, axes = directed().plot()
    colours = axes.images[0].cmap(np.linspace(0, 1, 11))[:, :3]
    assert (np.diff(colours.sum(axis=1)) < 0).all()
    assert (colours[0] < 0.96).all()
    assert (colours[1:, 1] < colours[1:, [0, 2]].min(axis=1)).all()


def test_a_level_shows_its_matrix():
    matrix = nested()
    for level, expected in (("type_mean", matrix.mean_type_matrix), ("type_sum", matrix.sum_type_matrix)):
        _, axes = matrix.plot(level=level)
        assert np.array_equal(image_of(axes).filled(0), expected)
        assert texts(axes.xaxis) == list(expected.columns)


def test_limits_are_percentiles_of_what_is_not_zero():
    cells = np.array([[0.0, 0, 0, 0], [1, 2, 3, 5]])
    assert limits(cells, (0, 100)) == (1, 5)
    assert limits(cells, (50, 50)) == (1.25, 2.5)
    assert limits(cells, (0, 50)) == (1, 2.5)
    assert limits(cells * 0, (0, 100)) == (0, 1)
    assert limits(np.array([[4.0, 0]]), (0, 100)) == (2, 4)
    assert limits(np.array([[-4.0, 0]]), (0, 100)) == (-6, -4)


@pytest.mark.parametrize(
    ("percentiles", "tips"), [((0, 100), "neither"), ((20, 100), "min"), ((0, 80), "max"), ((20, 80), "both")]
)
def test_the_colour_bar_says_that_there_are_values_beyond_it(percentiles, tips):
    low, high = percentiles
    _, axes = nested().plot(vmin_percentile=low, vmax_percentile=high)
    assert axes.images[0].colorbar.extend == tips


def test_types_with_few_neurons_are_left_out():
    _, axes = nested().plot(min_neurons_for_plot=4)
    assert texts(axes.yaxis) == ["EPG/PEG", "ER2", "KC"]
    assert image_of(axes).shape == (18, 18)
    assert np.array_equal(image_of(axes).filled(0)[10:, 10:], nested().matrix.iloc[13:21, 13:21])
    with pytest.raises(NoMatchesError, match="no type has 9 neurons"):
        nested().plot(min_neurons_for_plot=9)


def test_neurons_without_a_type_can_be_drawn_but_not_by_type():
    matrix = NestedMatrix(pd.DataFrame([[1.0]], [5], [5]), {}, [5], {})
    assert texts(matrix.plot()[1].xaxis) == ["no type"]
    assert texts(nested().plot()[1].xaxis) == ["EPG/PEG", "ER2", "ER10", "KC", "PFN?", "no type"]
    assert nested().plot()[1].get_xticks()[-1] == 22.5  # of 24, the middle of the last two
    assert texts(matrix.plot(show_neuron_labels=True)[1].xaxis) == ["5"]
    with pytest.raises(NoMatchesError, match="no neuron has a type"):
        matrix.plot(level="type_sum")


def test_lines_have_the_width_that_is_asked_for():
    thin, thick = (nested().plot(linewidth_scale=scale)[1].lines[0].get_linewidth() for scale in (1, 3))
    assert thick == pytest.approx(3 * thin)


def test_labels_do_not_cover_each_other_and_large_types_keep_theirs():
    size, kept = fitting(np.array([0.0, 20, 22, 40]), np.array([5, 1, 9, 5]))
    assert (size, kept) == (11, [0, 2, 3])
    size, kept = fitting(np.arange(1000) * 0.1, np.ones(1000, dtype=int))
    assert size == 3
    assert np.diff(kept).min() * 0.1 >= 3.45 - 1e-6
    assert fitting(np.empty(0), np.empty(0, dtype=int)) == (11, [])


@pytest.mark.parametrize(
    "options",
    [
        {"level": "types"},
        {"vmin_percentile": -1},
        {"vmax_percentile": 101},
        {"vmin_percentile": 60, "vmax_percentile": 40},
        {"vmin_percentile": float("nan")},
        {"linewidth_scale": 0},
        {"linewidth_scale": float("inf")},
        {"min_neurons_for_plot": -1},
        {"min_neurons_for_plot": 0},
        {"min_neurons_for_plot": 4.5},
        {"figsize": (0, 1)},
        {"figsize": 5},
        {"figsize": (1, 2, 3)},
        {"figsize": ("a", 2)},
        {"figsize": (float("inf"), 2)},
        {"output_path": "pictures/"},
        {"output_path": "picture.xyz"},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InvalidInput):
        nested().plot(**options)


def test_drawing_leaves_pyplot_alone():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    nested().plot()
    assert plt.get_fignums() == before


def test_the_same_matrix_gives_the_same_bytes(tmp_path):
    nested().plot(tmp_path / "one.png", figsize=SIZE)
    nested().plot(tmp_path / "two.png", figsize=SIZE)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    nested().plot(str(tmp_path / "three.pdf"), figsize=SIZE)
    assert (tmp_path / "three.pdf").read_bytes().startswith(b"%PDF")


def test_a_collection_draws_one_all_or_all_but_some(tmp_path):
    collection = NeuropilCollection({"a": nested(), "b": directed(), "c": directed()})
    _, axes = collection.plot("b", level="type_sum")
    assert texts(axes.xaxis) == ["C", "D"]
    assert list(collection.plot(All, level="type_sum")) == ["a", "b", "c"]
    pictures = collection.plot(All.minus("a"), output_path=tmp_path / "cx.png", figsize=SIZE)
    assert list(pictures) == ["b", "c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cx_b.png", "cx_c.png"]
    directed().plot(tmp_path / "alone.png", figsize=SIZE)
    assert (tmp_path / "cx_b.png").read_bytes() == (tmp_path / "alone.png").read_bytes()
    assert list(collection.plot(["c", "a"], level="type_sum")) == ["c", "a"]
    for name in ("d", ["a", "d"]):
        with pytest.raises(NoMatchesError, match="no neuropil 'd'"):
            collection.plot(name)
    for wrong in ([1], 5, None):
        with pytest.raises(WrongType, match="names no neuropil"):
            collection.plot(wrong)


def test_a_collection_is_saved_into_a_folder_by_name(tmp_path):
    collection = NeuropilCollection({"a": directed(), "b": directed()})
    collection.plot(All, output_path=f"{tmp_path}/new/", figsize=SIZE)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.png", "b.png"]
    (tmp_path / "there").mkdir()
    collection.plot("a", output_path=tmp_path / "there", figsize=SIZE)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["a.png"]


def test_matplotlib_is_loaded_when_something_is_drawn():
    import subprocess

    code = "import sys; from crant_core.matrices import All, NestedMatrix; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        for case in CASES:
            small_picture(case, Path(scratch)).quantize(256).save(PICTURES / f"{case}.png", optimize=True)
