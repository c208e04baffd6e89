from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crant_core.errors import SkeletonError
from crant_core.skeleton import Skeleton
from crant_core.skeleton.swc import read_swc, to_swc

FORK = Skeleton(
    np.array([[1.0, 2, 3], [4, 5.5, 6], [7, 8, 9.0625], [10, 11, 12]]),
    np.array([0.0, 100, 20.25, 3]),
    np.array([-1, 0, 1, 1]),
)


def test_the_text_is_header_then_seven_columns():
    text = to_swc(FORK, {"dataset": "demo", "root_id": "576460754037774276"}).decode()
    assert text.splitlines() == [
        "# dataset: demo",
        "# root_id: 576460754037774276",
        "# units: nm",
        "# columns: id type x y z radius parent",
        "1 0 1.000 2.000 3.000 0.000 -1",
        "2 0 4.000 5.500 6.000 100.000 1",
        "3 0 7.000 8.000 9.062 20.250 2",
        "4 0 10.000 11.000 12.000 3.000 2",
    ]
    assert text.endswith("\n")


def test_only_the_soma_has_a_type():
    types = [line.split()[1] for line in to_swc(FORK, {}, soma=2).decode().splitlines() if not line.startswith("#")]
    assert types == ["0", "0", "1", "0"]


def test_a_header_value_cannot_start_a_line_of_its_own():
    text = to_swc(FORK, {"label": "mine\n1 0 0 0 0 0 -1"}).decode()
    assert text.splitlines()[0] == "# label: mine 1 0 0 0 0 0 -1"


@given(st.data())
def test_what_is_written_is_read_back(data):
    count = data.draw(st.integers(1, 30))
    number = st.floats(-1e6, 1e6)
    skeleton = Skeleton(
        data.draw(arrays.arrays(np.float64, (count, 3), elements=number)),
        data.draw(arrays.arrays(np.float64, count, elements=st.floats(0, 1e5))),
        np.array([data.draw(st.integers(-1, index - 1)) for index in range(count)]),
    )
    back = read_swc(to_swc(skeleton, {}))
    assert back.n_roots == skeleton.n_roots
    assert back.cable_length == pytest.approx(skeleton.cable_length, abs=0.002 * count)
    order = np.lexsort(np.round(skeleton.nodes, 3).T)
    assert np.allclose(np.sort(back.nodes, axis=0), np.sort(skeleton.nodes, axis=0), rtol=0, atol=0.000501)
    assert len(order) == back.n_nodes


def test_a_skeleton_in_order_of_depth_keeps_its_node_order():
    back = read_swc(to_swc(FORK, {}))
    assert back.parents.tolist() == FORK.parents.tolist()


def test_ids_may_have_gaps_and_come_in_any_order():
    back = read_swc(b"# other tool\n\n70 3 2 0 0 1 9\n9 1 1 0 0 2 500\n500 1 0 0 0 3 -1\n")
    assert back.nodes[:, 0].tolist() == [0, 1, 2]
    assert back.radii.tolist() == [3, 2, 1]
    assert back.parents.tolist() == [-1, 0, 1]


def test_ids_never_pass_through_float():
    large = 2**53
    text = f"{large} 0 0 0 0 1 -1\n{large + 1} 0 1 0 0 1 {large}\n{large + 2} 0 2 0 0 1 {large + 1}\n"
    assert read_swc(text.encode()).parents.tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no nodes"),
        ("# only a header\n", "no nodes"),
        ("1 0 0 0 0 1\n", "7 columns"),
        ("1 0 0 0 0 1 -1\n2 0 0\n", "seven numbers"),
        ("1 0 zero 0 0 1 -1\n", "seven numbers"),
        ("1.5 0 0 0 0 1 -1\n", "not an integer"),
        ("1 0 0 0 0 1 -1\n1 0 0 0 0 1 -1\n", "twice"),
        ("1 0 0 0 0 1 -1\n2 0 0 0 0 1 7\n", "does not exist"),
        ("1 0 0 0 0 1 2\n2 0 0 0 0 1 1\n", "cycle"),
        ("1 0 nan 0 0 1 -1\n", "finite"),
        ("1 0 0 0 0 -3 -1\n", "negative"),
    ],
)
def test_broken_text_is_refused_with_the_reason(text, reason):
    with pytest.raises(SkeletonError, match=reason):
        read_swc(text.encode())
