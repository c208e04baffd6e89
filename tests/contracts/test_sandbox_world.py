"""The assembled sandbox's chunkedgraph against the truth files: time travel, lineage, logs, nodes.

How many parts a neuron was in at a version (`PARTS`) follows from the script of edits; which root became which from
`truth/lineage`; which supervoxel is whose from the segmentation's own labels.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import requests
from caveclient import CAVEclient

from crant_core.sandbox import layout
from crant_core.sandbox.objects.segmentation import supervoxels_at
from crant_core.sandbox.world.history import INGESTED
from tests.contracts.sandbox_clients import (
    MS,
    PARTS,
    REAL,
    TIMES,
    born,
    cave,
    edits,
    heirs,
    ids_by_neuron,
    moment,
    outdated,
    supervoxels_of,
    truth,
)
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

FALSE_MERGER = 6  #: the operation that undid it
OPERATIONS = range(1, 17)
UNKNOWN = (8 << 56) | 12_345


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> CAVEclient:
    return cave(sandbox)


@pytest.fixture(scope="module")
def graph(client):
    return client.chunkedgraph


def roots_of(graph, neuron: int, at: datetime) -> np.ndarray:
    return graph.get_roots(supervoxels_of(neuron), timestamp=at)


def operation(number: int) -> pd.DataFrame:
    rows = truth("lineage")
    return rows[rows.operation_id == number]


@pytest.mark.parametrize("at", [1, 2, 3, "live"])
class TestTimeTravel:
    def test_real_neurons_are_in_as_many_parts_as_their_history_left_them(self, graph, at):
        found = tuple(len(np.unique(roots_of(graph, neuron, moment(at)))) for neuron in range(REAL))
        assert found == PARTS[at]

    def test_made_up_neurons_were_always_whole_and_apart(self, graph, at):
        by_neuron = ids_by_neuron()[lambda neuron: neuron >= REAL]
        pairs = {
            (int(one), int(root))
            for one, root in zip(by_neuron, graph.get_roots(by_neuron.index, timestamp=moment(at)), strict=True)
        }
        assert len(pairs) == len({neuron for neuron, _ in pairs}) == len({root for _, root in pairs}) == 60

    def test_every_piece_is_in_one_root(self, graph, at):
        found = neurons.world().segmentation
        roots = graph.get_roots(found.ids, timestamp=moment(at))
        assert (pd.Series(roots).groupby([found.neuron, found.piece]).nunique() == 1).all()

    def test_only_the_false_merger_joins_two_neurons_and_only_until_it_was_undone(self, graph, at):
        roots = pd.Series(graph.get_roots(ids_by_neuron().index, timestamp=moment(at)))
        shared = roots.groupby(roots).agg(lambda members: set(ids_by_neuron().to_numpy()[members.index]))
        mixed = [whose for whose in shared if len(whose) > 1]
        assert mixed == ([{0, 1}] if at == 1 else [])

    def test_no_root_had_ended_or_was_not_yet_made(self, graph, at):
        roots = set(graph.get_roots(ids_by_neuron().index, timestamp=moment(at)).tolist())
        assert not roots & outdated(moment(at))
        assert roots >= born(moment(at)) - outdated(moment(at))
        assert not roots & (born(moment("live")) - born(moment(at)))

    def test_all_of_them_were_the_latest(self, graph, at):
        roots = np.unique(graph.get_roots(ids_by_neuron().index, timestamp=moment(at)))
        assert graph.is_latest_roots(roots, timestamp=moment(at)).all()
        assert not graph.is_latest_roots(sorted(outdated(moment(at))), timestamp=moment(at)).any()


@pytest.mark.parametrize("number", OPERATIONS)
class TestExactTimes:
    def test_roots_change_at_the_edit_and_is_latest_a_millisecond_later(self, graph, number):
        rows = operation(number)
        at, old, new = rows.timestamp.iloc[0].to_pydatetime(), set(rows.old), set(rows.new)
        details = graph.get_operation_details([number])[str(number)]
        ends = [*details["source_ids"], *details["sink_ids"]]
        assert set(graph.get_roots(ends, timestamp=at - MS).tolist()) == old
        assert set(graph.get_roots(ends, timestamp=at).tolist()) == new
        latest = [graph.is_latest_roots([*old, *new], timestamp=at + step).tolist() for step in (0 * MS, MS)]
        assert latest == [[True] * len(old) + [False] * len(new), [False] * len(old) + [True] * len(new)]

    def test_a_finer_time_is_cut_to_milliseconds(self, graph, number):
        rows = operation(number)
        at = rows.timestamp.iloc[0].to_pydatetime() + timedelta(microseconds=900)
        assert graph.is_latest_roots(rows.old.unique(), timestamp=at).all()

    def test_its_record_names_user_time_and_the_supervoxels_at_the_places_clicked(self, graph, number):
        rows, found = operation(number), graph.get_operation_details([number])[str(number)]
        assert (found["user"], found["operation_status"]) == (str(rows.user.iloc[0]), 0)
        assert datetime.fromisoformat(found["timestamp"]) == rows.timestamp.iloc[0]
        assert set(found["roots"]) == set(rows.new)
        for side in ("source", "sink"):
            places = np.array(found[f"{side}_coords"]) * layout.RESOLUTION
            assert supervoxels_at(neurons.world(), places).tolist() == found[f"{side}_ids"]

    def test_mergers_join_pieces_of_one_neuron_and_the_split_parts_two(self, graph, number):
        found = graph.get_operation_details([number])[str(number)]
        edges = found["removed_edges" if number == FALSE_MERGER else "added_edges"]
        whose = ids_by_neuron().loc[np.ravel(edges)].to_numpy().reshape(-1, 2)
        assert len(np.unique(whose, axis=0)) == 1
        assert (whose[0, 0] != whose[0, 1]) == (number == FALSE_MERGER)


class TestLineage:
    def test_the_graph_of_all_real_neurons_is_the_truth(self, graph):
        found = graph.get_lineage_graph(neurons.live_roots(), as_nx_graph=True)
        assert set(found.edges) == set(zip(truth("lineage").old, truth("lineage").new, strict=True))
        ended = truth("lineage").set_index("old").operation_id.to_dict()
        told = {node: data["operation_id"] for node, data in found.nodes(data=True) if "operation_id" in data}
        assert told == ended

    def test_a_graph_bounded_in_time_ends_with_the_first_roots_beyond(self, graph):
        found = graph.get_lineage_graph(
            neurons.roots_at(2), timestamp_past=TIMES[2], timestamp_future=TIMES[3], as_nx_graph=True
        )
        made = truth("lineage").set_index("new").timestamp.to_dict()
        reached, expected = set(neurons.roots_at(2)), set()
        for edit in truth("lineage").itertuples():
            if edit.old in reached and made.get(edit.old, INGESTED) <= TIMES[3]:
                reached.add(edit.new)
                expected.add((edit.old, edit.new))
        assert set(found.edges) == expected

    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_latest_roots_are_the_heirs(self, graph, version):
        for root in set(neurons.roots_at(version)):
            assert set(graph.get_latest_roots(root).tolist()) == heirs([root], TIMES[version], moment("live"))

    def test_latest_roots_at_another_time(self, graph):
        for root in set(neurons.roots_at(1)):
            found = graph.get_latest_roots(root, timestamp=TIMES[2])
            assert set(found.tolist()) == heirs([root], TIMES[1], TIMES[2])

    def test_an_old_root_suggests_the_heir_that_has_most_of_it(self, graph):
        for root in set(neurons.roots_at(1)):
            ids = ids_by_neuron().index
            members = ids[graph.get_roots(ids, timestamp=TIMES[1]) == root]
            most = int(ids_by_neuron().loc[members].mode()[0])
            assert int(graph.suggest_latest_roots(root)) == neurons.live_roots()[most]

    def test_past_ids_lead_back_to_a_version(self, graph):
        live = neurons.live_roots()
        found = graph.get_past_ids(live, timestamp_past=TIMES[1])["past_id_map"]
        for neuron, root in enumerate(live):
            assert set(found[root]) == set(roots_of(graph, neuron, TIMES[1]).tolist())

    def test_future_ids_are_known_where_nothing_was_split(self, graph):
        found = graph.get_past_ids(neurons.live_roots(), timestamp_past=TIMES[1])["future_id_map"]
        alone = {old: heirs([old], TIMES[1], moment("live")) for old in found}
        assert all(alone[old] == {new} for old, new in found.items())
        parted = set(operation(FALSE_MERGER).old)
        assert not parted & found.keys()
        assert len(found) == 15  # 17 parts of the five neurons then, two of them in the one that was split

    def test_delta_roots_are_what_ended_and_what_began(self, graph):
        for first, second in ((1, 2), (2, 3)):
            old, new = graph.get_delta_roots(TIMES[first], TIMES[second])
            rows = edits(TIMES[second], TIMES[first])
            assert (set(old.tolist()), set(new.tolist())) == (set(rows.old), set(rows.new))

    def test_root_timestamps_are_those_of_the_edits(self, graph):
        rows = truth("lineage").drop_duplicates("new")
        assert graph.get_root_timestamps(rows.new).tolist() == rows.timestamp.tolist()
        never_edited = graph.get_roots(supervoxels_of(REAL))[:1]
        assert graph.get_root_timestamps(never_edited).tolist() == [INGESTED]

    def test_the_original_roots_are_those_of_the_ingest(self, graph):
        found = set(graph.get_original_roots(neurons.live_roots()).tolist())
        assert found == set(truth("lineage").old) - set(truth("lineage").new)

    def test_unknown_ids_are_not_latest_and_have_no_lineage(self, graph):
        assert graph.is_latest_roots([UNKNOWN, *neurons.live_roots()]).tolist() == [False] + [True] * REAL
        with pytest.raises(requests.HTTPError, match="500"):
            graph.get_lineage_graph(UNKNOWN)


class TestChangeLogs:
    @pytest.mark.parametrize("neuron", range(REAL))
    def test_the_log_of_a_neuron_has_the_edits_that_joined_its_pieces(self, graph, neuron):
        root = neurons.live_roots()[neuron]
        log = graph.get_tabular_change_log(root)[root]
        mergers = log[log.is_merge].operation_id
        assert set(log.operation_id) - set(mergers) == ({FALSE_MERGER} if neuron < 2 else set())
        assert len(mergers) == 3  # four pieces
        rows = truth("lineage").drop_duplicates("operation_id").set_index("operation_id").loc[log.operation_id]
        assert pd.to_datetime(log.timestamp, unit="ms", utc=True).tolist() == rows.timestamp.tolist()
        assert log.user_id.astype(int).tolist() == rows.user.tolist()
        assert set(log.user_name) <= {"First proofreader", "Second proofreader", "Third proofreader"}

    def test_unfiltered_it_has_those_of_the_neuron_it_was_falsely_merged_with(self, graph):
        root = neurons.live_roots()[1]
        own = set(graph.get_tabular_change_log(root)[root].operation_id)
        every = set(graph.get_tabular_change_log(root, filtered=False)[root].operation_id)
        assert every - own == {1, 2}  # two pieces of the first neuron

    def test_a_users_operations_are_theirs(self, graph):
        found = graph.get_user_operations(12, INGESTED, timestamp_end=moment("live"))
        mine = truth("lineage")[lambda rows: rows.user == 12]
        assert found.operation_id.tolist() == sorted(set(mine.operation_id))


class TestNodes:
    def test_leaves_of_the_real_neurons_are_their_supervoxels(self, graph):
        for neuron, root in enumerate(neurons.live_roots()):
            assert sorted(graph.get_leaves(root).tolist()) == supervoxels_of(neuron).tolist()

    def test_parts_of_an_older_version_share_out_the_neuron(self, graph):
        parts = np.unique(roots_of(graph, 3, TIMES[2]))
        leaves = np.concatenate([graph.get_leaves(part) for part in parts])
        assert sorted(leaves.tolist()) == supervoxels_of(3).tolist()

    def test_l2_chunks_are_one_or_more_per_chunk_and_carry_its_position(self, graph):
        root = neurons.live_roots()[0]
        l2_ids = graph.get_leaves(root, stop_layer=2)
        chunks = {tuple(chunk) for chunk in layout.chunk_of(supervoxels_of(0)).tolist()}
        assert {tuple(chunk) for chunk in layout.chunk_of(l2_ids).tolist()} == chunks

    def test_leaves_in_a_box_lie_in_its_chunks(self, graph):
        root, middle = neurons.live_roots()[0], layout.chunk_of(neurons.supervoxels()[:1])[0]
        low = middle * layout.CHUNK_SIZE + layout.VOXEL_OFFSET
        found = graph.get_leaves(root, bounds=np.stack([low, low + layout.CHUNK_SIZE]).T)
        expected = [one for one in supervoxels_of(0).tolist() if (layout.chunk_of(one) == middle).all()]
        assert sorted(found.tolist()) == expected

    def test_the_l2_graph_of_a_neuron_is_connected(self, graph):
        import networkx as nx

        for root in neurons.live_roots():
            found = nx.Graph(graph.level2_chunk_graph(root))
            assert set(found) == set(graph.get_leaves(root, stop_layer=2).tolist())
            assert nx.is_connected(found)

    def test_mixed_layers_unknown_ids_and_zero_in_one_call(self, graph):
        supervoxel, root = int(neurons.supervoxels()[0]), neurons.live_roots()[0]
        l2_id = int(graph.get_roots([supervoxel], stop_layer=2)[0])
        asked = [supervoxel, l2_id, root, (1 << 56) | 99, 0]
        assert graph.get_roots(asked).tolist() == [root, root, root, 0, 0]

    def test_where_nothing_resolves_the_ids_come_back(self, graph):
        supervoxels = neurons.supervoxels()
        found = graph.get_roots(supervoxels, timestamp=INGESTED - timedelta(days=1))
        assert found.tolist() == supervoxels.tolist()

    def test_a_path_leads_from_one_l2_chunk_to_another_inside_the_neuron(self, client):
        graph, root = client.chunkedgraph, neurons.live_roots()[0]
        l2_ids = graph.get_leaves(root, stop_layer=2)
        places = client.l2cache.get_l2data(l2_ids[[0, -1]].tolist(), attributes=["rep_coord_nm"])
        ends = [places[str(one)]["rep_coord_nm"] for one in l2_ids[[0, -1]]]
        centres, path, missing = graph.find_path(root, *map(np.array, ends))
        pairs = {frozenset(pair) for pair in graph.level2_chunk_graph(root)}
        assert {path[0], path[-1]} == set(l2_ids[[0, -1]].tolist())
        assert all(frozenset(pair) in pairs for pair in itertools.pairwise(path))
        assert (len(missing), len(centres)) == (0, len(path))
