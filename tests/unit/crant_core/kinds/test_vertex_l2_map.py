"""The kind `vertex_l2_map` against the offline CAVE: what it stores is what MeshClient says, and mostly true."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from crant_core.dataset_client import MeshClient
from crant_core.errors import NotARoot
from crant_core.kinds.base import Context, DoneItem, ItemResult
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.kinds.vertex_l2_map import run
from crant_core.kinds.vertex_l2_map.spec import VertexL2MapParameters
from crant_core.registry import register
from crant_core.sources.cave import CaveSource
from crant_core.times import parse_at
from tests.fixtures.neurons import graph, live_roots
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.vertex_truth import is_right

NO_ROOT = (8 << 56) + 5_000_000  # a root id of the right form that never was


@pytest.fixture
def source(sandbox: Sandbox) -> Iterator[CaveSource]:
    return CaveSource(sandbox.dataset, sandbox.token)


def context(source: CaveSource, **parameters: object) -> Context:
    return Context(
        source=source, time=source.resolve_time(parse_at("live")), parameters=parameters, read={}.__getitem__
    )


def tables(result: ItemResult) -> dict[str, pa.Table]:
    return {file.name: pq.read_table(io.BytesIO(file.data)) for file in result.files}


class TestParameters:
    @pytest.mark.parametrize("wrong", [{"max_distance": -1}, {"ratio_better": 0}, {"hop_limit": -1}, {"n_jobs": 4}, {}])
    def test_what_makes_no_sense_is_refused(self, wrong):
        with pytest.raises(ValidationError):
            VertexL2MapParameters.model_validate(wrong and {"ids": ["576460752303423577"], **wrong})

    def test_it_is_found_with_its_runner(self):
        assert load_runner(get_kind("vertex_l2_map")) is run


class TestPlan:
    def test_each_id_is_an_item_once_and_what_is_no_root_fails_at_once(self, source):
        one = live_roots()[0]
        planned = list(run.plan(context(source), [one, 2 << 56 | 5, one]))
        assert [item.key for item in planned] == [str(one), str(2 << 56 | 5)]
        assert planned[0].error is None
        assert isinstance(planned[1].error, NotARoot)


class TestRun:
    def test_the_stored_map_is_mesh_clients_in_64_bits_with_its_surface(self, source, sandbox):
        root = live_roots()[3]
        result = run.run(context(source), str(root))
        found = tables(result)
        mapped, corners = found[f"{root}.vertices.parquet"], found[f"{root}.faces.parquet"]
        client = MeshClient.of(register(sandbox.dataset, sandbox.token))
        expected, assigner = client.compute_vertex_to_l2_mapping(root, return_assigner=True)
        assert mapped["l2_id"].type == pa.int64()
        assert mapped["l2_id"].to_pylist() == expected.tolist()
        places = np.stack([mapped[axis].to_numpy() for axis in "xyz"], axis=1)
        assert (places == assigner.vertices).all()
        assert np.stack([corners[name].to_numpy() for name in "abc"], axis=1).tolist() == assigner.faces.tolist()
        assert is_right(root, places, mapped["l2_id"].to_numpy()).mean() > 0.8
        assert result.metrics["n_vertices"] == mapped.num_rows
        assert result.metrics["n_solo"] == mapped["method"].to_pylist().count("solo")
        assert mapped.schema.metadata[b"root_id"] == str(root).encode()

    def test_a_vertex_without_an_l2_id_is_null(self, source, monkeypatch):
        root = live_roots()[3]
        nothing: dict[int, dict[str, object]] = {l2_id: {} for l2_id in graph().l2_of(root).tolist()}
        monkeypatch.setattr("crant_core.vertex_map.chunks.features_of", lambda *_: nothing)  # what the L2 cache knows
        result = run.run(context(source, hop_limit=0, include_mesh=False), str(root))
        [(name, mapped)] = tables(result).items()
        assert name == f"{root}.vertices.parquet"
        assert mapped.column_names == ["l2_id", "method"]
        assert mapped["l2_id"].null_count == mapped["method"].to_pylist().count("none") == result.metrics["n_none"] > 0
        assert 0 < result.metrics["share_mapped"] < 1

    def test_run_again_it_gives_the_same_bytes(self, source):
        here = context(source)
        one, other = (run.run(here, str(live_roots()[3])) for _ in range(2))
        assert [file.data for file in one.files] == [file.data for file in other.files]

    def test_a_root_that_never_was_fails(self, source):
        with pytest.raises(NotARoot):
            run.run(context(source), str(NO_ROOT))


def test_the_jobs_table_has_a_row_for_each_neuron(source):
    result = run.run(context(source), str(live_roots()[3]))
    names = tuple(file.name for file in result.files)
    items = [DoneItem(key=str(live_roots()[3]), metrics=result.metrics, files=names)]
    [file] = run.finish(context(source), items)
    found = pq.read_table(io.BytesIO(file.data))
    assert file.name == "neurons.parquet"
    assert found["root_id"].to_pylist() == [live_roots()[3]]
    assert found["share_mapped"].to_pylist() == [1.0]
    assert found["n_vertices"].to_pylist() == [result.metrics["n_vertices"]]
    assert run.finish(context(source), [])[0].meta["n_rows"] == 0
