"""Static exports of frozen tables, as files and over HTTP, against the tables that are served."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from cloudfiles import CloudFiles

from crant_core.sandbox import names
from tests.contracts.sandbox_clients import TIMES, cave, ids_by_neuron, living, truth
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

VERSIONS = (1, 2, 3)
SQL_TYPES = {"bigint", "double precision", "boolean", "timestamp without time zone", "character varying"}


@pytest.fixture(scope="module")
def client(sandbox: Sandbox):
    return cave(sandbox)


@pytest.fixture(scope="module")
def folder(sandbox: Sandbox) -> Path:
    """The folder that `/_sandbox/world` names."""
    address = sandbox.control("GET", "world")["exports"]
    assert address.startswith("file://")
    return Path(address.removeprefix("file://"))


def columns_of(folder: Path, version: int, table: str) -> dict[str, str]:
    lines = (folder / f"v{version}" / f"{table}_header.csv").read_text().splitlines()
    return dict(line.split(",") for line in lines)


def text_of(folder: Path, version: int, table: str) -> pd.DataFrame:
    """Read a table as written: every cell a text."""
    data = gzip.decompress((folder / f"v{version}" / f"{table}.csv.gz").read_bytes())
    columns = list(columns_of(folder, version, table))
    return pd.read_csv(io.BytesIO(data), header=None, names=columns, dtype=str, keep_default_na=False)


def test_every_version_has_every_table_even_the_expired_one(folder, client):
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    tables = client.materialize.get_tables(version=3)
    assert found == {f"v{v}/{table}{end}" for v in VERSIONS for table in tables for end in (".csv.gz", "_header.csv")}


def test_the_header_is_written_before_the_data(folder):
    written = list(folder.rglob("*.csv.gz"))
    assert written
    for data in written:
        header = data.with_name(data.name.replace(".csv.gz", "_header.csv"))
        assert header.stat().st_mtime_ns <= data.stat().st_mtime_ns


def test_headers_name_columns_and_sql_types(folder):
    found = columns_of(folder, 3, names.SYNAPSES)
    assert set(found.values()) <= SQL_TYPES
    types = {"id": "bigint", "created": "timestamp without time zone", "valid": "boolean", "pre_pt_root_id": "bigint"}
    assert {name: found[name] for name in types} == types
    assert next(iter(found)) == "id"
    assert columns_of(folder, 3, "cell_info")["cell_type"] == "character varying"
    assert columns_of(folder, 3, names.NUCLEI)["volume"] == "double precision"


@pytest.mark.parametrize("version", VERSIONS)
def test_there_is_a_line_per_row_and_none_for_names(folder, version):
    synapses = text_of(folder, version, names.SYNAPSES)
    assert synapses.id.astype(int).tolist() == living(TIMES[version])[lambda held: held].index.tolist()
    assert len(synapses) == {1: 17_061, 2: 17_572, 3: 17_479}[version]
    assert len(text_of(folder, version, names.NUCLEI)) == 64


@pytest.mark.parametrize("version", VERSIONS)
def test_root_ids_are_exact_and_of_their_version(folder, client, version):
    synapses = text_of(folder, version, names.SYNAPSES)
    for side in ("pre", "post"):
        supervoxels = synapses[f"{side}_pt_supervoxel_id"].astype("uint64").to_numpy()
        true = truth("synapse_neurons").set_index("synapse_id")[side].loc[synapses.id.astype(int)]
        assert ids_by_neuron().loc[supervoxels].tolist() == true.tolist()
        roots = client.chunkedgraph.get_roots(supervoxels, timestamp=TIMES[version])
        assert synapses[f"{side}_pt_root_id"].tolist() == roots.astype(str).tolist()


@pytest.mark.parametrize("table", [names.SYNAPSES, names.NUCLEI, "cell_info", "backbone_proofread"])
def test_an_export_equals_the_query_of_the_same_version(folder, client, table):
    queried = client.materialize.query_table(table, merge_reference=False, split_positions=True).sort_values("id")
    exported = text_of(folder, 3, table)
    assert set(queried.columns) - {"superceded_id"} <= set(exported.columns)
    for column in queried.columns:
        if queried[column].dtype.kind in "iu":
            given = queried[column].astype("string").fillna("").tolist()
            assert exported[column].tolist() == given
        elif queried[column].dtype.kind == "f":
            assert np.array_equal(exported[column].astype(np.float32), queried[column].astype(np.float32))


def test_truth_values_are_single_letters_and_times_have_no_zone(folder):
    proofread = text_of(folder, 3, "backbone_proofread")
    assert proofread.proofread.tolist() == ["t"] * 5 + ["f"] * 60
    assert set(proofread.valid) == {"t"}
    synapses = text_of(folder, 3, names.SYNAPSES)
    assert set(synapses.created) == {"2025-01-06 10:00:00.250000", "2025-03-07 10:00:00.250500"}
    assert set(synapses.superceded_id) == {""}


def test_they_are_served_over_http_byte_for_byte(sandbox, folder):
    for path in (f"v3/{names.NUCLEI}.csv.gz", f"v2/{names.SYNAPSES}_header.csv"):
        answer = httpx.get(f"{sandbox.url}/gcs/exports/{names.DATASTACK}/{path}")
        assert answer.status_code == 200
        assert answer.content == (folder / path).read_bytes()
    assert httpx.get(f"{sandbox.url}/gcs/exports/{names.DATASTACK}/v9/{names.NUCLEI}.csv.gz").status_code == 404


def test_nothing_outside_the_exports_is_served(sandbox):
    for path in ("../history.npz", "..%2fhistory.npz", "%2e%2e/history.npz"):
        assert httpx.get(f"{sandbox.url}/gcs/exports/{path}").status_code == 404


def test_cloud_files_list_the_folder_as_of_a_bucket(folder):
    listed = set(CloudFiles(f"file://{folder}").list())
    assert f"v3/{names.SYNAPSES}_header.csv" in listed
    # cloud-files drops .gz when it lists local folders; a client has to know (cortical-tools shows no table there)
    assert f"v3/{names.SYNAPSES}.csv" in listed
    assert neurons.world().folder in folder.parents
