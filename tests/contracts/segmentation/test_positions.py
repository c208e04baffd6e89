"""Segments at positions: forms of input, errors, and what is asked of the servers."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import numpy as np
import pandas as pd
import pytest

from crant_core import (
    get_cloudvolume,
    get_segmentation_cutout,
    get_voxels,
    locs_to_segments,
    locs_to_supervoxels,
    register,
    set_default_dataset,
    snap_to_id,
)
from crant_core.access.sources import forget_sources
from crant_core.cautions import WrongUnitWarning
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, InvalidTime, UnknownDataset, VersionNotFound
from crant_core.sandbox import names
from crant_core.sources import watershed
from tests.contracts.segmentation.places import CHUNK_SIZE, OUTSIDE, asked, box_around, chunks_asked, place
from tests.fixtures import voxels
from tests.fixtures.neurons import live_roots, roots_at, supervoxels, world


def chunk_corner(position: np.ndarray) -> np.ndarray:
    """Return the low corner of the storage chunk around a position, nm."""
    voxel = position // voxels.resolution() - (250, 1400, 1000)
    return (voxel // CHUNK_SIZE * CHUNK_SIZE + (250, 1400, 1000)) * voxels.resolution()


class TestPositions:
    @pytest.mark.parametrize(
        "form",
        [
            lambda p: p.tolist(),
            lambda p: [tuple(row) for row in p.tolist()],
            lambda p: p.astype(np.float32),
            lambda p: p.astype(object),
            lambda p: p.astype(np.int64),
            lambda p: pd.Series(p.tolist(), index=[7, 7]),
            lambda p: pd.DataFrame({"z": p[:, 2], "type": "a", "x": p[:, 0], "y": p[:, 1]}, index=[3, 1]),
            lambda p: pd.DataFrame(p, columns=list("xyz")).convert_dtypes(),
            lambda p: (row for row in p),
        ],
    )
    def test_every_form_means_the_same(self, dataset, form):
        points = np.array([np.rint(place()), [30000, 60000, 50000]])
        expected = [int(supervoxels()[0]), 0]
        for function, mapped in ((locs_to_supervoxels, expected), (locs_to_segments, [live_roots()[0], 0])):
            found = function(form(points), dataset=dataset)
            assert found.tolist() == mapped
            assert found.dtype == (np.uint64 if function is locs_to_supervoxels else np.int64)

    def test_one_position_is_a_row_and_none_is_none(self, dataset):
        assert locs_to_supervoxels(place(), dataset=dataset).tolist() == [supervoxels()[0]]
        for empty in ([], np.empty((0, 3)), pd.DataFrame({"x": [], "y": [], "z": []})):
            assert locs_to_supervoxels(empty, dataset=dataset).shape == (0,)
            assert locs_to_segments(empty, dataset=dataset).shape == (0,)
            assert snap_to_id(empty, live_roots()[0], dataset=dataset).shape == (0, 3)

    @pytest.mark.parametrize(("unit", "size"), [("nm", (1, 1, 1)), ("voxel", (8, 8, 42)), ("voxels", (8, 8, 42))])
    def test_voxels_are_those_of_people(self, dataset, unit, size):
        assert locs_to_supervoxels([place() / size], coordinates=unit, dataset=dataset).tolist() == [supervoxels()[0]]

    def test_outside_is_0_and_downloads_nothing(self, cave, dataset):
        assert locs_to_segments([*OUTSIDE, place()], dataset=dataset).tolist()[:4] == [0] * 4
        cave.control("DELETE", "log")
        for look_up in (locs_to_supervoxels, locs_to_segments):
            with pytest.warns(WrongUnitWarning, match="none of 4 positions is inside"):
                assert look_up(OUTSIDE, dataset=dataset).tolist() == [0] * 4
        assert not asked(cave)

    @pytest.mark.parametrize(
        "wrong",
        [
            [[np.nan, 1, 1]],
            [[1, np.inf, 1]],
            [[1, None, 1]],
            [[1, 2]],
            [[1, 2, 3], [1, 2]],
            np.zeros((2, 3, 3)),
            "a place",
            [["a", "b", "c"]],
            5,
            None,
            pd.DataFrame({"x": [1], "y": [1]}),
            pd.DataFrame({"x": ["a"], "y": [1], "z": [1]}),
            pd.DataFrame({"x": pd.array([None], dtype="Int64"), "y": [1], "z": [1]}),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("function", [locs_to_supervoxels, locs_to_segments])
    def test_what_is_no_position_is_an_error_before_anything_is_asked(self, cave, dataset, function, wrong):
        with pytest.raises(InvalidInput) as caught:
            function(wrong, dataset=dataset)
        assert caught.value.value is not None
        assert not asked(cave)

    def test_other_bad_input_is_an_error_that_names_it(self, dataset):
        for how, error in (
            ({"coordinates": "px"}, InvalidInput),
            ({"mip": 7}, InvalidInput),
            ({"mip": -1}, InvalidInput),
            ({"mip": True}, InvalidInput),
            ({"dataset": "no_such"}, UnknownDataset),
        ):
            with pytest.raises(error) as caught:
                locs_to_supervoxels([place()], **({"dataset": dataset} | how))
            assert caught.value.value == next(iter(how.values()))

    def test_times_are_read_in_all_forms(self, dataset):
        moment = datetime(2025, 7, 1, tzinfo=UTC)
        forms = [moment, moment.isoformat(), int(moment.timestamp()), np.datetime64("2025-07-01"), pd.Timestamp(moment)]
        assert len({int(locs_to_segments(place(), form, dataset=dataset)[0]) for form in forms}) == 1
        assert locs_to_segments(place(), "mat_2", dataset=dataset).tolist() == [roots_at(2)[0]]
        assert locs_to_segments(place(), "mat", dataset=dataset).tolist() == [roots_at(3)[0]]
        with pytest.raises(InvalidTime):
            locs_to_segments(place(), "yesterday", dataset=dataset)
        with pytest.raises(VersionNotFound):
            locs_to_segments(place(), "mat_99", dataset=dataset)


class TestDownloads:
    # P1: crantpy downloads one voxel, and with it a whole storage chunk, per point.
    def test_identical_points_are_one_download(self, cave, dataset):
        found = locs_to_supervoxels(np.tile(place(), (60, 1)), dataset=dataset)
        assert set(found.tolist()) == {int(supervoxels()[0])}
        assert sum(asked(cave).values()) == 1

    def test_a_hundred_thousand_points_cost_their_chunks_and_one_look_up(self, cave, dataset):
        corner, side = chunk_corner(place()), CHUNK_SIZE * voxels.resolution()
        points = corner + np.random.default_rng(0).uniform(0, 1, (100_000, 3)) * side * (2, 1, 1)
        found = locs_to_segments(points, dataset=dataset)
        chunks = chunks_asked(cave)
        assert len(found) == 100_000
        assert len(np.unique(found)) > 1
        assert (len(chunks), set(chunks.values())) == (2, {1})
        assert sum(asked(cave).values()) == 3

    def test_each_chunk_is_downloaded_once_whatever_the_order_of_the_points(self, cave, dataset):
        points = world().features.middle[:200]
        order = np.random.default_rng(1).permutation(400) % 200
        found = locs_to_supervoxels(points[order], dataset=dataset)
        chunks = chunks_asked(cave)
        assert found.tolist() == world().segmentation.ids[order].tolist()
        assert len(chunks) == len(np.unique(chunk_corner(points), axis=0))
        assert set(chunks.values()) == {1}

    # P9, P10: crantpy makes clients and volumes anew, and eight threads that begin at once make eight of them.
    def test_eight_threads_that_begin_cold_share_clients_and_downloads(self, cave, dataset):
        forget_sources()
        start, points = Barrier(8), world().features.middle[:40]

        def ask(_: int) -> list[int]:
            start.wait()
            return locs_to_segments(points, dataset=dataset).tolist()

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(ask, range(8)))
        paths = asked(cave)
        assert all(answer == answers[0] for answer in answers)
        assert 0 not in answers[0]
        assert paths[f"/info/api/v2/datastack/full/{names.DATASTACK}"] == 1
        assert set(chunks_asked(cave).values()) == {1}

    def test_threads_with_different_scales_do_not_disturb_each_other(self, dataset):
        lows = [voxels.crowded(0) // voxels.resolution(mip) - 20 for mip in (0, 1)]
        expected = [voxels.painted(low, low + 30, mip) for mip, low in enumerate(lows)]

        def ask(number: int) -> bool:
            mip = number % 2
            box = np.array([lows[mip], lows[mip] + 30]) * voxels.resolution(mip)
            found, *_ = get_segmentation_cutout(box, root_ids=False, mip=mip, dataset=dataset)
            return bool((found == expected[mip]).all())

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(ask, range(32)))

    # P10: after locs_to_supervoxels(mip=1) crantpy's shared volume stays at mip 1.
    def test_the_volume_that_people_see_is_left_alone(self, dataset):
        volume = get_cloudvolume(dataset)
        before = volume.mip, volume.parallel, volume.fill_missing, volume.bounded
        locs_to_supervoxels([place()], mip=1, dataset=dataset)
        get_segmentation_cutout(box_around(place()), mip=1, dataset=dataset)
        get_voxels(live_roots()[0], 1, box_around(place()), dataset=dataset)
        assert (volume.mip, volume.parallel, volume.fill_missing, volume.bounded) == before
        assert get_cloudvolume(dataset) is volume

    def test_memory_does_not_grow_with_the_number_of_chunks(self, cave, dataset, monkeypatch):
        monkeypatch.setattr(watershed._chunks, "limit", 8 * 2**20)
        points = world().features.middle[:150]
        tracemalloc.start()
        try:
            locs_to_supervoxels(points, dataset=dataset)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        downloaded = len(chunks_asked(cave)) * CHUNK_SIZE**3 * 8
        assert downloaded > 150e6
        assert peak < 100e6


class TestDatasets:
    # D10: crantpy's functions ask the default dataset whatever they are given; D1: nor can the default be set.
    def test_the_dataset_that_is_named_is_asked_or_else_the_default(self, cave, monkeypatch):
        where = {"datastack": "x", "server": "http://127.0.0.1:9", "viewer_resolution": (8, 8, 42)}
        absent = register(Dataset(name="absent", **where))
        monkeypatch.setattr("crant_core.registry._default", absent.name)
        assert locs_to_supervoxels([place()], dataset=cave.dataset).tolist() == [supervoxels()[0]]
        assert len(get_voxels(live_roots()[0], bounds=box_around(place()), dataset=cave.dataset))
        assert snap_to_id([place()], live_roots()[0], dataset=cave.dataset).tolist() == [place().tolist()]
        set_default_dataset(cave.dataset.name)
        assert locs_to_supervoxels([place()]).tolist() == [supervoxels()[0]]
