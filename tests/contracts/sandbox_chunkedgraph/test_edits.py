"""Edits, and how answers travel."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from crant_core.sandbox import layout
from tests.contracts.sandbox_chunkedgraph.made_up import ROOT, T1, T3, A, B, C, D, E, F, node


class TestEdits:
    def test_merge(self, cave, editable):
        done = cave.do_merge([C, D], [[1, 2, 3], [4, 5, 6]], resolution=(16, 16, 42))
        assert done == {"operation_id": 4, "new_root_ids": [ROOT + 7]}
        assert cave.get_roots([A, E]).tolist() == [ROOT + 7] * 2
        assert cave.is_latest_roots([ROOT + 4, ROOT + 7]).tolist() == [False, True]
        operation = cave.get_operation_details([4])["4"]
        assert (operation["source_coords"], operation["sink_coords"]) == ([[1, 2, 3]], [[4, 5, 6]])
        assert editable.operations[-1].edges == ((C, D),)

    def test_merge_of_one_neuron_is_400_and_stays_in_the_log(self, cave, editable):
        with pytest.raises(requests.HTTPError, match=r"400.*different objects"):
            cave.do_merge([A, B], [[0, 0, 0]] * 2)
        assert editable.operations[-1].status == 2

    def test_merge_over_more_than_3_chunks_is_400(self, cave, editable):
        with pytest.raises(requests.HTTPError, match="Chebyshev"):
            cave.do_merge([E, F], [[0, 0, 0]] * 2)
        assert len(editable.operations) == 3

    def test_points_of_roots_mean_their_nearest_supervoxel(self, cave, editable):
        points = [(layout.chunk_start([x, 0, 0]) + 10).tolist() for x in (4, 5)]
        cave.do_merge([ROOT + 4, ROOT + 6], points, resolution=(1, 1, 1))
        assert editable.operations[-1].edges == ((C, D),)

    def test_split_and_its_preview(self, cave, editable):
        points = [np.zeros((1, 3)), np.zeros((1, 3))]
        source, sink, success = cave.preview_split(*points, ROOT + 4, [A], [C])
        assert success
        assert A in source
        assert C in sink
        assert sorted(source + sink) == [A, B, C]
        operation_id, new_roots = cave.execute_split(*points, ROOT + 4, [A], [C])
        assert (operation_id, new_roots) == (4, [ROOT + 7, ROOT + 8])
        assert set(cave.get_roots([A, C]).tolist()) == set(new_roots)

    def test_split_between_neurons_is_400(self, cave, editable):
        points = [np.zeros((1, 3)), np.zeros((1, 3))]
        for call in (cave.preview_split, cave.execute_split):
            with pytest.raises(requests.HTTPError, match=r"400.*same object"):
                call(*points, ROOT + 4, [A], [E])

    def test_undo_and_redo(self, cave, http, editable):
        assert cave.undo_operation(2) == {"operation_id": 4, "new_root_ids": [ROOT + 7, ROOT + 8]}
        assert http.post("/redo", json={"operation_id": 2}).json() == {"operation_id": 5, "new_root_ids": [ROOT + 9]}
        details = cave.get_operation_details([4, 5])
        assert (details["4"]["undo_operation_id"], details["5"]["redo_operation_id"]) == (2, 2)
        with pytest.raises(requests.HTTPError, match="400"):
            cave.undo_operation(99)

    def test_edits_within_one_tick_of_the_clock_follow_each_other(self, http, server, editable):
        clock, server.state.clock = server.state.clock, SimpleNamespace(now=lambda: T3 + timedelta(days=1))
        try:
            assert http.post("/undo", json={"operation_id": 2}).status_code == 200
            new = http.post("/redo", json={"operation_id": 2}).json()["new_root_ids"]
            assert http.post("/is_latest_roots", json={"node_ids": new}).json() == {"is_latest": [True]}
            assert http.post("/roots", json={"node_ids": [D]}).json() == {"root_ids": new}
        finally:
            server.state.clock = clock

    def test_edits_before_the_last_one_are_400(self, http, server, editable):
        clock, server.state.clock = server.state.clock, SimpleNamespace(now=lambda: T1)
        try:
            assert http.post("/undo", json={"operation_id": 2}).status_code == 400
        finally:
            server.state.clock = clock

    @pytest.mark.parametrize("body", [[[1, 0, 0, 0]], []])
    def test_a_merge_has_two_ends(self, http, body):
        assert http.post("/merge", json=body).status_code == 500


class TestTransport:
    def test_replies_are_packed_for_those_who_accept_it(self, http):
        request = {"node_ids": [ROOT + 4]}
        packed = http.post("/is_latest_roots", json=request, headers={"Accept-Encoding": "gzip"})
        plain = http.post("/is_latest_roots", json=request, headers={"Accept-Encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.json() == plain.json() == {"is_latest": [True]}

    @pytest.mark.parametrize("path", ["/oldest_timestamp/", "/nothing"])
    def test_unknown_paths_are_404_and_never_redirected(self, http, path):
        assert http.get(path).status_code == 404

    def test_binary_roots_are_called_html(self, http):
        answer = http.post("/roots_binary", content=np.array([A], dtype="<u8").tobytes())
        assert answer.headers["content-type"].startswith("text/html")
        assert np.frombuffer(answer.content, dtype="<u8").tolist() == [ROOT + 4]

    def test_binary_ids_are_taken_where_the_real_server_takes_them(self, http):
        body = np.array([ROOT + 4, ROOT + 1], dtype="<u8").tobytes()
        assert http.post("/is_latest_roots?is_binary=true", content=body).json() == {"is_latest": [True, False]}

    def test_ids_are_strings_on_request(self, http):
        answer = http.get(f"/node/{ROOT + 4}/lvl2_graph?int64_as_str=true")
        assert answer.json()["edge_graph"][0] == [str(node(2, 0)), str(node(2, 1))]
