"""SeaTable's pages, and answers that are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crant_core import registry
from crant_core.annotations import supervoxels_of
from crant_core.datasets import Dataset, SeaTableStore
from crant_core.errors import (
    Incomplete,
    SourceError,
    SourceTokenMissing,
    SourceUnavailable,
)
from crant_core.neurons import (
    get_all_seatable_annotations,
    get_annotations,
)
from crant_core.sandbox.names import SEATABLE_BASE, SEATABLE_TABLE, SEATABLE_WORKSPACE
from crant_core.sandbox.seatable import COLUMN_KINDS, Answer, SeaTable
from crant_core.sandbox.state import State
from crant_core.sources.seatable import SeaTableReader
from tests.contracts.annotations.tables import meta, requests_of
from tests.fixtures.sandbox import run_sandbox
from tests.fixtures.serving import seatable_alone, served

TOKEN = "0123456789abcdef0123456789abcdef"


FIRST_ROOT = 576460752303423488  # 2^59: a float would keep only every 128th


@contextmanager
def serving(table: SeaTable) -> Iterator[Dataset]:
    """Serve a table of annotations over HTTP and nothing else."""
    with served(seatable_alone(State(token=TOKEN, graph=None, seatable=table))) as url:
        yield _dataset(url)


def _dataset(url: str) -> Dataset:
    store = SeaTableStore(server=url, workspace=SEATABLE_WORKSPACE, base=SEATABLE_BASE, table=SEATABLE_TABLE)
    found = Dataset(name="lab", datastack="lab", server=url, viewer_resolution=(8, 8, 42), annotations=store)
    return registry.register(found, annotation_token=TOKEN)


def rows_of(count: int, **columns: list[Any]) -> pd.DataFrame:
    rows = pd.DataFrame({name: [None] * count for name in COLUMN_KINDS}, dtype=object)
    rows["root_id"] = [str(FIRST_ROOT + number) for number in range(count)]
    return rows.assign(**columns)


class Restless(SeaTable):
    """A table of which something changes after its pages were asked for."""

    def __init__(self, rows: pd.DataFrame, row_cap: int, change: Callable[[Restless, int], None]) -> None:
        super().__init__(rows, row_cap)
        self.pages, self.queries = 0, 0
        self._change = change

    def query(self, sql: str, parameters: Any = ()) -> Answer:
        answer = super().query(sql, parameters)
        self.queries += 1
        if "COUNT" not in sql:
            self.pages += 1
            self._change(self, self.pages)
        return answer

    def add(self, root: int) -> None:
        self.append([{"root_id": str(root)}], datetime.now(UTC))

    def remove(self, number: int) -> None:
        self.delete([str(self.page(number, 1).rows[0][0])])


def _still(table: Restless, page: int) -> None:
    pass


def roots_in(dataset: Dataset) -> list[int]:
    return [int(root) - FIRST_ROOT for root in get_all_seatable_annotations(dataset)["root_id"]]


class TestPages:
    # D11: the peer takes a short page for the last one, and what it has by then for the table.
    @pytest.mark.parametrize("cap", [2, 7, 99, 100])
    def test_a_server_that_gives_fewer_rows_than_asked_is_asked_until_all_are_there(self, cap):
        with serving(SeaTable(rows_of(100), cap)) as dataset:
            assert roots_in(dataset) == list(range(100))

    def test_a_table_beyond_the_usual_limit_comes_whole(self):
        with run_sandbox("--neurons", "101") as large:  # for each a copy and a hundred fragments
            registry.register(large.dataset, large.token)
            table = get_all_seatable_annotations("demo")
            assert len(table) == 68 + 101 + 10_100
            assert table["cell_class"].value_counts()[["load_fragment", "load_copy"]].tolist() == [10_100, 101]
            assert table["root_id"][:68].tolist() == meta()["root_id"].tolist()
            large.control("DELETE", "log")
            assert len(get_annotations(table["root_id"].dropna(), "demo")) == 10_267  # all but two without an id
            asked = requests_of(large, "/segmentation/")
            assert len(asked) < 12, asked  # and not one for each of ten thousand neurons

    def test_an_empty_table_is_a_typed_empty_one(self):
        with serving(SeaTable(rows_of(0))) as dataset:
            table = get_all_seatable_annotations(dataset)
            assert table.shape == (0, 30)
            assert set(table.dtypes) == {np.dtype(object)}

    def test_one_page_costs_a_count_and_a_page(self):
        table = Restless(rows_of(50), 50, _still)
        with serving(table) as dataset:
            assert roots_in(dataset) == list(range(50))
        assert (table.queries, table.pages) == (2, 1)

    def test_a_row_added_while_it_was_read_is_in_it_at_the_second_attempt(self):
        table = Restless(rows_of(20), 10, lambda self, page: self.add(FIRST_ROOT + 77) if page == 1 else None)
        with serving(table) as dataset:
            assert roots_in(dataset) == [*range(20), 77]

    def test_a_row_removed_while_it_was_read_hides_no_other_one(self):
        # Without it, the row that moves up to where the first page ended would be on no page.
        def change(table: Restless, page: int) -> None:
            if page == 1:
                table.remove(3)
                table.add(FIRST_ROOT + 77)  # so that the count is the same

        with serving(Restless(rows_of(20), 10, change)) as dataset:
            assert roots_in(dataset) == [*range(3), *range(4, 20), 77]

    def test_a_table_that_never_rests_is_an_error_and_nothing_is_kept(self):
        busy = True

        def change(table: Restless, page: int) -> None:
            if busy:
                table.add(FIRST_ROOT + 1_000 + page)

        table = Restless(rows_of(20), 10, change)
        with serving(table) as dataset:
            with pytest.raises(Incomplete, match="changed while it was read"):
                get_all_seatable_annotations(dataset)
            busy = False
            assert len(get_all_seatable_annotations(dataset)) == len(table)

    def test_a_server_that_stops_before_the_end_is_an_error_and_nothing_is_kept(self):
        def change(table: Restless, page: int) -> None:
            table.row_cap = 1  # each further page holds only the row that the one before ended with

        table = Restless(rows_of(20), 10, change)
        with serving(table) as dataset:
            with pytest.raises(Incomplete, match="1 of the 20 rows"):
                get_all_seatable_annotations(dataset)
            table._change, table.row_cap = _still, 10
            assert roots_in(dataset) == list(range(20))


class TestHalfAnswers:
    def test_an_answer_that_breaks_off_is_asked_for_again(self, changing):
        changing.control("POST", "fault", {"path": "/sql", "kind": "truncated_gzip", "after": 1, "times": 1})
        assert len(get_all_seatable_annotations("demo")) == 68
        assert len(requests_of(changing, "/sql")) == 2 + 2

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "truncated_gzip"},
            {"kind": "reset"},
            {"status": 503},
            {"status": 429},
            {"status": 200, "body": "<html>be right back</html>"},
            {"status": 200, "body": {"success": True}},
            {"status": 200, "body": {"success": True, "results": [{}]}},
        ],
    )
    def test_what_goes_on_is_an_error_and_never_a_part_of_the_table(self, changing, fault):
        changing.control("POST", "fault", {"path": "/sql", "after": 1, "times": 9, **fault})
        with pytest.raises((SourceUnavailable, Incomplete)):
            get_all_seatable_annotations("demo")
        changing.control("DELETE", "fault")
        assert len(get_all_seatable_annotations("demo")) == 68

    @pytest.mark.parametrize("path", ["/temp-api-token/", "/app-access-token/"])
    def test_an_answer_about_access_that_says_nothing_is_an_error(self, changing, path):
        changing.control("POST", "fault", {"path": path, "status": 200, "body": {"nothing": 1}, "times": 9})
        with pytest.raises(Incomplete, match="lacks"):
            get_all_seatable_annotations("demo")

    def test_a_refused_query_is_told_at_once_with_the_servers_words(self, changing):
        refusal = {"success": False, "error_message": "column root_id not found"}
        changing.control("POST", "fault", {"path": "/sql", "status": 200, "body": refusal, "times": 9})
        with pytest.raises(SourceError, match="column root_id not found"):
            get_all_seatable_annotations("demo")
        assert len(requests_of(changing, "/sql")) == 1

    def test_a_table_without_a_column_is_an_error_that_names_it(self):
        with serving(SeaTable(rows_of(3))) as dataset:
            assert isinstance(dataset.annotations, SeaTableStore)
            with pytest.raises(SourceError, match="glial_type"):
                SeaTableReader(dataset.annotations, TOKEN).rows(["root_id", "glial_type"])

    def test_a_wrong_token_is_told_once(self, changing):
        registry.register(changing.dataset, changing.token, annotation_token="f" * 32)
        with pytest.raises(SourceError, match="401") as caught:
            get_all_seatable_annotations("demo")
        assert not caught.value.retryable
        assert len(requests_of(changing)) == 1

    def test_without_a_token_the_error_says_how_to_set_one_and_nobody_is_asked(self, changing):
        # D19: crantpy cannot even be imported then.
        far = changing.dataset.model_copy(
            update={"annotations": SeaTableStore(server="http://127.0.0.1:9", workspace="1", base="b", table="t")}
        )
        with pytest.raises(SourceTokenMissing, match="CRANTTABLE_TOKEN"):
            get_all_seatable_annotations(far)

    def test_other_users_of_seatable_api_notice_nothing(self, changing):
        import requests
        from seatable_api import Base, main

        get_all_seatable_annotations("demo")
        with pytest.raises(ConnectionError, match="401"):  # its own error, not ours
            Base("f" * 32, changing.url).auth()
        assert main.requests.Session is requests.Session


class TestAbout:
    """Supervoxels of a few roots."""

    SUPERVOXEL = 72339069014638592

    def table(self, count: int, cap: int = 1000) -> Restless:
        roots = [f" {FIRST_ROOT + number} " for number in range(count)]  # as people type
        supervoxels = [str(self.SUPERVOXEL + number) for number in range(count)]
        return Restless(rows_of(count, root_id=roots, supervoxel_id=supervoxels), cap, _still)

    def test_only_their_rows_are_asked_for(self):
        table = self.table(500)
        with serving(table) as dataset:
            wanted = [FIRST_ROOT + 7, FIRST_ROOT + 300, FIRST_ROOT + 9_999]
            found = supervoxels_of(dataset, roots=wanted)
            assert found == {FIRST_ROOT + 7: self.SUPERVOXEL + 7, FIRST_ROOT + 300: self.SUPERVOXEL + 300}
            assert (table.queries, table.pages) == (2, 1)
            everything = supervoxels_of(dataset)
            assert {root: everything.get(root) for root in found} == found
            before = table.queries
            assert supervoxels_of(dataset, roots=wanted) == everything, "the table is known by now"
            assert table.queries == before

    def test_an_answer_in_pages_is_whole(self):
        with serving(self.table(40, cap=3)) as dataset:
            wanted = [FIRST_ROOT + number for number in range(0, 40, 4)]
            assert [*supervoxels_of(dataset, roots=wanted)] == wanted

    def test_of_many_roots_or_none_the_table_is_fetched(self):
        for count in (0, 51):
            table = self.table(60)
            with serving(table) as dataset:
                assert len(supervoxels_of(dataset, roots=[FIRST_ROOT + number for number in range(count)])) == 60


def test_a_mistyped_cell_is_empty_and_reported_and_all_others_are_read():
    # The peer drops what is not digits: "-5, 12.5, 3" becomes [3].
    positions = ["-5, 12.5, 3", "1,2,3", "[7 8 9]", "about here", "1, 2"]
    supervoxels = ["72058693549555712", "7.2E+16", "", None, "see notes"]
    with serving(SeaTable(rows_of(5, position=positions, supervoxel_id=supervoxels))) as dataset:
        table = get_all_seatable_annotations(dataset)
    assert table["position"].tolist() == [[-5, 12, 3], [1, 2, 3], [7, 8, 9], None, None]
    assert table["supervoxel_id"].tolist() == ["72058693549555712", None, None, None, "see notes"]
    assert sorted(table.attrs["unreadable"]) == [
        (1, "supervoxel_id", "7.2E+16"),
        (3, "position", "about here"),
        (4, "position", "1, 2"),
    ]
