"""Which options of `neuropil_matrices` the parts of neurons depend on: only those name a part, so others share it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crant_core.datasets import Dataset
from crant_core.kinds.addresses import addresses
from crant_core.kinds.neuropil_matrices import run
from crant_core.kinds.neuropil_matrices.spec import SPEC, NeuropilMatricesOptions
from crant_core.times import TimeBase
from tests.fixtures import neurons
from tests.fixtures.neuropil_jobs import context, done, finished, running, source

__all__ = ["running", "source"]


DEMO = Dataset(name="demo", datastack="crant_demo", server="http://127.0.0.1:1", viewer_resolution=(8, 8, 42))
NOON = TimeBase(asked="mat", timestamp=datetime(2026, 11, 1, 12, tzinfo=UTC))
PART_OF = {
    "neuropils": ["EB"],
    "include_other": False,
    "position": "pre",
    "min_size": 10.0,
    "threshold": 2,
}
OF_FINISH = {
    "targets": "ids",
    "weight_mode": "relative_outgoing",
    "normalization_scope": "all",
    "cell_types": {"576460754037774276": "EPG"},
    "annotation_scope": "annotated_only",
}


def address(**options: object) -> str | None:
    parameters = NeuropilMatricesOptions.model_validate(options).model_dump(mode="json")
    return addresses(SPEC, DEMO, parameters, NOON)("576460754037774276")


def test_each_option_is_of_one_sort():
    assert PART_OF.keys() | OF_FINISH.keys() == NeuropilMatricesOptions.model_fields.keys()
    assert not PART_OF.keys() & OF_FINISH.keys()


@pytest.mark.parametrize("name", PART_OF)
def test_what_counts_makes_another_part(name):
    assert address(**{name: PART_OF[name]}) != address()


@pytest.mark.parametrize("name", OF_FINISH)
def test_what_is_made_of_the_counts_does_not(name):
    assert address(**{name: OF_FINISH[name]}) == address()


def test_parts_made_for_other_options_give_the_same_files(source):
    ids = neurons.roots_at(3)
    chosen = {**OF_FINISH, "cell_types": {str(ids[0]): "A", str(ids[1]): "B"}}
    own = finished(source, ids, **chosen)
    items, files = done(context(source), ids)
    reused = {file.name: file for file in run.finish(context(source, files, **chosen), items)}
    assert {name: file.data for name, file in reused.items()} == {name: file.data for name, file in own.items()}
    assert {name: file.meta for name, file in reused.items()} == {name: file.meta for name, file in own.items()}
