from __future__ import annotations

import gzip
import os
import struct
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crant_core.errors import ExportBroken, InvalidParameters

from .conftest import ROOT, ROWS


# D1: cortical-tools takes the first row for names, and loses it
def test_d1_the_first_row_is_a_row(export):
    found = export.get_dataframe()
    assert found["id"].tolist() == [1, 2, 3]
    assert export.count_rows() == 3


def test_d1_a_table_of_one_row_has_it_and_one_of_none_has_its_columns(write, client):
    write("one", rows=ROWS.splitlines()[0] + "\n")
    write("none", rows="")
    assert len(client.get_table("one", 3)) == 1
    none = client.get_table("none", 3)
    assert len(none) == 0
    assert str(none.pt_root_id.dtype) == "Int64"


# D2: a null makes floats of cortical-tools' ids
def test_d2_ids_beside_a_null_keep_all_digits(export):
    found = export.get_dataframe().pt_root_id
    assert str(found.dtype) == "Int64"
    assert found.tolist() == [ROOT, pd.NA, ROOT + 2]
    assert int(float(ROOT)) != ROOT


# D3: cortical-tools leaves letters for truth values, and positions in voxels that nobody names
def test_d3_columns_have_the_types_of_the_header(export):
    found = export.get_dataframe()
    assert found.valid.tolist() == [True, False, pd.NA]
    assert found.created[0] == datetime(2025, 1, 6, 10, 0, 0, 250_000, UTC)
    assert found.note.tolist() == ["plain", "with, comma and\na new line", ""]


def test_d3_positions_are_nm_and_say_so(export):
    found = export.read(["pt_position_x", "pt_position_z"])
    assert found.to_pydict() == {"pt_position_x": [40, 44, 48], "pt_position_z": [1200, 1240, 1280]}
    assert found.schema.field("pt_position_z").metadata[b"units"] == b"nm"
    assert export.get_dataframe().attrs == {
        "table": "cells",
        "materialization": 3,
        "cloudpath": export._folder.address,
        "units": "nm",
    }


@pytest.mark.parametrize(
    ("resolution", "units", "z"), [(None, "voxel", 30), ((8, 8, 40), "8 × 8 × 40 nm", 30), ((1e3,) * 3, None, 1.2)]
)
def test_d3_positions_come_in_the_unit_that_is_asked_for(export, resolution, units, z):
    found = export.get_dataframe(resolution=resolution)
    assert found.pt_position_z[0] == pytest.approx(z)
    assert units is None or found.attrs["units"] == units


# D4: cortical-tools reads the whole file, twice
def test_d4_columns_and_rows_are_read_in_parts(export):
    parts = list(export.iter_batches(["note", "id"], {"valid": [True, False]}, batch_rows=1))
    assert [part.to_pydict()["id"] for part in parts] == [[1], [2]]
    assert parts[0].schema.names == ["note", "id"]
    some = export.read(["id"], (pc.field("pt_position_z") > 1200) & pc.field("valid").is_null())
    assert some.to_pydict() == {"id": [3]}


def test_d4_a_cached_table_is_read_from_parquet_and_again_when_it_changed(export, write, client, tmp_path):
    path = export.to_cache()
    assert pq.read_metadata(path).num_rows == 3
    before = export.read()
    data = tmp_path / "v3/cells.csv.gz"
    stat, content = data.stat(), data.read_bytes()
    data.write_bytes(b"x" * len(content))
    os.utime(data, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert export.read().equals(before)
    assert client.get_table("cells", 3, filter={"id": 2})["id"].tolist() == [2]
    write(rows=ROWS.splitlines()[0] + "\n")
    assert client.get_export("cells", 3).count_rows() == 1


def test_a_parquet_file_is_there_whole_or_not_at_all(write, client, tmp_path):
    write("short", rows=gzip.compress(ROWS.encode())[:-12])
    with pytest.raises(ExportBroken):
        client.get_export("short", 3).to_parquet(tmp_path / "out.parquet")
    assert not list(tmp_path.glob("*.parquet*")) + list(tmp_path.glob(".*parquet*"))


def test_parts_of_compressed_files_one_after_another_are_one_file(write, client):
    lines = ROWS.splitlines(keepends=True)
    write("parts", rows=gzip.compress(lines[0].encode()) + gzip.compress("".join(lines[1:]).encode()))
    assert client.get_table("parts", 3)["id"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(ROWS.encode())[:-12],
        gzip.compress(b"1,2\n"),
        gzip.compress(ROWS.replace("t,", "yes,").encode()),
        gzip.compress(ROWS.replace(str(ROOT), "8.6e17").encode()),
    ],
    ids=["cut short", "too few cells", "no truth value", "no integer"],
)
def test_what_is_not_as_the_header_says_is_an_error(write, client, data):
    write("broken", rows=data)
    with pytest.raises(ExportBroken, match=r"v3/broken\.csv\.gz cannot be read"):
        client.get_table("broken", 3)


@pytest.mark.parametrize("header", ["", "id\n", "id,bigint\nid,bigint\n"])
def test_a_header_that_is_none_is_an_error(write, client, header):
    write(header=header)
    with pytest.raises(ExportBroken, match="header"):
        client.get_table("cells", 3)


def test_a_row_of_one_null_is_a_row(write, client):
    write("single", header="pt_root_id,bigint\n", rows=f"{ROOT}\n\n{ROOT}\n")
    assert client.get_table("single", 3).pt_root_id.tolist() == [ROOT, pd.NA, ROOT]


@pytest.mark.parametrize(("kind", "srid"), [(0x80000001, b""), (1001, b""), (0xA0000001, struct.pack("<I", 4326))])
def test_points_of_postgis_are_positions(write, client, kind, srid):
    point = (b"\x01" + struct.pack("<I", kind) + srid + struct.pack("<3d", 1, 2, 3)).hex().upper()
    write("points", header="id,bigint\npt_position,USER-DEFINED\n", rows=f"1,{point}\n2,\n3,{point}\n")
    found = client.get_table("points", 3)
    assert list(found.columns) == ["id", "pt_position_x", "pt_position_y", "pt_position_z"]
    assert found.pt_position_z.tolist()[::2] == [120, 120]
    assert np.isnan(found.pt_position_z[1])
    assert client.get_table("points", 3, columns=["pt_position_y"]).pt_position_y[2] == 8


@pytest.mark.parametrize("text", ["nothing", "0101000000" + "00" * 16, "00"])
def test_what_is_no_point_is_an_error(write, client, text):
    write("points", header="pt_position,USER-DEFINED\n", rows=f"{text}\n")
    with pytest.raises(ExportBroken, match="pt_position"):
        client.get_table("points", 3)


def test_columns_and_values_that_are_not_there_are_errors(export):
    with pytest.raises(InvalidParameters, match="known: id, pt_root_id"):
        export.get_dataframe(columns=["root_id"])
    with pytest.raises(InvalidParameters, match="no column"):
        export.read(filter={"root_id": 1})
    with pytest.raises(InvalidParameters, match="whole numbers"):
        export.read(filter={"pt_root_id": [float(ROOT)]})
    with pytest.raises(InvalidParameters, match="version 3"):
        export.get_dataframe(4)
    with pytest.raises(InvalidParameters):
        export.iter_batches(batch_rows=0)


@given(ids=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=30), batch_rows=st.integers(1, 7))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_id_comes_back_in_order(write, client, ids, batch_rows):
    text = "".join(f"{place},{'' if one is None else one}\n" for place, one in enumerate(ids))
    write("ids", header="place,bigint\nroot,bigint\n", rows=text)
    parts = list(client.get_export("ids", 3).iter_batches(["root"], batch_rows=batch_rows))
    assert [one for part in parts for one in part.to_pydict()["root"]] == ids
    assert all(0 < part.num_rows <= batch_rows for part in parts)


def test_d4_a_large_table_is_read_in_bounded_memory(write, client):
    lines = "".join(f"{row},{ROOT + row},t,1,2,3,2025-01-06 10:00:00,\n" for row in range(20_000))
    write("large", rows=b"".join([gzip.compress(lines.encode(), 1)] * 120))
    export, before, peak, rows = client.get_export("large", 3), pa.total_allocated_bytes(), 0, 0
    for part in export.iter_batches():
        rows += part.num_rows
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert rows == 120 * 20_000
    assert peak < 120 * len(lines) / 2  # a few blocks of 8 MB, whatever the size
