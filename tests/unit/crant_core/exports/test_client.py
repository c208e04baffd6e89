from __future__ import annotations

import pytest

from crant_core.cautions import UnknownUnitWarning
from crant_core.errors import ExportBroken, ExportNotFound, ExportPending
from crant_core.exports import TableExportClient

from .conftest import ROOT


# D6: cortical-tools shows no table of a local folder, for cloud-files drops .gz when it lists one
@pytest.mark.parametrize("prefix", ["file://", ""])
def test_d6_local_folders_have_tables(write, tmp_path, prefix):
    write("cells", 3)
    write("cells", 10)
    write("synapses", 3)
    client = TableExportClient(f"{prefix}{tmp_path}")
    assert client.available_tables == ["cells", "synapses"]
    assert client.available_versions("cells") == [3, 10]


def test_sizes_are_bytes(write, client, tmp_path):
    write()
    found = client.available_data_df()
    assert found.to_dict("records") == [
        {"name": "cells", "version": 3, "size": (tmp_path / "v3/cells.csv.gz").stat().st_size}
    ]
    assert str(found["size"].dtype) == "Int64"


# D5: of an empty bucket, cortical-tools' table is a KeyError
def test_d5_an_empty_folder_has_no_tables(client):
    assert client.available_tables == []
    assert list(client.available_data_df().columns) == ["name", "version", "size"]
    with pytest.raises(ExportNotFound, match="known: none"):
        client.available_versions("cells")


# D5: a key below `v/` is int("") in cortical-tools, and deeper ones collide by name
def test_d5_files_elsewhere_are_no_exports(write, client, tmp_path, capsys):
    write()
    for path in ("v/cells.csv.gz", "v3/deep/cells.csv.gz", "old/v3/cells.csv.gz", "v3/readme.txt", "cells.csv.gz"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    assert [(export.name, export.version, export.size > 0) for export in client.available_files] == [("cells", 3, True)]
    assert capsys.readouterr().out == ""


# D5: a missing header is a KeyError of cortical-tools
def test_d5_data_without_a_header_file_says_so(write, client):
    write(header=None)
    with pytest.raises(ExportBroken, match=r"cells_header\.csv is not there"):
        client.get_table("cells", 3)


def test_a_header_without_data_is_pending_and_may_be_tried_again(write, client):
    write(rows=None)
    with pytest.raises(ExportPending, match="no data yet") as caught:
        client.get_table("cells", 3)
    assert caught.value.retryable
    assert client.available_tables == []
    assert client.pending == [("cells", 3)]


def test_an_object_that_is_begun_only_is_pending(write, client):
    write(rows=b"")
    with pytest.raises(ExportPending, match="not there yet"):
        client.get_table("cells", 3)


def test_an_unknown_table_is_an_error_that_is_a_value_error_too(write, client):
    write()
    for name, version in (("cell", 3), ("cells", 4)):
        with pytest.raises(ExportNotFound, match="available_data_df"):
            client.get_table(name, version)
    with pytest.raises(ValueError, match="no export is called"):
        client.available_versions("cell")


@pytest.mark.parametrize("name", ["cells_merged", "cells__minnie3_v1", "cells_v1_view"])
@pytest.mark.parametrize("ending", [".csv.gz", ".csv"])
def test_all_names_and_endings_are_read(write, client, name, ending):
    write(name, ending=ending)
    assert client.available_tables == [name]
    assert len(client.get_table(name, 3)) == 3
    assert client.available_files[0].datapath == f"v3/{name}{ending}"
    assert client.available_files[0].headerpath == f"v3/{name}_header.csv"


def test_a_table_that_is_there_in_two_endings_is_one(write, client):
    write()
    write(ending=".csv")
    assert [export.datapath for export in client.available_files] == ["v3/cells.csv.gz"]


def test_the_listing_is_kept_until_it_is_reset(write, client):
    write()
    assert client.available_tables == ["cells"]
    write("more")
    assert client.available_tables == ["cells"]
    assert [export.name for export in client.reset_available_files()] == ["cells", "more"]


def test_positions_of_an_unknown_voxel_are_in_voxels_with_a_warning(write, tmp_path):
    write()
    client = TableExportClient(str(tmp_path))
    with pytest.warns(UnknownUnitWarning, match="voxel_resolution"):
        found = client.get_table("cells", 3)
    assert found.attrs["units"] == "voxel"
    assert found.pt_position_z.tolist() == [30, 31, 32]


def test_filters_and_columns_reach_the_file(write, client):
    write()
    found = client.get_table("cells", 3, columns=["pt_position_x"], filter={"pt_root_id": [ROOT]})
    assert found.to_dict("list") == {"pt_position_x": [40.0]}


def test_what_a_tables_positions_count_is_asked_once_and_only_where_it_matters(write, tmp_path):
    asked = []

    def voxels(name):
        asked.append(name)
        return {"cells": (4, 4, 40), "others": (1, 1, 1)}[name]

    write("cells")
    write("others")
    client = TableExportClient(str(tmp_path), voxel_resolution=voxels)
    assert client.available_tables == ["cells", "others"]
    export = client.get_export("cells", 3)
    export.get_dataframe(columns=["id"], filter={"valid": True})
    export.get_dataframe(resolution=None)
    assert asked == []
    for _ in range(2):
        assert export.get_dataframe().pt_position_z.tolist() == [1200, 1240, 1280]
    assert client.get_table("others", 3).pt_position_z.tolist() == [30, 31, 32]
    assert asked == ["cells", "others"]
