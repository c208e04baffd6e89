"""What the functions on synapses ask a CAVE for, and that its row limit changes nothing."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core.access import source_of
from crant_core.identity import update_ids
from crant_core.sandbox.names import SYNAPSES
from crant_core.sandbox.world.history import VERSIONS
from crant_core.synapses import attach_synapses, get_adjacency, get_connectivity, get_synapse_counts, get_synapses
from tests.fixtures.synapse_cave import NO_ROOT, ROWS, asked, cave, current, dataset, running, skeleton

__all__ = ["cave", "dataset", "running"]


class TestRequests:
    @pytest.mark.parametrize(
        ("call", "queries"),
        [
            (lambda roots: get_synapses(roots, roots, dataset="demo"), 1),
            (lambda roots: get_adjacency(roots, roots, symmetric=True, dataset="demo"), 1),
            (lambda roots: get_connectivity(roots, dataset="demo"), 2),
            (lambda roots: get_connectivity(roots, upstream=False, dataset="demo"), 1),
            (lambda roots: get_synapse_counts(roots, dataset="demo"), 2),
        ],
        ids=["synapses", "adjacency", "connectivity", "downstream", "counts"],
    )
    def test_all_neurons_cost_one_query_for_each_side(self, cave, call, queries):
        # P7 of the peer
        call(current())
        count = asked(cave)
        assert count[ROWS] == queries
        assert count["POST /is_latest_roots"] == 1
        assert count.total() <= queries + 4  # the version and its time; the layers of ids, once per client

    def test_all_skeletons_cost_one_query_for_each_side(self, cave):
        attach_synapses(navis.NeuronList([skeleton(one, root) for one, root in enumerate(current())]), dataset="demo")
        assert asked(cave)[ROWS] == 2

    def test_without_updates_the_chunkedgraph_is_not_asked(self, cave):
        get_synapses(current(), update_ids=False, dataset="demo")
        count = asked(cave)
        assert count["POST /is_latest_roots"] == 0
        assert count[ROWS] == 1

    def test_counting_downloads_no_positions(self, dataset, monkeypatch):
        # P7: the peer downloads all columns to count rows
        materialize = source_of(dataset).client().materialize
        query, seen = materialize.query_table, list[pd.DataFrame]()

        def watched(*args: Any, **kwargs: Any) -> pd.DataFrame:
            seen.append(query(*args, **kwargs))
            return seen[-1]

        monkeypatch.setattr(materialize, "query_table", watched)
        get_adjacency(current(), dataset="demo")
        get_connectivity(current(), min_size=5, dataset="demo")
        assert len(seen) == 3
        assert not [name for frame in seen for name in frame if "position" in name]

    def test_many_ids_are_asked_in_batches(self, cave):
        roots = [*current(), *range(NO_ROOT, NO_ROOT + 50_000)]
        found = get_connectivity(roots, upstream=False, update_ids=False, dataset="demo")
        assert asked(cave)[ROWS] == 2
        assert found.equals(get_connectivity(current(), upstream=False, update_ids=False, dataset="demo"))

    @pytest.mark.parametrize("when", ["latest", "live"])
    def test_a_live_answer_does_not_touch_the_root_logger(self, dataset, when):
        # caveclient's live_live_query sets up handlers for the whole process
        handlers = logging.getLogger().handlers
        before = list(handlers)
        handlers.clear()
        try:
            get_synapses(current(), materialization=when, dataset="demo")
            assert handlers == []
        finally:
            handlers[:] = before


class TestRowLimits:
    @pytest.mark.parametrize("when", [2, 3, VERSIONS[2].timestamp + timedelta(days=1)], ids=["2", "3", "live"])
    def test_nothing_depends_on_the_servers_row_limit(self, cave, when):
        # D11: the peer takes the first rows for all of them
        roots = update_ids(current(), timestamp=when, dataset="demo")["new_id"].tolist()
        partners = get_connectivity(roots, materialization=when, dataset="demo")["pre"].unique()[:20].tolist()

        def answers() -> list[pd.DataFrame]:
            pairs = get_adjacency(partners, roots, materialization=when, dataset="demo")
            skeletons = navis.NeuronList([skeleton(number, root) for number, root in enumerate(roots)])
            attached = attach_synapses(skeletons, materialization=when, dataset="demo")
            return [
                get_synapses(post_ids=roots, materialization=when, dataset="demo"),
                pairs,
                get_synapse_counts(roots, materialization=when, dataset="demo"),
                *(one.connectors for one in attached),
            ]

        whole = answers()
        assert len(whole[0]) > 5_000
        assert whole[0]["post_pt_root_id"].value_counts().max() > 1_000  # one neuron alone is too much
        cave.control("POST", "profile", {"name": "truncate"})
        for one, other in zip(answers(), whole, strict=True):
            assert one.equals(other)

    def test_a_live_answer_has_the_rows_of_caveclients_own(self, cave):
        done = cave.control("POST", "edit", {"operation": "toggle", "neuron": 2})
        moment = datetime.fromisoformat(done["timestamp"]) + timedelta(seconds=1)
        cave.control("POST", "clock", {"advance_seconds": 10})
        roots = [*map(int, done["new_roots"]), current()[4]]
        roots = update_ids(roots, timestamp=moment, dataset="demo")["new_id"].unique().tolist()
        found = get_synapses(roots, clean=False, return_pixels=False, materialization=moment, dataset="demo")
        theirs = (
            source_of("demo")
            .client()
            .materialize.live_query(
                SYNAPSES, moment, filter_in_dict={"pre_pt_root_id": roots}, split_positions=True, metadata=False
            )
        )
        theirs = theirs.sort_values("id", ignore_index=True)
        assert len(found) > 100
        for name in ("id", "pre_pt_root_id", "post_pt_root_id", "size", "pre_pt_supervoxel_id"):
            assert found[name].tolist() == theirs[name].tolist()
        places = theirs[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy(np.int64)
        assert found["ctr_pt_position"].tolist() == places.tolist()
