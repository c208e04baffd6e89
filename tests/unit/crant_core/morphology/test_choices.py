from __future__ import annotations

import pytest

from crant_core.errors import InvalidParameters
from crant_core.morphology.choices import METHODS, chosen
from crant_core.skeleton import Options


def test_left_out_it_is_the_wavefront_shaved_and_unchecked():
    found = chosen()
    assert (found.method, found.options, found.most_elsewhere, found.otherwise) == ("wavefront", Options(), None, False)


def test_arguments_and_options_reach_the_engine():
    found = chosen(None, {"step_size": 2, "heal": False}, shave_skeleton=False, remove_soma_hairball=True)
    assert found.options == Options(edges_per_step=2, heal=False, shave=False, remove_soma_hairball=True)


def test_pcg_skel_means_l2_with_the_wavefront_as_a_way_out():
    found = chosen(None, {"tip_reach": 0.5}, use_pcg_skel=True)
    assert (found.method, found.otherwise, found.options.tip_reach) == ("l2", True, 0.5)
    assert not chosen("l2").otherwise


def test_only_who_looks_has_a_limit():
    assert chosen(None, {"elsewhere": 0.1}).most_elsewhere is None
    assert chosen(None, {"elsewhere": 0.1}, assert_id_match=True).most_elsewhere == 0.1


@pytest.mark.parametrize(
    ("method", "given", "named", "message"),
    [
        ("teasar", {}, {}, "wavefront"),
        (None, {"step_sise": 3}, {}, "step_size"),
        (None, {"waves": 2}, {}, "no option waves .*method skeletor"),
        (None, {"step_size": 1}, {}, "crooked"),
        (None, {"edges_per_step": 1.4}, {}, "1.5 or more"),
        (None, {"step_size": 3, "edges_per_step": 3}, {}, "both are given"),
        (None, {"shave": False}, {}, "shave"),
        (None, {"tip_reach": 2}, {}, "tip_reach"),
        (None, {"step_size": "many"}, {}, "number"),
        ("l2", {"heal": False}, {}, "wavefront or skeletor"),
        ("service", {"haste": False}, {}, "it has none"),
        ("skeletor", {"step_size": 1.5}, {}, "whole"),
        ("skeletor", {"waves": 0}, {}, "1 or more"),
        (None, {"elsewhere": 2}, {}, "share"),
        ("skeletor", {}, {"use_pcg_skel": True}, "use_pcg_skel"),
        *((method, {}, {"remove_soma_hairball": True}, "hairball") for method in METHODS[1:]),
    ],
)
def test_what_cannot_be_done_is_refused(method, given, named, message):
    with pytest.raises(InvalidParameters, match=message):
        chosen(method, given, **named)
