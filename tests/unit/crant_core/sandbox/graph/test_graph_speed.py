from datetime import UTC, datetime, timedelta
from time import perf_counter

import numpy as np
import pytest

from crant_core.sandbox import layout
from crant_core.sandbox.graph.chunkedgraph import ChunkedGraph

T0 = datetime(2024, 1, 1, tzinfo=UTC)
NEURONS, LENGTH = 200, 700


@pytest.fixture(scope="module")
def crowd():
    """200 neurons that wander through the volume, 700 supervoxels each: a fifth of the largest world."""
    random = np.random.default_rng(1)
    steps = random.integers(-1, 2, (NEURONS, LENGTH, 3)) * (random.random((NEURONS, LENGTH, 1)) < 0.3)
    chunks = np.clip(steps.cumsum(axis=1) + random.integers(0, 20, (NEURONS, 1, 3)), 0, [23, 39, 19]).reshape(-1, 3)
    supervoxels = layout.encode(1, chunks, np.arange(1, len(chunks) + 1))
    index = np.arange(len(chunks)).reshape(NEURONS, LENGTH)
    edges = np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1)
    start = perf_counter()
    graph = ChunkedGraph.ingest(supervoxels, edges, np.ones(len(edges), bool), T0)
    return graph, supervoxels, perf_counter() - start


def fastest(call, times=5):
    spent = []
    for _ in range(times):
        start = perf_counter()
        call()
        spent.append(perf_counter() - start)
    return min(spent)


def test_ingest_is_vectorised(crowd):
    assert crowd[2] < 3  # s; a loop over 140 000 supervoxels would need more


def test_25000_roots_take_less_than_30_ms(crowd):
    graph, supervoxels, _ = crowd
    wanted = np.random.default_rng(2).choice(supervoxels, 25_000)
    assert fastest(lambda: graph.roots(wanted, T0)) < 0.03


def test_an_edit_takes_as_long_as_its_neurons_are_large(crowd):
    graph = crowd[0].copy()
    one, other = crowd[1][0], crowd[1][LENGTH]
    start = perf_counter()
    graph.merge([(int(one), int(other))], T0 + timedelta(days=1), 1)
    assert perf_counter() - start < 0.2


def test_one_id_takes_microseconds(crowd):
    graph, supervoxels, _ = crowd
    one = supervoxels[:1]
    assert fastest(lambda: graph.roots(one, T0)) < 0.0005
    root = graph.roots(one, T0)
    assert fastest(lambda: graph.is_latest(root, T0)) < 0.0005
