"""Segmentation functions at the wire: forms of input, errors, what they ask of the servers, and faults."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core import (
    chunks_to_nm,
    get_cloudvolume,
    get_segmentation_cutout,
    get_voxels,
    locs_to_segments,
    locs_to_supervoxels,
    neuron_to_segments,
    register,
    set_default_dataset,
    snap_to_id,
)
from crant_core.access.sources import forget_sources
from crant_core.datasets import Dataset
from crant_core.errors import (
    CrantError,
    DataMissing,
    InvalidId,
    InvalidInput,
    InvalidTime,
    OutOfBounds,
    SourceError,
    UnknownDataset,
    VersionNotFound,
    WrongUnitWarning,
)
from crant_core.sandbox import names
from crant_core.segmentation import cutouts
from crant_core.sources import watershed
from tests.fixtures import voxels
from tests.fixtures.neurons import live_roots, roots_at, supervoxels, world
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

pytestmark = pytest.mark.xdist_group("segmentation")
CHUNK = rf"^/gcs/{names.TABLE}/\d+_\d+_\d+/\d+-\d+_\d+-\d+_\d+-\d+$"
CHUNK_SIZE = 64  # voxels of storage
OUTSIDE = [[0, 0, 0], [-1, -1, -1], [1e30, 1e30, 1e30], [1e7, 2e5, 1e5]]


@pytest.fixture(scope="module")
def ours() -> Iterator[Sandbox]:
    """An offline CAVE that nobody else asks."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def dataset(ours: Sandbox, monkeypatch, tmp_path) -> Dataset:
    """It, with nothing remembered of what is in it."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    watershed.forget()
    return register(lasting(ours.dataset), ours.token)


@pytest.fixture
def cave(ours: Sandbox, dataset: Dataset) -> Sandbox:
    """It, with clients connected and an empty log."""
    locs_to_segments([place()], dataset=dataset)
    watershed.forget()
    ours.control("DELETE", "log")
    return ours


def asked(sandbox: Sandbox) -> Counter[str]:
    """Count the requests since the log was emptied, by path."""
    return Counter(entry["path"] for entry in sandbox.control("GET", "log")["entries"])


def chunks_asked(sandbox: Sandbox) -> Counter[str]:
    return Counter({path: n for path, n in asked(sandbox).items() if path.startswith(f"/gcs/{names.TABLE}/")})


def place() -> np.ndarray:
    """Return a position on the first neuron, nm."""
    return world().features.middle[np.searchsorted(world().segmentation.ids, supervoxels()[0])]


def chunk_corner(position: np.ndarray) -> np.ndarray:
    """Return the low corner of the storage chunk around a position, nm."""
    voxel = position // voxels.resolution() - (250, 1400, 1000)
    return (voxel // CHUNK_SIZE * CHUNK_SIZE + (250, 1400, 1000)) * voxels.resolution()


def box_around(position: np.ndarray, half: float = 400) -> np.ndarray:
    return np.array([position - half, position + half])


def neuron(points: np.ndarray, name: Any = "a") -> navis.TreeNeuron:
    parents = range(-1, len(points) - 1)
    table = pd.DataFrame(points, columns=["x", "y", "z"])
    return navis.TreeNeuron(table.assign(node_id=range(len(points)), parent_id=parents, radius=1.0), id=name)


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


class TestNeurons:
    def test_every_kind_of_neuron_counts_its_places(self, dataset):
        points = np.array([place(), place(), [30000.0, 60000.0, 50000.0]])
        kinds = [
            neuron(points),
            navis.NeuronList([neuron(points)]),
            [neuron(points)],
            navis.MeshNeuron((points, np.array([[0, 1, 2]])), id="a", process=False),
            navis.Dotprops(points, k=None, vect=np.ones((3, 3)), id="a"),
            pd.DataFrame(points, columns=["x", "y", "z"]).assign(neuron="a"),
        ]
        for x in kinds:
            matrix = neuron_to_segments(x, dataset=dataset)
            assert matrix.to_dict() == {"a": {live_roots()[0]: 2}}
            short = neuron_to_segments(x, short=True, dataset=dataset)
            assert short.to_dict("records") == [{"id": "a", "match": live_roots()[0], "confidence": 1.0}]

    def test_the_lead_over_the_second_is_the_confidence(self, dataset):
        middles = [world().features.middle[np.searchsorted(world().segmentation.ids, one)] for one in supervoxels()[:2]]
        points = np.array([middles[1]] * 3 + [middles[0]] + [[0, 0, 0]] * 4)
        short = neuron_to_segments([neuron(points, 1), neuron(points[-4:], 2)], short=True, dataset=dataset)
        assert short.to_dict("list") == {"id": [1, 2], "match": [live_roots()[1], 0], "confidence": [0.5, 0.0]}
        assert short.match.dtype == np.int64
        assert neuron_to_segments([], short=True, dataset=dataset).empty
        assert neuron_to_segments([], dataset=dataset).empty

    @pytest.mark.parametrize(("when", "version"), [(None, None), ("mat", 3), ("mat_2", 2)])
    def test_the_answer_carries_its_one_time(self, dataset, when, version):
        found = neuron_to_segments(neuron(np.array([place()] * 2)), dataset=dataset, timestamp=when)
        assert found.attrs["materialization"] == version
        assert datetime.fromisoformat(found.attrs["timestamp"]).tzinfo is not None
        assert found.attrs["dataset"] == dataset.name
        assert found.index.tolist() == [live_roots()[0] if version is None else roots_at(version)[0]]

    @pytest.mark.parametrize("wrong", [5, "a neuron", None, [1, 2], np.zeros((2, 3))])
    def test_what_is_no_neuron_is_an_error(self, cave, dataset, wrong):
        with pytest.raises(InvalidInput):
            neuron_to_segments(wrong, dataset=dataset)
        assert not asked(cave)


class TestChunks:
    # D18: of crantpy's two chunks_to_nm the public one takes 4 × 4 × 40 nm for every dataset, and is wrong in z.
    def test_chunks_begin_where_the_volume_says(self, dataset):
        volume = get_cloudvolume(dataset)
        found = chunks_to_nm([[0, 0, 0], [1, 2, 3]], volume)
        low = np.array([250 * 16, 1400 * 16, 1000 * 42])
        assert found.tolist() == [low.tolist(), (low + np.array([1, 2, 3]) * (8192, 8192, 10752)).tolist()]
        assert (chunks_to_nm([1, 2, 3], volume, [8, 8, 42]) == found[1]).all()
        with pytest.raises(InvalidInput, match="no multiples"):
            chunks_to_nm([1, 2, 3], volume, [4, 4, 40])


CALLS: list[Callable[[Dataset], Any]] = [
    lambda dataset: locs_to_supervoxels([place()], dataset=dataset),
    lambda dataset: locs_to_segments([place()], dataset=dataset),
    lambda dataset: get_segmentation_cutout(box_around(place()), dataset=dataset)[0],
    lambda dataset: get_voxels(live_roots()[0], bounds=box_around(place()), dataset=dataset),
    lambda dataset: get_voxels(live_roots()[0], bounds=box_around(place()), use_l2_chunks=False, dataset=dataset),
    lambda dataset: snap_to_id([place() + 200], live_roots()[0], snap_zero=True, dataset=dataset),
    lambda dataset: neuron_to_segments(neuron(np.array([place()] * 2)), dataset=dataset).to_numpy(),
]


class TestFaults:
    @pytest.fixture(autouse=True)
    def _mended(self, ours: Sandbox) -> Iterator[None]:
        yield
        ours.control("DELETE", "fault")

    # D4: crantpy skips chunks that it cannot download, or takes them for background.
    @pytest.mark.parametrize("status", [403, 404])
    @pytest.mark.parametrize("call", CALLS)
    def test_a_missing_chunk_is_an_error_and_never_zeros(self, cave, dataset, call, status):
        cave.control("POST", "fault", {"pattern": CHUNK, "status": status, "times": 1})
        with pytest.raises(DataMissing) as caught:
            call(dataset)
        assert caught.value.retryable
        assert np.any(call(dataset))

    @pytest.mark.parametrize("fault", [{"status": 503}, {"kind": "reset"}])
    def test_what_passes_is_asked_for_again(self, cave, dataset, fault):
        cave.control("POST", "fault", {"pattern": CHUNK, "times": 1, **fault})
        assert locs_to_supervoxels([place()], dataset=dataset).tolist() == [supervoxels()[0]]

    def test_a_refusal_of_the_chunkedgraph_keeps_its_status(self, cave, dataset):
        cave.control("POST", "fault", {"path": "/roots_binary", "status": 403})
        for call in (CALLS[1], CALLS[2], CALLS[6]):
            with pytest.raises(SourceError) as caught:
                call(dataset)
            assert caught.value.value == 403
        assert issubclass(SourceError, CrantError)
