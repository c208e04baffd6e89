"""The sandbox's SeaTable as the real seatable-api sees it, over HTTP."""

# ruff: noqa: S608 -- these statements are the tests
from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
from seatable_api import Account, Base
from seatable_api.exception import AuthExpiredError

from crant_core.sandbox.names import SEATABLE_BASE, SEATABLE_TABLE, SEATABLE_WORKSPACE
from crant_core.sandbox.seatable import COLUMN_KINDS, SeaTable
from crant_core.sandbox.state import State
from tests.fixtures.serving import seatable_alone, served

TOKEN = "0123456789abcdef0123456789abcdef"
COUNT = 12_345
FIRST_ROOT = 576460752303423488  # 2^59: a float would keep only every 128th
SELECT = f"SELECT {', '.join(COLUMN_KINDS)} FROM {SEATABLE_TABLE}"


def annotations(count: int) -> pd.DataFrame:
    rows = pd.DataFrame({name: [None] * count for name in COLUMN_KINDS}, dtype=object)
    rows["root_id"] = [str(FIRST_ROOT + number) for number in range(count)]
    rows["position"] = [f"{number}, 2, 3" for number in range(count)]
    rows["proofread"] = [(True, False, None)[number % 3] for number in range(count)]
    rows["side"] = ["left", "right"] * (count // 2) + ["left"] * (count % 2)
    rows["status"] = [["BACKBONE_PROOFREAD", "DAMAGED"] if number % 5 == 0 else None for number in range(count)]
    rows["region"] = [["LH"] if number % 2 else ["AL", "MB"] for number in range(count)]
    rows["cell_type"] = [f"type {number % 100}" for number in range(count)]
    return rows


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served(seatable_alone(State(token=TOKEN, graph=None, seatable=SeaTable(annotations(COUNT))))) as url:
        yield url


@pytest.fixture(scope="module", params=["api gateway", "dtable-db"])
def base(server, request) -> Base:
    base = Base(TOKEN, server)
    base.auth()
    assert base.use_api_gateway is True
    base.use_api_gateway = request.param == "api gateway"
    return base


@pytest.fixture(params=["api gateway", "dtable-server"])
def small(request) -> Iterator[Base]:
    """A table of three rows that may be changed."""
    with served(seatable_alone(State(token=TOKEN, graph=None, seatable=SeaTable(annotations(3))))) as url:
        base = Base(TOKEN, url)
        base.auth()
        base.use_api_gateway = request.param == "api gateway"
        yield base


class TestSigningIn:
    def test_an_account_gets_the_base_by_workspace_and_name(self, server):
        account = Account("anyone@example.org", TOKEN, server)
        account.auth()
        base = account.get_base(SEATABLE_WORKSPACE, SEATABLE_BASE)
        assert (base.dtable_name, base.workspace_id) == (SEATABLE_BASE, int(SEATABLE_WORKSPACE))
        assert base.query(f"SELECT COUNT(*) FROM {SEATABLE_TABLE}") == [{"COUNT(*)": COUNT}]

    def test_an_account_may_be_given_its_token_without_signing_in_as_crant_does(self, server):
        account = Account([], [], server)
        account.token = TOKEN
        assert account.get_base(SEATABLE_WORKSPACE, SEATABLE_BASE).is_authed

    def test_a_wrong_password_is_400_and_a_wrong_token_401(self, server):
        with pytest.raises(ConnectionError, match="400"):
            Account("anyone@example.org", "wrong", server).auth()
        with pytest.raises(ConnectionError, match="401"):
            Base("f" * 32, server).auth()

    def test_an_unknown_base_is_404(self, server):
        account = Account([], [], server)
        account.token = TOKEN
        with pytest.raises(ConnectionError, match="404"):
            account.get_base(SEATABLE_WORKSPACE, "another base")

    def test_access_ends_when_the_token_is_changed(self):
        state = State(token=TOKEN, graph=None, seatable=SeaTable(annotations(3)))
        with served(seatable_alone(state)) as url:
            base = Base(TOKEN, url)
            base.auth()
            state.token = "f" * 32
            with pytest.raises(AuthExpiredError):
                base.list_tables()


class TestQuery:
    def test_a_naive_query_of_everything_silently_gets_10_000_rows(self, base):
        assert len(base.query(f"{SELECT} LIMIT 1000000")) == 10_000

    def test_a_query_without_limit_gets_100_rows(self, base):
        assert len(base.query(SELECT)) == 100

    def test_paging_by_offset_gets_every_row_once(self, base):
        pages = [base.query(f"{SELECT} LIMIT 10000 OFFSET {offset}") for offset in (0, 10_000, 20_000)]
        assert [len(page) for page in pages] == [10_000, 2_345, 0]
        roots = [row["root_id"] for page in pages for row in page]
        assert roots == [str(FIRST_ROOT + number) for number in range(COUNT)]

    def test_all_30_columns_arrive_in_crantpys_order_and_types(self, base):
        first, second, third = base.query(f"{SELECT} LIMIT 3")
        assert list(first) == list(COLUMN_KINDS)
        assert first["root_id"] == "576460752303423488"
        assert second["root_id"] == "576460752303423489"
        assert first["position"] == "0, 2, 3"
        assert [row["proofread"] for row in (first, second, third)] == [True, False, None]
        assert [row["status"] for row in (first, second)] == [["BACKBONE_PROOFREAD", "DAMAGED"], None]
        assert [row["region"] for row in (first, second)] == [["AL", "MB"], ["LH"]]
        assert [row["side"] for row in (first, second)] == ["left", "right"]
        assert first["nerve"] is None

    def test_without_conversion_rows_have_column_keys_and_option_ids(self, base):
        row = base.query(f"SELECT root_id, side, region FROM {SEATABLE_TABLE} LIMIT 1", convert=False)[0]
        columns = {column["name"]: column for column in base.list_columns(SEATABLE_TABLE)}
        options = {option["name"]: option["id"] for option in columns["region"]["data"]["options"]}
        assert row[columns["root_id"]["key"]] == "576460752303423488"
        assert row[columns["region"]["key"]] == [options["AL"], options["MB"]]
        assert row[columns["side"]["key"]] == columns["side"]["data"]["options"][0]["id"]

    def test_where_order_and_count(self, base):
        table = SEATABLE_TABLE
        assert base.query(f"SELECT COUNT(*) FROM {table} WHERE side = 'right'") == [{"COUNT(*)": 6_172}]
        assert base.query(f"SELECT count(*) AS n FROM {table} WHERE proofread IS TRUE") == [{"n": 4_115}]
        newest = base.query(f"SELECT root_id FROM {table} ORDER BY root_id DESC LIMIT 1")
        assert newest == [{"root_id": str(FIRST_ROOT + COUNT - 1)}]
        named = f"SELECT root_id FROM `{table}` WHERE `cell_type` LIKE 'type 7%' AND side = \"left\" LIMIT 10000"
        # 70, 72 … 78 among the even numbers: five in each of 123 hundreds
        assert len(base.query(named)) == 5 * 123

    def test_multiple_selects_are_found_by_any_option_or_by_the_first(self, base):
        count = f"SELECT COUNT(*) AS n FROM {SEATABLE_TABLE} WHERE"
        assert base.query(f"{count} region HAS ANY OF ('MB', 'XX')") == [{"n": 6_173}]
        assert base.query(f"{count} region = 'MB'") == [{"n": 0}]
        assert base.query(f"{count} region = 'AL'") == [{"n": 6_173}]

    def test_a_wrong_statement_is_400_with_an_error_message(self, base):
        for statement in ("SELECT nonsense FROM CRANTb_meta", f"DELETE FROM {SEATABLE_TABLE}", "SELECT 1; SELECT 2"):
            with pytest.raises(ConnectionError, match="error_msg") as caught:
                base.query(statement)
            assert caught.value.args[0] == 400

    def test_parameters_are_bound_by_the_gateway(self, server):
        base = Base(TOKEN, server)
        base.auth()
        sql = f"SELECT root_id FROM {SEATABLE_TABLE} WHERE position = ?"
        assert base.query(sql, parameters=["17, 2, 3"]) == [{"root_id": str(FIRST_ROOT + 17)}]


class TestTable:
    def test_metadata_names_the_one_table_with_its_columns(self, base):
        assert [table["name"] for table in base.list_tables()] == [SEATABLE_TABLE]
        columns = base.get_metadata()["tables"][0]["columns"]
        assert [column["name"] for column in columns] == list(COLUMN_KINDS)
        assert all(len(column["key"]) == 4 for column in columns)
        assert len({column["key"] for column in columns}) == 30

    def test_column_types(self, base):
        types = {column["name"]: column["type"] for column in base.list_columns(SEATABLE_TABLE)}
        assert (types["root_id"], types["position"]) == ("text", "text")
        assert (types["proofread"], types["side"]) == ("checkbox", "single-select")
        assert (types["status"], types["region"]) == ("multiple-select", "multiple-select")

    def test_rows_are_listed_a_thousand_at_a_time_without_their_empty_cells(self, base):
        assert len(base.list_rows(SEATABLE_TABLE)) == 1_000
        assert len(base.list_rows(SEATABLE_TABLE, limit=5_000)) == 1_000
        page = base.list_rows(SEATABLE_TABLE, start=12_340, limit=100)
        assert [row["root_id"] for row in page] == [str(FIRST_ROOT + number) for number in range(12_340, COUNT)]
        assert page[1]["region"] == ["LH"]
        assert "nerve" not in page[0]

    def test_rows_are_listed_in_a_columns_order(self, base):
        page = base.list_rows(SEATABLE_TABLE, order_by="root_id", desc=True, start=0, limit=2)
        assert [row["root_id"] for row in page] == [str(FIRST_ROOT + 12_344), str(FIRST_ROOT + 12_343)]

    def test_an_unknown_table_or_row_is_404(self, base):
        with pytest.raises(ConnectionError, match="404"):
            base.list_rows("no such table")
        with pytest.raises(ConnectionError, match="404"):
            base.get_row(SEATABLE_TABLE, "no such row")


class TestChanges:
    def test_a_row_is_appended_read_changed_and_deleted(self, small):
        row = {"root_id": "9007199254740993", "region": ["LH", "a new region"], "proofread": True, "side": "left"}
        row_id = small.append_row(SEATABLE_TABLE, row)["_id"]
        assert small.get_row(SEATABLE_TABLE, row_id).items() >= row.items()
        small.update_row(SEATABLE_TABLE, row_id, {"region": [], "side": None, "cell_type": "PFN"})
        changed = small.get_row(SEATABLE_TABLE, row_id)
        assert (changed["region"], changed["cell_type"], "side" in changed) == ([], "PFN", False)
        assert small.delete_row(SEATABLE_TABLE, row_id)["deleted_rows"] == 1
        assert small.query(f"SELECT COUNT(*) AS n FROM {SEATABLE_TABLE}") == [{"n": 3}]

    def test_rows_change_in_batches(self, small):
        small.batch_append_rows(SEATABLE_TABLE, [{"root_id": str(number)} for number in range(10)])
        rows = small.query(f"SELECT _id, root_id FROM {SEATABLE_TABLE} WHERE side IS NULL LIMIT 100")
        assert [row["root_id"] for row in rows] == [str(number) for number in range(10)]
        changes = [{"row_id": row["_id"], "row": {"side": "right"}} for row in rows[:4]]
        small.batch_update_rows(SEATABLE_TABLE, changes)
        assert small.query(f"SELECT COUNT(*) AS n FROM {SEATABLE_TABLE} WHERE side = 'right'") == [{"n": 1 + 4}]
        small.batch_delete_rows(SEATABLE_TABLE, [row["_id"] for row in rows])
        assert small.query(f"SELECT COUNT(*) AS n FROM {SEATABLE_TABLE}") == [{"n": 3}]

    def test_a_change_of_an_unknown_row_is_404_and_changes_nothing(self, small):
        known = small.query(f"SELECT _id FROM {SEATABLE_TABLE} LIMIT 1")[0]["_id"]
        changes = [{"row_id": known, "row": {"side": "right"}}, {"row_id": "unknown", "row": {}}]
        with pytest.raises(ConnectionError, match="404"):
            small.batch_update_rows(SEATABLE_TABLE, changes)
        assert small.get_row(SEATABLE_TABLE, known)["side"] == "left"

    def test_more_than_1000_rows_at_once_are_refused(self, small):
        with pytest.raises(ConnectionError, match="400"):
            small.batch_append_rows(SEATABLE_TABLE, [{"root_id": "1"}] * 1_001)
