from __future__ import annotations

from pathlib import Path

import pytest

from crant_core.cli.jobs import parameter, read_ids
from crant_core.errors import InvalidInput


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ("1\n2\n", ["1", "2"]),
        ("root_id,name\n1,a\n2,b\n", ["1", "2"]),
        ("\ufeffroot_id,name\r\n1,a\r\n\r\n2,b\r\n", ["1", "2"]),
        ('"root_id"\n"1"\n', ["1"]),
        ("1\n1\n", ["1", "1"]),
        ("id\nabc\n", ["abc"]),
        ("-5\n", ["-5"]),
        ("5.76E+17\n1\n", ["5.76E+17", "1"]),
        ("", []),
    ],
)
def test_ids_are_read_as_they_stand_and_only_words_are_a_header(content: str, ids: list[str], tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text(content, encoding="utf-8", newline="")
    assert read_ids([str(path)]) == ids
    assert read_ids(["7", str(path)]) == ["7", *ids]


def test_what_is_neither_digits_nor_a_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither an id nor a file"):
        read_ids(["no-such-file.csv"])


@pytest.mark.parametrize("name", ["123456789012", "12e456789012", "0123456789ab"])
def test_ids_of_jobs_stay_text_even_if_they_look_like_numbers(name):
    assert parameter(f"skeletons={name}") == ("skeletons", name)
    assert parameter("waves=3") == ("waves", 3)
