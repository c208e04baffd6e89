"""Segments of neurons and chunks, and faults of the servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
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
    snap_to_id,
)
from crant_core.datasets import Dataset
from crant_core.errors import (
    CrantError,
    DataMissing,
    InvalidInput,
    SourceError,
)
from crant_core.sandbox import names
from tests.contracts.segmentation.places import asked, box_around, place
from tests.fixtures.neurons import live_roots, roots_at, supervoxels, world
from tests.fixtures.sandbox import Sandbox

CHUNK = rf"^/gcs/{names.TABLE}/\d+_\d+_\d+/\d+-\d+_\d+-\d+_\d+-\d+$"


def neuron(points: np.ndarray, name: Any = "a") -> navis.TreeNeuron:
    parents = range(-1, len(points) - 1)
    table = pd.DataFrame(points, columns=["x", "y", "z"])
    return navis.TreeNeuron(table.assign(node_id=range(len(points)), parent_id=parents, radius=1.0), id=name)


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
