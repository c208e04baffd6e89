"""Skeletons by root id at the wire: forms of input, methods, checks, files, failures, and what is asked of whom."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import navis
import numpy as np
import pytest

from crant_core import registry
from crant_core.access import get_cave_client, source_of
from crant_core.access.sources import forget_sources
from crant_core.dataset_client import DatasetClient
from crant_core.datasets import Dataset
from crant_core.errors import (
    IdMismatch,
    InvalidId,
    InvalidInput,
    InvalidParameters,
    MeshNotFound,
    NotARoot,
    SkeletonError,
    SourceUnavailable,
    UnknownDataset,
    WrongType,
)
from crant_core.l2 import get_l2_skeleton
from crant_core.meshes import get_mesh_neuron
from crant_core.morphology import get_skeletons, skeletonize_neuron, skeletonize_neurons_parallel
from crant_core.morphology.choices import MOST_ELSEWHERE, chosen
from crant_core.morphology.making import make
from crant_core.morphology.matching import checked
from crant_core.registry import register
from crant_core.skeleton import Skeleton, trace
from crant_core.skeleton.swc import read_swc
from tests.fixtures.neurons import live_roots, roots_at, supervoxels
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

UNKNOWN, UNKNOWN_TOO = (8 << 56) | 12_345, (8 << 56) | 12_346
READY = live_roots()[:2]  #: roots whose skeletons the service has
WRONG = ({"waives": 1}, {"method": "teasar"}, {"save_to": "all.swc"})
WRONG = ({"waives": 1}, {"method": "teasar"}, {"save_to": "all.swc"})
NOT_READY = live_roots()[3:]  #: they came to be after its cache was filled


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Iterator[Sandbox]:
    """An offline CAVE that this module's tests break and mend, with meshes kept for all of them."""
    with run_sandbox() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRANT_CACHE_FOLDER", str(tmp_path_factory.mktemp("cache")))
        get_mesh_neuron(live_roots(), dataset=register(lasting(running.dataset), running.token))
        yield running


@pytest.fixture
def dataset(ours: Sandbox) -> Iterator[Dataset]:
    """It, with an empty log."""
    found = register(lasting(ours.dataset), ours.token)
    ours.control("DELETE", "log")
    yield found
    ours.control("DELETE", "fault")


def asked(sandbox: Sandbox) -> Counter[str]:
    """Count the requests to the skeleton service and for meshes since the log was emptied."""
    paths = [entry["path"] for entry in sandbox.control("GET", "log")["entries"]]
    words = ("get_cached_skeletons", "get_skeleton", "manifest", "exists")
    return Counter(word for path in paths for word in [next((w for w in words if w in path), None)] if word)


def fault(sandbox: Sandbox, **rule: Any) -> None:
    sandbox.control("POST", "fault", {"pattern": "/skeletoncache/api/v1/.*/bulk/", **rule})


class TestForms:
    def test_a_client_a_name_or_a_dataset_say_where(self, dataset):
        root = READY[0]
        theirs = DatasetClient(dataset.datastack, dataset.server, caveclient=get_cave_client(dataset))
        for where in (get_cave_client(dataset), theirs, dataset, dataset.name):
            assert skeletonize_neuron(where, root, method="l2").id == root

    def test_a_client_of_an_unknown_datastack_is_asked_with_its_own_token(self, dataset, monkeypatch):
        client = get_cave_client(dataset)
        monkeypatch.setattr(registry, "_registered", {})
        monkeypatch.setattr(registry, "_tokens", {})
        found = skeletonize_neuron(client, READY[0], method="l2")
        assert found.provenance["dataset"] == dataset.datastack

    @pytest.mark.parametrize("wrong", [5, object(), [1]])
    def test_what_is_no_client_is_refused(self, wrong):
        with pytest.raises(WrongType, match="no client"):
            skeletonize_neuron(wrong, READY[0])

    @pytest.mark.parametrize("wrong", [5.0, None, "a neuron", supervoxels()[0]], ids=repr)
    def test_what_is_no_root_id_is_refused_before_anything_is_asked(self, dataset, ours, wrong):
        for function in (skeletonize_neuron, skeletonize_neurons_parallel):
            with pytest.raises(InvalidId):
                function(dataset, wrong)
        with pytest.raises(InvalidId):
            get_skeletons(wrong, dataset)
        assert not asked(ours)

    def test_options_are_checked_before_anything_is_asked(self, dataset, ours):
        for wrong in (*WRONG, {"save_to": 5}, {"shave": 1}, {"omit_failures": [True]}):
            for call in (skeletonize_neuron, skeletonize_neurons_parallel, lambda a, b, **c: get_skeletons(b, a, **c)):
                with pytest.raises(InvalidParameters):
                    call(dataset, READY, **wrong)
        with pytest.raises(InvalidParameters, match="failures"):
            skeletonize_neurons_parallel(dataset, READY, failures=[])
        with pytest.raises(UnknownDataset):
            get_skeletons(READY, "no_such_dataset")
        assert not asked(ours)

    def test_threads_and_places_are_checked_before_anything_is_asked(self, dataset, ours, tmp_path):
        (tmp_path / "taken").touch()
        for function in (skeletonize_neuron, lambda where, roots, **more: get_skeletons(roots, where, **more)):
            with pytest.raises(InvalidInput, match="taken"):
                function(dataset, READY, save_to=tmp_path / "taken" / "{root_id}.swc")
        with pytest.raises(InvalidParameters, match="0 is no number of threads"):
            skeletonize_neuron(dataset, READY, threads=0)
        with pytest.raises(InvalidParameters, match="no number of threads"):
            get_skeletons(READY, dataset, max_threads=-1)
        assert not asked(ours)

    def test_each_says_whether_its_root_holds_at_the_time_it_names_after_one_request(self, dataset, ours, tmp_path):
        outdated = roots_at(2)[0]
        assert outdated not in live_roots()
        roots = [outdated, READY[0]]
        for make_them in (
            lambda: skeletonize_neuron(dataset, roots, method="l2", save_to=tmp_path, save_format="swc"),
            lambda: get_skeletons(roots, dataset),
        ):
            ours.control("DELETE", "log")
            found = make_them()
            assert [neuron.provenance["is_latest"] for neuron in found] == [False, True]
            paths = [entry["path"] for entry in ours.control("GET", "log")["entries"]]
            assert sum("is_latest_roots" in path for path in paths) == 1
        heads = [(tmp_path / f"{root}.swc").read_text() for root in roots]
        assert ["is_latest: False" in head for head in heads] == [True, False]
        assert ["is_latest: True" in head for head in heads] == [False, True]

    def test_one_is_one_a_list_of_one_a_list_and_repetitions_are_copies(self, dataset):
        one, other = READY
        assert isinstance(skeletonize_neuron(dataset, str(one), method="l2"), navis.TreeNeuron)
        assert isinstance(skeletonize_neuron(dataset, [one], method="l2"), navis.NeuronList)
        found = skeletonize_neuron(dataset, [other, one, other], method="l2")
        assert found.id.tolist() == [other, one, other]
        assert found[0] is not found[2]


class TestMethods:
    def test_the_wavefront_is_the_engine_on_the_whole_mesh(self, dataset):
        root = READY[1]
        found, mesh = skeletonize_neuron(dataset, root, heal=False), get_mesh_neuron(root, dataset=dataset)
        expected = make(source_of(dataset), root, chosen(None, {"heal": False}))
        assert found.nodes[["x", "y", "z"]].to_numpy().tolist() == expected.skeleton.nodes.tolist()
        assert found.quality["n_faces"] == len(mesh.faces)
        assert found.soma is not None
        assert found.soma in found.root  # without bridges, pieces have roots of their own
        assert found.quality["soma_radius_nm"] > 1000
        assert {"coverage", "inside", "download_seconds", "skeleton_seconds"} <= found.quality.keys()

    def test_options_reach_the_engine(self, dataset):
        root = READY[0]
        assert (
            skeletonize_neuron(dataset, root, shave_skeleton=False).n_nodes > skeletonize_neuron(dataset, root).n_nodes
        )
        coarse = skeletonize_neuron(dataset, root, step_size=6, longest_step=10_000)
        assert coarse.provenance["edges_per_step"] == 6
        assert coarse.n_nodes < 0.8 * skeletonize_neuron(dataset, root).n_nodes

    def test_a_hairball_is_removed_and_the_soma_stays(self, dataset):
        root = READY[1]
        bald = skeletonize_neuron(dataset, root, remove_soma_hairball=True)
        assert bald.n_nodes < skeletonize_neuron(dataset, root).n_nodes
        assert bald.soma == bald.root[0]

    def test_skeletor_is_left_as_it_is(self, dataset):
        found = skeletonize_neuron(dataset, READY[0], method="skeletor", heal=False)
        assert (found.skeleton_method, found.soma) == ("skeletor", None)
        assert found.provenance["waves"] == 1

    # D15: the peer's shave deletes nearly all of a skeleton whose edges are longer than 1 µm.
    def test_l2_skeletons_survive_the_shave(self, dataset):
        root = READY[0]
        found, plain = skeletonize_neuron(dataset, root, use_pcg_skel=True), get_l2_skeleton(root, dataset=dataset)
        assert found.n_nodes == plain.n_nodes > 300
        assert found.cable_length == pytest.approx(plain.cable_length)
        assert found.skeleton_method == "l2"

    def test_where_l2_fails_the_mesh_is_taken_and_that_is_said(self, dataset, ours, caplog):
        ours.control("POST", "fault", {"pattern": "/l2cache/api/v1/", "status": 200, "body": {}})
        with pytest.raises(SkeletonError):
            skeletonize_neuron(dataset, READY[0], method="l2")
        with caplog.at_level(logging.WARNING):
            found = skeletonize_neuron(dataset, READY[0], use_pcg_skel=True)
        assert found.skeleton_method == "wavefront"
        assert "L2 cache knows none" in found.provenance["note"]
        assert str(READY[0]) in caplog.text

    def test_the_service_gives_radii_compartments_and_l2_ids(self, dataset):
        found = skeletonize_neuron(dataset, READY[1], method="service")
        assert (found.nodes.radius > 1).all()
        assert found.nodes.compartment.max() == 1
        assert found.nodes.compartment[found.nodes.node_id == found.soma].tolist() == [1]
        assert set(found.nodes.lvl2_ids // 2**56) == {2}
        assert found.skeleton_method == "service"

    def test_what_the_service_does_not_know_is_an_error(self, dataset):
        with pytest.raises(NotARoot):
            skeletonize_neuron(dataset, UNKNOWN, method="service")


class TestIds:
    def test_a_skeleton_in_its_neuron_passes_and_says_how_well(self, dataset):
        assert skeletonize_neuron(dataset, READY[0], assert_id_match=True, method="l2").quality["id_match"] == 1

    def test_the_share_that_may_be_elsewhere_can_be_chosen(self, dataset):
        source, made = source_of(dataset), make(source_of(dataset), READY[0], chosen())
        tree = made.skeleton
        begin = replace(made, skeleton=Skeleton(tree.nodes[:200], tree.radii[:200], tree.parents[:200]))
        with pytest.raises(IdMismatch, match="of 200 nodes of") as caught:
            checked(source, begin, 0.01)
        assert 0.01 < caught.value.value < 0.1
        assert checked(source, begin, MOST_ELSEWHERE) == 1 - caught.value.value

    def test_an_old_root_is_held_against_its_own_time(self, dataset):
        old = next(root for root, new in zip(roots_at(1), live_roots(), strict=True) if root != new)
        assert skeletonize_neuron(dataset, old, assert_id_match=True, method="l2").quality["id_match"] == 1

    def test_a_skeleton_elsewhere_is_refused_with_the_share_and_the_places(self, dataset):
        source, root = source_of(dataset), READY[0]
        made = make(source, root, chosen("l2"))
        foreign = make(source, READY[1], chosen("l2")).skeleton
        with pytest.raises(IdMismatch, match=r"355 in 2 other neurons, \d+ of them in \d{18}") as caught:
            checked(source, replace(made, skeleton=foreign), 0.3)
        assert caught.value.value == 1
        away = Skeleton(made.skeleton.nodes + 1e6, made.skeleton.radii, made.skeleton.parents)
        with pytest.raises(IdMismatch, match=r"\(100.0%\) are not in it: 357 in no neuron"):
            checked(source, replace(made, skeleton=away), 0.3)


class TestMany:
    def test_order_colours_and_files(self, dataset, tmp_path):
        roots = live_roots()[:3][::-1]
        found, colours = skeletonize_neurons_parallel(
            dataset, [*roots, roots[0]], 2, color_map="viridis", save_to=tmp_path / "swc"
        )
        assert found.id.tolist() == [*roots, roots[0]]
        assert colours == ["#440154", "#31688e", "#35b779", "#fde725"]
        assert {path.name for path in (tmp_path / "swc").iterdir()} == {f"{root}.swc" for root in roots}
        saved = read_swc((tmp_path / "swc" / f"{roots[0]}.swc").read_bytes())
        assert saved.n_nodes == found[0].n_nodes

    def test_it_makes_what_one_by_one_makes(self, dataset):
        parallel, single = skeletonize_neurons_parallel(dataset, READY, 2), skeletonize_neuron(dataset, READY)
        columns = ["x", "y", "z", "radius", "parent_id"]
        pairs = zip(parallel, single, strict=True)
        assert [one.nodes[columns].equals(other.nodes[columns]) for one, other in pairs] == [True] * len(READY)

    def test_a_failure_is_reported_and_costs_nothing_else(self, dataset):
        failures: dict[int, Any] = {}
        wanted = [UNKNOWN, READY[0], UNKNOWN_TOO]
        with pytest.warns(
            UserWarning, match=f"2 of 3 neurons have no skeleton .2 not_a_root.: {UNKNOWN}, {UNKNOWN_TOO}"
        ):
            found, colours = skeletonize_neurons_parallel(
                dataset, wanted, color_map="tab10", failures=failures, method="l2"
            )
        assert found.id.tolist() == [READY[0]]
        assert len(colours) == 1
        assert {root: type(error) for root, error in failures.items()} == dict.fromkeys(
            (UNKNOWN, UNKNOWN_TOO), NotARoot
        )

    def test_a_server_that_fails_for_one_neuron_costs_one(self, dataset, ours):
        ours.control("POST", "fault", {"pattern": f"/node/{READY[0]}/lvl2_graph", "status": 400, "body": {}})
        failures: dict[int, Any] = {}
        with pytest.warns(UserWarning, match="1 source_error"):
            found = skeletonize_neurons_parallel(dataset, READY, method="l2", failures=failures)
        assert found.id.tolist() == READY[1:]
        assert list(failures) == READY[:1]

    def test_none_raises_and_false_leaves_places_empty(self, dataset):
        with pytest.raises(NotARoot):
            skeletonize_neurons_parallel(dataset, [READY[0], UNKNOWN], omit_failures=None, method="l2")
        with pytest.warns(UserWarning, match="1 of 2"):
            found = skeletonize_neurons_parallel(dataset, [UNKNOWN, READY[0]], omit_failures=False, method="l2")
        assert [neuron.n_nodes > 0 for neuron in found] == [False, True]

    def test_if_all_fail_the_reason_is_raised(self, dataset):
        with pytest.raises(NotARoot):
            skeletonize_neurons_parallel(dataset, [UNKNOWN])

    @pytest.mark.parametrize("wrong", [{"n_cores": 0}, {"n_cores": 1.5}, {"color_map": "no_such_map"}])
    def test_cores_and_colours_are_checked_first(self, dataset, ours, wrong):
        with pytest.raises(InvalidParameters):
            skeletonize_neurons_parallel(dataset, READY, **wrong)
        assert not asked(ours)

    def test_none_is_none(self, dataset):
        assert len(skeletonize_neurons_parallel(dataset, [])) == 0
        assert len(get_skeletons([], dataset)) == 0


class TestFetched:
    # The peer reads "576…" character by character, and asks seven times per neuron.
    def test_ready_ones_come_in_one_request_whatever_the_form(self, dataset, ours):
        for form in (READY[0], str(READY[0]), np.int64(READY[0]), [str(READY[0])]):
            assert get_skeletons(form, dataset).id.tolist() == READY[:1]
        ours.control("DELETE", "log")
        found = get_skeletons(READY, dataset)
        assert isinstance(found, navis.NeuronList)
        assert [neuron.skeleton_method for neuron in found] == ["service", "service"]
        assert asked(ours) == {"get_cached_skeletons": 1}
        assert found[1].nodes.compartment.max() == 1
        assert (found[1].nodes.radius > 1).all()

    def test_others_are_made_and_that_is_said(self, dataset, caplog):
        wanted = [NOT_READY[0], READY[0]]
        with caplog.at_level(logging.INFO):
            found = get_skeletons(wanted, dataset)
        assert found.id.tolist() == wanted
        assert [neuron.skeleton_method for neuron in found] == ["wavefront", "service"]
        assert found[0].provenance["note"] == "the skeleton service has none ready"
        assert f"{NOT_READY[0]} is made here" in caplog.text

    def test_failures_are_raised_left_out_or_empty(self, dataset, caplog):
        wanted = [READY[0], UNKNOWN]
        with pytest.raises(NotARoot):
            get_skeletons(wanted, dataset)
        assert get_skeletons(wanted, dataset, omit_failures=True).id.tolist() == READY[:1]
        assert str(UNKNOWN) in caplog.text
        found = get_skeletons(wanted, dataset, omit_failures=False)
        assert found.id.tolist() == wanted
        assert (found[1].n_nodes, found[1].skeleton_method) == (0, "none")
        with pytest.raises(InvalidParameters):
            get_skeletons(wanted, dataset, omit_failures="maybe")

    def test_a_neuron_without_mesh_is_a_failure(self, dataset, ours):
        clean = dataset.model_copy(update={"lasting": False})
        ours.control("POST", "fault", {"pattern": "/meshing/", "status": 200, "body": {"fragments": [], "seg_ids": []}})
        assert len(get_skeletons(NOT_READY[0], clean, omit_failures=True)) == 0
        with pytest.raises(MeshNotFound):
            get_skeletons(NOT_READY[0], clean)

    @pytest.mark.parametrize("pattern", ["/skeletoncache/", "/skeletoncache/api/v1/.*/bulk/"])
    def test_a_server_without_skeleton_service_means_that_all_are_made(self, dataset, ours, pattern):
        forget_sources()  # with the version of the service that they know
        fault(ours, pattern=pattern, status=404, body={})
        [found] = get_skeletons(READY[0], dataset)
        forget_sources()
        assert found.skeleton_method == "wavefront"
        assert "no skeleton service" in found.provenance["note"]

    def test_an_older_service_is_asked_for_what_it_has_ready(self, dataset, ours):
        forget_sources()
        fault(ours, pattern="/skeletoncache/api/version$", status=200, body='"0.13.8"')
        found = get_skeletons([READY[0], NOT_READY[0]], dataset)
        forget_sources()
        assert [neuron.skeleton_method for neuron in found] == ["service", "wavefront"]
        assert asked(ours)["get_skeleton"] == 1

    def test_trouble_with_the_service_is_raised(self, dataset, ours):
        fault(ours, status=503, body={})
        with pytest.raises(SourceUnavailable):
            get_skeletons(READY[0], dataset, omit_failures=True)

    def test_a_skeleton_that_does_not_hold_together_is_made_anew(self, dataset, ours):
        broken = "1f8b0800000000000203ab562a4b2d2a4e4e2cc8cc4b2f5652b28a8ed551504a4d494f2d06f16b0110"
        fault(ours, status=200, body={str(READY[0]): broken})
        [found] = get_skeletons(READY[0], dataset)
        assert found.skeleton_method == "wavefront"

    def test_with_a_method_all_are_made_by_it(self, dataset, ours):
        for how in ({"method": "l2"}, {"use_pcg_skel": True}):
            assert [one.skeleton_method for one in get_skeletons(READY, dataset, **how)] == ["l2", "l2"]
        assert not asked(ours)

    def test_options_reach_those_that_are_made(self, dataset, tmp_path):
        wanted = [READY[0], NOT_READY[0]]
        found = get_skeletons(wanted, dataset, heal=False, save_to=tmp_path)
        assert found[1].provenance["heal"] is False
        assert {path.name for path in tmp_path.iterdir()} == {f"{root}.swc" for root in wanted}


def test_the_same_neuron_gives_the_same_skeleton_as_its_mesh_alone(dataset):
    from crant_core.mesh import Mesh

    mesh = get_mesh_neuron(READY[0], dataset=dataset)
    expected = trace(Mesh(np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)))
    found = skeletonize_neuron(dataset, READY[0])
    assert found.nodes[["x", "y", "z"]].to_numpy().tolist() == expected.skeleton.nodes.tolist()
    assert found.quality["coverage"] == expected.quality.coverage
