from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from crant_core.skeleton import Skeleton
from crant_core.skeleton.picture import _colours, _thinned, draw


def line(*points: tuple[float, float, float], radius: float = 300.0) -> Skeleton:
    count = len(points)
    return Skeleton(np.array(points) * 1000.0, np.full(count, radius), np.arange(-1, count - 1))


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        return np.asarray(image)


def middle_colour(picture: np.ndarray) -> list[float]:
    """Colour of the most opaque pixel in the middle column."""
    column = picture[:, picture.shape[1] // 2]
    return (column[column[:, 3].argmax(), :3] / 255).tolist()


def test_the_longer_side_has_the_size_asked_for_and_the_background_is_transparent():
    picture = pixels(draw({"a": line((0, 0, 0), (100, 50, 0))}, size_px=400))
    assert max(picture.shape[:2]) in (399, 400, 401)
    assert picture[0, 0, 3] == 0
    assert picture[..., 3].max() == 255


def test_x_runs_right_and_y_down():
    corner_to_corner = pixels(draw({"": line((0, 0, 0), (100, 0, 0), (100, 100, 0))}, size_px=300))
    blue = (corner_to_corner[..., 3] > 200) & (corner_to_corner[..., 2] > corner_to_corner[..., 0].astype(int) + 40)
    rows, columns = np.nonzero(blue)
    assert columns[rows < 30].min() < 40  # the top edge of the shape starts at the left
    assert columns[rows > 150].min() > 200  # below, there is only its right edge


def test_the_nearer_neuron_is_drawn_over_the_farther_whatever_their_order():
    near, far = line((0, 50, 0), (100, 50, 0), radius=1000), line((0, 50, 90), (100, 50, 90), radius=1000)
    for order in ({"near": near, "far": far}, {"far": far, "near": near}):
        expected = _colours(2)[list(order).index("near")]
        assert middle_colour(pixels(draw(order, size_px=1200))) == pytest.approx(expected[:3], abs=0.02)


@pytest.mark.parametrize("count", [1, 6, 7, 40])
def test_every_neuron_has_its_own_colour(count):
    assert len(set(_colours(count))) == count


def test_a_single_node_can_be_drawn():
    assert pixels(draw({"dot": line((5, 5, 5))}, size_px=200)).shape[2] == 4


def test_the_same_skeletons_give_the_same_bytes():
    skeletons = {"a": line((0, 0, 0), (30, 70, 0)), "b": line((9, 9, 9), (80, 10, 0))}
    assert draw(skeletons, caption="demo") == draw(skeletons, caption="demo")


def test_pyplot_is_left_alone():
    check = (
        "import sys, numpy as np; from crant_core.skeleton import Skeleton;"
        "from crant_core.skeleton.picture import draw;"
        "draw({'a': Skeleton(np.eye(3), np.ones(3), np.arange(-1, 2))}, size_px=100);"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "False"


def test_of_too_many_edges_only_bends_are_left_out() -> None:
    """A stem of nodes 0 … 9, from which two branches of ten nodes grow; drawn one in four."""
    parents = np.array([-1, *range(9), 9, *range(10, 19), 9, *range(20, 29)])
    nodes = np.stack([np.arange(30.0), np.zeros(30), np.zeros(30)], axis=1)
    thin = _thinned(Skeleton(nodes, np.arange(30.0), parents), 4)
    assert thin.nodes[:, 0].tolist() == [0, 4, 8, 9, 12, 16, 19, 20, 24, 28, 29]
    assert thin.parents.tolist() == [-1, 0, 1, 2, 3, 4, 5, 3, 7, 8, 9]
    assert thin.radii.tolist() == thin.nodes[:, 0].tolist()


def test_thinned_neurons_look_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(0, 100_000, 2001)
    line = Skeleton(np.stack([x, 0 * x, 0 * x], axis=1), 0 * x + 500, np.arange(-1, 2000))
    whole = np.asarray(Image.open(io.BytesIO(draw({"a": line}))), dtype=float)
    monkeypatch.setattr("crant_core.skeleton.picture._EDGES_AT_MOST", 50)
    thinned = np.asarray(Image.open(io.BytesIO(draw({"a": line}))), dtype=float)
    assert np.abs(whole - thinned).max(axis=2).mean() < 0.1
