"""Cutouts, voxels and snapping."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from crant_core import (
    get_segmentation_cutout,
    get_voxels,
    locs_to_segments,
    snap_to_id,
)
from crant_core.errors import (
    InvalidId,
    InvalidInput,
    OutOfBounds,
)
from crant_core.segmentation import cutouts
from tests.contracts.segmentation.places import CHUNK_SIZE, OUTSIDE, asked, box_around, chunks_asked, place
from tests.fixtures import voxels
from tests.fixtures.neurons import live_roots, roots_at, supervoxels, world


class TestCutouts:
    # P4: crantpy goes through the whole cutout once per supervoxel, and asks for their roots in the process.
    def test_roots_are_asked_for_once_and_chunks_too(self, cave, dataset):
        box = box_around(voxels.crowded(0), 1500)
        found, *_ = get_segmentation_cutout(box, dataset=dataset, timestamp="live")
        paths = asked(cave)
        assert sum(n for path, n in paths.items() if path.endswith("/roots_binary")) == 1
        assert set(chunks_asked(cave).values()) == {1}
        assert sum(paths.values()) == len(chunks_asked(cave)) + 1
        assert found.any()

    def test_a_cutout_is_relabelled_in_one_pass(self, dataset, monkeypatch):
        import fastremap

        passes = []
        monkeypatch.setattr(fastremap, "remap", lambda *a, real=fastremap.remap, **k: passes.append(1) or real(*a, **k))
        get_segmentation_cutout(box_around(voxels.crowded(0), 1500), dataset=dataset)
        assert len(passes) == 1

    # D6: crantpy mixes times: cutouts are of the materialization, locs_to_segments of now.
    @pytest.mark.parametrize("when", ["mat", "mat_2", "live", datetime(2025, 6, 1, tzinfo=UTC)])
    def test_cutouts_and_positions_agree_when_the_time_is_the_same(self, dataset, when):
        found, resolution, offset = get_segmentation_cutout(box_around(place()), dataset=dataset, timestamp=when)
        places = np.argwhere(np.ones(found.shape))[::997]
        points = (places + 0.5) * resolution + offset
        assert locs_to_segments(points, when, dataset=dataset).tolist() == found[tuple(places.T)].tolist()

    def test_left_out_the_time_is_the_latest_materialization(self, dataset):
        changed = next(n for n, (old, new) in enumerate(zip(roots_at(3), live_roots(), strict=True)) if old != new)
        middle = world().features.middle[np.searchsorted(world().segmentation.ids, supervoxels()[changed])]
        assert roots_at(3)[changed] in get_segmentation_cutout(box_around(middle), dataset=dataset)[0]
        live, *_ = get_segmentation_cutout(box_around(middle), dataset=dataset, timestamp=None)
        assert live_roots()[changed] in live

    def test_corners_and_ranges_and_units_mean_the_same(self, dataset):
        box = box_around(place())
        expected, *_ = get_segmentation_cutout(box, dataset=dataset)
        for same, unit in ((box.T, "nm"), (box.tolist(), "nm"), (box / (8, 8, 42), "voxel")):
            found, *_ = get_segmentation_cutout(same, coordinates=unit, dataset=dataset)
            assert (found == expected).all()

    def test_what_is_returned_is_the_callers_own(self, dataset):
        first, *_ = get_segmentation_cutout(box_around(place()), root_ids=False, dataset=dataset)
        before = first.copy()
        first[:] = 7
        assert (get_segmentation_cutout(box_around(place()), root_ids=False, dataset=dataset)[0] == before).all()

    @pytest.mark.parametrize(
        ("box", "error"),
        [
            ([[0, 100], [0, 100], [0, 100]], OutOfBounds),
            ([[1e6, 1e6, 1e5], [1e6, 1e6, 1e5]], InvalidInput),
            ([[1, 2, 3], [0, 0, 0]], InvalidInput),
            ([1, 2, 3], InvalidInput),
            ([[0, np.nan, 0], [1, 1, 1]], InvalidInput),
            (None, InvalidInput),
        ],
    )
    def test_what_is_no_box_inside_is_an_error(self, dataset, box, error):
        for call in (
            lambda: get_segmentation_cutout(box, dataset=dataset),
            lambda: get_voxels(live_roots()[0], bounds=box, dataset=dataset) if box is not None else _raise(error),
        ):
            with pytest.raises(error) as caught:
                call()
            assert isinstance(caught.value, ValueError)

    def test_a_box_in_the_wrong_unit_is_refused_before_it_fills_the_memory(self, cave, dataset, monkeypatch):
        monkeypatch.setattr(cutouts, "MOST_VOXELS", 1000)
        with pytest.raises(InvalidInput, match="more than 1,000"):
            get_segmentation_cutout(box_around(place()), dataset=dataset)
        assert not chunks_asked(cave)


def _raise(error: type[Exception]) -> None:
    raise error


class TestVoxels:
    def test_only_what_is_in_bounds_and_in_l2_chunks_is_downloaded(self, cave, dataset):
        found = get_voxels(live_roots()[0], bounds=box_around(place()), dataset=dataset)
        chunks = chunks_asked(cave)
        low, high = (box_around(place()) // voxels.resolution() - (250, 1400, 1000)) // CHUNK_SIZE
        assert len(chunks) <= np.prod(high - low + 1)
        assert set(chunks.values()) == {1}
        assert len(found)

    def test_a_neurons_supervoxels_are_asked_for_once_and_kept(self, cave, dataset):
        for _ in range(3):
            get_voxels(live_roots()[0], bounds=box_around(place()), dataset=dataset)
            snap_to_id([place()], live_roots()[0], dataset=dataset)
        assert sum(n for path, n in asked(cave).items() if "leaves" in path) == 1

    def test_where_the_neuron_is_not_there_are_none(self, dataset):
        away = box_around(np.array([30000.0, 60000.0, 50000.0]))
        for how in ({}, {"thin": True}, {"use_l2_chunks": False}, {"sv_map": True}):
            found = get_voxels(live_roots()[0], bounds=away, dataset=dataset, **how)
            assert (found[0] if "sv_map" in how else found).shape == (0, 3)

    @pytest.mark.parametrize("wrong", [0, 5, -1, 1.5, "a", None, [], live_roots, "two", "supervoxel", "unknown"])
    def test_what_is_no_root_is_an_error(self, dataset, wrong):
        named = {"two": live_roots()[:2], "supervoxel": int(supervoxels()[0]), "unknown": (8 << 56) + 999_999_999}
        value = named.get(wrong, wrong) if isinstance(wrong, str) else wrong
        for call in (
            lambda: get_voxels(value, bounds=box_around(place()), dataset=dataset),
            lambda: snap_to_id([place()], value, dataset=dataset),
        ):
            with pytest.raises(InvalidId):
                call()

    @pytest.mark.parametrize("form", [int, str, np.int64, np.uint64, lambda root: [root]])
    def test_every_form_of_an_id_will_do(self, dataset, form):
        assert len(get_voxels(form(live_roots()[0]), bounds=box_around(place()), dataset=dataset))


class TestSnapping:
    # D21: crantpy fails for whole numbers, with a resolution that is none.
    @pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32])
    def test_whole_voxels_will_do(self, dataset, dtype):
        locs = np.rint([place() / (8, 8, 42), [100, 100, 100]]).astype(dtype)
        found = snap_to_id(locs, live_roots()[0], coordinates="voxel", dataset=dataset)
        assert found.tolist() == [locs[0].tolist(), [0, 0, 0]]

    # P2: crantpy fetches a cutout, serially and with its roots, for every point.
    def test_neighbours_share_their_downloads(self, cave, dataset):
        points = voxels.crowded(0) + np.random.default_rng(2).normal(0, 300, (200, 3))
        snap_to_id(points, live_roots()[0], snap_zero=True, dataset=dataset)
        paths = asked(cave)
        assert set(chunks_asked(cave).values()) == {1}
        assert sum(paths.values()) == len(chunks_asked(cave)) + 1

    def test_background_moves_only_if_asked_to(self, dataset):
        grain = voxels.grains()[np.isin(voxels.labels(), supervoxels()[:1])]
        edge = grain[grain[:, 0].argmin()] + (-40, 64, 21)
        assert not voxels.at(edge[None])
        assert snap_to_id(edge, live_roots()[0], dataset=dataset).tolist() == [edge.tolist()]
        moved = snap_to_id(edge, live_roots()[0], snap_zero=True, dataset=dataset)
        assert moved.tolist() == [[grain[:, 0].min() + 8, *moved[0, 1:]]]

    @pytest.mark.parametrize("radius", [0, -1, np.nan, np.inf, "160", None])
    def test_what_is_no_radius_is_an_error(self, cave, dataset, radius):
        with pytest.raises(InvalidInput):
            snap_to_id([place()], live_roots()[0], search_radius=radius, dataset=dataset)
        assert not asked(cave)

    def test_the_summary_is_logged_and_not_printed(self, dataset, caplog, capsys):
        snap_to_id(OUTSIDE, live_roots()[0], dataset=dataset)
        assert "4 of 4 positions were not on the neuron; 4 of these could not be moved" in caplog.text
        caplog.clear()
        snap_to_id(OUTSIDE, live_roots()[0], verbose=False, dataset=dataset)
        assert (caplog.text, *capsys.readouterr()) == ("", "", "")
