"""Kinds that count or fetch synapses, against the offline CAVE: in parts, they give what is true of the whole."""

from __future__ import annotations

from collections import Counter
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_array

import crant_core as cp
from crant_core.errors import NotARoot
from crant_core.kinds.registry import all_kinds, get_kind
from crant_core.sandbox.world.history import VERSIONS
from tests.fixtures import neurons
from tests.fixtures.kinds import do, running, source
from tests.fixtures.synapse_truth import held

__all__ = ["running", "source"]

QUERIES = ("connectivity", "adjacency", "synapse_counts", "synapses")
NO_ROOT = (8 << 56) + 5_000_000  # a root id of the right form that never was
L2_ID = (2 << 56) + 5
AT = VERSIONS[2].timestamp


@pytest.fixture(scope="module")
def roots() -> list[int]:
    return neurons.roots_at(3)


def true_rows(roots: list[int], side: str) -> pd.DataFrame:
    found = held(AT)
    found = found[(found.pre != found.post) & (found.pre != 0) & (found.post != 0)]
    return found[{"pre": found.pre.isin(roots), "post": found.post.isin(roots)}[side]]


def true_pairs(roots: list[int], *sides: str) -> dict[tuple[int, int], int]:
    rows = pd.concat([true_rows(roots, side) for side in sides])
    rows = rows[~rows.index.duplicated()]
    return dict(Counter(zip(rows.pre.tolist(), rows.post.tolist(), strict=True)))


def pairs_in(table) -> dict[tuple[int, int], int]:
    rows = [(row["pre"], row["post"]) for row in table.to_pylist()]
    assert len(set(rows)) == len(rows)
    return {(row["pre"], row["post"]): row["weight"] for row in table.to_pylist()}


@pytest.mark.parametrize("name", [*QUERIES, "update_ids", "snap_to_id"])
def test_the_example_of_a_kind_is_valid(name):
    spec = all_kinds()[name]
    spec.parameters.model_validate(spec.example)


@pytest.mark.parametrize("name", QUERIES)
class TestEveryKind:
    def test_what_is_no_root_fails_alone(self, source, roots, name):
        done = do(source, name, [NO_ROOT, roots[0], L2_ID])
        assert set(done.items) == {str(roots[0])}
        assert set(done.errors) == {str(NO_ROOT), str(L2_ID)}
        assert {type(error) for error in done.errors.values()} == {NotARoot}

    def test_outdated_ids_are_the_neurons_that_they_became(self, source, name):
        old = neurons.roots_at(1)
        new = cp.update_ids(old, timestamp="mat_3", dataset=source, use_annotations=False, progress=False)["new_id"]
        done = do(source, name, old)
        assert set(done.items) == set(map(str, new)) != set(map(str, old))
        asked = {one for item in done.items.values() for one in str(item.metrics["asked"]).split(", ")}
        assert asked == set(map(str, old))

    def test_files_say_what_they_are(self, source, roots, name):
        done = do(source, name, roots[:1], threshold=2)
        assert done.files
        for file in done.files.values():
            assert file.meta["kind"] == name
            assert file.meta["timestamp"] == AT.isoformat()
            assert file.meta["threshold"] == 2
            if file.name.endswith(".parquet"):
                assert done.table(file.name).schema.metadata[b"timestamp"] == AT.isoformat().encode()

    def test_units_of_any_size_give_the_same_bytes(self, source, roots, name):
        one, other = do(source, name, roots, each=1), do(source, name, roots, each=50)
        assert {name: file.data for name, file in one.files.items()} == {
            name: file.data for name, file in other.files.items()
        }

    def test_a_job_without_any_neuron_left_has_files_that_say_so(self, source, name):
        done = do(source, name, [NO_ROOT])
        assert not done.items
        assert all(file.meta.get("n_rows", 0) == 0 for file in done.files.values())


class TestConnectivity:
    def test_pairs_of_both_directions_are_those_of_the_world_each_once(self, source, roots):
        done = do(source, "connectivity", roots, each=2)
        assert pairs_in(done.table("connectivity.parquet")) == true_pairs(roots, "pre", "post")

    def test_one_direction_is_that_direction_only(self, source, roots):
        done = do(source, "connectivity", roots, upstream=False)
        assert pairs_in(done.table("connectivity.parquet")) == true_pairs(roots, "pre")

    def test_the_strongest_come_first(self, source, roots):
        weights = do(source, "connectivity", roots).table("connectivity.parquet")["weight"].to_pylist()
        assert weights == sorted(weights, reverse=True)

    def test_metrics_of_a_neuron_are_its_own(self, source, roots):
        done = do(source, "connectivity", roots, each=3)
        for root in roots:
            metrics = done.items[str(root)].metrics
            assert metrics["n_synapses_out"] == len(true_rows([root], "pre"))
            assert metrics["n_synapses_in"] == len(true_rows([root], "post"))
            assert metrics["n_downstream"] == true_rows([root], "pre").post.nunique()
            assert metrics["n_upstream"] == true_rows([root], "post").pre.nunique()

    def test_weak_pairs_are_left_out_of_every_part(self, source, roots):
        done = do(source, "connectivity", roots, each=1, threshold=3)
        strong = {pair: weight for pair, weight in true_pairs(roots, "pre", "post").items() if weight >= 3}
        assert pairs_in(done.table("connectivity.parquet")) == strong
        assert strong

    def test_no_direction_is_refused(self):
        with pytest.raises(ValidationError, match="neither upstream nor downstream"):
            get_kind("connectivity").parameters.model_validate({"ids": [1], "upstream": False, "downstream": False})


class TestAdjacency:
    @staticmethod
    def matrix(done) -> pd.DataFrame:
        with np.load(BytesIO(done.files["adjacency.npz"].data)) as held_:
            matrix = csr_array((held_["data"], held_["indices"], held_["indptr"]), tuple(held_["shape"]))
            return pd.DataFrame(matrix.toarray(), held_["pre_ids"], held_["post_ids"])

    def test_cells_are_those_of_the_world(self, source, roots):
        done = do(source, "adjacency", roots, each=2, targets="all")
        assert pairs_in(done.table("adjacency.parquet")) == true_pairs(roots, "pre")
        matrix = self.matrix(done)
        for (pre, post), weight in true_pairs(roots, "pre").items():
            assert matrix.loc[pre, post] == weight
        assert matrix.to_numpy().sum() == len(true_rows(roots, "pre"))

    def test_columns_are_the_neurons_of_the_job_unless_all_are_asked_for(self, source, roots):
        matrix = self.matrix(do(source, "adjacency", roots))
        assert matrix.index.tolist() == matrix.columns.tolist() == sorted(roots)
        within = {pair: weight for pair, weight in true_pairs(roots, "pre").items() if pair[1] in roots}
        assert matrix.to_numpy().sum() == sum(within.values())


class TestSynapseCounts:
    def test_numbers_are_those_of_the_world(self, source, roots):
        table = do(source, "synapse_counts", roots).table("synapse_counts.parquet").to_pylist()
        assert [row["root_id"] for row in table] == roots
        for row in table:
            sent, received = true_rows([row["root_id"]], "pre"), true_rows([row["root_id"]], "post")
            assert (row["pre"], row["synapses_out"]) == (sent.post.nunique(), len(sent))
            assert (row["post"], row["synapses_in"]) == (received.pre.nunique(), len(received))


class TestSynapses:
    @pytest.mark.parametrize("side", ["pre", "post"])
    def test_rows_of_one_side_are_those_of_the_world(self, source, roots, side):
        table = do(source, "synapses", roots, side=side, each=2).table("synapses.parquet")
        assert sorted(table["id"].to_pylist()) == true_rows(roots, side).index.tolist()

    def test_of_both_sides_each_synapse_comes_once(self, source, roots):
        table = do(source, "synapses", roots, each=1).table("synapses.parquet")
        ids = table["id"].to_pylist()
        expected = pd.concat([true_rows(roots, "pre"), true_rows(roots, "post")])
        assert sorted(ids) == sorted(set(expected.index))
        assert len(ids) < len(expected)  # some are between two of them

    def test_positions_are_those_of_the_world_in_nm(self, source, roots):
        table = do(source, "synapses", roots[:1], side="pre").table("synapses.parquet").to_pandas().set_index("id")
        truth = true_rows(roots[:1], "pre")
        for axis in "xyz":
            column = f"ctr_pt_position_{axis}"
            assert np.abs(table[column] - truth[column]).max() <= 1  # tables round to whole nm

    def test_ids_are_whole_numbers(self, source, roots):
        schema = do(source, "synapses", roots[:1]).table("synapses.parquet").schema
        assert {str(schema.field(name).type) for name in ("id", "pre_pt_root_id", "post_pt_root_id")} == {"int64"}


class TestSnapToId:
    def test_what_is_beside_a_neuron_is_moved_onto_it(self, source, roots):
        rows = true_rows(roots[:1], "pre").head(5)
        places = rows[[f"pre_pt_position_{axis}" for axis in "xyz"]].to_numpy(float)
        far = [[0.0, 0.0, 0.0], [1e9, 1e9, 1e9]]
        given = {str(roots[0]): [*places.tolist(), far[1]]}
        done = do(source, "snap_to_id", roots[:1], locations=given, snap_zero=True, search_radius=500)
        table = done.table("snapped.parquet").to_pylist()
        assert [row["found"] for row in table][-1] is False
        assert table[-1]["snapped_x"] is None
        moved = np.array([[row[f"snapped_{axis}"] for axis in "xyz"] for row in table[:-1]], dtype=float)
        assert (np.linalg.norm(moved - places, axis=1) <= 500).all()
        assert done.items[str(roots[0])].metrics["n_not_found"] == 1

    def test_ids_and_locations_belong_together(self):
        with pytest.raises(ValidationError, match="only one of ids and locations"):
            get_kind("snap_to_id").parameters.model_validate({"ids": ["5"], "locations": {"6": [[1, 2, 3]]}})


class TestSql:
    """Which files' rows go to SQL as well."""

    @pytest.mark.parametrize("name", ["connectivity", "adjacency"])
    def test_pairs_go_to_the_table_of_edges_with_its_columns(self, source, roots, name):
        done = do(source, name, roots)
        assert {file.name: file.table for file in done.files.values() if file.table} == {f"{name}.parquet": "edges"}
        assert done.table(f"{name}.parquet").column_names == ["pre", "post", "weight"]

    def test_nothing_is_said_of_a_side_that_was_not_asked_for(self, source, roots):
        outputs = {"n_downstream", "n_synapses_out"}
        [item] = do(source, "connectivity", roots[:1], upstream=False).items.values()
        assert {name for name in item.metrics if name.startswith("n_")} == outputs
        [item] = do(source, "synapses", roots[:1], side="post").items.values()
        assert {name for name in item.metrics if name.startswith("n_")} == {"n_synapses_in"}
