"""The kind `neuropil_matrices` against the offline CAVE: its counts are those of the world's truth."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from crant_core.errors import MeshNotFound, NoMatchesError, NotARoot
from crant_core.kinds.neuropil_matrices import run, surfaces
from crant_core.kinds.neuropil_matrices.counting import Outputs, outputs_of, part_of
from crant_core.kinds.neuropil_matrices.spec import NeuropilMatricesOptions, NeuropilMatricesParameters
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.matrices import count, merge
from crant_core.matrices.parquet import load_counts
from crant_core.neuropils.meshes import load_neuropil_meshes
from crant_core.sandbox.world.history import VERSIONS
from tests.fixtures import neurons
from tests.fixtures.neuropil_jobs import NO_ROOT, cells, collection, context, done, finished, running, same, source
from tests.fixtures.synapse_truth import held, names, true_counts, truly_in

__all__ = ["running", "source"]


AT = VERSIONS[2].timestamp


@pytest.fixture(scope="module")
def inside(running) -> dict[str, set[int]]:
    """Ids of the synapses that truly are in each neuropil."""
    meshes = load_neuropil_meshes(names(), running.dataset)
    return {name: truly_in(name, mesh) for name, mesh in meshes.items()}


class TestParameters:
    def test_a_job_needs_only_ids(self):
        found = NeuropilMatricesParameters.model_validate(get_kind("neuropil_matrices").example)
        assert found.neuropils is None
        assert found.weight_mode == "count"

    def test_ids_of_types_are_exact_and_survive_json(self):
        given = {"cell_types": {"576460754037774277": "EPG/PEG"}}
        found = NeuropilMatricesOptions.model_validate(given)
        assert found.cell_types == {576460754037774277: "EPG/PEG"}
        assert NeuropilMatricesOptions.model_validate(found.model_dump(mode="json")) == found

    @pytest.mark.parametrize(
        "wrong",
        [
            {"neuropils": []},
            {"neuropils": [""]},
            {"weight_mode": "column"},
            {"threshold": 0},
            {"min_size": -1},
            {"cell_types": {"x": "a"}},
            {"cell_types": {"1": " "}},
            {"position": "centre"},
            {"treshold": 2},
        ],
        ids=str,
    )
    def test_what_means_nothing_is_refused(self, wrong):
        with pytest.raises(ValidationError):
            NeuropilMatricesOptions.model_validate(wrong)


class TestPlan:
    def test_ids_of_any_age_are_the_neurons_of_the_jobs_time(self, source):
        old, new = neurons.roots_at(2), neurons.roots_at(3)
        planned = run.plan(context(source), [*old, *new, old[0]])
        assert [int(item.key) for item in planned] == new
        assert [item.metrics["changed"] for item in planned] == [
            one != other for one, other in zip(old, new, strict=True)
        ]
        changed = [f"{one}, {other}" if one != other else str(one) for one, other in zip(old, new, strict=True)]
        assert [item.metrics["asked"] for item in planned] == changed

    def test_what_is_no_neuron_fails_alone_and_says_why(self, source):
        root = neurons.roots_at(3)[0]
        good, layer, never = run.plan(context(source), [root, 72340375154458630, NO_ROOT])
        assert good.error is None
        assert isinstance(layer.error, NotARoot)
        assert isinstance(never.error, NotARoot)
        assert "of layer 1" in str(layer.error)
        assert "became none" in str(never.error)
        assert [item.key for item in (layer, never)] == ["72340375154458630", str(NO_ROOT)]

    def test_nothing_to_look_up_asks_for_nothing(self, source):
        assert [bool(item.error) for item in run.plan(context(source), [5])] == [True]

    def test_a_neuropil_that_does_not_exist_fails_the_job_at_once(self, source):
        with pytest.raises(NoMatchesError, match="did you mean lateral_horn_right"):
            run.plan(context(source, neuropils=["lateral_horn_rigth"]), neurons.roots_at(3))
        with pytest.raises(MeshNotFound, match="gall_left"):
            run.plan(context(source, neuropils=["gall_left"]), neurons.roots_at(3))

    def test_all_neuropils_are_those_that_the_dataset_has(self, running):
        assert sorted(surfaces.places_of(running.dataset, None).names) == sorted(names())

    def test_a_dataset_without_any_says_so(self, running, tmp_path):
        empty = running.dataset.model_copy(update={"neuropil_source": str(tmp_path)})
        with pytest.raises(NoMatchesError, match="has no neuropil"):
            surfaces.places_of(empty, None)


class TestCounts:
    @pytest.mark.parametrize("each", [1, 2, 50])
    def test_units_of_any_size_add_up_to_the_truth(self, source, inside, each):
        roots = neurons.roots_at(3)
        counts = load_counts(finished(source, roots, each)["counts.parquet"].data)
        truth = true_counts(inside, roots, AT)
        assert cells(counts) == truth
        assert truth.total() > 2_500
        assert len({name for name, _, _ in truth}) >= 6

    def test_they_are_those_of_all_synapses_at_once(self, source, inside):
        roots = neurons.roots_at(3)
        at_once = outputs_of(context(source), roots, NeuropilMatricesOptions()).counts
        merged = load_counts(finished(source, roots, 2)["counts.parquet"].data)
        assert same(merged, at_once)
        truth = true_counts(inside, roots, AT)
        by_hand = count(
            *(np.array([key[side] for key in truth.elements()]) for side in (1, 2)),
            np.array([merged.names.index(key[0]) for key in truth.elements()]),
            merged.names,
        )
        assert same(merged, by_hand)

    def test_they_are_of_the_jobs_time(self, source, inside):
        roots = neurons.roots_at(2)
        items, _ = done(context(source, at="mat_2"), roots)
        table = held(VERSIONS[1].timestamp)
        table = table[(table.pre != table.post) & (table.post != 0)]
        assert [item.metrics["n_synapses"] for item in items] == [int((table.pre == root).sum()) for root in roots]
        now = [item.metrics["n_synapses"] for item in done(context(source), neurons.roots_at(3))[0]]
        assert now != [item.metrics["n_synapses"] for item in items]

    def test_an_item_alone_is_the_same_as_in_its_unit(self, source):
        roots = neurons.roots_at(3)
        prepared = replace(context(source), prepared=run.prepare(context(source), [str(root) for root in roots]))
        for root in roots:
            assert run.run(prepared, str(root)) == run.run(context(source), str(root))

    def test_a_unit_is_fetched_with_one_query(self, running, source):
        running.control("DELETE", "log")
        run.prepare(context(source), [str(root) for root in neurons.roots_at(3)])
        log = [entry["path"].rsplit("/", 1)[-1] for entry in running.control("GET", "log")["entries"]]
        assert log.count("query") == 1

    def test_the_servers_row_limit_changes_nothing(self, running, source):
        roots = neurons.roots_at(3)
        whole = finished(source, roots)["counts.parquet"].data
        running.control("POST", "profile", {"name": "truncate"})
        try:
            assert finished(source, roots)["counts.parquet"].data == whole
        finally:
            running.control("POST", "reset")

    def test_a_threshold_is_of_pairs_before_neuropils_part_them(self, source, inside):
        roots = neurons.roots_at(3)
        counts = load_counts(finished(source, roots, 2, threshold=20)["counts.parquet"].data)
        table = held(AT)
        pairs = table.groupby(["pre", "post"]).size()
        truth = true_counts(inside, roots, AT)
        assert cells(counts) == Counter({key: n for key, n in truth.items() if pairs[key[1], key[2]] >= 20})
        assert 0 < cells(counts).total() < truth.total()
        assert min(cells(counts).values()) < 20

    def test_small_synapses_and_other_places_can_be_left_out(self, source):
        roots, table = neurons.roots_at(3), held(AT)
        table = table[table.pre.isin(roots) & (table.pre != table.post) & (table.post != 0)]
        items, files = done(context(source, min_size=100, include_other=False, neuropils=["ellipsoid_body"]), roots)
        large = [int((table[table["size"] >= 100].pre == root).sum()) for root in roots]
        assert [item.metrics["n_synapses"] for item in items] == large
        assert {load_counts(data).names for data in files.values()} == {("ellipsoid_body",)}

    def test_metrics_are_what_the_part_says(self, source, inside):
        roots = neurons.roots_at(3)
        items, _ = done(context(source), roots)
        truth, table = true_counts(inside, roots, AT), held(AT)
        table = table[(table.pre != table.post) & (table.post != 0)]
        for root, item in zip(roots, items, strict=True):
            mine = {key: n for key, n in truth.items() if key[1] == root}
            found = {name: value for name, value in item.metrics.items() if name.startswith("n_")}
            assert found == {
                "n_synapses": int((table.pre == root).sum()),
                "n_targets": table.post[table.pre == root].nunique(),
                "n_neuropils": len({name for name, _, _ in mine} - {"other"}),
                "n_open": 0,
                "n_other": sum(n for (name, _, _), n in mine.items() if name == "other"),
                "n_unplaced": 0,
            }

    def test_a_neuron_without_outputs_is_done_with_none(self, source):
        result = run.run(context(source), str(NO_ROOT))
        assert set(result.metrics.values()) == {0}
        assert len(load_counts(result.files[0].data).ids) == 0

    def test_parts_of_counts_with_open_neuropils_keep_saying_so(self):
        whole = count(np.array([1, 1, 2, 2]), np.array([2, 3, 1, 3]), np.array([0, 1, 1, 1]), ("a", "b"))
        whole = replace(whole, open_neuropils=("b",))
        one, two = part_of(whole, 1), part_of(whole, 2)
        assert cells(one) == {("a", 1, 2): 1, ("b", 1, 3): 1}
        assert cells(two) == {("b", 2, 1): 1, ("b", 2, 3): 1}
        assert one.ids.tolist() == [1, 2, 3]
        assert one.open_neuropils == ("b",)
        assert same(merge([one, two]), whole)
        assert len(part_of(whole, 3).ids) == len(part_of(whole, 9).ids) == 0

    def test_metrics_tell_what_is_open_in_none_and_nowhere(self):
        names = ("a", "b", "other")
        whole = count(np.array([1, 1, 1, 2]), np.array([2, 3, 3, 1]), np.array([0, 1, 2, 2]), names)
        outputs = Outputs(replace(whole, open_neuropils=("b",)), {1: 5, 2: 1}, {1: 2}, {})
        metrics = {"n_synapses": 5, "n_targets": 2, "n_neuropils": 2, "n_open": 1, "n_other": 1, "n_unplaced": 2}
        assert outputs.metrics(1, part_of(outputs.counts, 1)) == metrics
        metrics = {"n_synapses": 1, "n_targets": 1, "n_neuropils": 0, "n_open": 0, "n_other": 1, "n_unplaced": 0}
        assert outputs.metrics(2, part_of(outputs.counts, 2)) == metrics


class TestFinish:
    def test_matrices_have_the_jobs_neurons_in_the_order_of_their_types(self, source, inside, tmp_path):
        old, roots = neurons.roots_at(2), neurons.roots_at(3)
        types = dict(zip(map(str, old), ["PN2", "PN10", "PN2", "KC", "PN10"], strict=True))
        found = collection(finished(source, roots, cell_types=types)["matrices.parquet"], tmp_path)
        by_type = {"KC": [roots[3]], "PN2": [roots[0], roots[2]], "PN10": [roots[1], roots[4]]}
        matrix = found["lateral_horn_right"]
        assert list(map(int, matrix.source_neurons)) == [*by_type["KC"], *by_type["PN2"], *by_type["PN10"]]
        assert dict(matrix.source_type_boundaries) == {"KC": (0, 1), "PN2": (1, 3), "PN10": (3, 5)}
        truth = true_counts(inside, roots, AT)
        edges = {(pre, post): weight for pre, post, weight in matrix.edges().itertuples(index=False)}
        assert edges == {key[1:]: n for key, n in truth.items() if key[0] == "lateral_horn_right"}

    def test_sums_by_type_are_those_of_the_matrices(self, source, inside):
        roots = neurons.roots_at(3)
        types = dict(zip(map(str, roots), "aabbc", strict=True))
        file = finished(source, roots, cell_types=types)["type_sums.parquet"]
        table = pd.read_parquet(io.BytesIO(file.data))
        kind = dict(zip(roots, "aabbc", strict=True))
        expected: Counter[tuple[str, str, str]] = Counter()
        for (name, pre, post), n in true_counts(inside, roots, AT).items():
            if post in kind:
                expected[name, kind[pre], kind[post]] += n
        found = {tuple(row[:3]): row[3] for row in table.itertuples(index=False)}
        assert found == expected
        assert len(expected) > 5
        assert table[["n_pre", "n_post"]].max().tolist() == [2, 2]
        assert pq.read_schema(io.BytesIO(file.data)).metadata[b"timestamp"] == AT.isoformat().encode()

    def test_columns_can_be_the_jobs_neurons_alone(self, source, inside, tmp_path):
        roots = neurons.roots_at(3)
        found = collection(finished(source, roots, targets="ids")["matrices.parquet"], tmp_path)
        truth = true_counts(inside, roots, AT)
        total = sum(matrix.sparse.sum() for matrix in found.values())
        assert total == sum(n for (_, _, post), n in truth.items() if post in roots) > 0
        assert {int(one) for matrix in found.values() for one in matrix.target_neurons} <= set(roots)

    def test_shares_of_a_neurons_outputs_in_a_neuropil(self, source, inside, tmp_path):
        roots = neurons.roots_at(3)
        files = finished(source, roots, weight_mode="relative_outgoing")
        matrix = collection(files["matrices.parquet"], tmp_path)["ellipsoid_body"]
        assert np.allclose(matrix.sparse.sum(axis=1), 1)
        counts = cells(load_counts(files["counts.parquet"].data))
        assert counts == true_counts(inside, roots, AT), "the counts stay counts"
        for pre, post, share in matrix.edges().itertuples(index=False):
            row = sum(n for key, n in counts.items() if key[:2] == ("ellipsoid_body", pre))
            assert share == counts["ellipsoid_body", pre, post] / row

    def test_only_annotated_neurons_if_so_asked(self, source, tmp_path):
        roots = neurons.roots_at(3)
        types = {str(root): "a" for root in roots[:3]}
        files = finished(source, roots, cell_types=types, annotation_scope="annotated_only")
        found = collection(files["matrices.parquet"], tmp_path)
        assert {int(one) for matrix in found.values() for one in matrix.target_neurons} <= set(roots[:3])

    def test_the_picture_shows_the_neuropils_with_most_connections(self, source):
        file = finished(source, neurons.roots_at(3))["heatmaps.png"]
        assert file.media_type == "image/png"
        assert str(file.meta["drawn"]).split(", ")[0] == "antennal_lobe_right"
        assert str(file.meta["drawn"]).endswith("other")
        with Image.open(io.BytesIO(file.data)) as image:
            assert image.size == (2100, 1200)

    def test_a_job_without_a_neuron_has_tables_and_no_picture(self, source, tmp_path):
        files = {file.name: file for file in run.finish(context(source), [])}
        assert set(files) == {"neurons.parquet", "counts.parquet", "matrices.parquet"}
        assert len(load_counts(files["counts.parquet"].data).ids) == 0
        assert collection(files["matrices.parquet"], tmp_path) == {}

    def test_files_say_what_they_are(self, source):
        items, files = done(context(source, threshold=2), neurons.roots_at(3)[:1])
        assert len(files) == 1
        found = finished(source, neurons.roots_at(3), threshold=2)
        expected = {"dataset": "demo", "timestamp": AT.isoformat(), "materialization_version": 3, "threshold": 2}
        for file in found.values():
            assert expected.items() <= file.meta.items()
            assert str(file.meta["code"]).startswith("neuropil_matrices 1, crant-batch ")
        assert found["matrices.parquet"].meta["format"] == "neuropil_collection"
        assert items[0].files == (f"{neurons.roots_at(3)[0]}.parquet",)

    def test_finishing_twice_gives_the_same_bytes(self, source):
        items, files = done(context(source), neurons.roots_at(3))
        assert run.finish(context(source, files), items) == run.finish(context(source, files), items)


def test_the_registry_finds_all_four_functions():
    runner = load_runner(get_kind("neuropil_matrices"))
    assert (runner.plan, runner.prepare, runner.run, runner.finish) == (run.plan, run.prepare, run.run, run.finish)
