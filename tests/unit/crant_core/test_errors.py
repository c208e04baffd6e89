from __future__ import annotations

import inspect
import pickle

import pytest

from crant_core import errors
from crant_core.errors import CrantError, MeshNotFound

ALL = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, CrantError)]


def test_codes_are_unique() -> None:
    codes = [error.code for error in ALL]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("error", ALL)
def test_every_error_stands_in_the_drawn_tree_and_says_what_it_is(error: type[CrantError]) -> None:
    assert error.__name__ in (errors.__doc__ or "")
    assert error().message == (error.__doc__ or "").strip().splitlines()[0]


@pytest.mark.parametrize("error", ALL)
def test_errors_cross_process_boundaries(error: type[CrantError]) -> None:
    sent = error("what", value=2**62, hint="do")
    received = pickle.loads(pickle.dumps(sent))  # noqa: S301 - multiprocessing does the same
    assert (type(received), received.message, received.value, received.hint) == (error, "what", 2**62, "do")


def test_the_way_out_is_part_of_the_text() -> None:
    assert str(MeshNotFound("no mesh for 5", hint="try another")) == "no mesh for 5 (try another)"
