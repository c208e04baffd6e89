"""The assembled sandbox's tables: every synapse, nucleus and label, against the truth files."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from caveclient import CAVEclient

from crant_core.sandbox import layout, names
from crant_core.sandbox.objects.segmentation import supervoxels_at
from crant_core.sandbox.world.history import INGESTED
from tests.contracts.sandbox_clients import (
    REAL,
    TIMES,
    base,
    cave,
    ids_by_neuron,
    living,
    moment,
    supervoxels_of,
    truth,
)
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

POINTS = ("pre_pt", "post_pt")
XYZ = list("xyz")


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> CAVEclient:
    return cave(sandbox)


@pytest.fixture(scope="module")
def tables(client):
    return client.materialize


def rows_of(name: str) -> pd.DataFrame:
    return neurons.world().frame(f"tables/{name}")


def true_ids(at: datetime, **sides: int) -> set[int]:
    """Return the synapses that held at a time between neurons given by number."""
    rows = truth("synapse_neurons").set_index("synapse_id")[living(at)]
    for side, neuron in sides.items():
        rows = rows[rows[side] == neuron]
    return set(rows.index.tolist())


def roots_of(client, neuron: int, at: datetime) -> list[int]:
    return np.unique(client.chunkedgraph.get_roots(supervoxels_of(neuron), timestamp=at)).tolist()


def positions(rows: pd.DataFrame, point: str) -> np.ndarray:
    return np.array(rows[f"{point}_position"].tolist())


class TestSynapses:
    @pytest.mark.parametrize("version", [2, 3])
    @pytest.mark.parametrize("neuron", [*range(REAL), 10, 64])
    def test_those_of_a_neuron_are_the_true_ones(self, client, tables, neuron, version):
        roots = roots_of(client, neuron, TIMES[version])
        out, into = (
            tables.synapse_query(**{side: roots}, materialization_version=version, remove_autapses=False)
            for side in ("pre_ids", "post_ids")
        )
        assert set(out.id) == true_ids(TIMES[version], pre=neuron)
        assert set(into.id) == true_ids(TIMES[version], post=neuron)

    def test_those_from_one_neuron_to_another(self, client, tables):
        pre, post = (roots_of(client, neuron, TIMES[3]) for neuron in (0, 32))
        found = tables.synapse_query(pre_ids=pre, post_ids=post)
        assert set(found.id) == true_ids(TIMES[3], pre=0, post=32)
        assert len(found) > 10

    @pytest.mark.parametrize("version", [2, 3])
    def test_roots_are_those_of_the_chunkedgraph_at_the_version(self, client, tables, version):
        found = tables.query_table(names.SYNAPSES, materialization_version=version)
        for point in POINTS:
            roots = client.chunkedgraph.get_roots(found[f"{point}_supervoxel_id"], timestamp=TIMES[version])
            assert found[f"{point}_root_id"].tolist() == roots.tolist()
            whose = ids_by_neuron().loc[found[f"{point}_supervoxel_id"].to_numpy(dtype=np.uint64)]
            side = truth("synapse_neurons").set_index("synapse_id")[point.removesuffix("_pt")]
            assert whose.tolist() == side.loc[found.id].tolist()

    def test_every_cell_is_as_annotated(self, tables):
        found = tables.query_table(names.SYNAPSES).sort_values("id")
        rows = rows_of(names.SYNAPSES).set_index("id").loc[found.id]
        assert found.created.tolist() == rows.created.tolist()
        assert found["size"].tolist() == rows["size"].tolist()
        for point in (*POINTS, "ctr_pt"):
            assert (positions(found, point) == rows[[f"{point}_position_{axis}" for axis in XYZ]].to_numpy()).all()
        assert found.pre_pt_supervoxel_id.tolist() == rows.pre_pt_supervoxel_id.tolist()

    def test_positions_in_another_resolution(self, tables):
        found = tables.query_table(names.SYNAPSES, limit=20, desired_resolution=[8, 8, 42])
        same = (
            tables.query_table(names.SYNAPSES, filter_in_dict={"id": found.id.tolist()}).set_index("id").loc[found.id]
        )
        assert positions(found, "pre_pt") * [8, 8, 42] == pytest.approx(positions(same, "pre_pt"))

    def test_a_box_in_nm_finds_what_lies_in_it(self, tables):
        rows = rows_of(names.SYNAPSES)[living(TIMES[3]).to_numpy()]
        places = rows[[f"post_pt_position_{axis}" for axis in XYZ]].to_numpy()
        low, high = np.quantile(places, [0.4, 0.6], axis=0).astype(int)
        inside = ((places >= low) & (places <= high)).all(axis=1)
        found = tables.synapse_query(
            bounding_box=[low.tolist(), high.tolist()], bounding_box_column="post_pt_position", remove_autapses=False
        )
        assert set(found.id) == set(rows.id[inside])
        assert len(found) > 10

    def test_counts(self, tables):
        for version in (2, 3):
            assert tables.get_annotation_count(names.SYNAPSES, version=version) == living(TIMES[version]).sum()
        assert len(tables.query_table(names.SYNAPSES)) == living(TIMES[3]).sum() == 17_479

    def test_autapses_are_left_out_by_the_client_only_when_asked(self, client, tables):
        with_them, without = (
            tables.synapse_query(pre_ids=roots_of(client, 0, TIMES[3]), remove_autapses=remove)
            for remove in (False, True)
        )
        own = true_ids(TIMES[3], pre=0, post=0)
        assert set(with_them.id) - set(without.id) == own


class TestLive:
    @pytest.mark.parametrize("neuron", range(REAL))
    def test_both_ways_to_ask_find_the_true_synapses(self, client, tables, neuron):
        now, root = moment("live"), neurons.live_roots()[neuron]
        direct = tables.live_live_query(
            names.SYNAPSES, now, filter_equal_dict={names.SYNAPSES: {"pre_pt_root_id": root}}
        )
        updated = tables.live_query(names.SYNAPSES, now, filter_equal_dict={"pre_pt_root_id": root})
        assert set(direct.id) == set(updated.id) == true_ids(now, pre=neuron)
        for column in ("pre_pt_root_id", "post_pt_root_id"):
            told = [rows.set_index("id")[column].to_dict() for rows in (direct, updated)]
            assert told[0] == told[1]
        assert set(direct.pre_pt_root_id) == {root}

    @pytest.mark.parametrize("days", [59, 61, 89, 91])
    def test_rows_come_and_go_at_their_time(self, tables, days):
        at = INGESTED + timedelta(days=days)
        found = tables.live_live_query(names.SYNAPSES, at)
        assert set(found.id) == true_ids(at)
        assert len(found) == {59: 17_061, 61: 17_572, 89: 17_572, 91: 17_479}[days]

    def test_roots_between_versions_are_those_of_the_moment(self, client, tables):
        at = INGESTED + timedelta(days=105)
        found = tables.live_live_query(names.SYNAPSES, at, limit=3000)
        roots = client.chunkedgraph.get_roots(found.pre_pt_supervoxel_id, timestamp=at)
        assert found.pre_pt_root_id.tolist() == roots.tolist()


class TestCells:
    def test_nuclei_are_in_the_neurons_they_lie_in(self, client, tables):
        found = tables.query_table(names.NUCLEI)
        roots = client.chunkedgraph.get_roots(found.pt_supervoxel_id, timestamp=TIMES[3])
        assert found.pt_root_id.tolist() == roots.tolist()
        trees = truth("skeletons")
        thickest = trees.loc[trees.groupby("neuron").radius.idxmax()].set_index("neuron")
        whose = ids_by_neuron().loc[found.pt_supervoxel_id.to_numpy(dtype=np.uint64)].to_numpy()
        away = np.abs(positions(found, "pt") * layout.USER_RESOLUTION - thickest.loc[whose, XYZ].to_numpy()).max(axis=1)
        assert (away[whose < REAL] <= 42).all()
        assert (away < 600).all()  # made-up neurons are thin, and others may lie where their thickest part would

    def test_nuclei_lie_on_their_supervoxels(self, tables):
        found = tables.query_table(names.NUCLEI)
        on = supervoxels_at(neurons.world(), positions(found, "pt") * layout.USER_RESOLUTION)
        assert on.tolist() == found.pt_supervoxel_id.tolist()

    def test_a_reference_table_brings_its_targets_and_not_the_rows_of_its_own_numbers(self, tables):
        found = tables.query_table("cell_info")
        rows = rows_of("cell_info").set_index("id").loc[found.id]
        assert found.target_id.tolist() == rows.target_id.tolist() == found.id_ref.tolist()
        assert (found.target_id != found.id).any()
        nuclei = rows_of(names.NUCLEI).set_index("id").loc[found.target_id]
        assert found.pt_supervoxel_id.tolist() == nuclei.pt_supervoxel_id.tolist()

    def test_cell_types_agree_with_the_annotation_base(self, sandbox, tables):
        found = tables.query_table("cell_info")
        told = dict(zip(found.pt_supervoxel_id.astype(str), found.cell_type, strict=True))
        rows = base(sandbox).query("SELECT supervoxel_id, cell_class FROM CRANTb_meta LIMIT 1000")
        annotated = {row["supervoxel_id"]: row["cell_class"] or "unknown" for row in rows}
        assert told == {supervoxel: annotated[supervoxel] for supervoxel in told}

    def test_without_merging_there_are_only_its_own_columns(self, tables):
        found = tables.query_table("cell_info", merge_reference=False)
        assert not [column for column in found if column.startswith("pt_")]
        assert len(found) == 64

    def test_a_join_by_hand_gives_the_same(self, tables):
        joined = tables.join_query(
            [["cell_info", "target_id"], [names.NUCLEI, "id"]], suffixes={"cell_info": "", names.NUCLEI: "_ref"}
        )
        merged = tables.query_table("cell_info")
        columns = ["id", "target_id", "cell_type", "pt_root_id"]
        assert joined[columns].values.tolist() == merged[columns].values.tolist()

    def test_the_table_manager_filters(self, client):
        found = client.materialize.tables.cell_info(cell_type="ER").query()
        assert len(found) == rows_of("cell_info").cell_type.eq("ER").sum() == 6

    def test_string_values_are_listed(self, tables):
        found = tables.get_unique_string_values("cell_info")
        assert set(found["cell_type"]) == set(rows_of("cell_info").cell_type)

    def test_the_lookup_view_says_which_root_a_nucleus_is_in(self, tables):
        found = tables.query_view("nucleus_detection_lookup_v1")
        table = tables.query_table(names.NUCLEI)
        assert found.columns.tolist() == ["id", "pt_supervoxel_id", "pt_root_id", "pt_position"]
        assert found.pt_root_id.tolist() == table.pt_root_id.tolist()
        assert tables.get_views(3).keys() == {"nucleus_detection_lookup_v1", "nucleus_alternative_lookup"}

    def test_the_real_neurons_are_proofread(self, tables):
        found = tables.query_table("backbone_proofread")
        whose = ids_by_neuron().loc[found.pt_supervoxel_id.to_numpy(dtype=np.uint64)].to_numpy()
        assert sorted(whose[found.proofread.to_numpy(dtype=bool)].tolist()) == list(range(REAL))
        assert len(found) == 65
        assert found.valid_id.tolist() == found.pt_root_id.tolist()  # nothing changed since the status was given

    def test_every_table_is_described(self, tables):
        described = tables.get_tables_metadata()
        assert {one["table_name"] for one in described} == set(tables.get_tables())
        units = {one["table_name"]: tuple(one["voxel_resolution"]) for one in described}
        assert units.pop(names.SYNAPSES) == (1, 1, 1)
        assert set(units.values()) == {(8, 8, 42)}
