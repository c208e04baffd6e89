"""The kind `export_table` against the offline CAVE: what it stores is what the server answers, typed and in nm."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from crant_core.errors import ExportNotFound, InvalidParameters
from crant_core.exports import TableExportClient, folder
from crant_core.kinds.base import Context, ItemResult
from crant_core.kinds.export_table import run
from crant_core.kinds.export_table.spec import ExportTableParameters
from crant_core.kinds.registry import get_kind, load_runner
from crant_core.sandbox import names
from crant_core.sources.cave import CaveSource
from tests.fixtures.kinds import Done, context_of, do
from tests.fixtures.sandbox import Sandbox

KEY = f"{names.SYNAPSES}.v3"
FILE = f"{KEY}.00000.parquet"


@pytest.fixture
def source(sandbox: Sandbox) -> CaveSource:
    return CaveSource(sandbox.dataset, sandbox.token)


@pytest.fixture
def local(source: CaveSource, tmp_path: Path) -> CaveSource:
    """The same dataset, which exports to a folder here."""
    source.dataset = source.dataset.model_copy(update={"export_source": f"file://{tmp_path}"})
    return source


def exported(source: CaveSource, ids: list[int] | None = None, at: str = "mat_3", **parameters: object) -> Done:
    return do(source, "export_table", ids or [], at=at, **{"table": names.SYNAPSES, **parameters})


class TestParameters:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"table": "../v1/cells"},
            {"table": "cells/other"},
            {"ids": ["5"]},
            {"id_column": "id"},
            {"columns": []},
            {"version": 0},
            {"units": "um"},
            {"voxel_resolution": [0, 4, 40]},
            {"voxel_resolution": [4, 4]},
            *({"cloudpath": path} for path in ("file:///etc", "/etc", "~/x", "http://intern/x", "mem://x", "s3:///x")),
            {"cloudpath": "middleauth+https://elsewhere.org/x"},
            {"cloudpath": "file://x\ngs://bucket"},
            *({"cloudpath": path} for path in ("s3://https://10.0.0.1/bucket", "gs://10.0.0.1:80/x", "https://x y/z")),
        ],
        ids=str,
    )
    def test_what_makes_no_sense_or_names_a_file_of_the_worker_is_refused(self, wrong):
        with pytest.raises(ValidationError):
            ExportTableParameters.model_validate({"table": "cells", **wrong})

    @pytest.mark.parametrize("name", ["columns", "voxel_resolution"])
    def test_a_text_for_a_list_is_refused_with_what_to_write(self, name):
        with pytest.raises(ValidationError, match=r'write \["4", "4"\], in a terminal'):
            ExportTableParameters.model_validate({"table": "cells", name: "4,4"})

    @pytest.mark.parametrize("place", ["gs://mat_dbs/public/x", "s3://bucket/x", "https://example.org/x"])
    def test_public_places_may_be_named(self, place):
        assert ExportTableParameters.model_validate({"table": "cells", "cloudpath": place}).ids == []

    def test_it_is_found_with_its_runner(self):
        assert load_runner(get_kind("export_table")) is run

    @pytest.mark.parametrize("is_asked_for", [True, False])
    def test_a_place_that_is_asked_for_sees_no_credentials(self, source, monkeypatch, is_asked_for):
        monkeypatch.setattr(folder, "has_credentials", lambda _: True)
        monkeypatch.setattr(run.TableExportClient, "get_export", lambda self, *_: self._folder._files())
        source.dataset = source.dataset.model_copy(update={"export_source": "gs://bucket/own"})
        given = {"cloudpath": "gs://bucket/asked"} if is_asked_for else {}
        files: Any = run._export(context_of(source, "export_table", [], "mat_3", table="cells", **given), "cells.v3")
        assert (files.secrets, files.cloudpath) == (
            ({"anonymous": True}, "https://storage.googleapis.com/bucket/asked")
            if is_asked_for
            else (None, "gs://bucket/own")
        )


class TestPlan:
    def test_the_table_is_one_item_whatever_the_ids(self, source):
        context = context_of(source, "export_table", [5, 6, 5], "mat_2", table="cells", id_column="id")
        [item] = run.plan(context, [5, 6, 5])
        assert (item.key, item.metrics) == ("cells.v2", {"n_ids": 2})

    def test_a_version_may_be_named_and_one_must_be(self, source):
        live = context_of(source, "export_table", [], "live", table="cells")
        [item] = run.plan(live, [])
        assert isinstance(item.error, InvalidParameters)
        [item] = run.plan(context_of(source, "export_table", [], "live", table="cells", version=1), [])
        assert (item.key, item.error) == ("cells.v1", None)


class TestRun:
    def test_every_row_is_there_as_the_server_has_it_in_nm(self, source):
        done = exported(source)
        found = done.table(FILE).to_pandas().set_index("id").sort_index()
        materialize = source.client().materialize
        queried = materialize.query_table(
            names.SYNAPSES, materialization_version=3, desired_resolution=[1, 1, 1], split_positions=True
        )
        queried = queried.set_index("id").sort_index()
        assert found.index.tolist() == queried.index.tolist()
        # its voxels are not the dataset's
        for name in ("pre_pt_root_id", "post_pt_root_id", "size", "ctr_pt_position_x", "ctr_pt_position_z"):
            assert found[name].tolist() == queried[name].tolist()
        assert done.items[KEY].metrics == {
            "n_ids": 0,
            "n_rows": len(queried),
            "n_files": 1,
            "file_bytes": len(done.files[FILE].data),
        }

    def test_rows_of_some_ids_have_the_columns_that_are_asked_for(self, source):
        everything = exported(source).table(FILE)
        ids = pc.unique(everything["pre_pt_root_id"]).to_pylist()[:2]
        done = exported(source, ids, id_column="pre_pt_root_id", columns=["post_pt_root_id", "id"])
        found = done.table(FILE)
        kept = everything.filter(pc.is_in(everything["pre_pt_root_id"], pa.array(ids)))
        assert 0 < found.num_rows < everything.num_rows
        assert found.column_names == ["post_pt_root_id", "id"]
        assert found["id"].to_pylist() == kept["id"].to_pylist()
        assert done.items[KEY].metrics["n_rows"] == kept.num_rows

    def test_ids_that_nothing_has_give_a_typed_table_without_rows(self, source):
        found = exported(source, [5], id_column="pre_pt_root_id").table(FILE)
        assert found.num_rows == 0
        assert found.schema.field("pre_pt_root_id").type == pa.int64()

    def test_files_say_what_they_are(self, source):
        meta = exported(source, columns=["ctr_pt_position_x"]).files[FILE].meta
        assert (meta["table"], meta["materialization_version"], meta["units"]) == (names.SYNAPSES, 3, "nm")
        of_another_time = exported(source, at="live", version=2).files[f"{names.SYNAPSES}.v2.00000.parquet"].meta
        assert "timestamp" not in of_another_time
        assert of_another_time["materialization_version"] == 2

    def test_run_again_it_gives_the_same_bytes(self, source):
        assert exported(source).files[FILE].data == exported(source).files[FILE].data

    @pytest.mark.parametrize(
        ("parameters", "error"),
        [
            ({"table": "nothing"}, ExportNotFound),
            ({"columns": ["nothing"]}, InvalidParameters),
            ({"version": 9}, ExportNotFound),
        ],
        ids=str,
    )
    def test_what_is_not_there_fails(self, source, parameters, error):
        done = exported(source, **parameters)
        assert [type(one) for one in done.errors.values()] == [error]

    @pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "169.254.169.254", "[::1]:{port}"])
    def test_a_job_reads_nothing_of_internal_networks(self, source, sandbox, host):
        place = f"https://{host.format(port=urlsplit(sandbox.url).port)}/gcs/exports"
        sandbox.control("DELETE", "log")
        error = exported(source, cloudpath=place).errors[KEY]
        assert isinstance(error, InvalidParameters)
        assert "CRANT_INTERNAL_HOSTS" in str(error.hint)
        assert not [entry for entry in sandbox.control("GET", "log")["entries"] if "/gcs/" in entry["path"]]

    def test_of_an_internal_host_that_the_settings_name_a_table_is_read_whole(self, sandbox, monkeypatch):
        monkeypatch.setenv("CRANT_INTERNAL_HOSTS", '["127.0.0.1"]')
        client = TableExportClient(sandbox.dataset.export_source, public=True)
        lines = gzip.decompress(httpx.get(f"{client.cloudpath}/v3/{names.SYNAPSES}.csv.gz").content).count(b"\n")
        assert client.get_export(names.SYNAPSES, 3).count_rows() == lines

    def test_a_dataset_that_exports_nowhere_says_so(self, source):
        source.dataset = source.dataset.model_copy(update={"export_source": None})
        assert "cloudpath" in str(exported(source).errors[KEY].hint)


class TestOwnFolder:
    """A dataset's own setting may name a folder of the worker's machine."""

    def write(self, folder: Path, rows: int, name: str = "cells") -> None:
        (folder / "v3").mkdir()
        (folder / f"v3/{name}_header.csv").write_text("id,bigint\npt_root_id,bigint\npt_position_x,double precision\n")
        text = "".join(f"{row},{'' if row % 3 else 2**59 + row},{row}\n" for row in range(rows))
        (folder / f"v3/{name}.csv.gz").write_bytes(gzip.compress(text.encode(), 1))

    def test_a_table_of_many_files_is_cut_without_a_row_lost_and_one_file_in_memory(self, local, tmp_path, monkeypatch):
        monkeypatch.setattr(run, "FILE_BYTES", 20_000)
        monkeypatch.setattr(run, "_GROUP_ROWS", 5_000)
        self.write(tmp_path, 100_000)
        context = context_of(local, "export_table", [], "mat_3", table="cells", units="voxel")
        result: ItemResult = run.run(context, "cells.v3")
        files = iter(result.files)
        first = next(files)
        assert result.metrics["n_files"] == 1  # the others are not made yet
        rest = list(files)
        tables = [pa.parquet.read_table(pa.BufferReader(file.data)) for file in [first, *rest]]
        assert [file.name for file in (first, *rest)][-1] == f"cells.v3.{len(rest):05d}.parquet"
        assert len(tables) == result.metrics["n_files"] > 3
        assert all(len(file.data) < 100_000 for file in (first, *rest))
        assert [row for table in tables for row in table["id"].to_pylist()] == list(range(100_000))
        assert [file.meta["n_rows"] for file in (first, *rest)] == [table.num_rows for table in tables]
        assert result.metrics["n_rows"] == 100_000

    def test_units_that_nobody_knows_are_an_error_and_not_voxels(self, local, tmp_path):
        self.write(tmp_path, 10)
        done = exported(local, table="cells")
        assert "units=voxel" in str(done.errors["cells.v3"].hint)
        told = exported(local, table="cells", voxel_resolution=(4, 4, 40)).table("cells.v3.00000.parquet")
        assert told["pt_position_x"].to_pylist()[:3] == [0, 4, 8]
        plain = exported(local, table="cells", columns=["pt_root_id"]).table("cells.v3.00000.parquet")
        assert plain["pt_root_id"].to_pylist()[:4] == [2**59, None, None, 2**59 + 3]

    def test_a_job_that_nobody_wants_any_more_stops_reading(self, local, tmp_path):
        self.write(tmp_path, 10)

        def check() -> None:
            raise InterruptedError

        known = context_of(local, "export_table", [], "mat_3", table="cells", units="voxel")
        context = Context(source=local, time=known.time, parameters=known.parameters, read={}.__getitem__, check=check)
        with pytest.raises(InterruptedError):
            list(run.run(context, "cells.v3").files)


def test_a_site_without_listing_serves(sandbox: Sandbox):
    """The sandbox's own address is such a site, so the tests above are about one."""
    address = sandbox.dataset.export_source
    assert address.startswith("http")
    assert httpx.get(f"{address}/v3/{names.SYNAPSES}_header.csv").text.startswith("id,bigint")
