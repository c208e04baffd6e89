"""Annotations: one suite for the port and its three adapters, then each against what may go wrong with it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn
from starlette.applications import Starlette

from crant_core import registry
from crant_core.access import clear_all_caches, source_of
from crant_core.annotations import AnnotationSource, supervoxels_of
from crant_core.annotations.cells import COLUMNS, IDS, LISTS, POSITIONS
from crant_core.annotations.table import annotation_source
from crant_core.datasets import CaveTableStore, Dataset, FileStore, SeaTableStore
from crant_core.errors import (
    Incomplete,
    InvalidId,
    InvalidInput,
    NoMatchesError,
    SourceError,
    SourceTokenMissing,
    SourceUnavailable,
    Truncated,
)
from crant_core.identity.updates import update_ids
from crant_core.neurons import (
    NeuronCriteria,
    get_all_seatable_annotations,
    get_annotations,
    get_proofread_neurons,
    is_proofread,
)
from crant_core.sandbox.auth import TokenAuth
from crant_core.sandbox.names import SEATABLE_BASE, SEATABLE_TABLE, SEATABLE_WORKSPACE
from crant_core.sandbox.seatable import COLUMN_KINDS, Answer, SeaTable
from crant_core.sandbox.services import seatable as service
from crant_core.sandbox.state import State
from crant_core.sandbox.world.history import VERSIONS
from crant_core.sources.seatable import SeaTableReader
from tests.fixtures.neurons import live_roots, roots_at, world
from tests.fixtures.sandbox import Sandbox, run_sandbox

TOKEN = "0123456789abcdef0123456789abcdef"
FIRST_ROOT = 576460752303423488  # 2^59: a float would keep only every 128th
NOBODY = 576460752303999999  # has the form of a root id
OPN = "olfactory_projection_neuron"


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch, tmp_path) -> Iterator[None]:
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path / "cache"))
    monkeypatch.delenv("CRANTTABLE_TOKEN", raising=False)
    monkeypatch.setattr("crant_core.sources.seatable._COOLDOWN", 0.01)
    for name in ("_registered", "_tokens", "_annotation_tokens"):
        monkeypatch.setattr(registry, name, {})
    clear_all_caches()
    yield
    clear_all_caches()


@pytest.fixture(scope="module")
def playground() -> Iterator[Sandbox]:
    with run_sandbox() as running:
        yield running


@pytest.fixture
def changing(playground) -> Iterator[Sandbox]:
    """An offline CAVE that a test may change; known as the dataset demo."""
    registry.register(playground.dataset, playground.token)
    yield playground
    playground.control("POST", "profile", {"name": "fast"})
    playground.control("POST", "reset")


@pytest.fixture
def demo(sandbox) -> Dataset:
    return registry.register(sandbox.dataset, sandbox.token)


def requests_of(sandbox: Sandbox, part: str = "") -> list[str]:
    entries = sandbox.control("GET", "log")["entries"]
    return [entry["path"] for entry in entries if part in entry["path"] and "_sandbox" not in entry["path"]]


def meta() -> pd.DataFrame:
    """The sandbox's annotations as they were written."""
    return world().frame("seatable")


def real_rows() -> pd.DataFrame:
    """The annotations of the five real neurons; the first has another one further down."""
    return meta().iloc[:5]


# --- the port -----------------------------------------------------------------------------------------------------


def _in_seatable(demo: Dataset, folder: Path) -> Dataset:
    return demo


def _in_cave(demo: Dataset, folder: Path) -> Dataset:
    return demo.model_copy(update={"name": "in_cave", "annotations": CaveTableStore(table="backbone_proofread")})


def _in_parquet(demo: Dataset, folder: Path) -> Dataset:
    meta().to_parquet(folder / "meta.parquet")
    store = FileStore(path=str(folder / "meta.parquet"))
    return demo.model_copy(update={"name": "in_parquet", "annotations": store})


def _in_csv(demo: Dataset, folder: Path) -> Dataset:
    rows = meta().assign(**{name: [";".join(cell) for cell in meta()[name]] for name in LISTS})
    rows.to_csv(folder / "meta.csv", index=False)
    store = FileStore(path=str(folder / "meta.csv"))
    return demo.model_copy(update={"name": "in_csv", "annotations": store})


@pytest.fixture(params=[_in_seatable, _in_cave, _in_parquet, _in_csv])
def anywhere(request, demo, tmp_path) -> Dataset:
    """The dataset demo with its annotations in each of the places."""
    found: Dataset = request.param(demo, tmp_path)
    return registry.register(found)


class TestPort:
    def test_the_table_has_the_30_columns_in_order_with_the_documented_types(self, anywhere):
        source: AnnotationSource = annotation_source(anywhere)
        table = source.table()
        assert list(table.columns) == list(COLUMN_KINDS) == list(COLUMNS)
        assert set(table.dtypes) == {np.dtype(object)}
        assert list(table.index) == list(range(len(table)))
        allowed: dict[str, tuple[type, ...]] = {name: (str, type(None)) for name in COLUMNS}
        allowed |= dict.fromkeys(POSITIONS, (list, type(None))) | dict.fromkeys(LISTS, (list,))
        allowed["proofread"] = (bool, type(None))
        for name in COLUMNS:
            assert {type(cell) for cell in table[name]} <= set(allowed[name]), name

    def test_ids_are_exact_and_positions_are_three_voxels(self, anywhere):
        table = annotation_source(anywhere).table()
        assert table["supervoxel_id"][0] == meta()["supervoxel_id"][0]
        assert table["position"][0] == [int(part) for part in meta()["position"][0].split(", ")]
        assert {type(part) for cell in table["position"] for part in cell} == {int}

    def test_all_rows_come_and_each_call_gives_its_own_table(self, anywhere):
        source = annotation_source(anywhere)
        one, other = source.table(), source.table()
        rows = len(world().frame("tables/backbone_proofread")) if anywhere.name == "in_cave" else len(meta())
        assert len(one) == rows
        one.loc[0, "root_id"] = "changed"
        assert other.loc[0, "root_id"] != "changed"

    def test_the_key_is_the_same_for_the_same_table_only(self, anywhere, demo):
        assert annotation_source(anywhere).key == annotation_source(anywhere).key
        other = demo.model_copy(update={"annotations": CaveTableStore(table="cell_info")})
        assert annotation_source(other).key != annotation_source(anywhere).key

    def test_every_real_neuron_is_found_by_its_current_id(self, anywhere):
        found = get_annotations(live_roots(), anywhere)
        assert list(dict.fromkeys(found["root_id"])) == [str(root) for root in live_roots()]
        assert found.attrs["missing"] == []
        assert is_proofread(live_roots(), anywhere).tolist() == [True] * 5

    def test_all_three_places_hold_the_same_about_them(self, anywhere, demo):
        columns = ["root_id", "supervoxel_id", "position", "proofread"]
        there, here = (get_annotations(live_roots(), dataset)[columns] for dataset in (anywhere, demo))
        if anywhere.name == "in_cave":  # no second annotation of the first neuron there
            here = here.drop(1).reset_index(drop=True)
        pd.testing.assert_frame_equal(there, here)


# --- SeaTable -----------------------------------------------------------------------------------------------------


@contextmanager
def serving(table: SeaTable) -> Iterator[Dataset]:
    """Serve a table of annotations over HTTP and nothing else."""
    state = State(token=TOKEN, graph=None, seatable=table)
    app = Starlette(routes=service.ROUTES)
    app.router.redirect_slashes = False
    app.state.sandbox = state
    config = uvicorn.Config(TokenAuth(app, state), host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield _dataset(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()


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


# --- the cache ----------------------------------------------------------------------------------------------------


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


# --- one neuron, many ids -----------------------------------------------------------------------------------------


def without_id(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns="root_id")


class TestIds:
    def test_annotations_written_with_outdated_ids_are_found_by_current_ones(self, demo):
        written = [int(root) for root in real_rows()["root_id"]]
        assert any(old != now for old, now in zip(written, live_roots(), strict=True))  # else nothing is tested
        found = get_annotations(live_roots(), "demo")
        assert found["cell_instance"].tolist() == [
            *real_rows()["cell_instance"].tolist()[:1] * 2,
            *real_rows()["cell_instance"].tolist()[1:],
        ]

    @pytest.mark.parametrize("version", [2, 3])
    def test_old_and_new_ids_of_a_neuron_give_the_same_rows(self, demo, version):
        old = get_annotations(roots_at(version), "demo")
        new = get_annotations(live_roots(), "demo")
        pd.testing.assert_frame_equal(without_id(old), without_id(new))
        assert list(dict.fromkeys(old["root_id"])) == [str(root) for root in roots_at(version)]

    def test_an_edit_after_the_annotation_was_written_and_fetched_changes_nothing(self, changing):
        before = get_annotations(live_roots()[2], "demo")
        edited = changing.control("POST", "edit", {"operation": "toggle", "neuron": 2})
        now = source_of("demo").graph.roots([int(real_rows()["supervoxel_id"][2])], datetime.now(UTC))
        assert str(now[0]) in edited["new_roots"]
        for root in (int(now[0]), live_roots()[2], roots_at(2)[2]):
            pd.testing.assert_frame_equal(without_id(get_annotations(root, "demo")), without_id(before))

    def test_a_neuron_that_was_split_keeps_its_annotation_on_the_part_with_the_annotated_supervoxel(self, changing):
        edited = changing.control("POST", "edit", {"operation": "toggle", "neuron": 2})
        annotated = source_of("demo").graph.roots([int(real_rows()["supervoxel_id"][2])], datetime.now(UTC))[0]
        (other,) = (int(root) for root in edited["new_roots"] if int(root) != annotated)
        assert get_annotations([other, int(annotated)], "demo").attrs["missing"] == [other]
        criteria = NeuronCriteria(cell_type="DA1_lPN", dataset="demo")
        assert int(annotated) in criteria
        assert other not in criteria

    def test_ids_of_a_version_are_joined_to_annotations_of_now(self, demo):
        # D0: the peer gives annotations the ids of now, so partners of the materialization are "Unknown".
        partners = pd.DataFrame({"post": roots_at(3)})
        found = get_annotations(partners["post"].unique().tolist(), "demo").reset_index()
        found["root_id"] = found["root_id"].astype(int)
        classes = found.drop_duplicates("root_id").set_index("root_id")["cell_class"]
        assert partners["post"].map(classes).tolist() == [OPN] * 5

    @pytest.mark.parametrize(
        "form",
        [
            lambda ids: ids[0],
            lambda ids: np.int64(ids[0]),
            lambda ids: str(ids[0]),
            lambda ids: [np.int64(root) for root in ids],
            np.array,
            pd.Series,
            lambda ids: pd.DataFrame({"root_id": ids}),
            lambda ids: [str(root) for root in ids],
            set,
        ],
    )
    def test_ids_come_in_every_form_that_people_have(self, demo, form):
        # D7: the peer refuses NumPy's integers, also what its own get_roots gives.
        given = form(live_roots())
        expected = set(live_roots()) if np.ndim(given) or isinstance(given, set) else {live_roots()[0]}
        assert {int(root) for root in get_annotations(given, "demo")["root_id"]} == expected

    def test_rows_are_in_the_order_of_the_query_and_an_id_given_twice_counts_once(self, demo):
        asked = [*reversed(live_roots()), live_roots()[1]]
        found = get_annotations(asked, "demo")
        assert list(dict.fromkeys(found["root_id"])) == [str(root) for root in reversed(live_roots())]
        assert found["annotator_notes"].tolist()[-1] == "second annotation of the same neuron"

    def test_ids_without_annotations_are_reported(self, demo):
        found = get_annotations([NOBODY, live_roots()[1]], "demo")
        assert found["root_id"].tolist() == [str(live_roots()[1])]
        assert found.attrs["missing"] == [NOBODY]

    def test_none_at_all_is_an_error(self, demo):
        with pytest.raises(NoMatchesError, match="none of 1"):
            get_annotations(NOBODY, "demo")
        with pytest.raises(NoMatchesError):
            get_annotations([], "demo")

    @pytest.mark.parametrize("wrong", [5.7e17, None, "DA1", 0])
    def test_what_is_no_id_is_refused(self, demo, wrong):
        with pytest.raises(InvalidId):
            get_annotations([wrong], "demo")

    def test_results_tell_their_time(self, demo):
        live = get_annotations(live_roots(), "demo").attrs
        assert (live["materialization"], live["dataset"]) == (None, "demo")
        assert datetime.fromisoformat(live["timestamp"]).tzinfo is not None
        then = get_annotations(roots_at(2), "demo", materialization="mat_2").attrs
        assert then["materialization"] == 2
        with pytest.raises(InvalidInput, match="two times"):
            get_annotations(live_roots(), "demo", materialization=2, timestamp="live")

    def test_only_proofread_ones(self, demo):
        rows = meta()[meta()["root_id"].notna()]
        roots = rows["root_id"].unique()
        found = get_annotations(roots, "demo", proofread_only=True)
        assert found["proofread"].tolist() == [True] * len(found)
        assert len(found) == sum(cell is True for cell in rows["proofread"])

    def test_as_written_asks_nothing_of_cave(self, changing):
        written = [int(root) for root in real_rows()["root_id"]]
        get_all_seatable_annotations("demo")
        changing.control("DELETE", "log")
        found = get_annotations(written, "demo", update_ids=False)
        assert list(dict.fromkeys(found["root_id"])) == [str(root) for root in written]
        assert requests_of(changing) == []

    def test_a_call_costs_a_few_requests_and_none_for_each_id(self, changing):
        get_annotations(live_roots(), "demo")
        changing.control("DELETE", "log")
        get_annotations([int(root) for root in meta()["root_id"].dropna().unique()], "demo")
        assert len(requests_of(changing)) <= 6


class TestCriteria:
    def test_neurons_of_a_class_have_the_ids_of_now_each_once(self, demo):
        roots = NeuronCriteria(cell_class=OPN, dataset="demo").get_roots()
        rows = meta()[(meta()["cell_class"] == OPN) & meta()["root_id"].notna()]
        assert roots.dtype == np.int64
        assert roots[:5].tolist() == live_roots()
        assert len(roots) == len(set(roots.tolist())) == rows["supervoxel_id"].nunique()

    @pytest.mark.parametrize("version", [2, 3])
    def test_they_can_be_those_of_a_version(self, demo, version):
        criteria = NeuronCriteria(cell_type="DA1_lPN", dataset="demo", materialization=version)
        assert sorted(criteria.get_roots().tolist()) == sorted(roots_at(version))
        assert criteria.annotations.attrs["materialization"] == version

    def test_fields_are_combined(self, demo):
        rows = meta()
        wanted = (rows["cell_class"] == OPN) & (rows["side"] == "right") & (rows["tract"] == "mALT")
        found = NeuronCriteria(cell_class=OPN, side="right", tract="mALT", dataset="demo").annotations
        assert found["supervoxel_id"].tolist() == rows.loc[wanted & rows["root_id"].notna(), "supervoxel_id"].tolist()

    def test_rows_without_a_root_are_counted_and_never_a_neuron(self, demo):
        found = NeuronCriteria(annotator_notes="root id not looked up yet", dataset="demo")
        with pytest.raises(NoMatchesError, match="2 annotations fit"):
            found.get_roots()
        notes = ["root id not looked up yet", "second annotation of the same neuron"]
        both = NeuronCriteria(annotator_notes=notes, dataset="demo").annotations
        assert (both["root_id"].tolist(), both.attrs["without_root"]) == ([str(live_roots()[0])], 2)

    def test_criteria_work_where_ids_do(self, demo):
        criteria = NeuronCriteria(cell_type="DA1_lPN", dataset="demo")
        assert len(get_annotations(criteria, "demo")) == 6
        assert is_proofread(criteria, "demo").tolist() == [True] * 5
        assert update_ids(criteria, dataset="demo")["changed"].tolist() == [False] * 5

    def test_two_outdated_ids_that_became_one_neuron_are_one(self, demo, tmp_path):
        first = world().frame("truth/lineage").iloc[:2]  # the first edit: a merger
        assert (first["kind"].tolist(), first["new"].nunique()) == (["merge", "merge"], 1)
        old = first["old"].tolist()
        pd.DataFrame({"root_id": [str(root) for root in old]}).to_csv(tmp_path / "pieces.csv", index=False)
        store = FileStore(path=str(tmp_path / "pieces.csv"))
        pieces = demo.model_copy(update={"name": "pieces", "annotations": store})
        assert NeuronCriteria(dataset=pieces, update_ids=False).get_roots().tolist() == old
        assert len(NeuronCriteria(dataset=pieces).get_roots()) == 1
        found = get_annotations(old, pieces)
        assert found["root_id"].tolist() == [str(old[0])] * 2 + [str(old[1])] * 2

    def test_annotated_ids_that_never_were_roots_are_left_out_and_logged(self, demo, tmp_path, caplog):
        pd.DataFrame({"root_id": [str(NOBODY), str(live_roots()[0])]}).to_csv(tmp_path / "odd.csv", index=False)
        odd = demo.model_copy(update={"name": "odd", "annotations": FileStore(path=str(tmp_path / "odd.csv"))})
        assert NeuronCriteria(dataset=odd).get_roots().tolist() == [live_roots()[0]]
        assert str(NOBODY) in caplog.text


class TestProofread:
    def test_few_proofread_neurons_are_found_too(self, demo, tmp_path):
        # D9: the peer compares text with numbers; with fewer than about ten it finds none.
        rows = pd.DataFrame(
            {"root_id": [str(root) for root in live_roots()], "proofread": [True, None, False, True, ""]}
        )
        rows.to_csv(tmp_path / "few.csv", index=False)
        few = demo.model_copy(update={"name": "few", "annotations": FileStore(path=str(tmp_path / "few.csv"))})
        asked = [*live_roots(), NOBODY, live_roots()[0]]
        assert is_proofread(asked, few).tolist() == [True, False, False, True, False, False, True]
        assert get_proofread_neurons(few).tolist() == [live_roots()[0], live_roots()[3]]

    def test_nobody_proofread_is_false_for_everybody(self, demo, tmp_path):
        pd.DataFrame({"root_id": [str(live_roots()[0])]}).to_csv(tmp_path / "none.csv", index=False)
        none = demo.model_copy(update={"name": "none", "annotations": FileStore(path=str(tmp_path / "none.csv"))})
        assert is_proofread(live_roots(), none).tolist() == [False] * 5
        assert get_proofread_neurons(none).shape == (0,)
        assert get_proofread_neurons(none).dtype == np.int64

    def test_outdated_ids_on_either_side_are_the_same_neuron(self, demo):
        # D9: the peer compares with ids as annotators wrote them.
        for roots in (live_roots(), roots_at(2), roots_at(3)):
            assert is_proofread(roots, "demo").tolist() == [True] * 5

    def test_a_proofread_row_without_a_root_breaks_nothing(self, demo, tmp_path):
        rows = pd.DataFrame({"root_id": ["", str(live_roots()[0])], "proofread": [True, True]})
        rows.to_csv(tmp_path / "gap.csv", index=False)
        gap = demo.model_copy(update={"name": "gap", "annotations": FileStore(path=str(tmp_path / "gap.csv"))})
        assert get_proofread_neurons(gap).tolist() == [live_roots()[0]]


class TestSupervoxels:
    def test_each_annotated_neuron_has_the_one_that_was_written_first(self, demo):
        found = supervoxels_of("demo")
        rows = meta().dropna(subset="root_id").drop_duplicates("root_id")
        assert found == {
            int(root): int(part) for root, part in zip(rows["root_id"], rows["supervoxel_id"], strict=True)
        }

    def test_update_ids_follows_them_where_a_neuron_was_split(self, demo, tmp_path):
        # D3: the peer's look-up never matches, because it compares text with numbers.
        edits = world().frame("truth/lineage")
        split = edits[edits["kind"] == "split"]
        old, graph = int(split["old"].iloc[0]), source_of("demo").graph
        leaves = graph.leaves_many(split["new"].to_numpy(), 1)
        parts = [int(leaves[int(heir)][0]) for heir in split["new"]]
        now = graph.roots(parts, datetime.now(UTC)).tolist()
        assert len(set(now)) == 2
        for part, root in zip(parts, now, strict=True):
            name, path = f"part_{part}", tmp_path / f"{part}.csv"
            pd.DataFrame({"root_id": [str(old)], "supervoxel_id": [str(part)]}).to_csv(path, index=False)
            registry.register(demo.model_copy(update={"name": name, "annotations": FileStore(path=str(path))}))
            found = update_ids(old, dataset=name)
            assert (found["new_id"].tolist(), found["confidence"].tolist()) == ([root], [1.0])
            assert get_annotations(root, name).attrs["missing"] == []

    def test_where_nobody_has_annotations_there_are_none(self, demo):
        assert supervoxels_of("minnie65_public") is None
        assert supervoxels_of("latest") is None  # no token for it here

    def test_a_server_that_is_down_is_logged_and_does_without(self, changing, caplog):
        changing.control("POST", "fault", {"path": "/temp-api-token/", "status": 503, "times": 9})
        assert supervoxels_of("demo") is None
        assert "without annotations" in caplog.text


# --- a CAVE table -------------------------------------------------------------------------------------------------


def synapses_of_version_3() -> int:
    rows, moment = world().frame("tables/synapses_v2"), VERSIONS[2].timestamp
    return int(((rows["created"] <= moment) & ~(rows["deleted"] <= moment)).sum())


class TestCaveTable:
    def test_a_reference_table_brings_the_points_it_refers_to(self, demo):
        columns = {"cell_class": "classification_system"}
        store = CaveTableStore(table="cell_info", columns=columns)
        table = annotation_source(demo.model_copy(update={"annotations": store})).table()
        truth = world().frame("tables/cell_info")
        nuclei = world().frame("tables/nucleus_detection_v0").set_index("id")
        assert sorted(table["cell_type"]) == sorted(truth["cell_type"])
        first = truth.iloc[0]
        mine = table[table["supervoxel_id"] == str(nuclei.loc[first["target_id"], "pt_supervoxel_id"])]
        assert mine["cell_type"].tolist() == [first["cell_type"]]
        assert mine["cell_class"].tolist() == [first["classification_system"]]

    def test_the_total_does_not_depend_on_the_servers_row_limit(self, changing):
        # synapses, taken for annotations of their presynaptic neurons
        names = {"root_id": "pre_pt_root_id", "supervoxel_id": "pre_pt_supervoxel_id", "position": "ctr_pt_position"}
        store = CaveTableStore(table="synapses_v2", columns=names)
        dataset = changing.dataset.model_copy(update={"annotations": store})
        uncut = annotation_source(dataset).table()
        changing.control("POST", "profile", {"name": "truncate"})  # 1,000 rows
        changing.control("DELETE", "log")
        cut = annotation_source(dataset).table()
        assert len(cut) == len(uncut) == synapses_of_version_3() > 17_000
        assert sorted(cut["supervoxel_id"].dropna()) == sorted(uncut["supervoxel_id"].dropna())
        assert 18 <= len(requests_of(changing, "/query")) <= 21

    def test_every_part_is_of_one_version(self, changing):
        dataset = changing.dataset.model_copy(update={"annotations": CaveTableStore(table="backbone_proofread")})
        annotation_source(dataset).table()
        (path,) = requests_of(changing, "/query")
        assert "/version/3/" in path

    def test_an_unknown_table_is_an_error(self, demo):
        dataset = demo.model_copy(update={"annotations": CaveTableStore(table="no_such_table")})
        with pytest.raises(SourceError):
            annotation_source(dataset).table()

    def test_a_table_without_root_ids_is_an_error_that_lists_its_columns(self, demo):
        store = CaveTableStore(table="backbone_proofread", columns={"root_id": "root"})
        with pytest.raises(InvalidInput, match="pt_root_id"):
            annotation_source(demo.model_copy(update={"annotations": store})).table()


class _Ids:
    """A table that a server cuts at a number of rows; asked by ranges of ids."""

    def __init__(self, ids: list[int], cap: int) -> None:
        self.ids, self.cap, self.asked = ids, cap, 0

    def fetch(self, version: int, low: int, high: int | None = None) -> pd.DataFrame:
        self.asked += 1
        rows = [one for one in self.ids if one >= low and (high is None or one < high)]
        if len(rows) >= self.cap:  # as the server: it warns at the limit, not above
            raise Truncated("cut", value=self.cap)
        return pd.DataFrame({"id": rows})


@pytest.mark.parametrize(
    ("ids", "most"),
    [
        (list(range(100)), 25),
        (list(range(1, 2**40, 2**33)), 120),  # far apart
        ([*range(50), *range(10**9, 10**9 + 50)], 150),  # a gap
        ([], 1),
        (list(range(9)), 1),
    ],
)
def test_ranges_of_ids_cover_all_rows_once(ids, most, demo, monkeypatch):
    dataset = demo.model_copy(update={"annotations": CaveTableStore(table="t")})
    source = annotation_source(dataset)
    table = _Ids(ids, 10)
    monkeypatch.setattr(source, "_fetch", table.fetch)
    assert pd.concat(source._parts(1))["id"].tolist() == ids
    assert table.asked <= most


def test_a_single_id_that_is_cut_is_an_error(demo, monkeypatch):
    source = annotation_source(demo.model_copy(update={"annotations": CaveTableStore(table="t")}))
    monkeypatch.setattr(source, "_fetch", _Ids([5] * 20, 10).fetch)
    with pytest.raises(Truncated):
        source._parts(1)


def test_datasets_pass_through_settings_with_each_kind_of_store(demo, monkeypatch):
    stores = [
        demo.annotations,
        CaveTableStore(table="t", columns={"root_id": "pt_root_id"}),
        FileStore(path="a.csv", columns={"root_id": "neuron"}),
    ]
    datasets = [demo.model_copy(update={"name": f"d{n}", "annotations": store}) for n, store in enumerate(stores)]
    monkeypatch.setenv("CRANT_DATASETS", json.dumps([dataset.model_dump(mode="json") for dataset in datasets]))
    assert [registry.dataset_of(dataset.name).annotations for dataset in datasets] == stores
    assert len({hash(dataset) for dataset in datasets}) == 3


def test_ids_are_the_columns_that_are_compared_exactly():
    assert set(IDS) < set(COLUMNS)
