from __future__ import annotations

import json

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
