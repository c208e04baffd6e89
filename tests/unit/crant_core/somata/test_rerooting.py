from __future__ import annotations

import logging

import navis
import numpy as np
import pytest

from crant_core.cautions import WrongUnitWarning
from crant_core.errors import InvalidInput, InvalidParameters, WrongType
from crant_core.somata import reroot_at_soma
from tests.unit.crant_core.somata.test_skeletons import line

AT_NODE_5 = [500, 0, 0]  # voxels of 8 nm: 4 µm along x


def neurons(count: int = 3) -> navis.NeuronList:
    found = navis.NeuronList([line([100] * 10) for _ in range(count)])
    for number, neuron in enumerate(found):
        neuron.id = number
    return found


@pytest.mark.parametrize("form", [list, tuple, np.array, lambda place: [place], lambda place: np.array([place])])
def test_one_neuron_takes_a_list_or_an_array(form):
    neuron = line([100] * 10)
    assert reroot_at_soma(neuron, form(AT_NODE_5), dataset="latest") is neuron
    assert neuron.root.tolist() == [5]
    assert neuron.soma == 5
    assert neuron._soma_found
    assert neuron._soma_ratio is None


@pytest.mark.parametrize("missing", [None, [None] * 3, [np.nan] * 3])
def test_those_without_a_soma_stay_as_they_are_and_say_so(missing, caplog):
    some = neurons()
    before = some[1].nodes.copy()
    with caplog.at_level(logging.WARNING):
        assert reroot_at_soma(some, [AT_NODE_5, missing, [0, 0, 0]], dataset="latest") is some
    assert [neuron.root.tolist() for neuron in some] == [[5], [1], [1]]
    assert some[1].nodes.equals(before)
    assert [neuron._soma_found for neuron in some] == [True, False, True]
    assert "neuron 1 stays as it is" in caplog.text


def test_rows_may_be_an_array():
    some = neurons(2)
    reroot_at_soma(some, np.array([AT_NODE_5, [1000, 0, 0]]), dataset="latest")
    assert [neuron.root.tolist() for neuron in some] == [[5], [9]]


def test_what_detect_soma_returns_can_be_given():
    some, places = neurons(2), np.array([AT_NODE_5, [0, 0, 0]]).astype(object)
    places[1] = None
    reroot_at_soma(some, places, dataset="latest")
    assert [neuron._soma_found for neuron in some] == [True, False]


def test_copies_are_rooted_on_request():
    some = neurons(2)
    found = reroot_at_soma(some, [AT_NODE_5, None], inplace=False, dataset="latest")
    assert [neuron.root.tolist() for neuron in some] == [[1], [1]]
    assert [neuron.root.tolist() for neuron in found] == [[5], [1]]
    assert isinstance(found, navis.NeuronList)
    assert found[1] is not some[1]
    one = reroot_at_soma(some[0], AT_NODE_5, inplace=False, dataset="latest")
    assert (one.root.tolist(), some[0].root.tolist()) == ([5], [1])


def test_other_trees_of_a_neuron_keep_their_roots():
    neuron = line([100] * 10, parents=[-1, 1, 2, 3, 4, -1, 6, 7, 8, 9])
    reroot_at_soma(neuron, AT_NODE_5, dataset="latest")
    assert sorted(neuron.root.tolist()) == [5, 6]


def test_voxels_are_those_of_the_dataset():
    neuron = line([100] * 10)
    reroot_at_soma(neuron, [1000, 0, 0], dataset="minnie65_public")  # 4 nm each
    assert neuron.root.tolist() == [5]


def test_nanometres_for_voxels_are_noticed():
    with pytest.warns(WrongUnitWarning, match="voxels"):
        neuron = reroot_at_soma(line([100] * 10), [4000, 0, 0], dataset="latest")
    assert (neuron.root.tolist(), neuron.soma, neuron._soma_found) == ([1], None, False)


def test_a_plain_list_is_a_list_also_with_one_neuron_twice():
    one, other = neurons(2)
    assert reroot_at_soma([one, one, other], [AT_NODE_5] * 3, dataset="latest") == [one, one, other]
    assert [one.soma, other.soma] == [5, 5]


def test_unknown_options_of_the_search_are_refused():
    with pytest.raises(InvalidParameters, match=r"no option 'min_radius'.*min_rad"):
        reroot_at_soma(neurons(), detect_soma_kwargs={"min_radius": 5}, dataset="latest")


@pytest.mark.parametrize(
    "wrong", [[], [AT_NODE_5], [AT_NODE_5] * 4, [1, 2, 3], [[1, 2]] * 3, [[1, 2, None]] * 3, ["abc"] * 3, 7]
)
def test_as_many_coordinates_as_neurons(wrong):
    some = neurons()
    with pytest.raises(InvalidInput):
        reroot_at_soma(some, wrong, dataset="latest")
    assert [neuron.root.tolist() for neuron in some] == [[1]] * 3


def test_no_neurons_are_no_trouble():
    assert len(reroot_at_soma(navis.NeuronList([]), [], dataset="latest")) == 0
    assert len(reroot_at_soma(navis.NeuronList([]), dataset="latest")) == 0


def test_they_must_be_skeletons_in_nm():
    with pytest.raises(WrongType, match="int"):
        reroot_at_soma(12345, AT_NODE_5, dataset="latest")
    with pytest.raises(InvalidInput, match="not nm"):
        reroot_at_soma(line([100] * 4, units="8 nm"), AT_NODE_5, dataset="latest")


def test_nodes_without_a_position_are_refused_before_any_neuron_is_rooted():
    given = neurons(2)
    given[1].nodes.loc[3, "x"] = np.nan
    with pytest.raises(InvalidInput, match="no finite position"):
        reroot_at_soma(given, [AT_NODE_5, AT_NODE_5], dataset="latest")
    assert [neuron.soma for neuron in given] == [None, None]


def test_options_are_a_mapping():
    with pytest.raises(InvalidParameters, match="no options"):
        reroot_at_soma(neurons(), detect_soma_kwargs=5)
