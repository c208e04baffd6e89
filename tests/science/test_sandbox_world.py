"""The world the sandbox serves: what is said to be true of it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from crant_core.sandbox import layout
from crant_core.sandbox.graph.operations import to_ms
from crant_core.sandbox.objects.segmentation import at_grid
from crant_core.sandbox.world import navis_data
from crant_core.sandbox.world import voxels as vx
from crant_core.sandbox.world.history import INGESTED, VERSIONS
from crant_core.sandbox.world.neuropils import REAL
from tests.fixtures import neurons


def test_the_history_begins_with_pieces_and_a_false_merger_and_ends_with_whole_neurons():
    found, graph = neurons.world().segmentation, neurons.graph()
    first = graph.roots(found.ids, INGESTED)
    # five neurons in four pieces each, of which two are falsely one, and sixty made-up neurons
    assert len(np.unique(first)) == 5 * 4 - 1 + 60
    last = graph.roots(found.ids, graph.operations[-1].timestamp)
    for number in range(65):
        assert len(np.unique(last[found.neuron == number])) == 1
    assert len(np.unique(last)) == 65


def test_the_false_merger_is_of_two_neurons_and_a_split_undoes_it():
    found, graph = neurons.world().segmentation, neurons.graph()
    [split] = [one for one in graph.operations if one.kind == "split"]
    before = graph.roots(found.ids, VERSIONS[0].timestamp)
    mixed = [root for root in np.unique(before) if len(np.unique(found.neuron[before == root])) > 1]
    assert len(mixed) == 1
    assert len(split.new_roots) == 2
    after = graph.roots(found.ids, split.timestamp)
    assert all(len(np.unique(found.neuron[after == root])) == 1 for root in np.unique(after))


def test_live_differs_from_materialized_by_one_neuron_edited_twice_and_two_edited_once():
    late = [one for one in neurons.graph().operations if one.timestamp > VERSIONS[-1].timestamp]
    found = neurons.world().segmentation
    whose = [int(found.neuron[np.searchsorted(found.ids, np.uint64(one.source_ids[0]))]) for one in late]
    assert sorted(whose) == [2, 3, 4, 4]


def test_the_past_is_never_overtaken():
    times = [to_ms(one.timestamp) for one in neurons.graph().operations]
    assert times == sorted(set(times))


@pytest.mark.parametrize("number", range(5))
def test_voxels_follow_the_skeleton(number):
    """Hardly a voxel lies farther from its neuron's skeleton than the neurite is thick there, by more than a voxel."""
    voxels, tree = neurons.world().segmentation.voxels, neurons.world().trees[number]
    mine = voxels.neuron == number
    centres = vx.centre_of(vx.grid_of(voxels.keys[mine]))
    step = np.linalg.norm(tree.nodes[tree.edges[:, 0]] - tree.nodes[tree.edges[:, 1]], axis=1).max()
    distances = np.linalg.norm(centres - tree.nodes[voxels.node[mine]], axis=1)
    slack = np.linalg.norm(vx.VOXEL_NM) + step / 2
    assert np.quantile(distances - tree.radii[voxels.node[mine]], 0.99) <= slack


def test_every_supervoxel_has_the_chunk_that_its_id_says():
    found = neurons.world().segmentation
    chunks = vx.grid_of(found.voxels.keys) // vx.PER_CHUNK
    assert np.array_equal(layout.chunk_of(found.ids)[found.of_voxel], chunks)


def test_every_vertex_belongs_to_a_supervoxel_of_its_neuron_in_its_chunk():
    truth, found = neurons.world().frame("truth/vertices"), neurons.world().segmentation
    index = np.searchsorted(found.ids, truth.supervoxel_id.to_numpy())
    assert np.array_equal(found.ids[index], truth.supervoxel_id.to_numpy())
    assert np.array_equal(found.neuron[index], truth.neuron.to_numpy())
    inner = ~truth.on_border.to_numpy()
    positions = truth[["x", "y", "z"]].to_numpy()[inner]
    start = layout.chunk_start(layout.chunk_of(truth.supervoxel_id.to_numpy()[inner]))
    assert ((positions >= start - 0.1) & (positions <= start + layout.chunk_nm() + 0.1)).all()
    assert 0.05 < truth.on_border.mean() < 0.3


def test_synapses_are_the_hemibrains_and_their_sides_are_where_they_should_be():
    world = neurons.world()
    rows, truth = world.frame("tables/synapses_v2"), world.frame("truth/synapse_neurons")
    sites = sum(len(navis_data.read_connectors(body).is_pre) for body in navis_data.BODY_IDS)
    real = truth[truth.region != ""]
    assert sites == 14_836
    seen_twice = ((real.pre < 5) & (real.post < 5)).sum()
    assert seen_twice > 50
    found = world.segmentation
    for side in ("pre", "post"):
        owner = found.neuron[np.searchsorted(found.ids, rows[f"{side}_pt_supervoxel_id"].to_numpy())]
        assert np.array_equal(owner, truth[side].to_numpy())
    autapses = truth[truth.pre == truth.post]
    assert 0 < len(autapses) < 300
    assert (autapses.pre < 5).all()


def test_each_side_of_a_synapse_lies_in_the_supervoxel_it_names_and_near_the_site():
    world = neurons.world()
    rows, found = world.frame("tables/synapses_v2"), world.segmentation
    centres = rows[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy()
    for side in ("pre", "post"):
        positions = rows[[f"{side}_pt_position_{axis}" for axis in "xyz"]].to_numpy()
        index = at_grid(world, vx.grid_at(positions))
        assert np.array_equal(found.ids[index], rows[f"{side}_pt_supervoxel_id"].to_numpy())
        assert np.median(np.linalg.norm(positions - centres, axis=1)) < 300


def test_the_real_neuropil_holds_most_synapses_that_the_hemibrain_puts_there():
    world = neurons.world()
    inside = world.frame("truth/synapse_neuropils")
    in_horn = set(inside.synapse_id[inside.neuropil == REAL])
    truth = world.frame("truth/synapse_neurons")
    labelled = truth[truth.region == "LH(R)"].synapse_id
    assert labelled.isin(in_horn).mean() > 0.85
    elsewhere = truth[truth.region == "AL(R)"].synapse_id
    assert elsewhere.isin(in_horn).mean() == 0


def test_neuropils_have_crants_numbers_some_overlap_and_some_are_empty():
    world = neurons.world()
    names, inside = world.frame("neuropils"), world.frame("truth/synapse_neuropils")
    known = dict(zip(names.number, names.name, strict=True))
    assert (known[16], known[15], known[10]) == ("lateral_horn_right", "lateral_horn_left", "ellipsoid_body")
    assert set(inside.neuropil) < set(names.number)
    assert inside.synapse_id.duplicated().any()


def test_the_tutorials_questions_have_answers():
    meta = neurons.world().frame("seatable")
    assert len(meta.columns) == 30
    projection = meta[meta.cell_class == "olfactory_projection_neuron"]
    assert set(projection.side) == {"left", "right"}
    assert set(projection.tract) >= {"mALT", "lALT", "mlALT"}
    central = meta[meta.cell_class.isin(["EBc", "ER", "FBt", "PBt"])]
    assert central.region.map(lambda regions: list(regions) == ["CX"]).all()
    truth = neurons.world().frame("truth/synapse_neurons")
    numbers = set(central.index)
    among = truth[truth.pre.isin(numbers) & truth.post.isin(numbers)]
    assert len(among) > 100


def test_annotations_were_right_at_the_last_version_and_some_are_outdated_now():
    meta, graph = neurons.world().frame("seatable"), neurons.graph()
    rows = meta[meta.root_id.notna()]
    supervoxels = rows.supervoxel_id.astype("uint64").to_numpy()
    assert rows.root_id.astype("uint64").tolist() == graph.roots(supervoxels, VERSIONS[-1].timestamp).tolist()
    latest = graph.is_latest(
        rows.root_id.astype("uint64").to_numpy(), graph.operations[-1].timestamp.replace(year=2026)
    )
    assert 0 < (~latest).sum() < 10


def test_made_up_meshes_surround_their_true_skeleton():
    truth, skeletons = neurons.world().frame("truth/vertices"), neurons.world().frame("truth/skeletons")
    vertices = truth[truth.neuron == 20][["x", "y", "z"]].to_numpy()
    tree = neurons.world().trees[20]
    assert skeletons[skeletons.neuron == 20][["x", "y", "z"]].to_numpy() == pytest.approx(tree.nodes)
    rings = cKDTree(tree.nodes).query(vertices)[0]
    step = np.linalg.norm(tree.nodes[tree.edges[:, 0]] - tree.nodes[tree.edges[:, 1]], axis=1).max()
    assert rings.max() <= np.hypot(tree.radii.max(), step / 2) + 1
