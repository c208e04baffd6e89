"""The assembled sandbox's annotation base: who is who, and how it hangs together with the segmentation."""

from __future__ import annotations

import numpy as np
import pytest
from seatable_api import Base

from crant_core.sandbox import layout, names
from crant_core.sandbox.objects.segmentation import supervoxels_at
from tests.contracts.sandbox_clients import REAL, base, cave, ids_by_neuron
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox


@pytest.fixture(scope="module")
def client(sandbox: Sandbox):
    return cave(sandbox)


@pytest.fixture(scope="module")
def annotations(sandbox: Sandbox) -> Base:
    return base(sandbox)


@pytest.fixture(scope="module")
def rows(annotations) -> list[dict]:
    return annotations.query("SELECT * FROM CRANTb_meta LIMIT 10000")


def select(annotations: Base, **wanted: str) -> list[dict]:
    """Filter as crantpy's NeuronCriteria does: equality of each field."""
    where = " AND ".join(f"`{name}` = '{value}'" for name, value in wanted.items())
    return annotations.query(f"SELECT * FROM CRANTb_meta WHERE {where} LIMIT 10000")  # noqa: S608 - our own values


def neuron_of(row: dict) -> int:
    return int(ids_by_neuron()[np.uint64(row["supervoxel_id"])])


def test_the_base_has_crants_30_columns(annotations):
    [table] = annotations.get_metadata()["tables"]
    assert table["name"] == names.SEATABLE_TABLE
    assert len([column for column in table["columns"] if not column["name"].startswith("_")]) == 30


def test_there_is_a_row_per_neuron_and_what_real_bases_have_too(rows):
    assert len(rows) == 68
    whose = [neuron_of(row) for row in rows]
    assert set(whose) == set(range(65))
    assert sorted(one for one in set(whose) if whose.count(one) > 1) == [0, 63, 64]
    assert [row["root_id"] for row in rows].count(None) == 2


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"cell_class": "olfactory_projection_neuron", "side": "right", "tract": "mALT"}, 6),
        ({"cell_class": "olfactory_projection_neuron", "side": "left", "tract": "mALT"}, 4),
        ({"cell_class": "EBc"}, 8),
        ({"cell_class": "ER"}, 6),
        ({"cell_class": "FBt"}, 6),
        ({"cell_class": "PBt"}, 8),
        ({"cell_class": "EBc", "side": "left"}, 4),
        ({"cell_class": "no such class"}, 0),
    ],
)
def test_classes_of_the_tutorials_are_found(annotations, wanted, expected):
    found = select(annotations, **wanted)
    assert len(found) == expected
    assert all(row[name] == value for row in found for name, value in wanted.items())


def test_the_right_projection_neurons_of_the_medial_tract_are_the_real_neurons(annotations):
    found = select(annotations, cell_class="olfactory_projection_neuron", side="right", tract="mALT")
    assert {neuron_of(row) for row in found} == set(range(REAL))
    assert {row["cell_type"] for row in found} == {"DA1_lPN"}


def test_the_central_complex_is_selected_by_region(annotations):
    found = annotations.query("SELECT cell_class FROM CRANTb_meta WHERE region HAS ANY OF ('CX') LIMIT 1000")
    classes = [row["cell_class"] for row in found]
    assert {name: classes.count(name) for name in ("EBc", "ER", "FBt", "PBt")} == {
        "EBc": 8,
        "ER": 6,
        "FBt": 6,
        "PBt": 8,
    }
    assert set(classes) == {"EBc", "ER", "FBt", "PBt", "ER_input"}


def test_annotated_roots_are_those_of_the_last_version_and_some_are_outdated(rows, client):
    annotated = {neuron_of(row): int(row["root_id"]) for row in rows if row["root_id"]}
    latest = client.chunkedgraph.is_latest_roots(list(annotated.values()))
    assert [neuron for neuron, known in zip(annotated, latest, strict=True) if not known] == [2, 3, 4]
    supervoxels = np.array([int(row["supervoxel_id"]) for row in rows if row["root_id"]], dtype=np.uint64)
    at_version = client.chunkedgraph.get_roots(supervoxels, timestamp=client.materialize.get_timestamp(3))
    assert at_version.tolist() == [int(row["root_id"]) for row in rows if row["root_id"]]


def test_supervoxels_lead_to_the_live_roots(rows, client):
    real = [row for row in rows if neuron_of(row) < REAL]
    found = client.chunkedgraph.get_roots([int(row["supervoxel_id"]) for row in real])
    assert found.tolist() == [neurons.live_roots()[neuron_of(row)] for row in real]


def test_positions_are_texts_in_user_voxels_on_their_supervoxel(rows):
    places = np.array([[int(step) for step in row["position"].split(", ")] for row in rows]) * layout.USER_RESOLUTION
    found = supervoxels_at(neurons.world(), places)
    assert found.tolist() == [int(row["supervoxel_id"]) for row in rows]


def test_nuclei_are_those_of_the_cave_table(rows, client):
    table = client.materialize.query_table(names.NUCLEI)
    told = {int(row["nucleus_id"]) for row in rows if row["nucleus_id"]}
    assert told == set(table.pt_supervoxel_id.tolist())


def test_status_and_region_are_lists_and_proofread_is_a_truth_value(rows):
    real = [row for row in rows if neuron_of(row) < REAL]
    assert {tuple(row["status"]) for row in real} == {("BACKBONE_PROOFREAD",)}
    assert {tuple(row["region"]) for row in real} == {("AL", "MB", "LH")}
    assert {row["proofread"] for row in rows} == {True, False, None}


def test_some_transmitters_are_lists_in_a_text_as_annotators_write_them(rows):
    told = {row["known_nt"] for row in rows}
    assert {"acetylcholine, sNPF", "GABA", None} <= told
