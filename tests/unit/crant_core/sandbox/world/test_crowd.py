"""A small crowd beside the real neurons: copies are whole, apart, and as large as their templates."""

from __future__ import annotations

import numpy as np
import pytest

from crant_core.sandbox import layout
from crant_core.sandbox.live import Sandbox, open_sandbox
from crant_core.sandbox.world.crowd import FACES, FRAGMENTS_PER_NEURON
from crant_core.sandbox.world.crowd_tables import SYNAPSES_PER_NEURON
from tests.fixtures import neurons

COPIES = 6


@pytest.fixture(scope="module")
def crowded() -> Sandbox:
    return open_sandbox("0" * 32, neurons.world(), COPIES)


def root_of(crowded: Sandbox, copy: int) -> int:
    first = crowded.crowd.ids[crowded.crowd.places[crowded.crowd.starts[copy]]]
    return int(crowded.graph.roots([first], crowded.clock.now())[0])


def test_each_copy_is_one_root_with_as_many_l2_chunks_as_its_template(crowded):
    templates = [len(neurons.graph().l2_of(root)) for root in neurons.live_roots()]
    copies = [len(crowded.graph.l2_of(root_of(crowded, number))) for number in range(COPIES)]
    assert copies == [*templates, templates[0]]


def test_the_real_neurons_are_as_without_a_crowd(crowded):
    found = crowded.world.segmentation.ids
    alone = neurons.graph().roots(found, crowded.clock.now())
    beside = crowded.graph.roots(found, crowded.clock.now())
    assert len(np.unique(alone)) == len(np.unique(beside)) == 65
    assert [len(np.unique(beside[alone == root])) for root in np.unique(alone)] == [1] * 65


def test_copies_and_fragments_stay_in_the_volume_and_ids_are_unique(crowded):
    ids = crowded.crowd.ids
    assert (np.diff(ids.astype(np.int64)) > 0).all()
    chunks = layout.chunk_of(ids)
    assert (chunks >= 0).all()
    assert (chunks < layout.SIZE_IN_CHUNKS).all()
    assert (crowded.crowd.neuron == -1).sum() == COPIES * FRAGMENTS_PER_NEURON


def test_a_copys_features_are_its_templates_moved(crowded):
    mine = [crowded.anatomy.attributes(int(l2)) for l2 in crowded.graph.l2_of(root_of(crowded, 1))]
    template = [crowded.anatomy.attributes(int(l2)) for l2 in neurons.graph().l2_of(neurons.live_roots()[1])]
    assert sum(one["size_nm3"] for one in mine) == sum(one["size_nm3"] for one in template)
    moved = np.sort([one["rep_coord_nm"] for one in mine], axis=0) - crowded.crowd.offset_nm(1)
    assert np.abs(moved - np.sort([one["rep_coord_nm"] for one in template], axis=0)).max() <= 1
    assert sorted(one["pca_val"][0] for one in mine if "pca_val" in one) == pytest.approx(
        sorted(one["pca_val"][0] for one in template if "pca_val" in one), rel=0.05, abs=500
    )


def test_a_copys_mesh_lies_around_its_true_skeleton(crowded):
    mesh, skeleton = crowded.anatomy.surface(root_of(crowded, 1)), crowded.crowd.skeleton(1)
    assert len(mesh.faces) >= FACES[1]
    low, high = skeleton.nodes.min(axis=0), skeleton.nodes.max(axis=0)
    margin = skeleton.radii.max() + 1
    assert ((mesh.vertices >= low - margin) & (mesh.vertices <= high + margin)).all()


def test_the_crowd_brings_synapses_and_annotations(crowded):
    rows = crowded.tables["synapses_v2"].rows
    alone = neurons.world().frame("tables/synapses_v2")
    assert len(rows) == len(alone) + COPIES * SYNAPSES_PER_NEURON
    assert rows["id"].is_unique
    added = rows.iloc[len(alone) :]
    pre = crowded.graph.roots(added.pre_pt_supervoxel_id.to_numpy(), crowded.clock.now())
    post = crowded.graph.roots(added.post_pt_supervoxel_id.to_numpy(), crowded.clock.now())
    assert np.unique(pre).tolist() == sorted(root_of(crowded, number) for number in range(COPIES))
    assert (pre != post).all()
    assert np.isin(post, np.unique(pre)).all()


def test_a_crowds_answers_do_not_depend_on_the_start(crowded):
    again = open_sandbox("1" * 32, neurons.world(), COPIES)
    assert np.array_equal(again.crowd.ids, crowded.crowd.ids)
    assert again.tables["synapses_v2"].rows.equals(crowded.tables["synapses_v2"].rows)


def test_reset_forgets_edits_and_keeps_the_crowd(crowded):
    one, other = (crowded.crowd.ids[crowded.crowd.places[crowded.crowd.starts[n]]] for n in (2, 3))
    before = [root_of(crowded, number) for number in range(COPIES)]
    crowded.graph.merge([(int(one), int(other))], crowded.clock.now(), 1)
    assert root_of(crowded, 2) == root_of(crowded, 3)
    crowded.reset()
    assert [root_of(crowded, number) for number in range(COPIES)] == before
