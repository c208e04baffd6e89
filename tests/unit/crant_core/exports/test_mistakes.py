"""What people get wrong, and what goes wrong on a disk: an error that says so, and never an empty or a false table."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crant_core.errors import (
    ExportBroken,
    ExportNotFound,
    InvalidInput,
    InvalidParameters,
    SourceError,
    SourceUnavailable,
)
from crant_core.exports import TableExportClient, access, folder

from .conftest import ROOT


@pytest.mark.parametrize("place", ["", " ", None, 5, "ftp://host/x", "hdfs://x"], ids=repr)
def test_what_is_no_place_is_refused_at_once(place):
    with pytest.raises(InvalidInput):
        TableExportClient(place)


def test_a_folder_that_is_not_there_is_no_folder_without_tables(tmp_path):
    client = TableExportClient(tmp_path / "mispelled")
    with pytest.raises(InvalidInput, match="no folder"):
        _ = client.available_tables
    with pytest.raises(ExportNotFound):
        client.get_table("cells", 3)


@pytest.mark.parametrize("name", ["../v2/cells", "deep/cells", "v3\\cells", "", None, 5], ids=repr)
def test_what_is_no_name_of_a_table_is_refused(write, client, name):
    write(version=2)
    write()
    with pytest.raises(InvalidParameters, match="no name"):
        client.get_table(name, 3)


@pytest.mark.parametrize("version", ["v3", "", None, 3.0, True, "3.0"], ids=repr)
def test_what_is_no_version_is_refused(write, client, version):
    write()
    with pytest.raises(InvalidParameters, match="no version"):
        client.get_table("cells", version)


@pytest.mark.parametrize("version", [3, "3", np.int64(3)], ids=repr)
def test_versions_may_be_written_as_people_have_them(write, client, version):
    write()
    assert client.get_export("cells", version).version == 3


@pytest.mark.parametrize("unit", ["nm", [8, 8], [0, 4, 40], [4, 4, float("nan")], 4, [-4, 4, 40]], ids=repr)
def test_what_is_no_unit_is_refused_and_no_position_is_made_of_it(write, tmp_path, client, unit):
    write()
    with pytest.raises(InvalidParameters, match="no resolution"):
        client.get_table("cells", 3, resolution=unit)
    with pytest.raises(InvalidParameters, match="no voxel_resolution"):
        TableExportClient(tmp_path, voxel_resolution=unit).get_table("cells", 3)
    with pytest.raises(InvalidParameters, match="no voxel_resolution"):
        TableExportClient(tmp_path, voxel_resolution=lambda name: unit).get_table("cells", 3)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "5", None], ids=repr)
def test_what_is_no_number_of_rows_is_refused(export, wrong):
    with pytest.raises(InvalidParameters, match="batch_rows"):
        export.iter_batches(batch_rows=wrong)
    if wrong != 0 or isinstance(wrong, bool):
        with pytest.raises(InvalidParameters, match="after"):
            export.iter_batches(after=wrong)


def test_one_column_may_be_a_text(export):
    assert list(export.get_dataframe(columns="id")) == ["id"]


@pytest.mark.parametrize("columns", [5, ["id", "pt_root_id", "id"]])
def test_columns_are_names_and_each_is_named_once(export, columns):
    with pytest.raises(InvalidParameters, match=r"no columns|named twice"):
        export.get_dataframe(columns=columns)


def test_a_table_is_not_read_for_a_file_that_is_a_folder(export, tmp_path, monkeypatch):
    monkeypatch.setattr(type(export), "_read", None)
    with pytest.raises(InvalidInput, match="is a folder"):
        export.to_parquet(tmp_path, resolution=None)


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ({"pt_root_id": None}, [2]),
        ({"pt_root_id": pd.NA}, [2]),
        ({"pt_root_id": pd.Series([ROOT, None], dtype="Int64")}, [1, 2]),
        ({"pt_root_id": [str(ROOT), np.uint64(ROOT + 2)]}, [1, 3]),
        ({"valid": [False, None]}, [2, 3]),
    ],
    ids=str,
)
def test_missing_values_and_ids_as_texts_are_found(export, filter_, ids):
    assert export.get_dataframe(columns=["id"], filter=filter_)["id"].tolist() == ids


@pytest.mark.parametrize("filter_", ["id=1", ["id"], 5, {"pt_root_id": "1e3"}, {"pt_root_id": float(ROOT)}], ids=repr)
def test_what_is_no_filter_is_refused(export, filter_):
    with pytest.raises(InvalidParameters):
        export.get_dataframe(filter=filter_)


def test_a_mark_at_the_beginning_of_a_header_file_is_no_part_of_a_name(write, client):
    write(header="\ufeffid,bigint\n", rows="1\n2\n")
    assert client.get_table("cells", 3).to_dict("list") == {"id": [1, 2]}


def test_unknown_units_are_warned_of_once_for_a_table(write, tmp_path):
    write()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        TableExportClient(tmp_path).get_table("cells", 3)
    assert len(found) == 1


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:100], lambda data: b"nonsense"])
def test_a_cached_table_without_an_end_is_read_anew(export, damage):
    before, path = export.read(), export.to_cache()
    path.write_bytes(damage(path.read_bytes()))
    assert export.read().equals(before)
    assert export.to_cache() == path
    assert export.read().equals(before)


def test_a_cached_table_with_other_bytes_in_it_is_an_error_and_goes(write, client):
    write(rows="".join(f"{row},{ROOT + row},t,1,2,3,2025-01-06 10:00:00,text {row}\n" for row in range(5000)))
    export = client.get_export("cells", 3)
    path = export.to_cache()
    data = bytearray(path.read_bytes())
    data[1000] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(ExportBroken, match="damaged"):
        export.read()
    assert not path.exists()
    assert export.read()["id"].to_pylist() == list(range(5000))


def test_a_cache_that_cannot_be_written_says_so(write, tmp_path):
    write()
    (tmp_path / "file").touch()
    client = TableExportClient(tmp_path, cache_folder=tmp_path / "file")
    with pytest.raises(InvalidInput, match="cannot be written"):
        client.get_export("cells", 3).to_cache()


class TestStores:
    @pytest.mark.parametrize("address", ["gs://bucket/x", "s3://bucket/x"])
    def test_where_this_machine_has_nothing_to_show_public_buckets_are_asked_as_by_everybody(
        self, address, monkeypatch
    ):
        monkeypatch.setattr(folder, "has_credentials", lambda _: False)
        files: Any = TableExportClient(address)._folder._files()
        assert (files.secrets, files.cloudpath.split(":")[0]) == ({"anonymous": True}, "https")
        monkeypatch.setattr(folder, "has_credentials", lambda _: True)
        assert TableExportClient(address)._folder._files().cloudpath == address

    def test_credentials_are_looked_for_where_the_stores_clients_look(self, monkeypatch, tmp_path):
        monkeypatch.setattr(access.secrets, "CLOUD_VOLUME_SECRETS_DIR", str(tmp_path))
        monkeypatch.setattr(access, "_google_finds_some", lambda: False)
        look = access.has_credentials.__wrapped__
        assert not look("gs://bucket/x")
        (tmp_path / "bucket-google-secret.json").write_text("{}")
        assert look("gs://bucket/x")
        assert not look("gs://other/x")
        assert look("https://example.org/x")

    @pytest.mark.parametrize(
        "error",
        [
            access.AuthorizationError("http 401"),
            access.google.auth.exceptions.DefaultCredentialsError("none"),
            access.botocore.exceptions.NoCredentialsError(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_what_stores_refuse_is_an_error_of_ours(self, error):
        with pytest.raises(SourceError, match="gs://b cannot be read") as caught, access.asking("gs://b"):
            raise error
        assert "credentials" in caught.value.hint

    def test_a_store_that_does_not_answer_may_be_asked_again(self):
        with pytest.raises(SourceUnavailable), access.asking("s3://b"):
            raise access.botocore.exceptions.EndpointConnectionError(endpoint_url="https://b")


@pytest.fixture
def apache(tmp_path: Path) -> Iterator[str]:
    """A site that lists as Apache does."""

    class Handler(BaseHTTPRequestHandler):
        server_version = "Apache/2.4"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = tmp_path / self.path.strip("/")
            data = _index(path) if path.is_dir() else path.read_bytes() if path.is_file() else None
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Type", "text/html" if path.is_dir() else "application/octet-stream")
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _index(path: Path) -> bytes:
    names = [f"{one.name}/" if one.is_dir() else one.name for one in sorted(path.iterdir())]
    rows = "".join(f'<li><a href="{name}"> {name}</a></li>' for name in ["?C=N;O=D", "/", "../", *names])
    return f"<html><body><h1>Index of x</h1><ul>{rows}</ul></body></html>".encode()


def test_a_site_that_lists_without_sizes_has_tables(write, apache):
    write("cells", 3)
    write("synapses", 4)
    client = TableExportClient(apache, voxel_resolution=(4, 4, 40))
    assert client.available_data_df()[["name", "version"]].to_numpy().tolist() == [["cells", 3], ["synapses", 4]]
    assert client.available_data_df()["size"].isna().all()
    assert len(client.available_files[0].read()) == 3


def test_a_site_that_shows_no_folders_says_what_works_instead(write, apache):
    write()
    for place in (f"{apache}/v3/cells_header.csv", f"{apache}/nowhere"):
        with pytest.raises(InvalidInput, match="cannot list") as caught:
            _ = TableExportClient(place).available_tables
        assert "get_table" in caught.value.hint
