"""How the chunkedgraph is asked, without a server."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import requests

from crant_core.errors import InvalidId, InvalidParameters, SourceError, SourceUnavailable
from crant_core.sources.chunkedgraph_requests import asking, batches, check_count, id_array, in_batches, layers_of

ROOT = (8 << 56) + 2**53 + 1  # a float would lose its last digit


@pytest.mark.parametrize(
    "form",
    [
        lambda ids: ids,
        np.array,
        lambda ids: np.array(ids, dtype=np.uint64),
        lambda ids: np.array(ids, dtype=object),
        lambda ids: np.array(ids).reshape(3, 1),
        lambda ids: [np.int64(one) for one in ids],
        lambda ids: (one for one in ids),
        pd.Series,
    ],
)
def test_ids_keep_all_digits(form):
    found = id_array(form([ROOT, 0, 2**63 - 1]))
    assert (found.dtype, found.tolist()) == (np.uint64, [ROOT, 0, 2**63 - 1])


def test_one_id_is_an_array_of_one():
    assert id_array(ROOT).tolist() == id_array(np.int64(ROOT)).tolist() == [ROOT]
    assert id_array([]).tolist() == id_array(np.array([], dtype=np.int64)).tolist() == []


@pytest.mark.parametrize("wrong", [-1, 2**63, 1.0, float(ROOT), True, np.bool_(1), "1", None])
def test_what_is_no_id_is_named(wrong):
    with pytest.raises(InvalidId) as caught:
        id_array([1, wrong])
    assert caught.value.value is wrong


@pytest.mark.parametrize("wrong", [np.array([1, -1]), np.array([1, 2**63], dtype=np.uint64), np.array([1.0, 2.0])])
def test_arrays_are_looked_through(wrong):
    with pytest.raises(InvalidId):
        id_array(wrong)


def test_layers():
    assert layers_of(np.array([ROOT, 1 << 56, 5], dtype=np.uint64)).tolist() == [8, 1, 0]


def test_batches_hold_every_id_once_and_show_nothing_while_they_are_quick(capsys):
    ids = np.arange(10, dtype=np.uint64)
    for progress in (False, True):
        assert [part.tolist() for part in batches(ids, 4, progress=progress)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(batches(ids[:0], 4)) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, -1])
def test_batches_have_a_size(size):
    with pytest.raises(InvalidParameters, match=f"a batch of {size} ids"):
        list(batches(np.arange(3, dtype=np.uint64), size))


def answer(status: int, **headers: str) -> requests.Response:
    found = requests.Response()
    found.status_code = status
    found.headers.update(headers)
    return found


@pytest.mark.parametrize("name", ["X-Request-ID", "x-request-id", "X-Cloud-Trace-Context"])
def test_the_number_of_a_refused_request_is_told(name):
    with pytest.raises(SourceUnavailable, match="request id r-17") as caught, asking("server"):
        raise requests.HTTPError("busy", response=answer(500, **{name: "r-17"}))
    assert caught.value.value == 500


def test_the_number_of_a_request_whose_answer_was_cut_is_told():
    with pytest.raises(SourceUnavailable, match="request id r-18"), asking("server"):
        raise requests.exceptions.ContentDecodingError("cut", response=answer(200, **{"X-Request-ID": "r-18"}))


@pytest.mark.parametrize("error", [KeyError("is_latest"), TypeError("no list"), AttributeError("items")])
def test_an_answer_of_another_form_is_the_servers_fault(error):
    with pytest.raises(SourceError, match="server gave no answer of the expected form") as caught, asking("server"):
        raise error
    assert caught.value.__cause__ is error


def test_an_answer_about_fewer_ids_is_refused():
    check_count("server", 3, 3)
    with pytest.raises(SourceError, match="server answered for 2 of 3 ids"):
        check_count("server", 2, 3)


def refusing_more_than(most, error):
    """Answer like a server that can do so many ids at once; also tell what it was asked."""
    asked = []

    def ask(ids):
        asked.append(len(ids))
        if len(ids) > most:
            raise error
        return ids * np.uint64(2)

    return ask, asked


@pytest.mark.parametrize("status", [413, 504])
def test_a_batch_that_is_too_much_is_halved_until_it_is_answered(status):
    ids = np.arange(100, dtype=np.uint64)
    ask, asked = refusing_more_than(10, SourceError("too much", value=status))
    found = list(in_batches(ids, 60, ask))
    assert np.concatenate([part for part, _ in found]).tolist() == ids.tolist()
    assert np.concatenate([answer for _, answer in found]).tolist() == (2 * ids).tolist()
    assert asked[:4] == [60, 30, 15, 7]


def test_a_server_that_takes_too_long_is_asked_for_less():
    timeout = SourceUnavailable("no answer")
    timeout.__cause__ = requests.ReadTimeout()
    ask, _ = refusing_more_than(3, timeout)
    assert sum(len(part) for part, _ in in_batches(np.arange(5, dtype=np.uint64), 5, ask)) == 5


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_other_failures_are_not_asked_about_again(status):
    ask, asked = refusing_more_than(0, SourceError("no", value=status))
    with pytest.raises(SourceError):
        list(in_batches(np.arange(8, dtype=np.uint64), 8, ask))
    assert asked == [8]


def test_a_server_that_always_fails_is_given_up_after_four_halvings():
    ask, asked = refusing_more_than(0, SourceError("no", value=504))
    with pytest.raises(SourceError):
        list(in_batches(np.arange(64, dtype=np.uint64), 64, ask))
    assert asked == [64, 32, 16, 8, 4]
