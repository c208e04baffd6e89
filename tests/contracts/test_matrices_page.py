"""The first example of the page on matrices, as it stands there, on the sandbox's dataset `demo`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crant_core as cp
from crant_core import registry
from crant_core.neuropils import get_supported_neuropil_mesh_labels
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "matrices.md"
ROUNDING = 8  # synapses at corners of meshes, which tables and served meshes round


@pytest.fixture(scope="module")
def left(sandbox: Sandbox, tmp_path_factory) -> Iterator[dict[str, Any]]:
    """Run the example with nothing known but the default dataset, and return its variables and its folder."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"folder": tmp_path_factory.mktemp("page")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRANT_CACHE_FOLDER", str(names["folder"] / "cache"))
        patch.chdir(names["folder"])
        for name, value in {"_registered": {}, "_tokens": {}, "_annotation_tokens": {}, "_default": None}.items():
            patch.setattr(registry, name, value)
        cp.clear_all_caches()
        cp.register(sandbox.dataset, sandbox.token)
        cp.set_default_dataset("demo")
        exec(compile(code[1], str(PAGE), "exec"), names)  # noqa: S102 - it is ours
        yield names
    cp.clear_all_caches()


def test_it_has_a_matrix_for_each_neuropil_of_the_dataset_that_has_synapses(left):
    found, known = left["by_neuropil"], get_supported_neuropil_mesh_labels("demo")
    assert {"ellipsoid_body", "fan_shaped_body"} <= set(found) <= {*known, "other"}
    assert all(matrix.sparse.nnz for matrix in found.values())


def test_it_counts_the_synapses_that_truly_are_there(left):
    world, table = neurons.world(), left["synapses"]
    asked = {int(root) for root in left["annotations"]["root_id"]}
    between = table[table.pre_pt_root_id.isin(asked) & table.post_pt_root_id.isin(asked)]
    truth, number = world.frame("truth/synapse_neuropils"), world.frame("neuropils").set_index("name").number
    for name, matrix in left["by_neuropil"].items():
        inside = np.isin(between.id, truth.synapse_id[truth.neuropil == number[name]])
        assert abs(matrix.sparse.sum() - inside.sum()) <= ROUNDING


def test_its_file_has_the_same_matrices(left):
    kept = cp.NeuropilCollection.from_parquet(left["folder"] / "matrices.parquet")
    assert list(kept) == list(left["by_neuropil"])
    assert kept.ellipsoid_body.matrix.equals(left["by_neuropil"].ellipsoid_body.matrix)
