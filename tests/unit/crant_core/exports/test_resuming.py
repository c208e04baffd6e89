"""Reading that was interrupted goes on where it stopped: no row is lost, none comes twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crant_core.exports import rows

HEADER, COUNT = "id,bigint\npt_root_id,bigint\n", 500
ROWS = "".join(f"{row},{2**60 + row % 7}\n" for row in range(COUNT))


@pytest.fixture
def some(write, client, monkeypatch):
    monkeypatch.setattr(rows, "_BLOCK", 512)  # bytes: many parts
    write(header=HEADER, rows=ROWS)
    return client.get_export("cells", 3)


def ids(batches) -> list[int]:
    return [row for batch in batches for row in batch["id"].to_pylist()]


@pytest.mark.parametrize("is_cached", [False, True])
def test_after_any_number_of_rows_come_all_others(some, is_cached):
    if is_cached:
        some.to_cache()
    for after in (0, 1, 37, COUNT - 1, COUNT, COUNT + 5):
        assert ids(some.iter_batches(["id"], after=after)) == list(range(COUNT))[after:]


def test_what_is_reported_is_where_to_go_on_whenever_and_however_it_is_filtered(some):
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 40), st.integers(1, 20), st.sets(st.integers(0, 6), min_size=1))
    def stopped_anywhere(stop: int, size: int, kept: set[int]) -> None:
        wanted = {"pt_root_id": [2**60 + one for one in kept]}
        told, got, safe = [0], [], []

        def tell(count: int) -> None:
            told.append(count)
            safe[:] = got

        for number, batch in enumerate(some.iter_batches(["id"], wanted, size, progress=tell)):
            if number == stop:  # what this batch has is not dealt with
                break
            got += ids([batch])
        rest = ids(some.iter_batches(["id"], wanted, 50, after=told[-1]))
        assert safe + rest == [row for row in range(COUNT) if row % 7 in kept]

    stopped_anywhere()


def test_progress_grows_to_the_number_of_rows(some):
    told = []
    assert some.read(["id"], progress=told.append).num_rows == COUNT
    assert told == sorted(told)
    assert len(told) > 3
    assert told[-1] == COUNT


def test_what_progress_raises_ends_the_reading_and_leaves_no_file(some, tmp_path):
    def enough(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        some.to_parquet(tmp_path / "x" / "part.parquet", progress=enough)
    assert list((tmp_path / "x").iterdir()) == []
