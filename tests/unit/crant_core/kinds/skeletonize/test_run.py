from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from crant_core.errors import InvalidParameters, MeshNotFound, NotARoot, SkeletonError
from crant_core.kinds import skeletons
from crant_core.kinds.base import Context, DoneItem, File, ItemResult
from crant_core.kinds.l2_skeletons.spec import L2SkeletonsOptions
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.kinds.skeletonize import run
from crant_core.kinds.skeletonize.spec import FINEST_STEP, SkeletonizeOptions
from crant_core.mesh import Mesh
from crant_core.morphology.choices import chosen
from crant_core.skeleton import Options, options
from crant_core.skeleton.parquet import read_parquet
from crant_core.skeleton.precomputed import read_precomputed
from crant_core.skeleton.swc import read_swc
from crant_core.sources.testing import MemorySource
from crant_core.times import TimeBase
from tests.fixtures.shapes import fork, tube

FORK, TUBE, OLD, ABSENT, SUPERVOXEL = (8 << 56 | 1, 8 << 56 | 2, 8 << 56 | 3, 8 << 56 | 4, 1 << 56 | 5)
BORN, AT = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 15, 8, 10, 0, 654321, tzinfo=UTC)


@pytest.fixture
def source() -> MemorySource:
    return MemorySource(
        meshes={FORK: fork(100, 3000), TUBE: tube(100, 4000), OLD: tube(50, 1000)},
        created=dict.fromkeys((FORK, TUBE, OLD), BORN),
        superseded={OLD: datetime(2025, 6, 1, tzinfo=UTC)},
    )


def context(source: MemorySource, files: dict[str, bytes] | None = None, **parameters: object) -> Context:
    return Context(source=source, time=TimeBase("mat_2", AT, 2), parameters=parameters, read=(files or {}).__getitem__)


def done(context_: Context, *root_ids: int) -> tuple[list[DoneItem], dict[str, bytes]]:
    results = {str(root_id): run.run(context_, str(root_id)) for root_id in root_ids}
    items = [
        DoneItem(
            key=key, metrics={"is_latest": True, **result.metrics}, files=tuple(file.name for file in result.files)
        )
        for key, result in results.items()
    ]
    return items, {file.name: file.data for result in results.values() for file in result.files}


def header_of(file: File) -> dict[str, str]:
    lines = [line[2:] for line in file.data.decode().splitlines() if line.startswith("# ")]
    return dict(line.split(": ", 1) for line in lines)


class TestPlan:
    def test_ids_count_once_in_their_order(self, source):
        planned = run.plan(context(source), [TUBE, FORK, TUBE, ABSENT, FORK])
        assert [item.key for item in planned] == [str(TUBE), str(FORK), str(ABSENT)]

    def test_each_root_says_whether_it_is_latest_after_one_request(self, source):
        planned = run.plan(context(source), [FORK, OLD, ABSENT])
        assert [item.metrics["is_latest"] for item in planned] == [True, False, False]
        assert source.calls.count("is_latest") == 1

    def test_an_id_of_another_layer_fails_at_once_and_is_not_asked_about(self, source):
        good, bad = run.plan(context(source), [FORK, SUPERVOXEL])
        assert good.error is None
        assert isinstance(bad.error, NotARoot)
        assert "layer 1" in str(bad.error)
        assert bad.metrics == {}

    def test_nothing_but_wrong_layers_is_planned_too(self, source):
        (item,) = run.plan(context(source), [SUPERVOXEL])
        assert item.error is not None

    def test_it_fetches_no_mesh(self, source):
        run.plan(context(source), [FORK])
        assert "mesh" not in source.calls


class TestRun:
    @pytest.mark.parametrize(("root", "holds"), [(FORK, "True"), (OLD, "False")])
    def test_a_file_says_whether_its_root_holds_at_its_time(self, source, root, holds):
        (file,) = run.run(context(source), str(root)).files
        assert header_of(file)["is_latest"] == holds
        assert file.meta["is_latest"] is (holds == "True")

    def test_what_the_plan_asked_for_all_roots_is_not_asked_for_each(self, source):
        planned = {item.key: item.metrics for item in run.plan(context(source), [FORK, OLD])}
        told = replace(context(source), planned=planned)
        files = [run.run(told, str(root)).files[0] for root in (FORK, OLD)]
        assert [file.meta["is_latest"] for file in files] == [True, False]
        assert source.calls.count("is_latest") == 1

    def test_metrics_and_file_agree(self, source):
        result = run.run(context(source), str(FORK))
        (file,) = result.files
        skeleton = read_swc(file.data)
        assert (file.name, file.media_type) == (f"{FORK}.swc", "text/plain; charset=utf-8")
        assert result.metrics["n_nodes"] == skeleton.n_nodes
        assert (result.metrics["n_ends"], result.metrics["n_branches"], result.metrics["n_roots"]) == (3, 1, 1)
        assert result.metrics["cable_length_um"] == pytest.approx(9, rel=0.05)
        assert result.metrics["n_faces"] == len(source.meshes[FORK].faces)
        assert result.metrics["n_vertices"] == len(source.meshes[FORK].vertices)

    def test_the_header_says_what_the_file_is(self, source):
        (file,) = run.run(context(source, step_size=2, heal=False), str(FORK)).files
        header = header_of(file)
        expected = {
            "format": "swc",
            "format_version": "1",
            "dataset": "memory",
            "root_id": str(FORK),
            "timestamp": "2026-01-15T08:10:00.654321+00:00",
            "materialization_version": "2",
            "units": "nm",
            "method": "wavefront",
            "edges_per_step": "2.0",
            "shave": "True",
            "heal": "False",
        }
        assert expected.items() <= header.items()
        assert header["code"].startswith("skeletonize 5, crant-batch ")
        assert "origin" in header["frame"]
        assert {str(name): str(value) for name, value in file.meta.items()}.items() <= header.items()

    def test_live_results_say_that_there_is_no_version(self, source):
        live = Context(source=source, time=TimeBase("live", AT), parameters={}, read={}.__getitem__)
        (file,) = run.run(live, str(TUBE)).files
        assert header_of(file)["materialization_version"] == "none"

    def test_running_twice_gives_the_same_bytes(self, source):
        first, second = (run.run(context(source), str(FORK)) for _ in range(2))
        assert isinstance(first, ItemResult)
        assert first.files == second.files
        measured = [{k: v for k, v in one.metrics.items() if not k.endswith("_seconds")} for one in (first, second)]
        assert measured[0] == measured[1]

    def test_parameters_reach_the_engine(self, source):
        fine, coarse = (run.run(context(source, step_size=step), str(TUBE)) for step in (1.5, 6))
        assert coarse.metrics["n_nodes"] < fine.metrics["n_nodes"] / 2

    def test_quality_and_cost_are_numbers_beside_the_size(self, source):
        metrics = run.run(context(source), str(FORK)).metrics
        assert 0.9 < metrics["coverage"] <= 1
        assert 0.95 < metrics["inside"] <= 1
        assert metrics["radius_nm"] == pytest.approx(100, rel=0.1)
        assert min(metrics[f"{what}_seconds"] for what in ("download", "skeleton", "writing")) >= 0

    def test_every_format_has_the_same_nodes_and_says_what_it_is(self, source):
        result = run.run(context(source, formats=["swc", "precomputed", "parquet"]), str(FORK))
        assert [file.name for file in result.files] == [f"{FORK}.swc", f"{FORK}.precomputed", f"{FORK}.parquet"]
        assert result.metrics["file_bytes"] == sum(len(file.data) for file in result.files)
        swc, precomputed, parquet = (file.data for file in result.files)
        exact = read_parquet(parquet)
        assert exact.nodes == pytest.approx(read_swc(swc).nodes, abs=6e-4)
        assert exact.nodes == pytest.approx(read_precomputed(precomputed).nodes, abs=1e-2)
        assert {file.meta["timestamp"] for file in result.files} == {"2026-01-15T08:10:00.654321+00:00"}
        assert {file.meta["units"] for file in result.files} == {"nm"}

    def test_skeletor_is_there_to_compare_with(self, source):
        (file,) = run.run(context(source, method="skeletor", waves=2), str(TUBE)).files
        assert (header_of(file)["method"], header_of(file)["waves"]) == ("skeletor", "2")

    def test_every_option_of_the_engine_is_there(self):
        renamed = {"edges_per_step": "step_size"}
        assert {renamed.get(one.name, one.name) for one in fields(Options)} <= set(SkeletonizeOptions.model_fields)
        assert FINEST_STEP == options.FINEST_STEP
        asked = run.choices_of(SkeletonizeOptions(twig_radii=2, tip_reach=0.5, centre=False, soma_radius=900))
        assert asked.options == Options(twig_radii=2, tip_reach=0.5, centre=False, soma_radius=900)

    def test_defaults_are_the_engine_s(self):
        assert run.choices_of(SkeletonizeOptions()) == chosen()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"formats": []},
            {"formats": ["swc", "swc"]},
            {"formats": ["obj"]},
            {"method": "teasar"},
            {"method": "l2", "remove_soma_hairball": True},
            {"remove_soma_hairball": True, "find_soma": False},
            {"method": "skeletor", "step_size": 1.5},
            {"elsewhere": 2},
            {"step_size": 0},
            {"step_size": 1},
            {"method": "l2", "waves": 2},
            {"method": "service", "heal": False},
            {"method": "skeletor", "min_twig": 10},
            {"waves": 2},
        ],
    )
    def test_what_cannot_be_done_is_refused_with_the_request(self, wrong):
        with pytest.raises(ValidationError):
            SkeletonizeOptions.model_validate(wrong)

    def test_lists_as_texts_are_refused_with_how_to_write_them(self):
        for kind in (SkeletonizeOptions, L2SkeletonsOptions):
            with pytest.raises(ValidationError, match=r'write \["swc", "parquet"\]'):
                kind.model_validate({"formats": "swc,parquet"})

    def test_l2_chunks_need_cave(self, source):
        with pytest.raises(InvalidParameters, match="CAVE"):
            run.run(context(source, method="l2"), str(FORK))

    def test_a_root_without_mesh_fails(self, source):
        with pytest.raises(MeshNotFound):
            run.run(context(source), str(ABSENT))

    def test_a_mesh_without_surface_fails(self, source):
        import numpy as np

        source.meshes = {FORK: Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))}
        with pytest.raises(SkeletonError):
            run.run(context(source), str(FORK))


class TestFinish:
    def test_the_table_has_a_typed_row_per_neuron_and_says_its_units(self, source):
        items, files = done(context(source), TUBE, FORK)
        table = pq.read_table(io.BytesIO(run.finish(context(source, files), items)[0].data))
        assert table.schema.field("root_id").type == "int64"
        assert table.schema.field("is_latest").type == "bool"
        assert table.schema.field("cable_length_um").type == "double"
        assert table["root_id"].to_pylist() == [TUBE, FORK]
        assert table["n_ends"].to_pylist() == [2, 3]
        assert table.schema.metadata[b"dataset"] == b"memory"
        assert table.schema.metadata[b"timestamp"] == b"2026-01-15T08:10:00.654321+00:00"
        assert "_um" in table.schema.metadata[b"units"].decode()
        assert table.schema.field("coverage").type == "double"
        assert table["id_match"].to_pylist() == [None, None]

    def test_a_metric_nobody_measured_is_null_not_zero(self, source):
        items, files = done(context(source), TUBE)
        bare = [DoneItem(key=items[0].key, metrics={}, files=items[0].files)]
        table = pq.read_table(io.BytesIO(run.finish(context(source, files), bare)[0].data))
        assert table["n_nodes"].to_pylist() == [None]

    def test_the_picture_shows_the_neurons(self, source):
        items, files = done(context(source), TUBE, FORK)
        picture = run.finish(context(source, files), items)[1]
        assert (picture.name, picture.media_type) == ("skeletons.png", "image/png")
        assert (picture.meta["n_drawn"], picture.meta["n_neurons"]) == (2, 2)
        with Image.open(io.BytesIO(picture.data)) as image:
            assert max(image.size) == 1200

    def test_precomputed_skeletons_come_with_their_info_and_are_drawn(self, source):
        wanted = context(source, formats=["precomputed"])
        items, files = done(wanted, TUBE)
        _, info, picture = run.finish(context(source, files, formats=["precomputed"]), items)
        assert info.name == "precomputed.info.json"
        assert json.loads(info.data)["crant"]["dataset"] == "memory"
        assert picture.name == "skeletons.png"

    def test_nothing_to_draw_means_no_picture_but_a_table(self, source):
        (table,) = run.finish(context(source), [])
        assert table.name == "neurons.parquet"
        assert pq.read_table(io.BytesIO(table.data)).num_rows == 0

    def test_only_the_first_are_read_and_drawn_and_the_file_says_so(self, source, monkeypatch):
        monkeypatch.setattr(skeletons, "DRAWN_AT_MOST", 1)
        items, files = done(context(source), TUBE, FORK)
        del files[f"{FORK}.swc"]
        table, picture = run.finish(context(source, files), items)
        assert (picture.meta["n_drawn"], picture.meta["n_neurons"]) == (1, 2)
        assert pq.read_table(io.BytesIO(table.data)).num_rows == 2
        assert skeletons._caption(context(source), 1, 2).endswith("the first 1 of 2 neurons")

    def test_finishing_twice_gives_the_same_files(self, source):
        items, files = done(context(source), TUBE)
        assert run.finish(context(source, files), items) == run.finish(context(source, files), items)


def test_the_registry_finds_all_three_functions():
    runner = load_runner(get_kind("skeletonize"))
    assert (runner.plan, runner.run, runner.finish) == (run.plan, run.run, run.finish)
