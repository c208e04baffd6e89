"""Two results have one address if and only if they must be the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crant_core.datasets import Dataset
from crant_core.kinds.addresses import addresses
from crant_core.kinds.base import Reuse
from crant_core.kinds.skeletonize.spec import SPEC
from tests.engine import NOON

DEMO = Dataset(name="demo", datastack="crant_demo", server="http://127.0.0.1:1", viewer_resolution=(8, 8, 42))
PARAMETERS = {"waves": 1, "heal": True}
LATER = replace(NOON, timestamp=NOON.timestamp + timedelta(seconds=1))
AT_TIME = replace(SPEC, reuse=Reuse.SAME_TIME)


def address(kind=SPEC, dataset=DEMO, parameters=PARAMETERS, moment=NOON, key="7") -> str | None:
    return addresses(kind, dataset, parameters, moment)(key)


def test_it_is_the_same_for_the_same() -> None:
    assert address() == address(parameters={"heal": True, "waves": 1})
    assert address() == address(moment=LATER), "the shape of a root never changes"
    assert len(address() or "") == 64


@pytest.mark.parametrize(
    "change",
    [
        {"key": "8"},
        {"parameters": PARAMETERS | {"waves": 2}},
        {"parameters": PARAMETERS | {"heal": 1.5}},
        {"kind": replace(SPEC, code_version=2)},
        {"kind": replace(SPEC, name="other")},
        {"kind": AT_TIME},
        {"dataset": DEMO.model_copy(update={"name": "latest"})},
        {"dataset": DEMO.model_copy(update={"server": "http://127.0.0.1:2"})},
    ],
)
def test_it_is_another_for_everything_that_matters(change: dict[str, object]) -> None:
    assert address(**change) != address()


def test_time_matters_where_the_kind_says_so() -> None:
    assert address(kind=AT_TIME) == address(kind=AT_TIME)
    assert address(kind=AT_TIME) != address(kind=AT_TIME, moment=LATER)


def test_parameters_that_do_not_matter_are_left_out() -> None:
    kind = replace(SPEC, result_parameters=("waves",))
    assert address(kind=kind) == address(kind=kind, parameters=PARAMETERS | {"heal": False})
    assert address(kind=kind) != address(kind=kind, parameters=PARAMETERS | {"waves": 2})


def test_what_is_not_shared_has_none() -> None:
    assert address(kind=replace(SPEC, reuse=Reuse.NEVER)) is None
