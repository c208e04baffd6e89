from __future__ import annotations

import numpy as np
import pytest

from crant_core.errors import InvalidInput
from crant_core.viewing.colors import colors_of, hex_color, palette


@pytest.mark.parametrize("count", [0, 1, 10, 11, 20, 21, 111])
def test_a_palettes_colours_all_differ(count):
    assert len(set(palette(count))) == count


def test_the_first_colours_are_those_of_matplotlib():
    assert palette(2) == ["#1f77b4", "#ff7f0e"]
    assert palette(12)[1] == "#aec7e8"


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ("red", "#ff0000"),
        ("#ABCDEF", "#abcdef"),
        ((1, 0, 0), "#ff0000"),
        ((2, 0, 0, 0), "#020000"),
        ([0, 0, 255], "#0000ff"),
    ],
)
def test_colours_in_any_form(color, expected):
    assert hex_color(color) == expected


@pytest.mark.parametrize("wrong", ["", (1, 2), (0, -1, 0), None, 5, (256, 0, 0), ("a", "b", "c")])
def test_others_are_refused_with_a_way_out(wrong):
    with pytest.raises(InvalidInput, match="names such as"):
        hex_color(wrong)


def test_without_colours_all_neurons_differ():
    found = colors_of(range(1, 31), None)
    assert list(found) == list(range(1, 31))
    assert len(set(found.values())) == 30


def test_a_label_that_is_no_number_may_be_missing():
    labels = np.array(["a", None, "a"], dtype=object)
    assert colors_of([1, 2, 3], labels) == {
        1: "#1f77b4",
        3: "#1f77b4",
    }
