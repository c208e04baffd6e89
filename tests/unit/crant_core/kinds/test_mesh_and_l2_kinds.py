"""The kinds `meshes`, `l2_skeletons` and `skeletonize` against the offline CAVE: whole, or an error that says why."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import trimesh
from cloudvolume import Mesh as TheirMesh
from pydantic import ValidationError

from crant_core.access import source_of
from crant_core.errors import DataMissing, NotARoot, SourceUnavailable
from crant_core.kinds.base import Context, DoneItem
from crant_core.kinds.l2_skeletons import run as l2
from crant_core.kinds.l2_skeletons.spec import L2SkeletonsParameters
from crant_core.kinds.meshes import run as meshes
from crant_core.kinds.meshes.spec import MeshesParameters
from crant_core.kinds.registry import all_kinds, load_runner
from crant_core.kinds.skeletonize import run as skeletonize
from crant_core.l2 import get_l2_skeleton
from crant_core.mesh import Mesh
from crant_core.meshes import get_mesh_neuron
from crant_core.meshes.formats import to_ply
from crant_core.registry import register
from crant_core.skeleton.swc import read_swc
from crant_core.times import parse_at
from tests.contracts.test_meshes import manifest
from tests.fixtures.neurons import live_roots
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

NO_ROOT = (8 << 56) + 5_000_000


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch, run_sandbox() as started:
        patch.setenv("CRANT_CACHE_FOLDER", str(tmp_path_factory.mktemp("cache")))
        yield started


@pytest.fixture
def about(running) -> Iterator[Any]:
    source = source_of(register(lasting(running.dataset), running.token))
    time = source.resolve_time(parse_at("live"))

    def make(files: dict[str, bytes] | None = None, prepared: Any = None, **parameters: Any) -> Context:
        read = (files or {}).__getitem__
        return Context(source=source, time=time, parameters=parameters, read=read, prepared=prepared)

    yield make
    running.control("DELETE", "fault")


def done(kind: Any, context: Context, keys: list[str]) -> tuple[list[DoneItem], dict[str, bytes]]:
    results = {key: kind.run(context, key) for key in keys}
    items = [
        DoneItem(key=key, metrics=one.metrics, files=tuple(file.name for file in one.files))
        for key, one in results.items()
    ]
    return items, {file.name: file.data for one in results.values() for file in one.files}


class TestMeshes:
    def test_the_whole_mesh_comes_as_ply_that_others_read(self, about):
        root = live_roots()[0]
        result = meshes.run(about(), str(root))
        expected = get_mesh_neuron(root, dataset=about().source.dataset)
        theirs = trimesh.load(io.BytesIO(result.files[0].data), file_type="ply", process=False)
        assert (np.asarray(theirs.vertices) == np.asarray(expected.vertices)).all()
        assert (np.asarray(theirs.faces) == np.asarray(expected.faces)).all()
        assert result.metrics["n_faces"] == len(expected.faces)
        assert result.metrics["area_um2"] == pytest.approx(theirs.area / 1e6)
        head = result.files[0].data.partition(b"end_header")[0].decode()
        assert f"comment root_id: {root}\n" in head
        assert "comment units: nm\n" in head
        assert "comment timestamp: 20" in head

    def test_neuroglancer_s_fragments_are_read_by_cloud_volume(self, about):
        result = meshes.run(about(formats=["precomputed", "ply"]), str(live_roots()[0]))
        theirs = TheirMesh.from_precomputed(result.files[0].data)
        assert len(theirs.faces) == result.metrics["n_faces"]
        assert [file.name.rpartition(".")[2] for file in result.files] == ["precomputed", "ply"]

    def test_exact_positions_need_more_bytes_only_where_there_are_such(self):
        mesh = Mesh(np.array([[0.1, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
        theirs = trimesh.load(io.BytesIO(to_ply(mesh, {"note": "two\nlines"})), file_type="ply", process=False)
        assert theirs.vertices[0, 0] == 0.1
        assert b"comment note: two lines\n" in to_ply(mesh, {"note": "two\nlines"})

    @pytest.mark.parametrize("kind", [meshes, skeletonize], ids=lambda kind: kind.__name__)
    def test_a_mesh_that_lacks_a_part_is_an_error_that_may_pass(self, about, running, kind):
        root = live_roots()[4]
        context = about()
        pieces = context.source.mesh_pieces(root)
        largest = max(pieces, key=lambda node: len(pieces[node].faces))
        rest = {"fragments": [], "seg_ids": []}
        whole = manifest(running, root)
        for fragment, node in zip(whole["fragments"], whole["seg_ids"], strict=True):
            if int(node) != largest:
                rest["fragments"].append(fragment)
                rest["seg_ids"].append(node)
        running.control("POST", "fault", {"pattern": f"/manifest/{root}", "status": 200, "body": rest})
        with pytest.raises(DataMissing) as caught:
            kind.run(context, str(root))
        assert caught.value.retryable

    def test_what_never_was_fails(self, about):
        with pytest.raises(NotARoot):
            meshes.run(about(), str(NO_ROOT))

    def test_the_table_has_a_row_per_neuron(self, about):
        items, files = done(meshes, about(), [str(live_roots()[0])])
        [table] = meshes.finish(about(files), items)
        rows = pq.read_table(io.BytesIO(table.data))
        assert rows["root_id"].to_pylist() == live_roots()[:1]
        assert rows["n_faces"].to_pylist() == [items[0].metrics["n_faces"]]
        assert rows.schema.metadata[b"kind"] == b"meshes"


class TestParameters:
    @pytest.mark.parametrize("kind", ["meshes", "l2_skeletons", "skeletonize"])
    def test_a_text_for_a_list_and_a_format_named_twice_are_refused_with_what_to_write(self, kind):
        parameters = all_kinds()[kind].parameters
        form = parameters.model_fields["formats"].default[0]
        with pytest.raises(ValidationError, match=rf'write \["{form}", "parquet"\], in a terminal'):
            parameters.model_validate({"ids": ["5"], "formats": f"{form},parquet"})
        with pytest.raises(ValidationError, match="named twice"):
            parameters.model_validate({"ids": ["5"], "formats": [form, form]})


class TestL2:
    def test_the_neurons_of_a_unit_are_looked_up_together(self, about, running):
        keys = [str(root) for root in (*live_roots()[:2], NO_ROOT)]
        l2.prepare(about(), keys[:1])
        running.control("DELETE", "log")
        outcomes = l2.prepare(about(), keys)
        paths = [entry["path"].rsplit("/", 1)[-1] for entry in running.control("GET", "log")["entries"]]
        assert paths.count("leaves_many") == 1
        assert paths.count("lvl2_graph") == 2
        assert paths.count("attributes") == 1
        assert isinstance(outcomes[NO_ROOT], NotARoot)
        context = about(prepared=outcomes)
        assert l2.run(context, keys[0]).metrics["n_nodes"] > 300
        with pytest.raises(NotARoot):
            l2.run(context, keys[2])

    def test_alone_it_is_the_library_s_skeleton(self, about):
        root = live_roots()[0]
        result, expected = l2.run(about(), str(root)), get_l2_skeleton(root, dataset=about().source.dataset)
        tree = read_swc(result.files[0].data)
        assert tree.n_nodes == expected.n_nodes
        assert tree.cable_length == pytest.approx(expected.cable_length)
        assert b"# method: l2\n" in result.files[0].data
        assert result.metrics["l2_chunks_missing"] == 0

    def test_trouble_with_the_server_gives_the_unit_back(self, about, running):
        running.control("POST", "fault", {"pattern": "leaves_many", "status": 503, "body": {}})
        with pytest.raises(SourceUnavailable) as caught:
            l2.prepare(about(), [str(live_roots()[0])])
        assert caught.value.retryable

    def test_the_job_has_a_table_and_a_picture(self, about):
        items, files = done(l2, about(), [str(root) for root in live_roots()[:2]])
        table, picture = l2.finish(about(files), items)
        assert pq.read_table(io.BytesIO(table.data))["n_nodes"].to_pylist() == [
            item.metrics["n_nodes"] for item in items
        ]
        assert picture.name == "skeletons.png"


class TestSkeletonize:
    def test_l2_service_and_checked_ids_work_in_jobs_too(self, about):
        root = str(live_roots()[0])
        for method in ("l2", "service"):
            result = skeletonize.run(about(method=method, assert_id_match=True), root)
            assert f"# method: {method}\n".encode() in result.files[0].data
            assert result.metrics["id_match"] == 1

    def test_the_mesh_is_whole_and_its_cost_known(self, about):
        root = live_roots()[1]
        metrics = skeletonize.run(about(), str(root)).metrics
        assert metrics["n_faces"] == len(get_mesh_neuron(root, dataset=about().source.dataset).faces)
        assert metrics["soma_radius_nm"] > 1000
        assert metrics["l2_chunks_missing"] >= 0


def test_all_three_are_found_and_refuse_formats_named_twice():
    for kind, runner in (("meshes", meshes), ("l2_skeletons", l2), ("skeletonize", skeletonize)):
        assert load_runner(all_kinds()[kind]) is runner
    for parameters in (MeshesParameters, L2SkeletonsParameters):
        with pytest.raises(ValidationError):
            parameters.model_validate({"ids": ["576460752303423577"], "formats": ["precomputed", "precomputed"]})
