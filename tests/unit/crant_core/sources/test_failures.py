from __future__ import annotations

import pytest
import requests
import urllib3

from crant_core.errors import MeshNotFound, SourceError, SourceUnavailable
from crant_core.sources.failures import translated


def http_error(status: int, text: str = "no") -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(text, response=response)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_may_work_later(status):
    with pytest.raises(SourceUnavailable), translated("cave"):
        raise http_error(status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 410, 413])
def test_will_not_work_later(status):
    with pytest.raises(SourceError) as caught, translated("cave"):
        raise http_error(status)
    assert not caught.value.retryable
    assert caught.value.value == status


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectTimeout(),
        requests.ReadTimeout(),
        requests.ConnectionError(),
        requests.exceptions.ChunkedEncodingError(),
        requests.exceptions.RetryError(),
        urllib3.exceptions.ProtocolError("cut off"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_broken_connection_may_work_later(error):
    with pytest.raises(SourceUnavailable), translated("cave"):
        raise error


def test_an_address_nobody_can_ask_will_not_work_later():
    with pytest.raises(SourceError) as caught, translated("cave"):
        raise requests.exceptions.InvalidURL("nowhere")
    assert not caught.value.retryable


def test_our_own_errors_pass_through():
    with pytest.raises(MeshNotFound), translated("cave"):
        raise MeshNotFound


def test_a_page_of_html_does_not_become_a_message():
    with pytest.raises(SourceUnavailable) as caught, translated("cave"):
        raise http_error(502, "<html>\n" + "x" * 10_000)
    assert len(caught.value.message) < 400
    assert "\n" not in caught.value.message
