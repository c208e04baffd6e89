"""Annotations in files: ids are exact, or the file is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from crant_core.annotations.files import FileAnnotations
from crant_core.datasets import FileStore
from crant_core.errors import InvalidInput, NotFound

ROOT = 576460752303423489


def source(path: Path, **columns: str) -> FileAnnotations:
    return FileAnnotations(FileStore(path=str(path), columns=columns))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_text_files_are_read_exactly(tmp_path):
    text = f'root_id,position,region,proofread,cell_type\n{ROOT},"1, 2, -3",AL;MB,True,NA\n,,,,\n'
    table = source(written(tmp_path / "a.csv", text)).table()
    assert table["root_id"].tolist() == [str(ROOT), None]
    assert table["position"].tolist() == [[1, 2, -3], None]
    assert table["region"].tolist() == [["AL", "MB"], []]
    assert table["proofread"].tolist() == [True, None]
    assert table["cell_type"].tolist() == ["NA", None]  # a name like any other


def test_tabs_separate_too_and_columns_can_have_other_names(tmp_path):
    path = written(tmp_path / "A.TSV", f"segment\tkind\n{ROOT}\tPFN\n")
    table = source(path, root_id="segment", cell_type="kind").table()
    assert (table["root_id"][0], table["cell_type"][0]) == (str(ROOT), "PFN")


@pytest.mark.parametrize("cell", ["5.764607523034235e+17", "576460752303423489.0"])
def test_a_text_file_with_ids_that_look_like_floats_is_refused(tmp_path, cell):
    path = written(tmp_path / "a.csv", f"root_id,side\n{ROOT},left\n{cell},right\n")
    with pytest.raises(InvalidInput, match="row 1, root_id") as caught:
        source(path).table()
    assert caught.value.value == cell


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", "string", "object"])
def test_parquet_keeps_ids_exact_in_every_exact_type(tmp_path, dtype):
    cells = pd.Series([ROOT, ROOT + 1]).astype(dtype)
    pd.DataFrame({"root_id": cells}).to_parquet(tmp_path / "a.parquet")
    assert source(tmp_path / "a.parquet").table()["root_id"].tolist() == [str(ROOT), str(ROOT + 1)]


def test_parquet_with_missing_ids_keeps_the_others_exact(tmp_path):
    pd.DataFrame({"root_id": pd.array([ROOT, None], dtype="Int64")}).to_parquet(tmp_path / "a.parquet")
    assert source(tmp_path / "a.parquet").table()["root_id"].tolist() == [str(ROOT), None]


def test_parquet_with_floats_for_ids_is_refused_even_if_they_are_whole(tmp_path):
    # what pandas makes of integers when one is missing
    pd.DataFrame({"root_id": [ROOT, None]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="holds floats"):
        source(tmp_path / "a.parquet").table()


def test_an_empty_column_of_floats_is_no_ids_at_all(tmp_path):
    frame = pd.DataFrame({"root_id": [str(ROOT)], "nucleus_id": [float("nan")]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert source(tmp_path / "a.parquet").table()["nucleus_id"].tolist() == [None]


def test_a_file_without_root_ids_is_refused_with_its_columns(tmp_path):
    path = written(tmp_path / "a.csv", "segment,side\n1,left\n")
    with pytest.raises(InvalidInput, match="segment, side"):
        source(path).table()
    with pytest.raises(InvalidInput, match="cell_type"):
        source(path, root_id="segment", cell_type="kind").table()


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(NotFound, match="there is no file"):
        source(tmp_path / "none.csv").table()
    for name in ("a.parquet", "a.csv"):
        with pytest.raises(InvalidInput, match="cannot be read"):
            source(written(tmp_path / name, "")).table()
    with pytest.raises(ValidationError):
        FileStore(path="a.xlsx")


def test_a_file_that_was_written_anew_is_another_table(tmp_path):
    path = written(tmp_path / "a.csv", f"root_id\n{ROOT}\n")
    before = source(path).key
    assert source(path).key == before
    written(path, f"root_id\n{ROOT}\n{ROOT + 1}\n")
    assert source(path).key != before
