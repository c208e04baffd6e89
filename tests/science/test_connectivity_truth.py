"""Synapses of the sandbox's world, counted by hand from its own tables and from who really connects to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import navis
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.identity import update_ids
from crant_core.registry import register
from crant_core.sandbox.names import SYNAPSES
from crant_core.sandbox.world.history import VERSIONS
from crant_core.synapses import (
    attach_synapses,
    get_adjacency,
    get_connectivity,
    get_synapse_counts,
    get_synapses,
    query_synapses,
)
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

WHENS = [2, 3, "live"]
REAL = 5


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with run_sandbox() as started:
        yield started


@pytest.fixture(autouse=True)
def dataset(running, tmp_path, monkeypatch) -> Dataset:
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    return register(lasting(running.dataset), running.token)


def moment(when: object) -> datetime:
    return datetime.now(UTC) if when == "live" else VERSIONS[int(str(when)) - 1].timestamp


def roots(supervoxels: pd.Series, at: datetime) -> np.ndarray:
    return np.array(neurons.graph().roots(supervoxels.to_numpy(np.uint64), at), dtype=np.int64)


def held(when: object) -> pd.DataFrame:
    """The rows that hold at a time, with the roots of that time, looked up in the graph."""
    at = moment(when)
    rows = neurons.world().frame(f"tables/{SYNAPSES}")
    rows = rows[(rows["created"] <= at) & ~(rows["deleted"] <= at)].reset_index(drop=True)
    return rows.assign(pre=roots(rows["pre_pt_supervoxel_id"], at), post=roots(rows["post_pt_supervoxel_id"], at))


def counted(rows: pd.DataFrame, threshold: int = 1, min_size: int = 0) -> Counter[tuple[int, int]]:
    """Count pairs one by one: size, then neither autapses nor background, then the pair."""
    number = Counter[tuple[int, int]]()
    for pre, post, size in zip(rows["pre"].tolist(), rows["post"].tolist(), rows["size"].tolist(), strict=True):
        if size >= min_size and pre != post and pre and post:
            number[pre, post] += 1
    return Counter({pair: weight for pair, weight in number.items() if weight >= threshold})


def real(when: object) -> list[int]:
    """The real neurons at a time."""
    return neurons.roots_at(when if isinstance(when, int) else moment(when))


def skeleton(number: int, root: int) -> navis.TreeNeuron:
    nodes = neurons.world().frame("truth/skeletons").query("neuron == @number")
    table = nodes.rename(columns={"node": "node_id", "parent": "parent_id"})
    return navis.TreeNeuron(table.drop(columns="neuron"), id=root, units="1 nm")


@pytest.mark.parametrize("when", WHENS)
def test_synapses_are_the_rows_that_hold_with_positions_as_stored(when):
    rows, mine = held(when), real(when)
    expected = rows[rows["pre"].isin(mine)]
    found = get_synapses(mine, clean=False, return_pixels=False, materialization=when, dataset="demo")
    assert len(expected) > 500
    assert found["id"].tolist() == expected["id"].tolist()
    assert found["pre_pt_root_id"].tolist() == expected["pre"].tolist()
    assert found["post_pt_root_id"].tolist() == expected["post"].tolist()
    assert found["size"].tolist() == expected["size"].tolist()
    assert found["created"].tolist() == expected["created"].tolist()
    for name in ("pre_pt", "post_pt", "ctr_pt"):
        places = expected[[f"{name}_position_{axis}" for axis in "xyz"]].to_numpy()
        assert found[f"{name}_position"].tolist() == places.tolist()


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize(("threshold", "min_size"), [(1, None), (3, None), (2, 60)])
def test_matrices_partners_and_counts_are_those_counted_one_by_one(when, threshold, min_size):
    rows, mine = held(when), real(when)
    pairs = counted(rows, threshold, min_size or 0)
    options = {"threshold": threshold, "min_size": min_size, "materialization": when, "dataset": "demo"}

    inputs = {pair: weight for pair, weight in pairs.items() if pair[1] in mine}
    found = get_adjacency(post_ids=mine, **options)
    assert found.index.tolist() == sorted({pre for pre, _ in inputs})
    assert found.columns.tolist() == sorted({post for _, post in inputs})
    assert {(pre, post): int(found.loc[pre, post]) for pre, post in inputs} == inputs
    assert int(found.to_numpy().sum()) == sum(inputs.values())

    either = {pair: weight for pair, weight in pairs.items() if set(pair) & set(mine)}
    listed = get_connectivity(mine, **options)
    assert dict(zip(zip(listed["pre"], listed["post"], strict=True), listed["weight"], strict=True)) == either
    assert listed["weight"].is_monotonic_decreasing

    counts = get_synapse_counts(mine, **options)
    assert counts.index.tolist() == mine
    assert counts["pre"].tolist() == [sum(pre == root for pre, _ in pairs) for root in mine]
    assert counts["post"].tolist() == [sum(post == root for _, post in pairs) for root in mine]


def test_a_live_matrix_is_who_really_connects_to_whom():
    truth = neurons.world().frame("truth/synapse_neurons").set_index("synapse_id")
    rows = held("live")
    truth = truth.loc[rows["id"]]
    truth = truth[truth["pre"] != truth["post"]]
    whole = [int(root) for root in roots(neurons.world().frame("truth/neurons")["supervoxel_id"], moment("live"))]
    found = get_adjacency(whole, whole, materialization="live", symmetric=True, dataset="demo")
    assert found.index.equals(found.columns)
    expected = Counter(zip(truth["pre"].tolist(), truth["post"].tolist(), strict=True))
    assert len(expected) > 500
    assert {pair: int(found.loc[whole[pair[0]], whole[pair[1]]]) for pair in expected} == expected
    assert int(found.to_numpy().sum()) == sum(expected.values())


@pytest.mark.parametrize("when", WHENS)
def test_an_edited_neuron_has_the_same_synapses_whichever_of_its_ids_is_asked(when):
    # D0: the peer asks a frozen table for ids of now, and finds nothing
    lives = [(old, new) for old, new in zip(real(3), real("live"), strict=True) if old != new]
    assert lives
    for old, new in lives:
        then = int(update_ids([new], timestamp=when, dataset="demo")["new_id"][0])
        options = {"materialization": when, "dataset": "demo"}
        found = get_synapses(post_ids=new, **options)
        assert len(found) > 50
        assert found.equals(get_synapses(post_ids=then, **options))
        assert set(found["post_pt_root_id"]) == {then}
        if when != 2:
            same = then if when == "live" else int(update_ids([old], timestamp=3, dataset="demo")["new_id"][0])
            assert get_synapses(post_ids=old, **options).equals(get_synapses(post_ids=same, **options))
        assert get_connectivity(new, **options).equals(get_connectivity(then, **options))
        counts = [get_synapse_counts(one, **options) for one in (new, then)]
        assert counts[0].to_numpy().tolist() == counts[1].to_numpy().tolist()
        assert counts[0].index.tolist() == [new]


def test_partners_are_named_by_their_roots_of_that_time():
    # D0: the peer names partners by ids of the version, and annotates them by ids of now
    for when in WHENS:
        found = get_connectivity(real(when), materialization=when, dataset="demo")
        for side in ("pre", "post"):
            partners = found[side].unique()
            assert source_of("demo").graph.is_latest(partners.astype(np.uint64), moment(when)).all()


def test_an_id_taken_as_it_is_finds_its_own_version_only():
    old, new = next((old, new) for old, new in zip(real(3), real("live"), strict=True) if old != new)
    options = {"update_ids": False, "dataset": "demo"}
    assert len(get_synapses(post_ids=old, **options)) > 50
    assert len(get_synapses(post_ids=new, **options)) == 0
    assert len(get_synapses(post_ids=old, materialization="live", **options)) == 0
    assert len(get_synapses(post_ids=new, materialization="live", **options)) > 50


@pytest.mark.parametrize("when", [3, "live"])
def test_attached_synapses_are_those_of_the_neuron_at_the_nearest_node(when):
    rows, ids, mine = held(when), real("live"), real("live")
    mine = update_ids(ids, timestamp=when, dataset="demo")["new_id"].tolist()
    some = navis.NeuronList([skeleton(number, root) for number, root in enumerate(ids)])
    assert attach_synapses(some, materialization=when, dataset="demo") is some
    for neuron, root in zip(some, mine, strict=True):
        nodes, attached = neuron.nodes, neuron.connectors
        assert neuron.id in ids
        for kind, other in (("pre", "post"), ("post", "pre")):
            here = rows[(rows[kind] == root) & (rows["pre"] != rows["post"])]
            places = here[[f"{kind}_pt_position_{axis}" for axis in "xyz"]].to_numpy(np.float64)
            apart = cdist(places, nodes[["x", "y", "z"]].to_numpy(np.float64))
            near = apart.min(axis=1, initial=np.inf) <= 10_000
            found = attached[attached["type"] == kind]
            assert len(found) > 10
            assert found["synapse_id"].tolist() == here["id"][near].tolist()
            assert found["partner_id"].tolist() == here[other][near].tolist()
            assert np.array_equal(found[["x", "y", "z"]].to_numpy(), places[near])
            at = nodes.set_index("node_id").loc[found["node_id"], ["x", "y", "z"]].to_numpy(np.float64)
            assert np.linalg.norm(at - places[near], axis=1) == pytest.approx(apart.min(axis=1)[near])


def test_a_synapse_between_two_real_neurons_is_on_both():
    truth = neurons.world().frame("truth/synapse_neurons")
    between = truth[(truth["pre"] < REAL) & (truth["post"] < REAL) & (truth["pre"] != truth["post"])]
    between = between[between["synapse_id"].isin(held("live")["id"])]
    assert len(between) > 20
    some = navis.NeuronList([skeleton(number, root) for number, root in enumerate(real("live"))])
    attach_synapses(some, materialization="live", clean=False, dataset="demo")
    for one in between.itertuples():
        for kind, number, other in (("pre", one.pre, one.post), ("post", one.post, one.pre)):
            table = some[number].connectors
            here = table[(table["synapse_id"] == one.synapse_id) & (table["type"] == kind)]
            assert here["partner_id"].tolist() == [some[other].id]


def test_naviss_own_functions_work_on_the_connectors():
    neuron = attach_synapses(skeleton(0, real("live")[0]), materialization="live", dataset="demo")
    table = neuron.connectors
    assert neuron.n_presynapses == (table["type"] == "pre").sum()
    assert len(neuron.postsynapses) == (table["type"] == "post").sum()
    flow = navis.synapse_flow_centrality(neuron)
    assert flow.nodes["synapse_flow_centrality"].max() > 0
    parts = navis.cut_skeleton(neuron, neuron.nodes["node_id"].iloc[len(neuron.nodes) // 2])
    assert sum(len(part.connectors) for part in parts) == len(table)
    assert set(pd.concat([part.connectors for part in parts])["synapse_id"]) == set(table["synapse_id"])
    assert navis.segregation_index(parts) >= 0
    some = neuron.nodes["node_id"].to_numpy()[:500]
    fewer = navis.subset_neuron(neuron, some)
    assert fewer.connectors["synapse_id"].tolist() == table["synapse_id"][table["node_id"].isin(some)].tolist()
    assert len(navis.connectivity_similarity(get_adjacency(real("live"), dataset="demo"), metric="cosine"))


@pytest.mark.parametrize("when", WHENS)
def test_cortical_queries_have_the_rows_of_both_sides(when):
    rows, mine = held(when), real(when)
    expected = rows[(rows["pre"].isin(mine) | rows["post"].isin(mine)) & (rows["pre"] != rows["post"])]
    found = query_synapses(source_of("demo"), mine, pre=True, post=True, timestamp=when)
    assert found["id"].tolist() == expected["id"].tolist()
    places = [f"ctr_pt_position_{axis}" for axis in "xyz"]
    assert np.array_equal(found[places].to_numpy(), expected[places].to_numpy())
