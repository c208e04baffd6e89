"""Kinds that work on skeletons: against the library's functions, and against the world that the sandbox serves."""

from __future__ import annotations

from datetime import UTC, datetime

import navis
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial.distance import cdist

import crant_core as cp
from crant_core.errors import NotARoot, NotFound
from crant_core.kinds.registry import all_kinds
from crant_core.sandbox.world.history import VERSIONS
from crant_core.skeleton import swc
from crant_core.sources.cave import CaveSource
from tests.fixtures import neurons, voxels
from tests.fixtures.kinds import Done, do, running, source
from tests.fixtures.synapse_truth import held

__all__ = ["running", "source"]

KINDS = ("attach_synapses", "neuron_to_segments")
NO_ROOT = (8 << 56) + 5_000_000
L2_ID = (2 << 56) + 5
JOB = "0123456789ab"
AT = VERSIONS[2].timestamp
REACH = 10_000.0


@pytest.fixture(scope="module")
def roots() -> list[int]:
    """The neurons as they were before the last edits."""
    return neurons.roots_at(2)


@pytest.fixture(scope="module")
def skeletons(source, roots) -> Done:
    return do(source, "l2_skeletons", roots, at="mat_2")


@pytest.fixture(scope="module")
def attached(source, roots, skeletons) -> Done:
    return do(source, "attach_synapses", roots, at="mat_3", skeletons=JOB, others={JOB: skeletons})


@pytest.fixture(scope="module")
def segmented(source, roots, skeletons) -> Done:
    return do(source, "neuron_to_segments", roots, at="mat_3", skeletons=JOB, others={JOB: skeletons})


@pytest.fixture
def whole(attached, segmented, kind) -> Done:
    """What a kind makes of all neurons in one unit."""
    return {"attach_synapses": attached, "neuron_to_segments": segmented}[kind]


def tree(skeletons: Done, root: int) -> navis.TreeNeuron:
    return navis.read_swc(skeletons.files[f"{root}.swc"].data.decode(), id=root, units="1 nm")


def now(source: CaveSource, roots: list[int]) -> dict[int, int]:
    found = cp.update_ids(roots, timestamp="mat_3", dataset=source, use_annotations=False, progress=False)
    return dict(zip(found["old_id"].tolist(), found["new_id"].tolist(), strict=True))


class TestAttachedSynapses:
    def test_they_are_those_that_the_library_attaches(self, source, roots, skeletons, attached):
        trees = navis.NeuronList([tree(skeletons, root) for root in roots])
        cp.attach_synapses(trees, materialization="mat_3", dataset=source)
        for one in trees:
            found, expected = attached.table(f"{one.id}.connectors.parquet").to_pandas(), one.connectors
            assert len(found) > 20
            for name in ("connector_id", "node_id", "partner_id", "synapse_id", "x", "y", "z"):
                assert found[name].tolist() == expected[name].tolist()
            assert found["type"].tolist() == expected["type"].tolist()

    def test_they_are_the_true_ones_at_the_nearest_node_and_the_rest_is_counted(
        self, source, roots, skeletons, attached
    ):
        rows, then = held(AT), now(source, roots)
        assert set(then) != set(then.values())  # some were edited in between
        for root in roots:
            nodes, metrics = swc.read_swc(skeletons.files[f"{root}.swc"].data).nodes, attached.items[str(root)].metrics
            found, far = attached.table(f"{root}.connectors.parquet").to_pandas(), 0
            for kind, other in (("pre", "post"), ("post", "pre")):
                here = rows[(rows[kind] == then[root]) & (rows.pre != rows.post) & (rows.pre != 0) & (rows.post != 0)]
                places = here[[f"{kind}_pt_position_{axis}" for axis in "xyz"]].to_numpy(np.float64)
                apart = cdist(places, nodes)
                near, own = apart.min(axis=1) <= REACH, found[found["type"] == kind]
                assert own["synapse_id"].tolist() == here.index[near].tolist()
                assert own["partner_id"].tolist() == here[other][near].tolist()
                assert own["distance"].to_numpy() == pytest.approx(apart.min(axis=1)[near])
                assert metrics[f"n_{kind}"] == near.sum()
                far += int((~near).sum())
            assert metrics["n_far"] == far
            assert metrics["n_unplaced"] == 0
            assert (metrics["now"], metrics["changed"]) == (str(then[root]), then[root] != root)

    def test_ids_and_numbers_have_exact_types(self, attached):
        kinds = {field.name: str(field.type) for field in attached.table("connectors.parquet").schema}
        ids = dict.fromkeys(("root_id", "connector_id", "node_id", "partner_id", "synapse_id"), "int64")
        assert kinds == ids | dict.fromkeys(("x", "y", "z", "distance"), "double") | {"type": "string"}

    def test_the_job_has_all_of_them_and_a_row_for_each_neuron(self, roots, attached):
        table = attached.table("connectors.parquet").to_pandas()
        parts = [attached.table(f"{root}.connectors.parquet").num_rows for root in roots]
        assert [(table["root_id"] == root).sum() for root in roots] == parts
        rows = attached.table("neurons.parquet").to_pandas()
        assert rows["root_id"].tolist() == roots
        assert (rows["n_pre"] + rows["n_post"]).tolist() == parts

    def test_one_side_alone_and_no_limit_of_distance(self, source, roots, skeletons, attached):
        others = {JOB: skeletons}
        outputs = do(source, "attach_synapses", roots[:1], skeletons=JOB, others=others, post=False, clean=False)
        metrics = outputs.items[str(roots[0])].metrics
        assert "n_post" not in metrics  # nobody counted, so it is not 0
        assert metrics["n_far"] == 0
        rows, root = held(AT), now(source, roots[:1])[roots[0]]
        assert metrics["n_pre"] == (rows.pre == root).sum()
        near = do(source, "attach_synapses", roots[:1], skeletons=JOB, others=others, max_distance=200.0)
        table = near.table("connectors.parquet").to_pandas()
        assert table["distance"].max() <= 200
        assert near.items[str(roots[0])].metrics["n_far"] > attached.items[str(roots[0])].metrics["n_far"]

    def test_skeletons_that_no_job_has_are_made_and_stored_with_their_numbers(self, source, roots):
        done = do(source, "attach_synapses", roots[:1], method="l2")
        [item] = done.items.values()
        assert set(item.files) == {f"{roots[0]}.swc", f"{roots[0]}.connectors.parquet"}
        nodes = swc.read_swc(done.files[f"{roots[0]}.swc"].data).nodes
        found = done.table("connectors.parquet").to_pandas()
        apart = np.linalg.norm(nodes[found["node_id"] - 1] - found[["x", "y", "z"]], axis=1)
        assert found["distance"].to_numpy() == pytest.approx(apart, abs=0.01)  # SWC has 0.001 nm
        assert item.metrics["n_nodes"] == len(nodes)
        assert item.metrics["cable_length_um"] > 100

    def test_by_default_they_are_made_from_the_mesh(self, source, roots):
        done = do(source, "attach_synapses", roots[:1])
        assert b"# method: wavefront" in done.files[f"{roots[0]}.swc"].data
        assert done.items[str(roots[0])].metrics["n_pre"] > 10


class TestSegments:
    def test_nodes_are_counted_in_the_roots_that_truly_hold_them(self, roots, skeletons, segmented):
        merged = segmented.table("segments.parquet").to_pandas()
        best = segmented.table("neurons.parquet").to_pandas().set_index("root_id")
        for root in roots:
            nodes = swc.read_swc(skeletons.files[f"{root}.swc"].data).nodes
            supervoxels = voxels.at(nodes)
            known = supervoxels[supervoxels != 0]
            segments, counts = np.unique(neurons.graph().roots(known, AT).astype(np.int64), return_counts=True)
            order = np.lexsort((segments, -counts))
            mine = merged[merged["root_id"] == root]
            assert mine["segment_id"].tolist() == segments[order].tolist()
            assert mine["n_nodes"].tolist() == counts[order].tolist()
            lead = counts[order][0] - (counts[order][1] if len(order) > 1 else 0)
            assert best.loc[root, "match"] == segments[order][0]
            assert best.loc[root, "confidence"] == pytest.approx(lead / counts.sum())
            assert best.loc[root, "n_background"] == len(nodes) - len(known)
            assert best.loc[root, "n_segments"] == len(segments)

    def test_made_skeletons_are_stored_and_give_what_the_library_gives(self, source, roots):
        done = do(source, "neuron_to_segments", roots[:2], method="l2")
        trees = [tree(done, root) for root in roots[:2]]
        short = cp.neuron_to_segments(trees, short=True, dataset=source, timestamp="mat_3")
        found = done.table("neurons.parquet").to_pandas()
        assert found["match"].tolist() == short["match"].tolist()
        assert found["confidence"].tolist() == pytest.approx(short["confidence"].tolist())


@pytest.mark.parametrize("kind", KINDS)
class TestBoth:
    def test_what_has_no_skeleton_or_is_no_root_fails_alone(self, source, roots, skeletons, kind):
        asked = [NO_ROOT, roots[0], L2_ID]
        done = do(source, kind, asked, skeletons=JOB, others={JOB: skeletons})
        assert set(done.items) == {str(roots[0])}
        assert type(done.errors[str(L2_ID)]) is NotARoot
        assert type(done.errors[str(NO_ROOT)]) in (NotARoot, NotFound)
        if kind == "neuron_to_segments":
            assert f"job {JOB} has no skeleton of {NO_ROOT}" in str(done.errors[str(NO_ROOT)])

    def test_units_of_any_size_give_the_same_bytes(self, source, roots, skeletons, whole, kind):
        single = do(source, kind, roots, at="mat_3", each=1, skeletons=JOB, others={JOB: skeletons})
        assert {name: file.data for name, file in single.files.items()} == {
            name: file.data for name, file in whole.files.items()
        }

    def test_skeletons_of_any_format_serve(self, source, roots, whole, kind):
        exact = do(source, "l2_skeletons", roots[:1], at="mat_2", formats=["precomputed", "parquet"])
        found = do(source, kind, roots[:1], at="mat_3", skeletons=JOB, others={JOB: exact})
        ours, theirs = (done.items[str(roots[0])].metrics for done in (found, whole))
        assert ours == pytest.approx(theirs)

    def test_files_say_what_they_are(self, whole, kind):
        assert len(whole.files) > 1
        for file in whole.files.values():
            assert (file.meta["kind"], file.meta["timestamp"]) == (kind, AT.isoformat())

    def test_neurons_or_a_job_must_be_named(self, kind):
        parameters = all_kinds()[kind].parameters
        assert parameters.model_validate(all_kinds()[kind].example)
        assert parameters.model_validate({"skeletons": JOB}).ids == []
        for wrong in ({}, {"ids": []}, {"skeletons": "../x"}, {"skeletons": ""}):
            with pytest.raises(ValidationError):
                parameters.model_validate(wrong)

    def test_a_job_without_neurons_has_its_tables(self, source, kind):
        done = do(source, kind, [L2_ID])
        assert done.table("neurons.parquet").num_rows == 0


def test_neither_side_is_refused():
    with pytest.raises(ValidationError, match="neither pre nor post"):
        all_kinds()["attach_synapses"].parameters.model_validate({"skeletons": JOB, "pre": False, "post": False})


def test_the_world_has_edits_between_the_two_times(roots):
    assert datetime.now(UTC) > AT > VERSIONS[1].timestamp
    assert roots != neurons.roots_at(3)
