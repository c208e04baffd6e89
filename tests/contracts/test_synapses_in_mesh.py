"""Synapses in meshes, against the truth that the sandbox was made from."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from trimesh.creation import box

from crant_core import count_synapses_in_mesh, get_synapses, get_synapses_in_mesh, load_neuropil_mesh, update_ids
from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, MeshNotFound, NoMatchesError, SourceError, Truncated, WrongType
from crant_core.neuropils import WrongUnitWarning, prepare
from crant_core.registry import register
from crant_core.sandbox.world.history import VERSIONS
from crant_core.synapses.in_mesh import Minima, within_boxes
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, lasting
from tests.fixtures.solids import exactly_inside
from tests.fixtures.synapse_cave import cave, running
from tests.fixtures.synapse_truth import held, names, positions, rows, truly_in

__all__ = ["cave", "running"]

FULL = "lateral_horn_right"  # hemibrain's own
HULL = "mushroom_body_medial_calyx_right"  # of real synapses: some have one side outside
SMALL = "NOc_r"
PLACES = ("ctr_pt_position", "pre_pt_position", "post_pt_position")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Any:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def dataset(running, folder, monkeypatch) -> Dataset:
    """A dataset in an offline CAVE, with the store that all tests here fill."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(folder))
    return register(lasting(running.dataset), running.token)


def queries(cave: Sandbox) -> int:
    entries = cave.control("GET", "log")["entries"]
    cave.control("DELETE", "log")
    return Counter(entry["path"].rsplit("/", 1)[-1] for entry in entries)["query"]


def true_outputs(roots: list[int], ids: set[int], at: Any) -> list[int]:
    """Count the synapses of some that a root sends to others."""
    table = held(at)
    table = table[table.index.isin(ids) & (table.pre != table.post) & (table.post != 0)]
    return [int((table.pre == root).sum()) for root in roots]


class TestInAMesh:
    def test_a_neuropil_may_be_named(self, dataset):
        found = get_synapses_in_mesh(FULL, dataset=dataset)
        assert found.equals(get_synapses_in_mesh(load_neuropil_mesh(FULL, dataset), dataset=dataset))
        with pytest.raises(NoMatchesError, match=f"did you mean {FULL}"):
            get_synapses_in_mesh(FULL[:-1], dataset=dataset)
        with pytest.raises(InvalidInput, match="neuropils are in nm"):
            get_synapses_in_mesh(FULL, mesh_coordinates="voxels", dataset=dataset)
        for wrong in (5, None, [FULL]):
            with pytest.raises(WrongType, match="the mesh is a"):
                get_synapses_in_mesh(wrong, dataset=dataset)

    @pytest.mark.parametrize("least", [-1, 1.5, "2", None])
    @pytest.mark.parametrize("name", ["min_synapses_per_pair", "min_synapses_per_neuron"])
    def test_a_minimum_is_a_whole_number(self, name, least, dataset):
        with pytest.raises(InvalidInput, match=f"{name} is"):
            get_synapses_in_mesh(box(), dataset=dataset, **{name: least})
        with pytest.raises(InvalidInput, match=f"{name} is"):
            count_synapses_in_mesh([1], FULL, dataset=dataset, **{name: least})

    @pytest.mark.parametrize(
        "when",
        ["latest", 2, VERSIONS[2].timestamp, VERSIONS[2].timestamp + timedelta(days=1)],
        ids=["3", "2", "time of 3", "live"],
    )
    def test_they_are_those_that_truly_are_in_it(self, dataset, when):
        mesh = load_neuropil_mesh(FULL, dataset)
        found = get_synapses_in_mesh(mesh, materialization=when, clean=False, dataset="demo")
        moment = pd.Timestamp(found.attrs["timestamp"])
        expected = truly_in(FULL, mesh) & set(held(moment).index)
        assert set(found["id"]) == expected
        assert len(found) == len(expected) > 1_000

    def test_nothing_depends_on_the_servers_row_limit(self, cave):
        mesh = load_neuropil_mesh(FULL, "demo")
        whole = get_synapses_in_mesh(mesh, dataset="demo")
        queries(cave)
        assert get_synapses_in_mesh(mesh, dataset="demo").equals(whole)
        assert queries(cave) == 1
        cave.control("POST", "profile", {"name": "truncate"})
        assert get_synapses_in_mesh(mesh, dataset="demo").equals(whole)
        assert queries(cave) > 3
        live = VERSIONS[2].timestamp + timedelta(microseconds=1)
        again = get_synapses_in_mesh(mesh, materialization=live, dataset="demo")
        assert again["id"].tolist() == whole["id"].tolist()

    def test_the_table_is_that_of_get_synapses(self, dataset):
        mesh = load_neuropil_mesh(FULL, dataset)
        found = get_synapses_in_mesh(mesh, dataset="demo")
        others = get_synapses(post_ids=found["post_pt_root_id"].unique(), dataset="demo")
        expected = others[others["id"].isin(found["id"])].reset_index(drop=True)
        assert found["in_mesh"].all()
        pd.testing.assert_frame_equal(found.drop(columns="in_mesh"), expected)
        assert found.attrs == others.attrs | {"mesh_is_open": False}

    def test_without_any_the_types_are_the_same(self, dataset):
        some = get_synapses_in_mesh(load_neuropil_mesh(FULL, dataset), dataset="demo")
        nowhere = get_synapses_in_mesh(box((10, 10, 10)), dataset="demo")
        none_so_large = get_synapses_in_mesh(load_neuropil_mesh(FULL, dataset), min_size=10**9, dataset="demo")
        for found in (nowhere, none_so_large):
            assert len(found) == 0
            assert found.columns.tolist() == some.columns.tolist()
            assert found.dtypes.equals(some.dtypes)
            assert found.attrs == some.attrs

    def test_all_positions_or_the_centre_must_be_inside(self, dataset):
        mesh = load_neuropil_mesh(HULL, dataset)
        centre = get_synapses_in_mesh(mesh, return_pixels=False, dataset="demo")
        everything = get_synapses_in_mesh(mesh, loc="all", return_pixels=False, dataset="demo")
        inside = np.ones(len(centre), dtype=bool)
        for name in PLACES:
            inside &= exactly_inside(np.array(centre[name].tolist(), dtype=np.float64), mesh)
        assert everything["id"].tolist() == centre["id"][inside].tolist()
        assert 0 < len(everything) < len(centre)

    def test_a_mesh_in_voxels_of_the_viewer(self, dataset):
        mesh = load_neuropil_mesh(FULL, dataset)
        voxels = SimpleNamespace(vertices=mesh.vertices / [8, 8, 42], faces=mesh.faces)
        found = get_synapses_in_mesh(voxels, mesh_coordinates="voxels", dataset="demo")
        expected = get_synapses_in_mesh(mesh, dataset="demo")
        differing = set(found["id"]) ^ set(expected["id"])
        assert len(differing) < 20, "a division rounds, so only corners may differ"
        assert len(found) > 1_000

    def test_faces_of_a_box_are_of_one_side_only(self, dataset):
        # halves of space: each synapse is in exactly one, those on the plane too
        places = positions(rows())
        at = float(np.sort(places[:, 0])[len(places) // 2])
        assert (places[:, 0] == at).any()
        low, high = places.min(axis=0) - 100, places.max(axis=0) + 100
        left = box(bounds=[low, [at, high[1], high[2]]])
        right = box(bounds=[[at, low[1], low[2]], high])
        both = [get_synapses_in_mesh(one, clean=False, dataset="demo")["id"].tolist() for one in (left, right)]
        assert sorted(both[0] + both[1]) == sorted(held(VERSIONS[2].timestamp).index)

    def test_an_open_mesh_is_said_to_be_one(self, dataset):
        mesh = load_neuropil_mesh(FULL, dataset)
        upper = mesh.triangles_center[:, 2] > np.quantile(mesh.triangles_center[:, 2], 0.4)
        half = SimpleNamespace(vertices=mesh.vertices, faces=mesh.faces[upper])
        assert get_synapses_in_mesh(half, dataset="demo").attrs["mesh_is_open"]

    def test_minima_are_counted_in_the_mesh(self, dataset):
        mesh = load_neuropil_mesh(FULL, dataset)
        whole = get_synapses_in_mesh(mesh, dataset="demo")
        pairs = whole.groupby(["pre_pt_root_id", "post_pt_root_id"])["id"].transform("size")
        sources = whole.groupby("pre_pt_root_id")["id"].transform("size")
        found = get_synapses_in_mesh(mesh, 40, 3, dataset="demo")
        assert found["id"].tolist() == whole["id"][(pairs >= 3) & (sources >= 40)].tolist()
        assert 0 < len(found) < min((pairs >= 3).sum(), (sources >= 40).sum())

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [({"loc": "pre"}, "loc is 'pre'"), ({"mesh_coordinates": "um"}, "mesh_coordinates is 'um'")],
    )
    def test_words_that_are_none(self, arguments, told):
        with pytest.raises(InvalidInput, match=told):
            get_synapses_in_mesh(box((1, 1, 1)), **arguments, dataset="nowhere")

    def test_a_mesh_without_faces_or_with_nan(self, dataset):
        with pytest.raises(InvalidInput, match="no faces"):
            get_synapses_in_mesh(SimpleNamespace(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3))), dataset="demo")
        bad = SimpleNamespace(vertices=np.full((3, 3), np.nan), faces=[[0, 1, 2]])
        with pytest.raises(InvalidInput, match="finite"):
            get_synapses_in_mesh(bad, dataset="demo")

    def test_more_in_one_voxel_than_the_server_gives_is_an_error(self, cave):
        cave.control("POST", "profile", {"name": "truncate"})
        source = source_of("demo")
        original = source.client().materialize.query_table

        def always_cut(*args: Any, **kwargs: Any) -> pd.DataFrame:
            del args, kwargs
            raise Truncated("cut")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source.client().materialize, "query_table", always_cut)
            with pytest.raises(SourceError, match="cut"):
                get_synapses_in_mesh(box((4, 4, 4)), dataset="demo")
        assert source.client().materialize.query_table == original


class TestCounts:
    def test_they_are_the_true_ones(self, dataset):
        roots = neurons.roots_at(3)
        found = count_synapses_in_mesh(roots, names(), loc="ctr", dataset="demo")
        for name in names():
            ids = truly_in(name, load_neuropil_mesh(name, dataset))
            assert found[name].tolist() == true_outputs(roots, ids, VERSIONS[2].timestamp), name
        assert found.to_numpy().sum() > 1_000
        assert found.index.tolist() == roots
        assert found.index.name == "neuron_id"
        assert found.dtypes.eq(np.int64).all()
        assert found.attrs == {
            "timestamp": VERSIONS[2].timestamp.isoformat(),
            "materialization": 3,
            "dataset": "demo",
            "open_neuropils": [],
        }

    def test_the_presynaptic_side_counts_if_nothing_is_said(self, dataset):
        roots = neurons.roots_at(3)
        found = count_synapses_in_mesh(roots, FULL, dataset="demo")[FULL]
        mesh, synapses = load_neuropil_mesh(FULL, dataset), get_synapses(roots, return_pixels=False, dataset="demo")
        inside = exactly_inside(np.array(synapses["pre_pt_position"].tolist(), dtype=np.float64), mesh)
        counted = synapses[inside]["pre_pt_root_id"].value_counts()
        assert found.tolist() == [int(counted.get(root, 0)) for root in roots]
        assert found.sum() > 500

    def test_outdated_ids_are_counted_as_what_they_are_now(self, dataset):
        old = neurons.roots_at(2)
        new = update_ids(old, timestamp=3, dataset="demo")["new_id"].tolist()
        assert old != new
        found = count_synapses_in_mesh([*old, old[0]], [FULL], dataset="demo")
        expected = count_synapses_in_mesh(new, FULL, dataset="demo")
        assert found.index.tolist() == [*old, old[0]]
        assert found[FULL].tolist() == [*expected[FULL], expected[FULL].iloc[0]]
        as_they_are = count_synapses_in_mesh(old, FULL, update_ids=False, dataset="demo")
        changed = np.array(old) != new
        assert (as_they_are[FULL][changed] == 0).all()

    def test_minima_are_counted_in_each_neuropil(self, dataset):
        roots = neurons.roots_at(3)
        synapses = get_synapses_in_mesh(load_neuropil_mesh(FULL, dataset), dataset="demo")
        synapses = synapses[synapses["pre_pt_root_id"].isin(roots)]
        pairs = synapses.groupby(["pre_pt_root_id", "post_pt_root_id"])["id"].transform("size")
        counted = synapses[pairs >= 2]["pre_pt_root_id"].value_counts()
        found = count_synapses_in_mesh(roots, FULL, min_synapses_per_pair=2, loc="ctr", dataset="demo")
        assert found[FULL].tolist() == [int(counted.get(root, 0)) for root in roots]
        least = int(synapses["pre_pt_root_id"].value_counts().max())
        found = count_synapses_in_mesh(roots, FULL, least, loc="ctr", dataset="demo")
        assert sorted(found[FULL])[-1] == least
        assert (found[FULL] > 0).sum() < len(roots)

    def test_neurons_far_from_a_neuropil_are_no_reason_for_a_warning(self, dataset):
        # warnings are errors here: nothing is in the wrong unit
        found = count_synapses_in_mesh(neurons.roots_at(3), SMALL, dataset="demo")
        assert found.columns.tolist() == [SMALL]

    def test_nobody_and_nothing(self, dataset):
        assert count_synapses_in_mesh([], [FULL, SMALL], dataset="demo").shape == (0, 2)
        found = count_synapses_in_mesh(neurons.roots_at(3), [], dataset="demo")
        assert found.shape == (5, 0)

    def test_errors_come_before_synapses_are_fetched(self, cave):
        with pytest.raises(NoMatchesError, match=f"did you mean {SMALL}"):
            count_synapses_in_mesh(neurons.roots_at(3), "NOc_rr", dataset="demo")
        with pytest.raises(MeshNotFound, match="gall_left"):
            count_synapses_in_mesh(neurons.roots_at(3), "gall_left", dataset="demo")
        with pytest.raises(InvalidInput, match="loc is 'all'"):
            count_synapses_in_mesh(neurons.roots_at(3), FULL, loc="all", dataset="demo")
        assert queries(cave) == 0


def test_both_minima_look_at_the_same_synapses():
    rows = pd.DataFrame({"pre_pt_root_id": [1, 1, 1, 2, 2, 3], "post_pt_root_id": [7, 7, 8, 7, 7, 7]})
    assert Minima(3, 1).keep(rows).index.tolist() == [0, 1, 2]
    assert Minima(1, 2).keep(rows).index.tolist() == [0, 1, 3, 4]
    assert Minima(3, 2).keep(rows).index.tolist() == [0, 1]
    assert Minima(0, 0).keep(rows).equals(rows)
    assert len(Minima(2, 2).keep(rows[:0])) == 0


def test_places_far_from_all_boxes_are_nowhere_and_no_reason_for_a_warning():
    cubes = prepare({"a": box(bounds=[[0, 0, 0], [10, 10, 10]]), "b": box(bounds=[[5, 5, 5], [20, 20, 20]])})
    places = np.array([[999.0, 0, 0], [6, 6, 6], [-5, -5, -5], [1, 1, 1], [19, 19, 19]])
    found = within_boxes(cubes, places)
    assert found.table().tolist() == [[False, False], [True, True], [False, False], [True, False], [False, True]]
    assert found.nowhere.tolist() == [True, False, True, False, False]
    far = np.repeat(places[:1], 30, axis=0)
    assert within_boxes(cubes, far).count == 30
    with pytest.warns(WrongUnitWarning):
        cubes.find(far)
