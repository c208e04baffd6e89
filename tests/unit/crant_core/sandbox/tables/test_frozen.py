from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from crant_core.sandbox import layout
from crant_core.sandbox.state import State
from crant_core.sandbox.tables import frozen as module
from crant_core.sandbox.tables.filters import Filter, matching
from crant_core.sandbox.tables.frozen import frame, freeze, frozen_in, live
from crant_core.sandbox.tables.table import Table
from crant_core.sandbox.tables.version import Version
from tests.unit.crant_core.sandbox.tables.example import (
    C3,
    C4,
    FAR,
    INGEST,
    LATER,
    MERGE,
    NOWHERE,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    SPLIT,
    SV1,
    SV3,
    SV4,
    V1,
    V2,
    A,
    B,
    C,
    FakeGraph,
    M,
    nuclei,
    synapses,
    world,
)

TICK = timedelta(milliseconds=1)


def roots(table: pd.DataFrame, side: str) -> list[int]:
    return table[f"{side}_pt_root_id"].tolist()


class TestFrame:
    def test_rows_hold_from_their_creation_until_just_before_their_deletion(self):
        state = world()
        table = state.tables["synapses"]
        assert frame(state, table, INGEST - TICK)["id"].tolist() == []
        assert frame(state, table, MERGE - TICK)["id"].tolist() == [S1, S2, S3, S4, S5]
        assert frame(state, table, MERGE)["id"].tolist() == [S1, S2, S3, S4, S6]

    def test_roots_follow_the_graph_through_time(self):
        state = world()
        table = state.tables["synapses"]
        assert roots(frame(state, table, V1), "pre") == [A, A, C, B, C]
        assert roots(frame(state, table, V1), "post") == [B, C, C, 0, A]
        assert roots(frame(state, table, V2), "pre") == [M, M, C, M, C]
        assert roots(frame(state, table, SPLIT), "pre") == [M, M, C3, M, C3]
        assert roots(frame(state, table, SPLIT), "post") == [M, C3, C4, 0, M]

    def test_a_root_id_stands_right_after_its_supervoxel(self):
        columns = frame(world(), synapses(), V1).columns.tolist()
        for side in ("pre", "post"):
            assert columns.index(f"{side}_pt_root_id") == columns.index(f"{side}_pt_supervoxel_id") + 1
        assert "deleted" not in columns

    def test_ids_are_exact_integers(self):
        flat = frame(world(), synapses(), V1)
        assert flat["id"].dtype == np.int64
        assert flat["pre_pt_root_id"].dtype == np.uint64
        assert flat["pre_pt_supervoxel_id"].iloc[0] == SV1

    def test_a_supervoxel_without_root_gets_0_though_others_resolve(self):
        assert frame(world(), nuclei(), V1)["pt_root_id"].tolist() == [A, C, 0]

    def test_roots_are_0_where_none_resolves_and_the_graph_echoes_its_input(self):
        table = nuclei()
        table.rows = table.rows.assign(pt_supervoxel_id=np.full(3, NOWHERE, dtype=np.uint64))
        assert frame(world(), table, V1)["pt_root_id"].tolist() == [0, 0, 0]

    def test_a_row_deleted_later_still_shows_as_valid_and_not_superseded(self):
        old = frame(world(), synapses(), V1).set_index("id").loc[S5]
        assert old["valid"]
        assert pd.isna(old["superceded_id"])

    def test_an_empty_table_has_all_its_columns(self):
        table = synapses()
        table.rows = table.rows.iloc[:0]
        empty = frame(world(), table, LATER)
        assert len(empty) == 0
        assert "post_pt_root_id" in empty.columns

    def test_an_invalid_row_holds_but_is_not_shown(self):
        table = nuclei()
        table.rows = table.rows.assign(valid=[True, False, True])
        state = world()
        assert len(frame(state, table, V1)) == 3
        assert len(freeze(state.graph, table, V1)) == 2


class TestVersions:
    def test_a_version_is_computed_once(self):
        state = world()
        first = frozen_in(state, state.tables["synapses"], state.versions[0])
        asked = len(state.graph.asked)
        assert frozen_in(state, state.tables["synapses"], state.versions[0]) is first
        frame(state, state.tables["synapses"], V1)
        assert len(state.graph.asked) == asked

    def test_later_edits_of_the_table_do_not_reach_a_version(self):
        state = world()
        table = state.tables["synapses"]
        before = frozen_in(state, table, state.versions[0]).frame()
        table.rows = table.rows.iloc[::-1].reset_index(drop=True).assign(size=np.int32(0))
        pd.testing.assert_frame_equal(frozen_in(state, table, state.versions[0]).frame(), before)

    def test_the_cache_forgets_the_least_recently_used_first(self, monkeypatch):
        monkeypatch.setattr(module, "_MAX_CACHED_ROWS", 13)
        state = world()
        table = state.tables["synapses"]
        frozen_in(state, table, state.versions[0])
        frozen_in(state, table, state.versions[1])
        frozen_in(state, table, state.versions[0])
        frozen_in(state, table, state.versions[2])
        assert list(state.frames) == [("synapses", 1), ("synapses", 3)]


class TestLive:
    def test_it_looks_up_only_what_changed_since_the_version_before(self):
        state = world()
        frozen_in(state, state.tables["synapses"], state.versions[2])
        state.graph.asked.clear()
        now = live(state, state.tables["synapses"], LATER).frame()
        assert roots(now, "pre") == [M, M, C3, M, C3]
        assert roots(now, "post") == [M, C3, C4, 0, M]
        assert state.graph.asked == [[SV3], [SV3, SV4]]

    def test_at_the_very_time_of_an_edit_it_gives_the_new_roots(self):
        state = world()
        assert roots(live(state, state.tables["synapses"], SPLIT).frame(), "pre") == [M, M, C3, M, C3]
        assert roots(live(state, state.tables["synapses"], SPLIT - TICK).frame(), "pre") == [M, M, C, M, C]

    def test_it_is_not_kept(self):
        state = world()
        live(state, state.tables["synapses"], LATER)
        assert list(state.frames) == [("synapses", 3)]

    def test_rows_written_after_the_version_are_looked_up_too(self):
        state = world()
        table = state.tables["nuclei"]
        frozen_in(state, table, state.versions[2])
        added = table.rows.iloc[[0]].assign(id=np.int64(4), created=pd.Timestamp(SPLIT))
        table.rows = pd.concat([table.rows, added], ignore_index=True)
        now = live(state, table, LATER).frame()
        assert now["id"].tolist() == [1, 2, 3, 4]
        assert now["pt_root_id"].tolist() == [M, C3, 0, M]

    def test_rows_put_between_the_old_ones_are_not_mistaken_for_them(self):
        state = world()
        table = state.tables["nuclei"]
        frozen_in(state, table, state.versions[2])
        added = table.rows.iloc[[1]].assign(id=np.int64(0))
        table.rows = pd.concat([added, table.rows], ignore_index=True)
        assert live(state, table, LATER).frame()["pt_root_id"].tolist() == [C3, M, C3, 0]

    def test_a_time_before_all_versions_is_computed_from_scratch(self):
        state = world()
        assert roots(live(state, state.tables["synapses"], V1 - TICK).frame(), "pre") == [A, A, C, B, C]
        assert not state.frames


class TestFind:
    def test_rows_come_in_order_and_absent_values_find_nothing(self):
        frozen = freeze(FakeGraph(), synapses(), V1)
        assert frozen.find("pre_pt_root_id", np.array([A, B, M], dtype=np.uint64)).tolist() == [0, 1, 3]
        assert frozen.find("pre_pt_root_id", np.array([], dtype=np.uint64)).tolist() == []

    def test_distinct_roots_leave_out_0(self):
        assert freeze(FakeGraph(), synapses(), V1).distinct_roots("post_pt_root_id").tolist() == sorted([A, B, C])


def _million() -> Table:
    count, random = 1_000_000, np.random.default_rng(1)
    moment = pd.Timestamp(INGEST)
    place = np.arange(count, dtype=np.int32)
    rows = pd.DataFrame(
        {
            "id": np.arange(1, count + 1, dtype=np.int64),
            "created": pd.Series([moment], dtype="datetime64[ns, UTC]").repeat(count).reset_index(drop=True),
            "deleted": pd.Series([pd.NaT], dtype="datetime64[ns, UTC]").repeat(count).reset_index(drop=True),
            "valid": np.ones(count, dtype=bool),
            **{f"{side}_pt_position_{axis}": place for side in ("pre", "post", "ctr") for axis in "xyz"},
            "pre_pt_supervoxel_id": layout.encode(1, (0, 0, 0), random.integers(1, 300_000, count)),
            "post_pt_supervoxel_id": layout.encode(1, (0, 0, 0), random.integers(1, 300_000, count)),
            "size": place,
        }
    )
    return Table("synapses", "synapse", rows, ("pre_pt", "post_pt"), INGEST)


class _Thousand(FakeGraph):
    """A root for each hundred supervoxels, for ever."""

    def roots(self, ids, at, stop_layer=8):
        return layout.encode(8, (0, 0, 0), (np.asarray(ids) & np.uint64(0xFFFFF)) // np.uint64(100) + np.uint64(1))


def test_a_million_rows_answer_for_roots_and_take_little_memory():
    version = Version(1, datetime(2026, 2, 1, tzinfo=UTC), FAR, ("synapses",))
    state = State(token="", graph=_Thousand(), versions=[version], tables={"synapses": _million()})
    frozen = frozen_in(state, state.tables["synapses"], version)
    wanted = [int(layout.encode(8, (0, 0, 0), segment)) for segment in (5, 500, 5_000_000)]
    condition = Filter("in", "pre_pt_root_id", wanted)
    expected = np.flatnonzero(np.isin(frozen.whole("pre_pt_root_id").to_numpy(), np.array(wanted, dtype=np.uint64)))
    assert matching(frozen, [condition]).tolist() == expected.tolist()
    frozen.distinct_roots("post_pt_root_id")
    kept = [frozen.held, *frozen._own.values(), *frozen._orders.values()]
    assert sum(array.nbytes for array in kept) < 50_000_000
