"""What is remembered of annotations, and for how long."""

from __future__ import annotations

import threading

import pandas as pd

from crant_core.neurons import (
    NeuronCriteria,
    get_all_seatable_annotations,
    get_annotations,
    get_proofread_neurons,
    is_proofread,
)
from tests.contracts.annotations.tables import OPN, meta, requests_of
from tests.fixtures.neurons import live_roots


class TestCache:
    def test_eight_threads_download_it_once(self, changing):
        # P10: the peer downloads it eight times.
        tables: list[pd.DataFrame] = []
        start = threading.Barrier(8)

        def ask() -> None:
            start.wait()
            tables.append(get_all_seatable_annotations("demo"))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(table) for table in tables] == [68] * 8
        assert len(requests_of(changing, "/sql")) == 2

    def test_everything_about_annotations_shares_it(self, changing):
        # P8: the peer fetches it again for the proofread ones, and asks twice for access.
        get_all_seatable_annotations("demo", proofread_only=True)
        get_proofread_neurons("demo")
        NeuronCriteria(cell_class=OPN, dataset="demo").get_roots()
        assert len(requests_of(changing, "/sql")) == 2
        assert len(requests_of(changing, "app-access-token")) == 1

    def test_clear_cache_fetches_it_anew(self, changing):
        get_all_seatable_annotations("demo")
        for again in (
            lambda: get_all_seatable_annotations("demo", clear_cache=True),
            lambda: get_annotations(live_roots(), "demo", clear_cache=True),
            lambda: NeuronCriteria(cell_class=OPN, dataset="demo", clear_cache=True).get_roots(),
            lambda: get_proofread_neurons("demo", clear_cache=True),
            lambda: is_proofread(live_roots(), "demo", clear_cache=True),
        ):
            changing.control("DELETE", "log")
            again()
            assert len(requests_of(changing, "/sql")) == 2

    def test_what_callers_change_is_theirs_alone(self, changing):
        # D2: the peer's get_annotations writes new ids into the table that everybody gets afterwards.
        before = get_all_seatable_annotations("demo")
        mine = get_annotations(live_roots(), "demo")
        mine["cell_class"] = "changed"
        mine.loc[0, "region"].append("changed")
        get_all_seatable_annotations("demo").loc[0, "position"].clear()
        get_all_seatable_annotations("demo").attrs["unreadable"].append("changed")
        NeuronCriteria(cell_class=OPN, dataset="demo").annotations.loc[0, "status"].append("changed")
        after = get_all_seatable_annotations("demo")
        pd.testing.assert_frame_equal(after, before)
        assert after.attrs["unreadable"] == []
        assert before["root_id"].tolist() == meta()["root_id"].tolist()

    def test_get_annotations_leaves_the_ids_as_annotators_wrote_them(self, changing):
        get_annotations(live_roots(), "demo")
        raw = NeuronCriteria(cell_class=OPN, dataset="demo", update_ids=False).get_roots()
        written = meta().loc[meta()["cell_class"] == OPN, "root_id"].dropna().unique()
        assert raw.tolist() == [int(root) for root in written]
