from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from crant_core.errors import InvalidId
from crant_core.ids import MAX_ID, RootId, layer_of, pack, parse_id, unpack


class Body(BaseModel):
    ids: list[RootId]


@given(st.integers(1, MAX_ID))
def test_ids_survive_every_way_they_are_written(value: int) -> None:
    assert parse_id(value) == parse_id(str(value)) == parse_id(np.int64(value)) == value
    body = Body.model_validate_json(f'{{"ids": [{value}, "{value}"]}}')
    assert body.ids == [value, value]
    assert body.model_dump(mode="json") == {"ids": [str(value)] * 2}


@pytest.mark.parametrize(
    "value", [0, -1, 2**63, 2**64, 1.0, 5.76e17, np.float64(3), True, None, "", "1.0", "1e18", "-5", "0x1", "١", [1]]
)
def test_what_is_no_id_is_refused_with_the_value_and_a_way_out(value: object) -> None:
    with pytest.raises(InvalidId) as caught:
        parse_id(value)
    assert caught.value.value == value
    assert "2**63" in (caught.value.hint or "")


@pytest.mark.parametrize("value", [np.array([5]), np.array([5.0]), np.array([[5, 6]]), np.array([], np.uint64)])
def test_an_array_is_not_one_id(value: np.ndarray) -> None:
    with pytest.raises(InvalidId, match="not an id"):
        parse_id(value)


@given(st.lists(st.integers(1, MAX_ID)))
def test_packed_ids_come_back(ids: list[int]) -> None:
    packed = pack(ids)
    assert len(packed) == 8 * len(ids)
    assert unpack(packed) == ids
    assert np.frombuffer(packed, "<i8").tolist() == ids


def test_the_layer_stands_in_the_top_byte() -> None:
    assert layer_of(576460754037774276) == 8
    assert layer_of(77) == 0
