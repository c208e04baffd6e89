"""One dataset's client against the sandbox, over HTTP with the real caveclient; the truth is the world's own graph.

D… are defects of cortical-tools (reference/cortical-tools.md, 10).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from caveclient import CAVEclient

from crant_core.access import register
from crant_core.dataset_client import DatasetClient
from crant_core.errors import InvalidId, InvalidInput, InvalidParameters, NotARoot, SourceError, VersionNotFound
from crant_core.sandbox import names
from crant_core.sandbox.world.history import VERSIONS
from crant_core.sources.sessions import BoundedAdapter
from tests.contracts.sandbox_clients import MS, TIMES, cave, ids_by_neuron, moment, truth
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, run_sandbox

pytestmark = pytest.mark.xdist_group("dataset_client")
NEVER = (8 << 56) | 99_999_999  #: has the form of a root, and never was one
SUPERVOXEL = int(neurons.supervoxels()[0])


@pytest.fixture
def client(sandbox: Sandbox) -> DatasetClient:
    register(sandbox.dataset, sandbox.token)
    return DatasetClient.of(sandbox.dataset)


@pytest.fixture(scope="module")
def changing() -> Iterator[Sandbox]:
    """An offline CAVE that tests of this module change and mend."""
    with run_sandbox() as running:
        yield running


@pytest.fixture
def own(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.control("DELETE", "fault")
    changing.control("POST", "reset")


@pytest.fixture
def own_client(own: Sandbox) -> DatasetClient:
    register(own.dataset, own.token)
    return DatasetClient.of(own.dataset)


def nuclei() -> pd.Series:
    """The supervoxel of every cell."""
    rows = neurons.world().frame(f"tables/{names.NUCLEI}")
    return pd.Series(rows.pt_supervoxel_id.to_numpy(), index=rows["id"].to_numpy())


def true_roots(at: datetime) -> dict[int, int]:
    """The root of every cell."""
    found = nuclei()
    return dict(zip(found.index.tolist(), neurons.graph().roots(found.to_numpy(), at).tolist(), strict=True))


def lives() -> dict[int, tuple[datetime, datetime | None]]:
    """When every root of the script of edits was made, and when it ended."""
    edits = truth("lineage")
    ends = {int(row.old): row.timestamp.to_pydatetime() for row in edits.itertuples()}
    roots = {*edits.old.tolist(), *edits.new.tolist()}
    return {root: (neurons.graph().created(root), ends.get(root)) for root in roots}


def true_cells(root: int) -> set[int]:
    """The cells in a root when it was made."""
    return {cell for cell, found in true_roots(lives()[root][0]).items() if found == root}


def counts(sandbox: Sandbox) -> dict[str, int]:
    """How often each endpoint was asked, by its last words."""
    return {path: entry["requests"] for path, entry in sandbox.control("GET", "log")["counts"].items()}


def asked(found: dict[str, int], *words: str) -> int:
    return sum(number for path, number in found.items() if all(word in path for word in words))


class TestVersions:
    def test_the_latest_version_is_looked_at_and_another_can_be_chosen(self, client):
        assert (client.version, client.most_recent_materialization_version()) == (3, 3)
        assert client.version_timestamp() == TIMES[3]
        client.version = np.int64(2)
        assert (client.version, client.cave.materialize.version) == (2, 2)
        assert client.version_timestamp() == TIMES[2]
        assert client.version_timestamp().utcoffset() == timedelta(0)

    def test_expired_versions_have_a_time_too(self, client):
        assert client.version_timestamp(1) == TIMES[1]

    def test_a_chosen_version_leaves_the_segmentation_live(self, client):
        client.version = 2
        assert client.get_roots(neurons.supervoxels()).tolist() == neurons.live_roots()

    def test_to_begin_with_a_version(self, sandbox):
        register(sandbox.dataset, sandbox.token)
        assert DatasetClient.of(sandbox.dataset, materialization_version=2).version == 2

    @pytest.mark.parametrize(
        "choose",
        [
            lambda client: setattr(client, "version", 99),
            lambda client: client.fix_mat_timestamp(99),
            lambda client: client.version_timestamp(99),
            lambda client: DatasetClient.of(client._described, materialization_version=99).version,
        ],
        ids=["version", "fix", "timestamp", "first"],
    )
    def test_a_version_that_never_was_is_named(self, client, choose):
        with pytest.raises(VersionNotFound, match="99") as error:
            choose(client)
        assert isinstance(error.value, ValueError)

    def test_what_is_no_number_is_refused(self, client):
        with pytest.raises(InvalidInput, match="no version"):
            client.version = "latest"

    def test_two_clients_of_a_dataset_choose_apart(self, client, sandbox):
        client.fix_mat_timestamp(2)
        assert DatasetClient.of(sandbox.dataset).version == 3

    def test_now_is_aware(self):
        assert abs(datetime.now(UTC) - DatasetClient.now()) < timedelta(seconds=5)


class TestFixedTime:
    def test_every_question_is_about_that_time(self, client):
        client.fix_mat_timestamp(2)
        then = neurons.roots_at(2)
        assert client.version == 2
        assert client.cave.timestamp == TIMES[2]
        assert client.get_roots(neurons.supervoxels()).tolist() == then
        assert client.is_latest_roots(then).all()
        assert client.get_latest_roots(neurons.live_roots()[0]).tolist() == sorted(
            {int(root) for root in neurons.graph().roots(pieces(0), TIMES[2])}
        )
        assert client.suggest_latest_roots(neurons.roots_at(1)[2]) == then[2]
        assert client.cell_id_to_root_id([1, 2]).tolist() == [true_roots(TIMES[2])[cell] for cell in (1, 2)]
        assert client.root_id_to_cell_id(then[2:]).tolist() == [2, 3, 4]

    def test_results_say_their_time(self, client):
        client.fix_mat_timestamp(2)
        for found in (client.cell_id_to_root_id([1]), client.root_id_to_cell_id(neurons.live_roots())):
            assert (found.attrs["timestamp"], found.attrs["materialization"]) == (TIMES[2].isoformat(), 2)
            assert (found.attrs["table_version"], found.attrs["dataset"]) == (2, "demo")

    def test_the_current_version_is_fixed_unless_another_is_named(self, client):
        client.version = 2
        client.fix_mat_timestamp()
        assert client.cave.timestamp == TIMES[2]
        client.version = 3  # moves the time along
        assert client.cave.timestamp == TIMES[3]

    def test_a_time_that_is_given_goes_first(self, client):
        client.fix_mat_timestamp(2)
        assert client.get_roots(neurons.supervoxels(), "mat_1").tolist() == neurons.roots_at(1)
        assert client.get_roots(neurons.supervoxels(), "live").tolist() == neurons.live_roots()

    def test_without_it_the_present_is_looked_at_again(self, client):
        client.fix_mat_timestamp(2)
        client.unfix_mat_timestamp()
        assert client.get_roots(neurons.supervoxels()).tolist() == neurons.live_roots()
        assert client.cave.timestamp is None

    def test_the_time_of_a_fixed_version_costs_no_request(self, own, own_client):
        own_client.fix_mat_timestamp(2)
        own.control("DELETE", "log")
        assert own_client.version_timestamp() == TIMES[2]
        assert counts(own) == {}

    def test_roots_newer_than_the_fixed_time_have_no_valid_time(self, client):
        client.fix_mat_timestamp(2)
        newer = neurons.live_roots()[4]
        with pytest.raises(NotARoot, match=f"{newer} is newer than version 2"):
            client.latest_valid_timestamp([newer])
        assert client.latest_valid_timestamp(neurons.roots_at(2)[:1]).tolist() == [TIMES[2] - MS]


def pieces(neuron: int) -> np.ndarray:
    """All supervoxels of a real neuron."""
    return ids_by_neuron().index[ids_by_neuron() == neuron].to_numpy(dtype=np.uint64)


class TestRoots:
    def test_roots_are_unsigned_in_input_order_and_background_is_0(self, client):
        asked_for = [*neurons.supervoxels()[::-1].tolist(), 0, SUPERVOXEL]
        found = client.get_roots(asked_for, VERSIONS[1].timestamp)
        assert found.dtype == np.uint64
        assert found.tolist() == [*neurons.roots_at(2)[::-1], 0, neurons.roots_at(2)[0]]

    def test_l2_ids_are_roots_of_a_lower_layer(self, client):
        assert int(client.get_roots([SUPERVOXEL], stop_layer=2)[0]) >> 56 == 2

    def test_outdated_roots_are_not_latest_and_what_never_was_is_not(self, client):
        found = client.is_latest_roots([*neurons.roots_at(3), NEVER, SUPERVOXEL, 0])
        assert found.tolist() == [True, True, False, False, False, False, False, False]
        assert found.dtype == np.bool_
        assert client.is_latest_roots(neurons.roots_at(3), TIMES[3]).all()

    def test_what_a_root_became_and_what_it_was_made_of(self, client):
        false_merger = neurons.roots_at(1)[0]  # of neurons 0 and 1
        assert client.get_latest_roots(false_merger).tolist() == sorted(neurons.live_roots()[:2])
        assert client.get_latest_roots(false_merger).dtype == np.int64
        made_of = {int(root) for root in neurons.graph().roots(pieces(4), TIMES[1])}
        assert client.get_latest_roots(neurons.live_roots()[4], timestamp_future=TIMES[1]).tolist() == sorted(made_of)
        assert client.get_latest_roots(neurons.roots_at(3)).tolist() == sorted(neurons.live_roots())

    def test_the_root_with_most_of_an_old_one_is_suggested(self, client):
        false_merger = neurons.roots_at(1)[0]
        ids, shares = client.suggest_latest_roots(
            false_merger, stop_layer=1, return_all=True, return_fraction_overlap=True
        )
        inside = neurons.graph().leaves(false_merger, 1)
        now = neurons.graph().roots(np.asarray(inside, dtype=np.uint64), datetime.now(UTC))
        expected = {int(root): np.mean(now == root) for root in np.unique(now)}
        assert dict(zip(ids.tolist(), shares, strict=True)) == pytest.approx(expected)
        assert shares[0] > shares[1]
        assert client.suggest_latest_roots(false_merger) == max(expected, key=expected.__getitem__)
        assert client.suggest_latest_roots(neurons.roots_at(3)[4], return_fraction_overlap=True) == (
            neurons.live_roots()[4],
            1.0,
        )

    @pytest.mark.parametrize("wrong", [NEVER, SUPERVOXEL])
    def test_what_never_was_a_root_is_named(self, client, wrong):
        for question in (client.get_latest_roots, client.suggest_latest_roots, client.latest_valid_timestamp):
            with pytest.raises(NotARoot, match=str(wrong)):
                question(wrong)

    def test_last_valid_moments_are_a_millisecond_before_the_end_or_now(self, client):
        known = lives()
        old = [root for root, (_, end) in known.items() if end is not None]
        before = datetime.now(UTC)
        found = client.latest_valid_timestamp([*old, *neurons.live_roots(), old[0]])
        assert found.dtype == object
        assert [one.utcoffset() for one in found] == [timedelta(0)] * len(found)
        ends = [known[root][1] - MS for root in [*old, old[0]]]
        assert [abs(one - end) < MS for one, end in zip([*found[: len(old)], found[-1]], ends, strict=True)] == [
            True
        ] * len(ends)
        assert all(before - 2 * MS <= one <= datetime.now(UTC) for one in found[len(old) : -1])

    def test_no_roots_have_no_moments(self, client):
        assert client.latest_valid_timestamp([]).shape == (0,)
        assert client.get_roots([]).dtype == np.uint64

    def test_floats_are_refused(self, client):
        for question in (client.get_roots, client.is_latest_roots, client.root_id_to_cell_id):
            with pytest.raises(InvalidId, match="not an id"):
                question([float(NEVER)])


class TestChunks:
    def test_l2_ids_are_signed_and_those_of_the_root(self, client):
        root = neurons.live_roots()[1]
        found = client.get_l2_ids(root)
        assert found.dtype == np.int64
        assert sorted(found.tolist()) == sorted(int(one) for one in neurons.graph().leaves(root, 2))

    def test_a_box_in_voxels_bounds_them(self, client):
        root = neurons.live_roots()[1]
        every = client.get_l2_ids(root)
        some = client.get_l2_ids(root, [[0, 4000], [0, 100_000], [0, 100_000]])
        assert 0 < len(some) < len(every)
        assert set(some.tolist()) < set(every.tolist())

    @pytest.mark.parametrize("bounds", [[0, 1], [[0, 1], [0, 1]], [[5, 1], [0, 1], [0, 1]]])
    def test_what_is_no_box_is_refused(self, client, bounds):
        with pytest.raises(InvalidParameters, match="no box"):
            client.get_l2_ids(neurons.live_roots()[0], bounds)

    def test_a_root_that_never_was_is_an_error_and_not_a_neuron_without_chunks(self, client):
        with pytest.raises(NotARoot):
            client.get_l2_ids(NEVER)

    def test_features_stand_in_input_order_and_those_that_are_missing_are_missing(self, client):
        first, second = client.get_l2_ids(neurons.live_roots()[0])[:2].tolist()
        unknown = (2 << 56) | 77
        found = client.get_l2data([second, unknown, first, second], ["size_nm3", "rep_coord_nm"])
        assert found.index.tolist() == [second, unknown, first]
        assert list(found) == ["size_nm3", "rep_coord_nm_x", "rep_coord_nm_y", "rep_coord_nm_z"]
        assert found.loc[unknown].isna().all()  # D17
        plain = client.get_l2data([second, unknown, first], ["size_nm3", "rep_coord_nm"], as_dataframe=False)
        assert list(plain) == [second, unknown, first]
        assert plain[unknown] == {}
        assert (
            found.loc[first, ["rep_coord_nm_x", "rep_coord_nm_y", "rep_coord_nm_z"]].tolist()
            == (plain[first]["rep_coord_nm"])
        )
        assert found.loc[second, "size_nm3"] == plain[second]["size_nm3"]
        assert client.get_l2data([first], split_columns=False)["rep_coord_nm"].iloc[0] == plain[first]["rep_coord_nm"]

    def test_all_features_of_no_chunks_are_a_table_too(self, client):
        assert client.get_l2data([]).shape == (0, 25)

    def test_an_unknown_feature_is_named(self, client):
        with pytest.raises(InvalidParameters, match="'volume'"):
            client.get_l2data([(2 << 56) | 77], ["volume"])


class TestCellToRoot:
    def test_all_cells_at_a_version(self, client):
        expected = true_roots(TIMES[2])
        found = client.cell_id_to_root_id(list(expected), materialization_version=2)
        assert found.to_dict() == expected
        assert (found.name, str(found.dtype), str(found.index.dtype)) == ("root_id", "Int64", "int64")
        assert (found.attrs["timestamp"], found.attrs["materialization"]) == (TIMES[2].isoformat(), 2)

    # cortical-tools sorts by id
    def test_input_order_and_repetitions_are_kept(self, client):
        expected = true_roots(TIMES[3])
        found = client.cell_id_to_root_id([9, 1, 9, 4])
        assert found.index.tolist() == [9, 1, 9, 4]
        assert found.tolist() == [expected[cell] for cell in (9, 1, 9, 4)]

    # cortical-tools gives -1 where its documentation says NaN
    def test_unknown_and_missing_cells_are_left_out_or_missing(self, client):
        cells = [77_777, 1, None, "2"]
        assert client.cell_id_to_root_id(cells).index.tolist() == [1, 2]
        found = client.cell_id_to_root_id(cells, filter_empty=False)
        assert found.isna().tolist() == [True, False, True, False]
        assert found.index.tolist()[:2] == [77_777, 1]
        assert str(found.dtype) == "Int64"  # D2: a null makes floats of the ids
        assert found.iloc[1] == true_roots(TIMES[3])[1]

    @pytest.mark.parametrize("when", ["live", "mat_1", 2, TIMES[1] + timedelta(days=3)])
    def test_roots_of_any_time(self, client, when):
        at = {"live": moment("live"), "mat_1": TIMES[1], 2: TIMES[2]}.get(when, when)
        expected = true_roots(at)
        if when == "mat_1":  # its tables have expired, the segmentation's past has not
            found = client.cell_id_to_root_id([1, 2, 3, 4, 5], timestamp=when, materialization_version=3)
        else:
            found = client.cell_id_to_root_id([1, 2, 3, 4, 5], timestamp=when)
        assert found.tolist() == [expected[cell] for cell in (1, 2, 3, 4, 5)]
        if when != "live":
            assert datetime.fromisoformat(found.attrs["timestamp"]) == at

    def test_an_expired_version_is_an_error_with_a_way_out(self, client):
        with pytest.raises(VersionNotFound, match="version 1 has expired"):
            client.cell_id_to_root_id([1], materialization_version=1)

    def test_no_cells(self, own, own_client):
        _ = own_client.version
        own.control("DELETE", "log")
        found = own_client.cell_id_to_root_id([])
        assert (len(found), str(found.dtype), found.name) == (0, "Int64", "root_id")
        assert asked(counts(own), "/query") == 0

    def test_a_thousand_cells_are_one_query(self, own, own_client):
        _ = own_client.version
        own.control("DELETE", "log")
        assert len(own_client.cell_id_to_root_id(range(1, 1001))) == len(nuclei())
        assert asked(counts(own), "/query") == asked(counts(own), "/views/") == 1


def cell_of(neuron: int) -> int:
    """The number of a neuron's nucleus."""
    found = nuclei()
    return int(found.index[ids_by_neuron()[found.to_numpy()].to_numpy() == neuron][0])


class TestTwoNuclei:
    """Neurons 10 and 11 are joined, so that one root has two nuclei."""

    @pytest.fixture
    def joined(self, own: Sandbox) -> tuple[int, int]:
        cells = (cell_of(10), cell_of(11))
        pair = [[str(nuclei()[cell]) for cell in cells]]
        own.control("POST", "edit", {"operation": "merge", "pairs": pair})
        return cells

    def test_both_have_the_root_unless_such_cells_are_left_out(self, own, own_client, joined):
        own.control("POST", "materialize")
        one, other = joined
        third = cell_of(12)
        both = own_client.cell_id_to_root_id([one, other, third])
        assert both[one] == both[other] != both[third]
        assert own_client.cell_id_to_root_id([one, third, other], omit_multiple=True).index.tolist() == [third]
        kept = own_client.cell_id_to_root_id([one, third], filter_empty=False, omit_multiple=True)
        assert kept.isna().tolist() == [True, False]

    def test_they_are_left_out_at_times_after_the_version_too(self, own_client, joined):
        one, other = joined
        found = own_client.cell_id_to_root_id([one, other], timestamp="live")
        assert found[one] == found[other]
        assert len(own_client.cell_id_to_root_id([one, other], timestamp="live", omit_multiple=True)) == 0
        assert len(own_client.cell_id_to_root_id([one, other], omit_multiple=True)) == 2

    def test_such_a_root_has_no_one_cell_and_what_it_was_made_of_has(self, own_client, joined):
        one, other = joined
        root = own_client.cell_id_to_root_id([one], timestamp="live").iloc[0]
        before = true_roots(TIMES[3])
        found = own_client.root_id_to_cell_id([before[other], root, before[one]])
        assert found.fillna(-1).tolist() == [other, -1, one]


class TestRootToCell:
    # the alternative points of cells 1 and 2 are on the same roots: cortical-tools takes that for two cells
    def test_roots_of_the_version(self, client):
        expected = true_roots(TIMES[3])
        found = client.root_id_to_cell_id(list(expected.values()))
        assert found.tolist() == list(expected)
        assert (found.name, str(found.dtype), found.index.name) == ("cell_id", "Int64", "root_id")

    def test_every_root_that_ever_was(self, client):
        roots = sorted(lives())
        found = client.root_id_to_cell_id(roots)
        assert found.index.tolist() == roots
        expected = [cells.pop() if len(cells := true_cells(root)) == 1 else -1 for root in roots]
        assert found.fillna(-1).tolist() == expected
        assert len(set(expected) - {-1}) == 4

    # D11: cortical-tools has no way for no ids; it sorts, and drops repetitions
    @pytest.mark.parametrize("fixed", [False, True])
    def test_d11_it_ends_on_every_input_and_is_total_in_input_order(self, client, fixed):
        if fixed:
            client.fix_mat_timestamp(2)
        live = neurons.live_roots()
        roots = [live[2], NEVER, 0, None, live[1], SUPERVOXEL, live[2], 5, str(neurons.roots_at(1)[2])]
        found = client.root_id_to_cell_id(roots)
        assert len(found) == len(roots)
        assert found.fillna(-1).tolist() == [2, -1, -1, -1, 1, -1, 2, -1, 2]
        assert client.root_id_to_cell_id(roots, filter_empty=True).tolist() == [2, 1, 2, 2]
        for nothing in ([], [NEVER], [0], None):
            empty = client.root_id_to_cell_id(nothing, filter_empty=True)
            assert (len(empty), str(empty.dtype)) == (0, "Int64")

    def test_no_live_query_and_one_lookup_for_each_epoch(self, own, own_client):
        _ = own_client.root_id_to_cell_id(neurons.roots_at(3))
        roots = [root for at in (1, 2, 3) for root in neurons.roots_at(at)] + neurons.live_roots()
        own.control("DELETE", "log")
        found = own_client.root_id_to_cell_id(roots * 50)
        assert len(found) == 1000
        told = counts(own)
        assert asked(told, f"/{names.DATASTACK}/query") == 0
        assert asked(told, "/version/", "/query") == 2  # main table and alternative points
        assert asked(told, "roots_binary") <= 3  # the times of version 1, of version 2, and now: more never are needed
        assert asked(told, "lineage_graph_multiple") == asked(told, "is_latest_roots") == 1
        assert asked(told, "root_timestamps") == 0

    def test_roots_of_the_version_need_no_history(self, own, own_client):
        _ = own_client.root_id_to_cell_id([])
        own.control("DELETE", "log")
        own_client.root_id_to_cell_id(neurons.roots_at(3))
        assert asked(counts(own), "lineage") == asked(counts(own), "roots_binary") == 0


class TestConnection:
    # D10: cortical-tools builds a new CAVEclient for each lookup, of the latest version, with the token it finds itself
    def test_d10_lookups_use_the_version_and_the_token_of_a_caveclient_that_is_given(self, own):
        mine = CAVEclient(
            names.DATASTACK, server_address=own.url, auth_token=own.token, write_server_cache=False, version=2
        )
        dataset = own.dataset
        client = DatasetClient(
            caveclient=mine,
            cell_id_lookup_view=dataset.cell_lookup_view,
            root_id_lookup_main_table=dataset.cell_main_table,
            root_id_lookup_alt_tables=list(dataset.cell_alternative_tables),
        )
        assert client.cave is mine
        assert (client.datastack_name, client.server_address) == (names.DATASTACK, own.url)
        then = true_roots(TIMES[2])
        assert client.cell_id_to_root_id([1, 2]).tolist() == [then[1], then[2]]
        assert client.root_id_to_cell_id([then[2]]).attrs["materialization"] == 2
        own.control("DELETE", "log")
        client.cell_id_to_root_id([1, 2])
        assert set(counts(own)) == {
            f"/materialize/api/v3/datastack/{names.DATASTACK}/version/{{id}}/views/"
            + (f"{dataset.cell_lookup_view}/query")
        }

    def test_another_client_may_ask(self, client, sandbox):
        other = cave(sandbox, version=2)
        then = true_roots(TIMES[2])
        assert client.cell_id_to_root_id([1, 2], client=other).tolist() == [then[1], then[2]]
        assert client.cell_id_to_root_id([1, 2], other).attrs["materialization"] == 2
        fixed = DatasetClient.of(sandbox.dataset)
        fixed.fix_mat_timestamp(2)
        assert client.root_id_to_cell_id([then[2]], client=fixed).attrs["timestamp"] == TIMES[2].isoformat()
        assert client.version == 3

    # D9: cortical-tools swaps the process's stdout and silences urllib3; caveclient's own live query sets up logging
    def test_d9_lookups_leave_logging_and_the_terminal_alone(self, client, monkeypatch):
        seen, send = [], BoundedAdapter.send

        def watched(*args: Any, **kwargs: Any) -> Any:
            seen.append(state())  # the peer's terminal is another one only meanwhile
            return send(*args, **kwargs)

        monkeypatch.setattr(BoundedAdapter, "send", watched)

        def state() -> list[object]:
            quiet = logging.getLogger("urllib3")
            return [logging.root.handlers[:], logging.root.level, quiet.level, quiet.disabled, sys.stdout, sys.stderr]

        before = state()
        client.cell_id_to_root_id([1], timestamp="live")
        client.root_id_to_cell_id(neurons.live_roots())
        assert seen
        assert all(one == before for one in [*seen, state()])

    def test_making_and_showing_a_client_asks_nobody(self, own, own_client):
        own.control("DELETE", "log")
        client = DatasetClient.of(own.dataset)
        assert repr(client) == f"DatasetClient(datastack_name='{names.DATASTACK}', server_address='{own.url}')"
        assert names.DATASTACK in client._repr_mimebundle_()["text/html"]
        assert counts(own) == {}

    def test_threads_share_a_client_and_connect_once(self, own, own_client):
        own.control("DELETE", "log")
        expected = [true_roots(TIMES[3])[cell] for cell in (1, 2, 3)]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda _: own_client.cell_id_to_root_id([1, 2, 3]).tolist(), range(12)))
        assert found == [expected] * 12
        assert asked(counts(own), "/info/api/v2/datastack/full/") <= 2  # the caller's client, and the library's

    def test_a_refusal_keeps_its_status_and_is_no_empty_answer(self, own, own_client):
        _ = own_client.version
        own.control("POST", "fault", {"path": "/views/", "status": 403, "times": 1})
        with pytest.raises(SourceError, match="403") as error:
            own_client.cell_id_to_root_id([1])
        assert error.value.value == 403

    def test_query_factories_are_caveclients(self, client):
        client.version = 2
        found = client.tables[names.NUCLEI](id=[1]).query()
        assert found.pt_root_id.tolist() == [true_roots(TIMES[2])[1]]
        assert client.views["nucleus_detection_lookup_v1"](id=[2]).query()["id"].tolist() == [2]

    def test_what_the_info_service_says(self, client, sandbox):
        assert client.viewer_resolution().tolist() == [8.0, 8.0, 42.0]
        assert client.segmentation_source() == f"graphene://{sandbox.url}/segmentation/table/{names.TABLE}"
        assert client.image_source().startswith("precomputed://")
        assert client.get_datastack_info()["soma_table"] == names.NUCLEI
