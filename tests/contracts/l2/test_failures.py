"""The functions on L2 chunks when servers or neurons fail."""

from __future__ import annotations

import pytest

from crant_core.errors import DataMissing, InvalidParameters, NotARoot, SourceError
from crant_core.l2 import get_l2_chunk_info, get_l2_dotprops, get_l2_graph, get_l2_meshes, get_l2_skeleton
from tests.contracts.l2.asking import NEURONS, TABLES, UNKNOWN, chunks, knowing
from tests.fixtures.neurons import live_roots


class TestFailures:
    @pytest.mark.parametrize("function", NEURONS)
    def test_the_three_meanings_of_omit_failures(self, dataset, function, caplog):
        one, other = live_roots()[:2]
        with pytest.raises(NotARoot):
            function([one, UNKNOWN, other], omit_failures=None, dataset=dataset)
        assert function([one, UNKNOWN, other], omit_failures=True, dataset=dataset).id.tolist() == [one, other]
        assert str(UNKNOWN) in caplog.text
        found = function([one, UNKNOWN, other], omit_failures=False, dataset=dataset)
        assert found.id.tolist() == [one, UNKNOWN, other]
        assert str(found[1].units) == "1 nanometer"
        assert len(function([UNKNOWN], omit_failures=True, dataset=dataset)) == 0
        with pytest.raises(InvalidParameters):
            function(one, omit_failures="maybe", dataset=dataset)

    def test_one_alone(self, dataset):
        assert len(get_l2_skeleton(UNKNOWN, omit_failures=True, dataset=dataset)) == 0
        empty = get_l2_skeleton(UNKNOWN, omit_failures=False, dataset=dataset)
        assert (empty.id, empty.n_nodes) == (UNKNOWN, 0)
        assert len(get_l2_dotprops(UNKNOWN, omit_failures=False, dataset=dataset)[0].points) == 0

    @pytest.mark.parametrize("function", [*TABLES, *NEURONS])
    def test_a_failing_l2_cache_is_an_error(self, dataset, ours, function):
        ours.control("POST", "fault", {"pattern": "/l2cache/", "status": 400, "body": "no"})
        with pytest.raises(SourceError, match="400"):
            function(live_roots()[:2], dataset=dataset)

    # crantpy logs it, and returns None.
    @pytest.mark.parametrize("function", [get_l2_graph, get_l2_skeleton])
    def test_a_failing_graph_is_an_error(self, dataset, ours, function):
        ours.control("POST", "fault", {"pattern": "/lvl2_graph", "status": 500, "body": "no"})
        with pytest.raises(SourceError):
            function(live_roots()[:2], dataset=dataset)

    @pytest.mark.parametrize(
        "body", [{"edge_graph": [[1, 2]]}, {"edge_graph": 5}, {"edge_graph": [[1]]}, {}, [], "<html>"], ids=repr
    )
    def test_an_answer_that_is_no_graph_of_the_neuron_is_an_error(self, dataset, ours, body):
        ours.control("POST", "fault", {"pattern": "/lvl2_graph", "status": 200, "body": body})
        with pytest.raises(SourceError):
            get_l2_graph(live_roots()[0], dataset=dataset)

    @pytest.mark.parametrize("value", [[1, 2], "there", {"x": 1}])
    def test_a_place_that_is_none_is_an_error(self, dataset, ours, value):
        knowing(ours, *chunks(live_roots()[0]), rep_coord_nm=value)
        with pytest.raises(SourceError, match="rep_coord_nm"):
            get_l2_chunk_info(live_roots()[0], dataset=dataset)

    @pytest.mark.parametrize("value", [[1, 2], "there", [[1, 2]], {"x": 1}])
    def test_an_axis_that_is_none_is_an_error(self, dataset, ours, value):
        knowing(ours, *chunks(live_roots()[0]), pca=value)
        with pytest.raises(SourceError, match="pca"):
            get_l2_dotprops(live_roots()[0], dataset=dataset)

    def test_a_missing_piece_of_a_chunks_mesh_is_an_error(self, dataset, ours):
        ours.control("POST", "fault", {"pattern": r"\.shard$", "status": 404, "times": 1})
        with pytest.raises(DataMissing):
            get_l2_meshes(live_roots()[0], dataset=dataset)
