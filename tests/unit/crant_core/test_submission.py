from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from crant_core.errors import InvalidParameters
from crant_core.kinds.base import MAX_INLINE_IDS
from crant_core.submission import body_of, lines_of

BIG = 2**53 + 1


def test_a_list_that_fits_goes_along_and_a_longer_one_is_uploaded() -> None:
    uploaded: list[bytes] = []

    def upload(lines: bytes) -> str:
        uploaded.append(lines)
        return "its name"

    fits = body_of("meshes", "demo", range(1, MAX_INLINE_IDS + 1), {"lod": 1}, upload)
    assert (len(fits["params"]["ids"]), uploaded) == (MAX_INLINE_IDS, [])
    longer = body_of("meshes", "demo", range(BIG, BIG + MAX_INLINE_IDS + 1), {"lod": 1}, upload, at="mat")
    assert (longer["params"], longer["at"]) == ({"lod": 1, "input": "its name"}, "mat")
    (lines,) = uploaded
    assert [json.loads(line) for line in lines.splitlines()[:2]] == [str(BIG), str(BIG + 1)]
    assert len(lines.splitlines()) == MAX_INLINE_IDS + 1
    assert body_of("meshes", "demo", (), {"input": "known"}, upload)["params"] == {"input": "known"}


def test_what_is_no_id_is_left_for_the_service_to_refuse() -> None:
    assert lines_of([5.76e17, True, "x", 7]).splitlines() == [b"5.76e+17", b"true", b'"x"', b'"7"']


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        ({"deadline": datetime(2030, 1, 1)}, "deadline"),  # noqa: DTZ001 - what people write
        ({"priority": 11}, "priority"),
        ({"label": "x" * 201}, "label"),
        ({"at": None}, "at"),
        ({"notify": ["mailto://a:secret@b.example"]}, "notify"),
    ],
)
def test_what_is_of_no_use_is_refused_before_a_list_is_uploaded(chosen: dict[str, Any], field: str) -> None:
    uploaded: list[bytes] = []
    with pytest.raises(InvalidParameters, match=field) as refused:
        body_of("meshes", "demo", range(1, MAX_INLINE_IDS + 2), {}, lambda lines: str(uploaded.append(lines)), **chosen)
    assert not uploaded
    assert "secret" not in str(refused.value)
