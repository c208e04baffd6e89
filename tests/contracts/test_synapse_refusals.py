"""How the functions on synapses fail."""

from __future__ import annotations

import logging

import navis
import pytest

from crant_core.errors import InvalidId, InvalidTime, SourceError, SourceUnavailable, UnknownDataset, VersionNotFound
from crant_core.registry import register
from crant_core.synapses import attach_synapses, get_adjacency, get_connectivity, get_synapse_counts, get_synapses
from tests.fixtures import neurons
from tests.fixtures.sandbox import lasting
from tests.fixtures.synapse_cave import FLYWIRE, NO_ROOT, asked, cave, current, dataset, running, skeleton

__all__ = ["cave", "dataset", "running"]


class TestRefusals:
    @pytest.mark.parametrize("call", [get_synapses, get_adjacency])
    def test_all_synapses_of_a_dataset_are_not_fetched(self, cave, call):
        with pytest.raises(ValueError, match="neither pre_ids nor post_ids"):
            call(dataset="demo")
        assert asked(cave).total() == 0

    def test_neither_direction_is_refused(self, cave):
        with pytest.raises(ValueError, match="upstream"):
            get_connectivity(current(), upstream=False, downstream=False, dataset="demo")
        with pytest.raises(ValueError, match="neither pre nor post"):
            attach_synapses(skeleton(0, current()[0]), pre=False, post=False, dataset="demo")
        assert asked(cave).total() == 0

    @pytest.mark.parametrize(
        ("when", "error"), [("newest", InvalidTime), (99, VersionNotFound), (1, VersionNotFound), (True, InvalidTime)]
    )
    def test_a_time_that_is_none_is_refused(self, dataset, when, error):
        for call in (get_synapses, get_connectivity, get_synapse_counts, get_adjacency):
            with pytest.raises(error):
                call(current(), materialization=when, dataset="demo")

    @pytest.mark.parametrize("wrong", [5, FLYWIRE, 0, -1, None, 5.0, "a", float("nan"), [True]])
    def test_what_is_no_root_id_is_refused(self, dataset, wrong):
        for call in (get_connectivity, get_synapse_counts):
            with pytest.raises(InvalidId):
                call([current()[0], wrong], dataset="demo")

    def test_a_supervoxel_is_no_root_id_and_the_message_says_its_layer(self, dataset):
        with pytest.raises(InvalidId, match="layer 8, this one 1"):
            get_synapses(post_ids=int(neurons.supervoxels()[0]), dataset="demo")

    @pytest.mark.parametrize("update", [True, False])
    @pytest.mark.parametrize("when", ["latest", "live"])
    def test_a_root_that_never_was_has_no_synapses_which_is_logged(self, dataset, caplog, update, when):
        with caplog.at_level(logging.WARNING, "crant_core"):
            found = get_synapse_counts([NO_ROOT], update_ids=update, materialization=when, dataset="demo")
        assert found.to_numpy().tolist() == [[0, 0]]
        assert (str(NO_ROOT) in caplog.text) is update

    def test_a_table_without_a_column_is_named_with_it(self, cave):
        register(lasting(cave.dataset).model_copy(update={"synapse_table": "nucleus_detection_v0"}), cave.token)
        try:
            for call in (get_connectivity, get_adjacency, get_synapses):
                with pytest.raises(SourceError, match=r"nucleus_detection_v0 has no column (pre|post)_pt_root_id"):
                    call(current(), dataset="demo")
            with pytest.raises(SourceError, match="no column post_pt_root_id"):
                get_connectivity(current(), materialization="live", dataset="demo")
        finally:
            register(lasting(cave.dataset), cave.token)

    def test_the_synapse_table_may_be_that_of_caves_description(self, cave):
        plain = lasting(cave.dataset).model_copy(update={"synapse_table": None})
        expected = get_synapses(current(), dataset="demo")
        assert get_synapses(current(), dataset=plain).equals(expected)

    def test_a_dataset_must_be_known(self):
        with pytest.raises(UnknownDataset):
            get_synapses(current(), dataset="nowhere")

    def test_a_server_that_does_not_answer_is_an_error_and_neurons_stay_as_they_were(self, cave):
        some = navis.NeuronList([skeleton(number, root) for number, root in enumerate(current())])
        attach_synapses(some, dataset="demo")
        before = [one.connectors.copy() for one in some]
        cave.control("POST", "fault", {"path": "/query", "status": 503, "times": 100, "after": 1})
        with pytest.raises(SourceUnavailable):
            attach_synapses(some, materialization=2, dataset="demo")
        assert all(one.connectors.equals(other) for one, other in zip(some, before, strict=True))

    def test_ids_of_skeletons_must_be_root_ids(self, dataset):
        some = navis.NeuronList([skeleton(0, current()[0]), skeleton(1, "DA1")])
        with pytest.raises(InvalidId, match="DA1"):
            attach_synapses(some, dataset="demo")
        assert all(one.connectors is None for one in some)
