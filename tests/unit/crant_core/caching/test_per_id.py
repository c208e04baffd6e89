from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pandas as pd
import pytest

from crant_core.caching import cached_per_id, memory
from crant_core.errors import Internal, InvalidInput

_names = count()
BIG = 576460752303423489  # no float


class Updates:
    """A function as it is in the documentation, which notes what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[list[object]] = []
        self.ask = cached_per_id(f"test_per_id_{next(_names)}")(self.function)

    def function(self, x, supervoxels=None, timestamp=None, dataset=None):
        ids = [x] if isinstance(x, int | str) else list(x)
        self.asked.append(ids)
        new = [None if pd.isna(id_) else int(id_) + (timestamp or 0) for id_ in ids]
        table = pd.DataFrame({"old_id": ids, "new_id": pd.array(new, dtype="Int64"), "changed": False})
        table.attrs["timestamp"] = timestamp
        return table


@pytest.fixture
def updates() -> Updates:
    return Updates()


def test_only_new_ids_are_asked_about(updates):
    updates.ask([1, 2, 3])
    found = updates.ask([2, 3, 4])
    assert updates.asked == [[1, 2, 3], [4]]
    assert found["old_id"].tolist() == [2, 3, 4]
    assert found["new_id"].tolist() == [2, 3, 4]
    assert found.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("other", [{"timestamp": 5}, {"dataset": "sandbox"}, {"supervoxels": [7, 8]}])
def test_other_arguments_have_answers_of_their_own(updates, other):
    # D8: one dataset's answer was given for another's, and one time's for another's.
    updates.ask([BIG])
    updates.ask([BIG], **other)
    assert len(updates.asked) == 2
    updates.ask([BIG], **other)
    assert len(updates.asked) == 2


def test_an_argument_that_goes_with_the_ids_is_never_separated_from_them(updates):
    # D8: supervoxels were ignored as soon as some ids were known.
    updates.ask([1, 2])
    updates.ask([1, 2], supervoxels=[10, 20])
    assert updates.asked == [[1, 2], [1, 2]]


def test_rows_are_in_input_order_with_repetitions_and_missing_ids(updates):
    # D8: zeros and missing ids were dropped where others were remembered.
    updates.ask([3, 1])
    found = updates.ask([0, 3, BIG, 3, 0, 1])
    assert found["old_id"].tolist() == [0, 3, BIG, 3, 0, 1]
    assert found["new_id"].tolist() == [0, 3, BIG, 3, 0, 1]
    assert updates.asked[1:] == [[BIG], [0, 0]]
    found = updates.ask([None, 3])
    assert found["old_id"].tolist()[1] == 3
    assert found["new_id"].isna().tolist() == [True, False]


def test_ids_stay_exact_and_columns_keep_their_types(updates):
    updates.ask([BIG])
    found = updates.ask([BIG, BIG + 2])
    assert found["old_id"].dtype == np.int64
    assert found["new_id"].dtype == "Int64"
    assert found["new_id"].tolist() == [BIG, BIG + 2]


def test_every_container_of_the_same_ids_is_the_same_question(updates):
    for ids in ([5, BIG], (5, BIG), np.array([5, BIG]), pd.Series([5, BIG], index=[8, 9]), pd.Index([5, BIG])):
        assert updates.ask(ids)["old_id"].tolist() == [5, BIG]
    assert updates.ask(5)["old_id"].tolist() == [5]
    assert updates.ask(np.int64(BIG))["old_id"].tolist() == [BIG]
    assert updates.asked == [[5, BIG]]


def test_a_table_is_handed_on_as_it_is():
    seen = []

    @cached_per_id(f"test_per_id_{next(_names)}")
    def ask(x):
        seen.append(x)
        return pd.DataFrame({"old_id": x["root_id"]})

    table = pd.DataFrame({"root_id": [1], "supervoxel_id": [2]})
    ask(table)
    ask(table)
    assert [given is table for given in seen] == [True, True]


def test_nobody_can_change_what_others_get(updates):
    # D2
    for ids in ([1, 2], [2]):
        table = updates.ask(ids)
        table.loc[:, "new_id"] = 9
    assert updates.ask([1, 2])["new_id"].tolist() == [1, 2]


def test_what_is_too_old_or_cleared_is_asked_anew(updates, monkeypatch):
    updates.ask([1])
    updates.ask([1], clear_cache=True)
    updates.ask.clear_cache()
    updates.ask([1])
    assert updates.asked == [[1]] * 3
    later = memory.monotonic() + 7201
    monkeypatch.setattr(memory, "monotonic", lambda: later)
    updates.ask([1])
    assert updates.asked == [[1]] * 4


def test_attributes_that_differ_between_rows_are_left_out(updates):
    assert updates.ask([1], timestamp=5).attrs == {"timestamp": 5}
    assert updates.ask([1, 2], timestamp=5).attrs == {"timestamp": 5}


def test_several_rows_about_an_id_and_none():
    @cached_per_id(f"test_per_id_{next(_names)}", id_param="ids", result_id_column="id")
    def partners(ids):
        rows = [(id_, n) for id_ in ids for n in range(int(id_))]
        return pd.DataFrame(rows, columns=["id", "partner"])

    assert partners([2, 1])["partner"].tolist() == [0, 1, 0]
    assert partners([1, 0, 3, 2])["id"].tolist() == [1, 3, 3, 3, 2, 2]
    assert partners([]).columns.tolist() == ["id", "partner"]


def test_what_is_no_such_table_or_no_such_parameter_is_named():
    with pytest.raises(InvalidInput, match="no parameter x"):
        cached_per_id("test_per_id_wrong")(lambda ids: ids)
    with pytest.raises(Internal, match="old_id"):
        cached_per_id("test_per_id_wrong")(lambda x: pd.DataFrame({"other": x}))([1])


def test_threads_that_ask_about_the_same_ids_ask_once(updates):
    together = threading.Barrier(4)

    def ask(_: int) -> list[int]:
        together.wait()
        return updates.ask([1, 2])["new_id"].tolist()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(4))) == [[1, 2]] * 4
    assert updates.asked == [[1, 2]]


def test_many_ids_are_not_many_tables(updates, monkeypatch):
    # P3: a table was made for every id, when it was remembered and when it was found again.
    made = []
    original = pd.DataFrame.__init__
    monkeypatch.setattr(pd.DataFrame, "__init__", lambda *args, **kwargs: made.append(1) or original(*args, **kwargs))
    ids = list(range(1, 5001))
    for _ in range(2):
        assert updates.ask(ids)["new_id"].tolist() == ids
    assert len(updates.asked) == 1
    assert len(made) < 50


def test_missing_ids_do_not_make_floats_of_the_others():
    @cached_per_id("test_plain", id_param="x")
    def plain(x):
        return pd.DataFrame({"old_id": x, "new_id": x, "changed": False})

    root = (8 << 56) + 1
    assert plain([root, root + 1, None]).old_id.tolist() == [root, root + 1, None]
    assert plain([root, root + 1]).old_id.tolist() == [root, root + 1]
    assert plain([root + 1, root + 2, root + 1, None]).new_id.tolist() == [root + 1, root + 2, root + 1, None]


@pytest.mark.parametrize("answer", [lambda x: [float(one) for one in x], lambda x: [one + 1 for one in x]])
def test_an_answer_about_other_ids_is_an_error_and_not_remembered_as_nothing(answer):
    @cached_per_id("test_wrong", id_param="x")
    def wrong(x):
        return pd.DataFrame({"old_id": answer(x)})

    for _ in range(2):
        with pytest.raises(Internal, match="old_id"):
            wrong([5])
