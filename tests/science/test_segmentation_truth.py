"""Segmentation functions against the voxels the sandbox was made of, scanned by brute force."""

from __future__ import annotations

from datetime import UTC, datetime

import navis
import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from crant_core import (
    get_segmentation_cutout,
    get_voxels,
    locs_to_segments,
    locs_to_supervoxels,
    neuron_to_segments,
    register,
    snap_to_id,
)
from crant_core.sandbox import layout, names
from crant_core.sandbox.world.history import VERSIONS
from crant_core.segmentation import thinning
from tests.contracts.sandbox_clients import cave
from tests.fixtures import voxels
from tests.fixtures.neurons import graph, live_roots, roots_at, world
from tests.fixtures.sandbox import Sandbox

SIZE = np.array([110, 100, 60])  # of a box, voxels
RADIUS = 300.0  # nm


@pytest.fixture(autouse=True)
def _own_store(monkeypatch, tmp_path):
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))


@pytest.fixture
def dataset(sandbox: Sandbox):
    return register(sandbox.dataset, sandbox.token)


def corner(mip: int = 0) -> np.ndarray:
    """Return the low corner of a box around a neuron, voxels; it is on no border of anything."""
    return voxels.crowded(0) // voxels.resolution(mip) - SIZE // 2 + 3


def in_nm(low, high, mip: int = 0) -> np.ndarray:
    return np.array([low, high]) * voxels.resolution(mip)


def roots_of(supervoxels: np.ndarray, moment: datetime) -> np.ndarray:
    unique, back = np.unique(supervoxels, return_inverse=True)
    found = graph().roots(unique, moment)
    return np.where(unique == 0, 0, found)[back].reshape(supervoxels.shape)


def members(root: int) -> np.ndarray:
    """Return the supervoxels of a root of now or of version 3."""
    ids = world().segmentation.ids
    return ids[np.any([graph().roots(ids, at) == root for at in (datetime.now(UTC), VERSIONS[2].timestamp)], axis=0)]


def as_set(places) -> set[tuple[int, ...]]:
    return set(map(tuple, np.asarray(places).tolist()))


class TestLocations:
    def test_synapses_are_in_the_supervoxels_that_their_table_names(self, dataset):
        rows = world().frame(f"tables/{names.SYNAPSES}").sort_values("pre_pt_supervoxel_id").iloc[2000:2150]
        for side in ("pre", "post"):
            places = rows[[f"{side}_pt_position_{axis}" for axis in "xyz"]].to_numpy()
            found = locs_to_supervoxels(places, dataset=dataset)
            assert found.tolist() == rows[f"{side}_pt_supervoxel_id"].tolist()

    @pytest.mark.parametrize("mip", [0, 1])
    def test_random_positions_are_in_the_voxels_painted_there(self, dataset, mip):
        low, chance = corner(mip), np.random.default_rng(mip)
        inside = chance.uniform(0, 1, (5000, 3)) * SIZE
        expected = voxels.painted(low, low + SIZE, mip)[tuple(np.floor(inside).astype(int).T)]
        nm = (low + inside) * voxels.resolution(mip)
        assert locs_to_supervoxels(nm, mip=mip, dataset=dataset).tolist() == expected.tolist()
        people = nm / (8, 8, 42)
        assert locs_to_supervoxels(people, mip=mip, coordinates="voxel", dataset=dataset).tolist() == expected.tolist()
        assert 0 < np.count_nonzero(expected) < len(expected)

    @pytest.mark.parametrize("version", [1, 2, 3, None])
    def test_segments_are_those_of_the_time(self, dataset, version):
        moment = datetime.now(UTC) if version is None else VERSIONS[version - 1].timestamp
        when = None if version is None else moment.isoformat()
        supervoxels = world().segmentation.ids[:600:6]
        places = world().features.middle[:600:6]
        assert locs_to_segments(places, when, dataset=dataset).tolist() == roots_of(supervoxels, moment).tolist()


class TestCutouts:
    @pytest.mark.parametrize("mip", [0, 1])
    def test_supervoxels_are_those_painted(self, dataset, mip):
        low = corner(mip)
        found, resolution, offset = get_segmentation_cutout(
            in_nm(low, low + SIZE, mip), root_ids=False, mip=mip, dataset=dataset
        )
        assert (found == voxels.painted(low, low + SIZE, mip)).all()
        assert resolution.tolist() == voxels.resolution(mip).tolist()
        assert offset.tolist() == (low * voxels.resolution(mip)).tolist()
        assert (found.dtype, resolution.dtype, offset.dtype) == (np.uint64, np.int64, np.int64)

    @pytest.mark.parametrize(("when", "version"), [("mat_2", 2), ("mat", 3), ("live", None)])
    def test_roots_are_those_of_one_time(self, dataset, when, version):
        low = corner()
        moment = datetime.now(UTC) if version is None else VERSIONS[version - 1].timestamp
        found, *_ = get_segmentation_cutout(in_nm(low, low + SIZE), dataset=dataset, timestamp=when)
        assert (found == roots_of(voxels.painted(low, low + SIZE), moment)).all()
        assert len(np.unique(found)) > 2 or version is None

    def test_every_voxel_that_a_box_touches_is_in_it(self, dataset):
        low = corner()
        box = in_nm(low, low + 20) + np.array([[1], [-1]])  # a little smaller than its voxels
        found, _, offset = get_segmentation_cutout(box.T, root_ids=False, dataset=dataset)
        assert found.shape == (20, 20, 20)
        assert offset.tolist() == (low * voxels.resolution()).tolist()


class TestVoxels:
    # D4: crantpy's default mode and thin=True raise ModuleNotFoundError, and whole chunks come that are not in bounds.
    @pytest.mark.parametrize("mip", [0, 1])
    @pytest.mark.parametrize("use_l2_chunks", [True, False])
    def test_in_bounds_they_are_those_painted(self, dataset, mip, use_l2_chunks):
        low, root = corner(mip), live_roots()[0]
        all_of_it = voxels.painted(low, low + SIZE, mip)
        expected = np.argwhere(np.isin(all_of_it, members(root))) + low
        found, supervoxels = get_voxels(
            root, mip, in_nm(low, low + SIZE, mip), sv_map=True, use_l2_chunks=use_l2_chunks, dataset=dataset
        )
        assert len(found) == len(expected) > 1000
        assert as_set(found) == as_set(expected)
        assert (supervoxels == all_of_it[tuple((found - low).T)]).all()
        assert (found.dtype, supervoxels.dtype) == (np.uint32, np.uint64)

    # D4: without bounds crantpy takes the box of the L2 skeleton and clips the neurite.
    def test_without_bounds_they_are_the_whole_neuron(self, dataset):
        found = world().segmentation
        neuron = int(np.bincount(found.neuron[found.of_voxel]).argmin())
        supervoxels = found.ids[found.neuron == neuron]
        root = int(graph().roots(supervoxels[:1], datetime.now(UTC))[0])
        grains = np.isin(voxels.labels(), supervoxels)
        places = get_voxels(root, mip=1, threads=8, dataset=dataset)
        assert len(places) == grains.sum() * 4 * 4 * 2
        middles = (places + 0.5) * voxels.resolution(1)
        expected = voxels.grains()[grains]
        assert as_set((middles - expected[0]) // voxels.GRAIN) == as_set((expected - expected[0]) // voxels.GRAIN)

    # D6: crantpy looks for a root of now among the roots of the materialization, and an edited neuron has no voxels.
    def test_an_edited_neuron_has_voxels_under_its_root_of_now_and_under_an_older_one(self, dataset):
        changed = [n for n, (old, new) in enumerate(zip(roots_at(3), live_roots(), strict=True)) if old != new]
        for root in (roots_at(3)[changed[0]], live_roots()[changed[0]]):
            low = voxels.grains()[np.isin(voxels.labels(), members(root))][100] // voxels.resolution()
            found = get_voxels(root, bounds=in_nm(low, low + 40), dataset=dataset)
            painted = voxels.painted(low, low + 40)
            assert as_set(found) == as_set(np.argwhere(np.isin(painted, members(root))) + low)
            assert len(found)


class TestThinning:
    # D4: crantpy's thinning computes a mask that it does not use.
    def test_voxels_go_where_unlinked_parts_touch_and_nowhere_else(self, sandbox, dataset, monkeypatch):
        found, root = world().segmentation, live_roots()[0]
        ends = found.ids[found.edges[(found.neuron[found.edges] == 0).all(axis=1)]]
        across = ends[(layout.chunk_of(ends[:, 0]) != layout.chunk_of(ends[:, 1])).any(axis=1)][20]
        sides = [voxels.grains()[voxels.labels() == one] for one in across]
        distance, _ = cKDTree(sides[0] / voxels.GRAIN).query(sides[1] / voxels.GRAIN)
        low = sides[1][distance.argmin()] // voxels.resolution() - (30, 30, 15)
        high = low + np.array([60, 60, 30])
        parts, linked = self.l2_parts(sandbox, root, voxels.painted(low - 1, high + 1))
        core = (slice(1, -1),) * 3
        at_interface = np.zeros(parts[core].shape, dtype=bool)
        for shift in np.ndindex(3, 3, 3):
            neighbour = np.roll(parts, np.array(shift) - 1, axis=(0, 1, 2))[core]
            at_interface |= (parts[core] != 0) & (neighbour != 0) & (neighbour != parts[core])
        box = in_nm(low, high)
        thick, same = (get_voxels(root, bounds=box, thin=thin, dataset=dataset) for thin in (False, True))
        assert linked
        assert as_set(thick) == as_set(same)
        monkeypatch.setattr(thinning, "_links", lambda *_: np.empty(0, dtype=np.int64))  # as if nothing were linked
        thin = get_voxels(root, bounds=box, thin=True, dataset=dataset)
        assert at_interface.any()
        assert as_set(thick) - as_set(thin) == as_set(np.argwhere(at_interface) + low)
        assert as_set(thin) < as_set(thick)

    def l2_parts(self, sandbox: Sandbox, root: int, around: np.ndarray) -> tuple[np.ndarray, set[frozenset[int]]]:
        """Return the L2 ids in a box, 0 for other roots, and which of them the L2 graph links, as caveclient tells."""
        asked = cave(sandbox).chunkedgraph
        unique, back = np.unique(around, return_inverse=True)
        mine = asked.get_roots(unique) == root
        l2_ids = np.where(mine, asked.get_roots(unique, stop_layer=2), 0)
        return l2_ids[back].reshape(around.shape), {frozenset(map(int, e)) for e in asked.level2_chunk_graph(root)}

    def test_where_all_is_linked_nothing_goes(self, dataset):
        low = corner(1)
        box = in_nm(low, low + SIZE, 1)
        thick, owners = get_voxels(live_roots()[0], 1, box, sv_map=True, dataset=dataset)
        thin, kept = get_voxels(live_roots()[0], 1, box, sv_map=True, thin=True, dataset=dataset)
        assert (thin == thick).all()
        assert (kept == owners).all()


class TestSnapping:
    # D21: crantpy minimises the L1 distance in voxels, which are longer than wide, and erodes thin neurites away.
    @pytest.mark.parametrize("coordinates", ["nm", "voxel"])
    def test_it_moves_to_a_nearest_voxel_by_distance_in_nm(self, dataset, coordinates):
        root, resolution = live_roots()[0], voxels.resolution()
        low = corner()
        near = np.argwhere(np.isin(voxels.painted(low, low + SIZE), members(root))) + low
        middles = (near + 0.5) * resolution
        chance = np.random.default_rng(5)
        margin = np.ceil(RADIUS / resolution).astype(int)
        points = (low + margin + chance.uniform(0, 1, (60, 3)) * (SIZE - 2 * margin)) * resolution
        unit = np.array([8, 8, 42]) if coordinates == "voxel" else np.ones(3)
        found = snap_to_id(
            points / unit, root, snap_zero=True, search_radius=RADIUS, coordinates=coordinates, dataset=dataset
        )
        on_it = np.isin(locs_to_supervoxels(points, dataset=dataset), members(root))
        moved = failed = differs = 0
        for point, snapped, there in zip(points, found * unit, on_it, strict=True):
            distance = np.linalg.norm(middles - point, axis=1)
            if there:
                assert snapped == pytest.approx(point)
            elif distance.min() > RADIUS:
                failed += 1
                assert snapped.tolist() == [0, 0, 0]  # D21: crantpy leaves them as they are
            else:
                moved += 1
                assert np.linalg.norm(snapped - point) == pytest.approx(distance.min())
                assert np.abs(middles - snapped).max(axis=1).min() < 1e-6
                by_l1 = (np.abs(middles - point) / resolution).sum(axis=1).argmin()
                differs += distance[by_l1] > distance.min() + 1e-9
        assert moved > 5
        assert failed > 5
        assert differs

    def test_what_was_moved_is_on_the_neuron(self, dataset):
        root, chance = live_roots()[0], np.random.default_rng(6)
        points = voxels.crowded(0) + chance.normal(0, 600, (100, 3))
        found = snap_to_id(points, root, snap_zero=True, search_radius=800, dataset=dataset)
        snapped = found[(found != 0).any(axis=1)]
        assert set(locs_to_segments(snapped, dataset=dataset).tolist()) == {root}


class TestNeurons:
    @pytest.fixture
    def trees(self) -> list[navis.TreeNeuron]:
        """Pieces of the skeletons of two neurons, and one far from everything."""
        pieces = [world().trees[number].nodes[:80] for number in (40, 41)]
        away = np.tile(np.array([[5000.0, 23000.0, 43000.0]]), (5, 1))
        return [tree(nodes, name) for nodes, name in zip([*pieces, away], ("a", "b", "nowhere"), strict=True)]

    def test_nodes_are_counted_in_the_roots_they_are_in(self, dataset, trees):
        found = neuron_to_segments(navis.NeuronList(trees), dataset=dataset)
        for one in trees:
            supervoxels = voxels.at(one.nodes[["x", "y", "z"]].to_numpy())
            roots = pd.Series(roots_of(supervoxels, datetime.now(UTC)).astype(np.int64))
            expected = roots[roots != 0].value_counts().to_dict()
            assert found[one.id][found[one.id] > 0].to_dict() == expected
        assert found.columns.tolist() == [one.id for one in trees]
        assert (found.index.name, str(found.index.dtype)) == ("root_id", "int64")
        assert (found.dtypes == np.int64).all()

    def test_the_short_answer_is_the_best_match_and_its_lead(self, dataset, trees):
        matrix = neuron_to_segments(trees, dataset=dataset)
        short = neuron_to_segments(trees, short=True, dataset=dataset)
        assert short.columns.tolist() == ["id", "match", "confidence"]
        for row, one in zip(short.itertuples(), trees, strict=True):
            counts = np.sort(np.append(matrix[one.id].to_numpy(), [0, 0]))[::-1]
            assert row.id == one.id
            assert row.confidence == pytest.approx((counts[0] - counts[1]) / max(counts.sum(), 1))
            assert (row.match == 0) == (counts[0] == 0)
            assert row.match == 0 or matrix.loc[row.match, one.id] == counts[0]
        assert short.confidence.tolist()[2] == 0


def tree(nodes: np.ndarray, name: str) -> navis.TreeNeuron:
    table = pd.DataFrame(nodes, columns=["x", "y", "z"]).assign(
        node_id=range(len(nodes)), parent_id=range(-1, len(nodes) - 1), radius=1.0
    )
    return navis.TreeNeuron(table, units="1 nm", id=name)
