"""The assembled sandbox while it is changed: edits, new versions, annotations, the clock, and back to the start."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import requests
from caveclient import CAVEclient
from scipy.spatial import cKDTree

from crant_core.sandbox import layout, names
from crant_core.sandbox.objects.segmentation import supervoxels_at
from crant_core.sandbox.world.navis_data import BODY_IDS, read_surface
from tests.contracts.sandbox_clients import (
    MS,
    TIMES,
    base,
    cave,
    ids_by_neuron,
    moment,
    post,
    segmentation,
    shape,
    supervoxels_of,
    truth,
)
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, run_sandbox

GRAPH = f"/segmentation/api/v1/table/{names.TABLE}"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def started() -> Iterator[Sandbox]:
    with run_sandbox() as running:
        yield running


@pytest.fixture
def mine(started: Sandbox) -> Iterator[Sandbox]:
    """A sandbox that may be changed."""
    yield started
    started.control("POST", "reset")


@pytest.fixture
def client(mine) -> CAVEclient:
    return cave(mine)


@pytest.fixture
def graph(client):
    return client.chunkedgraph


def edit(sandbox: Sandbox, operation: str, **more) -> tuple[list[int], list[int]]:
    """Edit; return the old roots and the new ones."""
    done = sandbox.control("POST", "edit", {"operation": operation, **more})
    return [int(root) for root in done["old_roots"]], [int(root) for root in done["new_roots"]]


def ends_between(neuron: int) -> list[list[int]]:
    """Return where a neuron and its nearest made-up one are nearest: `[[supervoxel, x, y, z], …]`, nm."""
    found, middle = neurons.world().segmentation, neurons.world().features.middle
    own, others = np.flatnonzero(found.neuron == neuron), np.flatnonzero(found.neuron >= 5)
    others = others[found.neuron[others] != neuron]
    distances, nearest = cKDTree(middle[others]).query(middle[own])
    closest = int(distances.argmin())
    return [[int(found.ids[one]), *middle[one].tolist()] for one in (own[closest], others[nearest[closest]])]


def roots_of(graph, neuron: int) -> list[int]:
    return np.unique(graph.get_roots(supervoxels_of(neuron))).tolist()


def area(volume, root: int) -> float:
    [mesh] = volume.mesh.get(root).values()
    return float(shape(mesh).area)


class TestToggle:
    def test_a_cut_neuron_is_two_everywhere_at_once(self, mine, client, graph):
        [old], parts = edit(mine, "toggle", neuron=0)
        assert old == neurons.live_roots()[0]
        assert roots_of(graph, 0) == sorted(parts)
        assert graph.is_latest_roots([old, *parts]).tolist() == [False, True, True]
        assert sorted(np.concatenate([graph.get_leaves(part) for part in parts])) == supervoxels_of(0).tolist()
        assert set(graph.get_latest_roots(old).tolist()) == set(parts)

        volume = segmentation(mine)
        source = shape(read_surface(BODY_IDS[0])).area
        assert sum(area(volume, part) for part in parts) == pytest.approx(source, rel=0.001)
        assert area(volume, old) == pytest.approx(source, rel=0.001)

        trees = [client.skeleton.get_skeleton(part) for part in parts]
        l2_ids = [set(graph.get_leaves(part, stop_layer=2).tolist()) for part in parts]
        assert [set(tree["lvl2_ids"]) for tree in trees] == l2_ids
        fresh = (l2_ids[0] | l2_ids[1]) - set(graph.get_leaves(old, stop_layer=2).tolist())
        assert fresh
        assert all(found["size_nm3"] for found in client.l2cache.get_l2data(list(fresh)).values())

    def test_tables_follow_live_and_versions_do_not(self, mine, client, graph):
        [old], parts = edit(mine, "toggle", neuron=0)
        found = client.materialize.live_live_query(
            names.SYNAPSES, moment("live"), filter_in_dict={names.SYNAPSES: {"pre_pt_root_id": parts}}
        )
        true = truth("synapse_neurons")[lambda rows: rows.pre == 0].synapse_id
        kept = client.materialize.synapse_query(pre_ids=old, remove_autapses=False)
        assert set(found.id) == set(kept.id) <= set(true)
        assert set(found.pre_pt_root_id) == set(parts)
        assert found.pre_pt_root_id.tolist() == graph.get_roots(found.pre_pt_supervoxel_id).tolist()
        updated = client.materialize.live_query(
            names.SYNAPSES, moment("live"), filter_in_dict={"pre_pt_root_id": parts}
        )
        assert set(updated.id) == set(found.id)

    def test_an_outdated_root_is_refused_in_a_live_query(self, mine, client):
        [old], _ = edit(mine, "toggle", neuron=0)
        time.sleep(0.005)
        with pytest.raises(requests.HTTPError, match="not valid at the query timestamp"):
            client.materialize.live_live_query(
                names.SYNAPSES, moment("live"), filter_equal_dict={names.SYNAPSES: {"pre_pt_root_id": old}}
            )

    def test_time_travel_reaches_before_and_after_the_edit(self, mine, graph):
        done = mine.control("POST", "edit", {"operation": "toggle", "neuron": 1})
        at = datetime.fromisoformat(done["timestamp"])
        before, after = (set(graph.get_roots(supervoxels_of(1), timestamp=t).tolist()) for t in (at - MS, at))
        assert before == {int(root) for root in done["old_roots"]}
        assert after == {int(root) for root in done["new_roots"]}
        assert abs(datetime.now(UTC) - at) < timedelta(seconds=5)

    def test_toggling_twice_makes_a_new_root_of_the_same_supervoxels(self, mine, graph):
        [old], parts = edit(mine, "toggle", neuron=2)
        again, [new] = edit(mine, "toggle", neuron=2)
        assert sorted(again) == sorted(parts)
        assert new not in (old, *parts)
        assert sorted(graph.get_leaves(new).tolist()) == supervoxels_of(2).tolist()
        log = graph.get_tabular_change_log(new, filtered=False)[new]
        assert log.is_merge.tolist()[-2:] == [False, True]
        assert log.user_name.tolist()[-1] == "Sandbox user"

    def test_the_lineage_of_before_stays(self, mine, graph):
        [old], parts = edit(mine, "toggle", neuron=3)
        found = graph.get_lineage_graph(parts[0], as_nx_graph=True)
        true = {(one.old, one.new) for one in truth("lineage").itertuples() if one.new == old}
        assert true | {(old, parts[0])} <= set(found.edges)


class TestEditsByTheGraphsOwnService:
    def test_a_merger_joins_two_neurons_until_it_is_undone_and_redone(self, mine, graph):
        ends = ends_between(0)
        whose = ids_by_neuron().loc[[end[0] for end in ends]].tolist()
        roots = [*roots_of(graph, whose[0]), *roots_of(graph, whose[1])]
        volume = segmentation(mine)
        areas = sum(area(volume, root) for root in roots)

        merged = post(mine, f"{GRAPH}/merge", ends).json()
        [new] = merged["new_root_ids"]
        assert roots_of(graph, whose[0]) == roots_of(graph, whose[1]) == [new]
        assert area(volume, new) == pytest.approx(areas, rel=1e-6)
        assert graph.get_delta_roots(moment("live") - DAY)[1].tolist() == [new]

        parted = post(mine, f"{GRAPH}/undo", {"operation_id": merged["operation_id"]}).json()["new_root_ids"]
        assert sorted([*roots_of(graph, whose[0]), *roots_of(graph, whose[1])]) == sorted(parted)
        assert len(parted) == 2
        again = post(mine, f"{GRAPH}/redo", {"operation_id": merged["operation_id"]}).json()["new_root_ids"]
        assert roots_of(graph, whose[0]) == again

    def test_a_split_leaves_what_its_preview_showed(self, mine, graph):
        index = np.flatnonzero(neurons.world().segmentation.neuron == 7)
        ids, middle = neurons.world().segmentation.ids, neurons.world().features.middle
        low, high = index[middle[index, 2].argmin()], index[middle[index, 2].argmax()]
        body = {side: [[int(ids[one]), *middle[one].tolist()]] for side, one in (("sources", low), ("sinks", high))}
        shown = post(mine, f"{GRAPH}/graph/split_preview", body).json()
        assert shown["illegal_split"] is False
        done = post(mine, f"{GRAPH}/split", body).json()
        leaves = [set(graph.get_leaves(root).tolist()) for root in done["new_root_ids"]]
        assert len(leaves) == 2
        assert [int(ids[low]) in part for part in leaves] != [int(ids[high]) in part for part in leaves]
        assert {frozenset(part) for part in leaves} == {
            frozenset(part) for part in shown["supervoxel_connected_components"]
        }
        assert set.union(*leaves) == set(supervoxels_of(7).tolist())

    def test_a_refused_edit_is_400_and_stays_in_the_log(self, mine, graph):
        before = graph.get_roots(ids_by_neuron().index).tolist()
        own = supervoxels_of(0)[:2]
        middle = neurons.world().features.middle[np.searchsorted(neurons.world().segmentation.ids, own)]
        ends = [[int(one), *place.tolist()] for one, place in zip(own, middle, strict=True)]
        answer = post(mine, f"{GRAPH}/merge", ends)
        assert answer.status_code == 400
        assert graph.get_operation_details([17])["17"]["operation_status"] == 2
        assert graph.get_roots(ids_by_neuron().index).tolist() == before

    def test_points_far_apart_are_not_joined(self, mine):
        ends = [[int(ids[0]), 0, 0, 0] for ids in (supervoxels_of(0), supervoxels_of(64))]
        assert "Chebyshev" in post(mine, f"{GRAPH}/merge", ends).json()["message"]


class TestEditsByControl:
    def test_supervoxels_are_joined_and_parted(self, mine, graph):
        pair = [end[0] for end in ends_between(12)]
        old, [new] = edit(mine, "merge", pairs=[pair])
        assert graph.get_roots(pair).tolist() == [new, new]
        back, parts = edit(mine, "split", sources=pair[:1], sinks=pair[1:])
        assert back == [new]
        assert sorted(graph.get_roots(pair).tolist()) == sorted(parts)
        assert not set(old) & set(parts)

    def test_what_the_graph_does_not_allow_is_409(self, mine):
        same = [int(one) for one in supervoxels_of(0)[:2]]
        with pytest.raises(Exception, match="409"):
            edit(mine, "merge", pairs=[same])

    def test_a_storm_edits_by_itself_until_it_is_called_off(self, mine, graph):
        mine.control("POST", "profile", {"name": "edit_storm", "scale": 0.02})
        seen, end = set(), time.monotonic() + 10
        while len(seen) < 4 and time.monotonic() < end:
            seen.add(tuple(graph.get_roots(neurons.supervoxels()).tolist()))
            time.sleep(0.02)
        assert len(seen) == 4
        mine.control("POST", "profile", {"name": "fast"})
        calm = graph.get_roots(neurons.supervoxels()).tolist()
        time.sleep(0.3)
        assert graph.get_roots(neurons.supervoxels()).tolist() == calm


class TestNewVersions:
    def test_posted_annotations_are_in_the_next_version_with_their_roots(self, mine, client, graph):
        index = np.linspace(0, len(neurons.world().segmentation.ids) - 1, 12).astype(int)
        places = neurons.world().features.middle[index] // layout.USER_RESOLUTION
        client.annotation.create_table(
            "my_points", "bound_tag", "for this test", voxel_resolution=list(layout.USER_RESOLUTION)
        )
        rows = [{"pt": {"position": place.tolist()}, "tag": f"tag {n}"} for n, place in enumerate(places)]
        assert client.annotation.post_annotation("my_points", rows) == list(range(1, 13))
        edit(mine, "toggle", neuron=4)
        version = mine.control("POST", "materialize")["version"]

        fresh = cave(mine)
        assert fresh.materialize.get_versions() == [2, 3, version]
        assert "my_points" in fresh.materialize.get_tables()
        assert "my_points" not in fresh.materialize.get_tables(version=3)
        found = fresh.materialize.query_table("my_points").sort_values("id")
        true = supervoxels_at(neurons.world(), places * layout.USER_RESOLUTION)
        assert found.pt_supervoxel_id.tolist() == true.tolist()
        assert found.pt_root_id.tolist() == graph.get_roots(true, timestamp=fresh.materialize.get_timestamp()).tolist()
        assert found.tag.tolist() == [f"tag {n}" for n in range(12)]
        assert np.array(found.pt_position.tolist()).tolist() == places.tolist()

    def test_its_tables_have_the_roots_of_today(self, mine, client):
        _, parts = edit(mine, "toggle", neuron=0)
        mine.control("POST", "materialize")
        fresh = cave(mine)
        assert fresh.materialize.version == 4
        found = fresh.materialize.synapse_query(pre_ids=parts, remove_autapses=False)
        assert set(found.pre_pt_root_id) == set(parts)
        assert fresh.materialize.synapse_query(pre_ids=parts, materialization_version=3).empty
        assert fresh.materialize.get_annotation_count(names.SYNAPSES) == 17_479

    def test_the_row_limit_cuts_and_says_so(self, mine, client, caplog):
        mine.control("POST", "profile", {"name": "truncate"})
        with caplog.at_level("WARNING"):
            found = client.materialize.query_table(names.SYNAPSES)
        assert len(found) == 1000
        assert '201 - "Limited query to 1000 rows' in caplog.text
        assert client.materialize.get_annotation_count(names.SYNAPSES) == 17_479


class TestClock:
    def test_an_edit_of_tomorrow_is_not_seen_today(self, mine, graph):
        before = neurons.live_roots()[0]
        mine.control("POST", "clock", {"advance_seconds": 10 * DAY.total_seconds()})
        done = mine.control("POST", "edit", {"operation": "toggle", "neuron": 0})
        assert datetime.fromisoformat(done["timestamp"]) - datetime.now(UTC) > 9 * DAY
        supervoxels = supervoxels_of(0)
        assert set(graph.get_roots(supervoxels, timestamp=moment("live")).tolist()) == {before}
        later = graph.get_roots(supervoxels, timestamp=moment("live") + 11 * DAY)
        assert set(later.tolist()) == {int(root) for root in done["new_roots"]}

    def test_a_version_takes_the_clocks_time(self, mine):
        mine.control("POST", "clock", {"now": "2031-05-06T07:08:09Z"})
        mine.control("POST", "materialize")
        at = cave(mine).materialize.get_timestamp(4)
        assert timedelta(0) <= at - datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC) < timedelta(seconds=5)

    def test_it_cannot_go_back_behind_what_has_happened(self, mine):
        edit(mine, "toggle", neuron=0)
        answer = requests.post(f"{mine.url}/_sandbox/clock", json={"now": "2026-01-01T00:00:00Z"}, timeout=30)
        assert answer.status_code == 409
        assert "2026-01-01" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"operation": "toggle"}', b'{"operation": "toggle", "neuron": 5}'])
def test_an_edit_that_says_too_little_is_refused(mine, body):
    assert requests.post(f"{mine.url}/_sandbox/edit", data=body, timeout=30).status_code == 422


class TestWhatTakesTime:
    @pytest.fixture
    def slow(self, mine) -> Sandbox:
        """As on the real servers new nodes get features after 30 s and skeletons after 45, but nothing else waits."""
        for rule in mine.control("POST", "profile", {"name": "realistic"})["ids"]:
            mine.control("DELETE", f"fault/{rule}")
        return mine

    def test_meshes_and_features_of_edited_chunks_come_half_a_minute_later(self, slow, client, graph):
        _, parts = edit(slow, "toggle", neuron=0)
        now = np.concatenate([graph.get_leaves(part, stop_layer=2) for part in parts])
        before = set(graph.get_leaves(neurons.live_roots()[0], stop_layer=2).tolist())
        fresh = [int(one) for one in now if int(one) not in before]
        volume, source = segmentation(slow), shape(read_surface(BODY_IDS[0])).area
        assert not any(client.l2cache.get_l2data(fresh).values())
        assert sum(area(volume, part) for part in parts) < 0.999 * source
        slow.control("POST", "clock", {"advance_seconds": 31})
        assert all(client.l2cache.get_l2data(fresh).values())
        assert sum(area(volume, part) for part in parts) == pytest.approx(source, rel=0.001)

    def test_ordered_skeletons_are_ready_after_a_while(self, slow, client):
        wanted = neurons.live_roots()[2:]
        client.skeleton.generate_bulk_skeletons_async(wanted, skeleton_version=4)
        assert not any(client.skeleton.skeletons_exist(root_ids=wanted).values())
        assert client.skeleton.fetch_skeletons(wanted) == {}
        slow.control("POST", "clock", {"advance_seconds": 46})
        assert all(client.skeleton.skeletons_exist(root_ids=wanted).values())
        assert {int(root) for root in client.skeleton.fetch_skeletons(wanted)} == set(wanted)


class TestOtherState:
    def test_a_scene_is_kept_and_linked(self, mine, client):
        scene = {"layers": [{"name": "segmentation", "segments": [str(root) for root in neurons.live_roots()]}]}
        number = client.state.upload_state_json(scene)
        assert client.state.get_state_json(number) == scene
        assert str(number) in client.state.build_neuroglancer_url(number)

    def test_annotations_of_the_base_are_changed(self, mine):
        table = base(mine)
        [row] = table.query("SELECT _id, root_id, side FROM CRANTb_meta WHERE cell_instance = 'DA1_lPN_3'")
        root = str(neurons.live_roots()[2])
        table.update_row(names.SEATABLE_TABLE, row["_id"], {"root_id": root})
        [changed] = table.query("SELECT root_id FROM CRANTb_meta WHERE cell_instance = 'DA1_lPN_3'")
        assert (row["root_id"], changed["root_id"]) == (str(neurons.roots_at(3)[2]), root)


def test_a_reset_makes_everything_as_it_was(mine):
    client = cave(mine)
    edit(mine, "toggle", neuron=0)
    client.annotation.create_table("mine", "bound_tag", "x", voxel_resolution=[8, 8, 42])
    mine.control("POST", "materialize")
    mine.control("POST", "profile", {"name": "truncate"})
    mine.control("POST", "clock", {"advance_seconds": 1e6})
    table = base(mine)
    table.query("SELECT * FROM CRANTb_meta")
    table.append_row(names.SEATABLE_TABLE, {"root_id": "1"})

    mine.control("POST", "reset")

    fresh = cave(mine)
    assert fresh.chunkedgraph.get_roots(neurons.supervoxels()).tolist() == neurons.live_roots()
    assert fresh.chunkedgraph.get_operation_details([17]) == {}
    assert fresh.materialize.get_versions() == [2, 3]
    assert "mine" not in fresh.annotation.get_tables()
    assert fresh.materialize.get_timestamp(3) == TIMES[3]
    assert len(fresh.materialize.query_table(names.SYNAPSES)) == 17_479
    assert table.query("SELECT COUNT(*) FROM CRANTb_meta") == [{"COUNT(*)": 68}]
    now = datetime.fromisoformat(mine.control("GET", "clock")["now"])
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_reset_brings_back_the_profile_of_the_start():
    with run_sandbox("--profile", "truncate") as mine:
        mine.control("POST", "profile", {"name": "expired"})
        mine.control("POST", "reset")
        in_force = mine.control("GET", "fault")
    assert (in_force["profile"], in_force["row_limit"]) == ("truncate", 1000)
