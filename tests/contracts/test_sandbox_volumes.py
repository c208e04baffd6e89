"""Volumes of the assembled sandbox: supervoxels, roots, images and nuclei at known places."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from cloudvolume import Bbox, CloudVolume
from cloudvolume.exceptions import OutOfBoundsError

from crant_core.sandbox import layout, names
from tests.contracts.sandbox_clients import TIMES, cave, ids_by_neuron, segmentation, stored, supervoxels_of, truth
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

EVERY = 1500  #: one supervoxel in so many is looked at
WINDOW = np.array([200, 200, 4])
WITHIN = np.array([[50, 60, 1], [150, 160, 3]])
COARSE = np.array([8, 8, 2])  #: voxels that share a label
BLOCK = np.array([16, 16, 32]) * COARSE  #: the largest supervoxel
_RESOLUTION = {0: (16, 16, 42), 1: (32, 32, 42)}


@pytest.fixture(scope="module")
def client(sandbox: Sandbox):
    return cave(sandbox)


@pytest.fixture(scope="module")
def volume(sandbox: Sandbox) -> CloudVolume:
    return segmentation(sandbox)


@pytest.fixture(scope="module")
def image(sandbox: Sandbox) -> CloudVolume:
    return stored(sandbox, "em")


def middles(supervoxels=None) -> np.ndarray:
    """Return a place inside each supervoxel, nm."""
    ids = neurons.world().segmentation.ids
    index = slice(None) if supervoxels is None else np.searchsorted(ids, supervoxels)
    return neurons.world().features.middle[index]


def voxel(volume: CloudVolume, place, **how) -> int:
    low = (place // volume.resolution).astype(int)
    return int(np.squeeze(volume.download(Bbox(low, low + 1), **how)))


class TestSupervoxels:
    @pytest.mark.parametrize("mip", [0, 1])
    @pytest.mark.parametrize("open_volume", [segmentation, lambda sandbox, mip: stored(sandbox, names.TABLE, mip=mip)])
    def test_every_sampled_one_is_found_in_its_middle(self, sandbox, open_volume, mip):
        volume = open_volume(sandbox, mip=mip)
        ids = neurons.world().segmentation.ids[::EVERY]
        assert tuple(volume.resolution) == _RESOLUTION[mip]
        assert [voxel(volume, place) for place in middles(ids)] == ids.tolist()

    def test_each_fills_as_many_voxels_of_its_block_as_were_counted(self, volume):
        counted = neurons.world().features.count
        for index in range(0, len(counted), EVERY):
            place = middles()[index] - layout.offset_nm()
            low = (place // (BLOCK * layout.RESOLUTION)) * BLOCK + layout.VOXEL_OFFSET
            labels = np.asarray(volume[Bbox(low, low + BLOCK)])
            found = np.count_nonzero(labels == neurons.world().segmentation.ids[index])
            assert found == counted[index] * np.prod(COARSE)

    def test_supervoxels_carry_the_chunk_they_lie_in(self, volume):
        low = (middles(neurons.supervoxels()[:1])[0] // layout.RESOLUTION).astype(int) - 100
        labels = np.squeeze(np.asarray(volume[Bbox(low, low + 200)]))
        places = np.argwhere(labels)
        chunks = layout.chunk_at((places + low) * layout.RESOLUTION)
        assert len(np.unique(chunks, axis=0)) > 1
        assert (layout.chunk_of(labels[tuple(places.T)]) == chunks).all()

    def test_presynapses_lie_on_their_supervoxel_or_beside_it(self, volume):
        rows = neurons.world().frame(f"tables/{names.SYNAPSES}").iloc[::300]
        places = rows[[f"pre_pt_position_{axis}" for axis in "xyz"]].to_numpy()
        found = np.array([voxel(volume, place) for place in places], dtype=np.uint64)
        whose, own = ids_by_neuron().reindex(found), ids_by_neuron().loc[rows.pre_pt_supervoxel_id]
        same = found == rows.pre_pt_supervoxel_id.to_numpy()
        assert same.mean() > 0.5
        assert (same == (whose.to_numpy() == own.to_numpy())).all()

    def test_outside_is_an_error(self, volume):
        with pytest.raises(OutOfBoundsError):
            volume[0:10, 0:10, 0:10]

    def test_nothing_is_there_where_no_neuron_is(self, volume):
        corner = volume.bounds.minpt
        assert not np.any(volume[Bbox(corner, corner + 64)])


class TestRoots:
    @pytest.mark.parametrize("version", [1, 2, 3, "live"])
    def test_an_agglomerated_cutout_has_the_roots_of_its_time(self, volume, version):
        time = TIMES.get(version, datetime.now(UTC))
        expected = neurons.roots_at(version) if version in TIMES else neurons.live_roots()
        places = middles(neurons.supervoxels())
        found = [voxel(volume, place, agglomerate=True, timestamp=int(time.timestamp())) for place in places]
        assert found == expected

    def test_stopping_at_layer_2_gives_l2_ids(self, volume, client):
        supervoxels = neurons.supervoxels()
        found = [voxel(volume, place, agglomerate=True, stop_layer=2) for place in middles(supervoxels)]
        assert found == client.chunkedgraph.get_roots(supervoxels, stop_layer=2).tolist()

    def test_scattered_points_find_the_roots(self, volume):
        places = (middles(neurons.supervoxels()) // layout.RESOLUTION).astype(int)
        found = volume.scattered_points(places, agglomerate=True)
        assert [found[tuple(place)] for place in places.tolist()] == neurons.live_roots()

    def test_cloud_volume_asks_for_roots_like_caveclient(self, volume, client):
        ids = neurons.world().segmentation.ids[::50]
        assert volume.get_roots(ids).tolist() == client.chunkedgraph.get_roots(ids).tolist()

    def test_leaves_in_a_box_are_its_supervoxels(self, volume):
        root, place = neurons.live_roots()[0], middles(neurons.supervoxels()[:1])[0] // layout.RESOLUTION
        low = place.astype(int) - 64
        box = Bbox(low, low + 128)
        found = set(volume.get_leaves(root, box, 0).tolist())
        seen = set(np.unique(volume.download(box)).tolist()) & set(supervoxels_of(0).tolist())
        assert seen <= found <= set(supervoxels_of(0).tolist())

    def test_chunk_mappings_pair_l2_ids_with_their_supervoxels(self, volume, client):
        l2_id = int(client.chunkedgraph.get_leaves(neurons.live_roots()[0], stop_layer=2)[50])
        found = volume.get_chunk_mappings(l2_id)
        assert sorted(found[l2_id]) == sorted(client.chunkedgraph.get_leaves(l2_id).tolist())


class TestImage:
    @pytest.fixture
    def low(self) -> np.ndarray:
        """A corner from which a box of 200 x 200 x 4 voxels contains a neuron and what is around it."""
        middle = middles(supervoxels_of(2)[300:301])[0]
        return (middle // layout.USER_RESOLUTION).astype(int) - (100, 100, 2)

    def test_it_is_grey_and_as_fine_as_people_look(self, image, client):
        assert (image.dtype, image.resolution.tolist()) == ("uint8", [8, 8, 42])
        opened = client.info.image_cloudvolume(progress=False)
        assert (opened.bounds, opened.dtype) == (image.bounds, image.dtype)

    def test_the_same_box_looks_the_same_every_time(self, sandbox, image, low):
        box = Bbox(low, low + WINDOW)
        again = stored(sandbox, "em").download(box)
        assert (np.asarray(image.download(box)) == np.asarray(again)).all()

    def test_it_does_not_depend_on_how_it_is_cut_out(self, image, low):
        whole = np.asarray(image[Bbox(low, low + WINDOW)])
        part = np.asarray(image[Bbox(low + WITHIN[0], low + WITHIN[1])])
        assert (whole[50:150, 60:160, 1:3] == part).all()

    def test_membranes_are_darker_than_what_they_enclose(self, image, volume, low):
        grey = np.squeeze(np.asarray(image[Bbox(low, low + WINDOW)])).astype(float)
        half = low // (2, 2, 1)
        labels = np.squeeze(np.asarray(volume[Bbox(half, half + WINDOW)])) != 0
        inside = labels.repeat(2, 0).repeat(2, 1)[low[0] % 2 :, low[1] % 2 :][:200, :200]
        border = np.zeros_like(inside)
        border[1:-1, 1:-1] = (inside[1:-1, 1:-1] != inside[2:, 1:-1]) | (inside[1:-1, 1:-1] != inside[1:-1, 2:])
        edge = np.pad(inside, ((6, 6), (6, 6), (0, 0)), mode="edge")
        shifts = [edge[x : x + 200, y : y + 200] for x in (0, 6, 12) for y in (0, 6, 12)]
        deep = np.logical_and.reduce(shifts)
        assert border.any()
        assert deep.any()
        assert grey[border].mean() < grey[deep].mean() - 40

    def test_presynapses_are_black(self, image):
        rows = neurons.world().frame(f"tables/{names.SYNAPSES}").iloc[::2000]
        for place in rows[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy():
            low = place // layout.USER_RESOLUTION
            assert int(np.squeeze(image[Bbox(low, low + 1)])) < 60

    def test_outside_is_an_error(self, image):
        with pytest.raises(OutOfBoundsError):
            image[0:10, 0:10, 0:10]


class TestNuclei:
    def test_a_nucleus_lies_at_the_soma_and_is_named_by_its_supervoxel(self, sandbox):
        nuclei, rows = stored(sandbox, "nucleus"), neurons.world().frame(f"tables/{names.NUCLEI}")
        trees = truth("skeletons")
        somata = trees.loc[trees.groupby("neuron").radius.idxmax()].set_index("neuron")
        for row in rows.iloc[::15].itertuples():
            place = somata.loc[ids_by_neuron()[row.pt_supervoxel_id], list("xyz")].to_numpy(dtype=float)
            assert voxel(nuclei, place) == row.pt_supervoxel_id

    def test_it_ends_where_its_box_ends(self, sandbox):
        nuclei = stored(sandbox, "nucleus")
        row = neurons.world().frame(f"tables/{names.NUCLEI}").iloc[0]
        low, high = (
            np.array([row[f"bb_{side}_position_{axis}"] for axis in "xyz"]) * layout.USER_RESOLUTION
            for side in ("start", "end")
        )
        box = Bbox((low // nuclei.resolution).astype(int) - 3, (high // nuclei.resolution).astype(int) + 4)
        places = np.argwhere(np.squeeze(np.asarray(nuclei[box])) == row.pt_supervoxel_id)
        found = [
            (places.min(axis=0) + box.minpt) * nuclei.resolution,
            (places.max(axis=0) + box.minpt + 1) * nuclei.resolution,
        ]
        assert np.abs(found - np.array([low, high])).max() <= nuclei.resolution.max()

    def test_nothing_is_a_nucleus_elsewhere(self, sandbox):
        nuclei = stored(sandbox, "nucleus")
        ends = truth("skeletons")[lambda rows: rows.radius == rows.groupby("neuron").radius.transform("min")]
        thin = ends.drop_duplicates("neuron").head(5)
        assert isinstance(thin, pd.DataFrame)
        assert [voxel(nuclei, place) for place in thin[list("xyz")].to_numpy()] == [0] * 5
