"""Tables that are kept as Parquet, up to a size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crant_core.errors import InvalidParameters
from crant_core.exports import TableExportClient
from crant_core.exports.parquet import ParquetCache


def test_those_not_read_for_longest_go_first_and_the_new_one_stays(write, client):
    for name in ("one", "two", "three"):
        write(name)
    paths = {name: client.get_export(name, 3).to_cache() for name in ("one", "two")}
    for age, name in enumerate(("two", "one"), 1):
        os.utime(paths[name], (age * 1000, age * 1000))
    client.get_table("two", 3, columns=["id"])  # read just now
    client._cache.most_bytes = int(2.7 * paths["one"].stat().st_size)
    new = client.get_export("three", 3).to_cache()
    assert [path.is_file() for path in (paths["one"], paths["two"], new)] == [False, True, True]


def test_a_new_table_that_fills_everything_is_kept_alone(write, client):
    write("one")
    write("two")
    client._cache.most_bytes = 1000  # less than a Parquet file, more than the text
    old, new = (client.get_export(name, 3).to_cache() for name in ("one", "two"))
    assert (old.is_file(), new.is_file()) == (False, True)


def test_a_table_larger_than_all_that_may_be_kept_is_refused_before_it_is_read(write, client, tmp_path):
    write()
    client._cache.most_bytes = 10
    with pytest.raises(InvalidParameters, match="larger than all") as caught:
        client.get_export("cells", 3).to_cache()
    assert "CRANT_CACHE_MEGABYTES" in str(caught.value.hint)
    assert not client._cache.folder.exists()


def test_what_a_process_that_died_left_behind_goes(tmp_path: Path):
    cache = ParquetCache(tmp_path, 100)
    cache.folder.mkdir()
    left, fresh = cache.folder / ".a.parquet.1-ab", cache.folder / ".b.parquet.2-cd"
    for path in (left, fresh):
        path.write_bytes(b"x" * 1000)
    os.utime(left, (0, 0))
    cache.trim(tmp_path / "none")
    assert [path.exists() for path in (left, fresh)] == [False, True]


def test_without_a_folder_nothing_is_kept(write, tmp_path):
    write()
    with pytest.raises(InvalidParameters, match="no folder"):
        TableExportClient(str(tmp_path)).get_export("cells", 3).to_cache()
