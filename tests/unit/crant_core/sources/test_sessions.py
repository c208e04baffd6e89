from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
import requests
from requests.adapters import HTTPAdapter

from crant_core.errors import Truncated
from crant_core.sources import sessions, watching
from crant_core.sources.answers import limit_expected
from crant_core.sources.limits import bytes_received
from crant_core.sources.sessions import BoundedAdapter, BoundedSession, bound
from crant_core.sources.watching import Nobody
from tests.fixtures.answering import saying, server

BODY = b"neurons " * 1000
PACKED = gzip.compress(BODY)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b".")
            time.sleep(0.05)
    except OSError:
        pass  # the client has given up
    handler.close_connection = True


def chunked(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    for piece in (PACKED[:7], PACKED[7:]):
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def session() -> Iterator[BoundedSession]:
    with BoundedSession() as opened:
        yield opened


class TestTime:
    @pytest.mark.parametrize("stream", [False, True])
    def test_an_answer_that_drips_steadily_is_given_up(self, session, monkeypatch, stream):
        monkeypatch.setattr(sessions, "READ_SECONDS", 1.0)
        monkeypatch.setattr(sessions, "ANSWER_SECONDS", 0.2)
        with server(dripping) as url, pytest.raises(requests.ReadTimeout, match="too slowly"):
            session.get(url, stream=stream)

    def test_a_pause_inside_an_answer_is_a_read_time_out(self, session, monkeypatch):
        monkeypatch.setattr(sessions, "READ_SECONDS", 0.01)
        with server(dripping) as url, pytest.raises(requests.ReadTimeout):
            session.get(url)

    def test_a_callers_own_time_out_counts(self, session):
        with server(dripping) as url, pytest.raises(requests.ReadTimeout):
            session.get(url, timeout=0.01)


class TestReading:
    def test_a_plain_answer_is_as_it_was_sent(self, session):
        with server(saying(BODY)) as url:
            assert session.get(url).content == BODY

    def test_a_compressed_answer_is_unpacked_also_in_chunks(self, session):
        for answer in (saying(PACKED, Content_Encoding="gzip"), chunked):
            with server(answer) as url:
                assert session.get(url).content == BODY

    def test_a_stream_can_still_be_read_raw_as_cloud_files_does(self, session):
        with server(saying(PACKED, Content_Encoding="gzip")) as url, session.get(url, stream=True) as response:
            response.raw.decode_content = False
            assert response.raw.read() == PACKED
            assert response.headers["Content-Encoding"] == "gzip"

    def test_a_head_has_headers_only(self, session):
        with server(saying(PACKED, Content_Encoding="gzip")) as url:
            response = session.head(url)
        assert (response.content, response.headers["Content-Length"]) == (b"", str(len(PACKED)))

    def test_the_connection_serves_the_next_request(self, session):
        ports = []

        def noting(handler: BaseHTTPRequestHandler) -> None:
            ports.append(handler.client_address[1])
            saying(BODY)(handler)

        with server(noting) as url:
            for stream in (False, True, False):
                session.get(url, stream=stream)
            session.close()
        assert len(ports) == 3
        assert len(set(ports)) == 1

    def test_cookies_are_kept(self, session):
        with server(saying(BODY, Set_Cookie="sweet=1")) as url:
            session.get(url)
        assert session.cookies["sweet"] == "1"


class TestCounting:
    """Bytes are counted as they came."""

    @pytest.fixture
    def heard(self, monkeypatch):
        heard: list[tuple[str, int]] = []

        class Ears(Nobody):
            def received(self, url: str, size: int) -> None:
                heard.append((url.rpartition("/")[2], size))

        monkeypatch.setattr(watching, "_installed", [Ears()])
        return heard

    @pytest.mark.parametrize(
        ("answer", "size"),
        [
            (saying(BODY), len(BODY)),
            (saying(PACKED, Content_Encoding="gzip"), len(PACKED)),
            (saying(b"no", status=404), 2),
            (saying(b""), 0),
        ],
        ids=["plain", "compressed", "an error", "empty"],
    )
    def test_whole_answers(self, session, heard, answer, size):
        before = bytes_received()
        with server(answer) as url:
            session.get(f"{url}/x")
        assert bytes_received() - before == size
        assert heard == [("x", size)]

    def test_what_came_before_an_answer_broke_off(self, session, heard):
        before = bytes_received()
        with server(saying(BODY, length=len(BODY) + 1)) as url, pytest.raises(requests.exceptions.ChunkedEncodingError):
            session.get(f"{url}/x")
        assert bytes_received() - before == len(BODY)
        assert heard == [("x", len(BODY))]


class TestCompleteness:
    def test_fewer_bytes_than_announced_are_an_error(self, session):
        with server(saying(BODY, length=len(BODY) + 1)) as url, pytest.raises(requests.exceptions.ChunkedEncodingError):
            session.get(url)

    @pytest.mark.parametrize("kept", [0, 1, 10, len(PACKED) // 2, len(PACKED) - 1])
    def test_a_cut_compressed_body_is_an_error_and_silent_without_us(self, session, kept):
        with server(saying(PACKED[:kept], Content_Encoding="gzip")) as url:
            assert len(requests.get(url, timeout=5).content) <= len(BODY)
            with pytest.raises(requests.exceptions.ContentDecodingError, match=f"after {kept} bytes"):
                session.get(url)

    @pytest.mark.parametrize("body", [PACKED + PACKED, PACKED + bytes(8)], ids=["two members", "padded"])
    def test_what_ends_after_a_member_is_whole(self, session, body):
        with server(saying(body, Content_Encoding="gzip")) as url:
            assert session.get(url).content.startswith(BODY)

    def test_a_damaged_body_is_not_called_cut(self, session):
        error = pytest.raises(requests.exceptions.ContentDecodingError, match="incorrect header")
        with server(saying(b"no gzip", Content_Encoding="gzip")) as url, error:
            session.get(url)

    def test_a_range_of_a_compressed_object_is_whole(self, session):
        with server(saying(PACKED[5:9], 206, Content_Encoding="gzip")) as url:
            assert session.get(url, stream=True).raw.read(decode_content=False) == PACKED[5:9]

    def test_only_encodings_whose_end_is_seen_are_asked_for(self, session):
        asked = []

        def noting(handler: BaseHTTPRequestHandler) -> None:
            asked.append(handler.headers["Accept-Encoding"])
            saying(BODY)(handler)

        with server(noting) as url:
            session.get(url)
            session.get(url, headers={"Accept-Encoding": "identity"})
        assert asked == ["gzip", "identity"]

    def test_cut_deflate_is_why(self):
        packed = zlib.compress(BODY)
        with server(saying(packed[:-20], Content_Encoding="deflate")) as url:
            assert 0 < len(requests.get(url, timeout=5).content) < len(BODY)


class TestRoots:
    IDS = np.arange(4, dtype="<u8").tobytes()

    @pytest.mark.parametrize("count", [0, 3, 5])
    def test_another_number_of_roots_than_of_ids_is_an_error(self, session, count):
        error = pytest.raises(requests.exceptions.ContentDecodingError, match=f"{count} roots came for 4 ids")
        with server(saying(bytes(8 * count))) as url, error:
            session.post(f"{url}/table/t/roots_binary?timestamp=1", data=self.IDS)

    def test_as_many_are_right_also_when_both_are_compressed(self, session):
        packed = {"data": gzip.compress(self.IDS), "headers": {"Content-Encoding": "gzip"}}
        with server(saying(gzip.compress(self.IDS), Content_Encoding="gzip")) as url:
            assert session.post(f"{url}/roots_binary", **packed).content == self.IDS
            assert session.post(f"{url}/roots_binary", data=self.IDS).content == self.IDS

    def test_errors_and_other_paths_have_any_length(self, session):
        with server(saying(b"sorry", 400)) as url:
            assert session.post(f"{url}/roots_binary", data=self.IDS).status_code == 400
        with server(saying(b"other")) as url:
            assert session.post(f"{url}/roots", data=self.IDS).content == b"other"


class TestRows:
    LIMITED = '201 - "Limited query to 500000 rows'

    def test_an_answer_cut_at_a_row_limit_is_an_error(self, session):
        with server(saying(b"", Warning=self.LIMITED)) as url, pytest.raises(Truncated) as caught:
            session.get(url)
        assert caught.value.value == 500_000

    def test_it_is_found_among_other_warnings(self, session):
        warning = f"Table Owner Notice on t: mind, the gap, {self.LIMITED}"
        with server(saying(b"", Warning=warning)) as url, pytest.raises(Truncated):
            session.get(url)

    def test_other_warnings_are_left_to_caveclient(self, session):
        with server(saying(BODY, Warning="Table Owner Notice on t: 3 rows are wrong")) as url:
            assert session.get(url).content == BODY

    def test_whoever_expects_it_gets_the_rows_and_only_then(self, session):
        with server(saying(BODY, Warning=self.LIMITED)) as url:
            with limit_expected(), limit_expected():
                assert session.get(url).content == BODY
            with pytest.raises(Truncated):
                session.get(url)


class TestAdapters:
    @pytest.mark.parametrize("prefix", ["http://", "https://"])
    def test_whoever_mounts_a_transport_in_a_bounded_session_gets_a_bounded_one(self, session, prefix):
        session.mount(prefix, HTTPAdapter(max_retries=4))
        adapter = session.get_adapter(f"{prefix}somewhere")
        assert isinstance(adapter, BoundedAdapter)
        assert adapter.max_retries.total == 4

    def test_an_existing_session_is_bounded_and_keeps_its_retries(self):
        with requests.Session() as session:
            session.mount("https://", HTTPAdapter(max_retries=4))
            bound(session)
            retries = [session.get_adapter(f"{scheme}://x").max_retries.total for scheme in ("http", "https")]
            assert isinstance(session.get_adapter("http://x"), BoundedAdapter)
        assert retries == [0, 4]

    def test_the_limits_are_generous_but_finite(self):
        assert 0 < sessions.CONNECT_SECONDS <= sessions.READ_SECONDS <= sessions.ANSWER_SECONDS < 3600
