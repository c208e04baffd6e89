"""The log keeps the newest requests, counts all, and names endpoints without ids."""

from __future__ import annotations

import pytest

from crant_core.sandbox.faults.log import Entry, RequestLog, endpoint


def _entry(path: str = "/a", *, status: int | None = 200, fault: str | None = None, body: int = 0) -> Entry:
    return Entry(
        time=1_700_000_000.5,
        method="GET",
        path=path,
        query="x=1",
        status=status,
        bytes_in=2,
        bytes_out=3,
        milliseconds=1.5,
        delayed=0,
        fault=fault,
        body=body,
    )


class TestEndpoint:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/segmentation/api/v1/table/t/node/864691135/leaves", "/segmentation/api/v1/table/t/node/{id}/leaves"),
            ("/meshing/api/v1/table/t/manifest/864691135:0", "/meshing/api/v1/table/t/manifest/{id}:{lod}"),
            ("/l2_chunk_children_binary/72057", "/l2_chunk_children_binary/{id}"),
            (
                "/materialize/api/v3/datastack/ds/version/12/query",
                "/materialize/api/v3/datastack/ds/version/{id}/query",
            ),
            ("/s/bulk/get_skeletons/-1/flatdict/False/1,2,3", "/s/bulk/get_skeletons/{id}/flatdict/False/{ids}"),
            ("/graph/contact_sites_pair/1/2", "/graph/contact_sites_pair/{id}/{id}"),
            ("/segmentation/api/versions", "/segmentation/api/versions"),
            ("/table/t2/roots_binary", "/table/t2/roots_binary"),
            ("/gcs/ws/16_16_42/0-64_0-64_0-64", "/gcs/ws/16_16_42"),
            ("/gcs/t/mesh/initial/2/12-3.shard", "/gcs/t/mesh"),
            ("/gcs/ws/info", "/gcs/ws"),
            ("/gcs/info", "/gcs/"),
        ],
    )
    def test_ids_are_replaced_and_objects_are_cut_to_two_folders(self, path, expected):
        assert endpoint(path) == expected


class TestRequestLog:
    def test_entries_are_numbered_from_1_and_narrowed_by_path_and_since(self):
        log = RequestLog()
        for path in ("/a/x", "/b", "/a/y"):
            log.add(_entry(path))
        assert [(entry.sequence, entry.path) for entry in log.entries()] == [(1, "/a/x"), (2, "/b"), (3, "/a/y")]
        assert [entry.sequence for entry in log.entries("/a")] == [1, 3]
        assert [entry.sequence for entry in log.entries("/a", since=1)] == [3]

    def test_a_full_log_drops_the_oldest_says_so_and_still_counts_them(self):
        log = RequestLog(size=3)
        for _ in range(5):
            log.add(_entry())
        assert [entry.sequence for entry in log.entries()] == [3, 4, 5]
        assert log.dropped == 2
        assert log.counts["/a"].requests == 5

    def test_counts_tell_statuses_faults_and_bytes(self):
        log = RequestLog()
        for entry in (_entry("/node/1/root"), _entry("/node/2/root", status=503, fault="f"), _entry("/b", status=None)):
            log.add(entry)
        answer = log.as_json()
        assert answer["counts"] == {
            "/node/{id}/root": {
                "requests": 2,
                "faults": 1,
                "bytes_in": 4,
                "bytes_out": 6,
                "statuses": {"200": 1, "503": 1},
            },
            "/b": {"requests": 1, "faults": 0, "bytes_in": 2, "bytes_out": 3, "statuses": {"none": 1}},
        }
        assert (answer["last"], answer["dropped"]) == (3, 0)

    def test_clearing_forgets_all_but_the_sequence(self):
        log = RequestLog(size=1)
        log.add(_entry())
        log.add(_entry())
        log.clear()
        assert (log.entries(), log.counts, log.dropped) == ([], {}, 0)
        log.add(_entry())
        assert log.entries()[0].sequence == 3

    def test_attempts_of_one_call_share_a_key_that_other_bodies_do_not(self):
        assert _entry(status=503, body=5).key == _entry(body=5).key == "GET /a?x=1 00000005"
        assert _entry(body=6).key != _entry(body=5).key

    def test_json_has_an_aware_time(self):
        assert _entry().as_json()["time"] == "2023-11-14T22:13:20.500000+00:00"
