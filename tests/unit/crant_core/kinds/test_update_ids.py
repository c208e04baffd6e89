"""The kind `update_ids` against the offline CAVE."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

import crant_core as cp
from crant_core.errors import NotARoot
from crant_core.kinds.registry import get_kind
from tests.fixtures import neurons
from tests.fixtures.kinds import do, running, source

__all__ = ["running", "source"]

NO_ROOT = (8 << 56) + 5_000_000
L2_ID = (2 << 56) + 5


def test_a_job_says_what_the_library_says(source):
    ids = [*neurons.roots_at(1), *neurons.roots_at(3)]
    table = do(source, "update_ids", ids, each=3, use_annotations=False).table("id_updates.parquet").to_pylist()
    expected = cp.update_ids(ids, timestamp="mat_3", dataset=source, use_annotations=False, progress=False)
    expected = expected.drop_duplicates("old_id")
    assert [row["old_id"] for row in table] == expected["old_id"].tolist()
    assert [row["new_id"] for row in table] == expected["new_id"].tolist()
    assert [row["confidence"] for row in table] == expected["confidence"].tolist()
    assert [row["changed"] for row in table] == expected["changed"].tolist()


def test_every_old_neuron_becomes_the_one_that_holds_its_soma(source):
    became = dict(
        zip(neurons.roots_at(1), zip(neurons.supervoxels().tolist(), neurons.roots_at(3), strict=True), strict=True)
    )
    hints = {str(old): str(supervoxel) for old, (supervoxel, _) in became.items()}
    done = do(source, "update_ids", list(became), supervoxels=hints)
    assert {old: item.metrics["new_id"] for old, item in done.items.items()} == {
        str(old): str(new) for old, (_, new) in became.items()
    }
    without = do(source, "update_ids", list(became), use_annotations=False)
    assert without.files["id_updates.parquet"].data != done.files["id_updates.parquet"].data


def test_what_never_was_fails_alone_and_says_why(source):
    done = do(source, "update_ids", [NO_ROOT, L2_ID, *neurons.roots_at(3)])
    assert set(done.errors) == {str(NO_ROOT), str(L2_ID)}
    assert all(isinstance(error, NotARoot) for error in done.errors.values())
    assert len(done.items) == len(neurons.roots_at(3))


def test_new_ids_are_text_in_metrics_and_integers_in_the_table(source):
    done = do(source, "update_ids", neurons.roots_at(1))
    assert all(isinstance(item.metrics["new_id"], str) for item in done.items.values())
    assert str(done.table("id_updates.parquet").schema.field("new_id").type) == "int64"


def test_supervoxels_of_ids_that_are_not_asked_for_are_refused():
    with pytest.raises(ValidationError, match="not among the ids"):
        get_kind("update_ids").parameters.model_validate({"ids": ["5"], "supervoxels": {"6": "7"}})
