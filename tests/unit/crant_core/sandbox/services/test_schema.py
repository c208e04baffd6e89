"""Schemas: what they describe, and what fits them."""

from __future__ import annotations

import jsonschema
import pytest

from crant_core.sandbox.schemas import SCHEMAS, InvalidAnnotation

SYNAPSE = {
    "pre_pt": {"position": [1, 2, 3]},
    "post_pt": {"position": [4, 5, 6]},
    "ctr_pt": {"position": [2, 3, 4]},
    "size": 12,
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_description_is_a_json_schema_with_all_that_it_refers_to(name):
    description = SCHEMAS[name].json_schema()
    jsonschema.Draft7Validator.check_schema(description)
    definitions = description["definitions"]
    own = definitions[SCHEMAS[name].definition]["properties"]
    references = [field["$ref"] for field in own.values() if "$ref" in field]
    assert {reference.removeprefix("#/definitions/") for reference in references} == definitions.keys() - {
        SCHEMAS[name].definition
    }


def test_the_json_schema_takes_a_synapse_and_refuses_one_without_its_points():
    description = SCHEMAS["synapse"].json_schema()
    jsonschema.validate(SYNAPSE, description)
    with pytest.raises(jsonschema.ValidationError, match="'ctr_pt' is a required property"):
        jsonschema.validate({name: SYNAPSE[name] for name in ("pre_pt", "post_pt")}, description)


def test_only_bound_points_are_points():
    assert SCHEMAS["synapse"].points == ("pre_pt", "post_pt")
    assert SCHEMAS["nucleus_detection"].points == ("pt",)
    assert SCHEMAS["simple_reference"].points == ()


def test_references_are_known_as_such():
    assert {name for name, schema in SCHEMAS.items() if schema.is_reference} == {
        "cell_type_reference",
        "simple_reference",
        "reference_tag",
        "reference_point",
    }


def test_flat_columns_of_a_synapse_table_with_their_types():
    columns = SCHEMAS["synapse"].columns()
    base = ["id", "created", "deleted", "superceded_id", "valid"]
    pre = ["pre_pt_position_x", "pre_pt_position_y", "pre_pt_position_z", "pre_pt_supervoxel_id"]
    assert list(columns)[:9] == base + pre
    assert list(columns)[-4:] == ["ctr_pt_position_x", "ctr_pt_position_y", "ctr_pt_position_z", "size"]
    assert (columns["pre_pt_position_x"], columns["pre_pt_supervoxel_id"], columns["size"]) == (
        "int32",
        "uint64",
        "float64",
    )
    assert SCHEMAS["nucleus_detection"].columns()["bb_start_position_x"] == "Int32"


def test_a_synapse_is_flattened():
    flat = SCHEMAS["synapse"].flatten(SYNAPSE)
    assert [flat[f"post_pt_position_{axis}"] for axis in "xyz"] == [4, 5, 6]
    assert (flat["size"], flat["pre_pt_supervoxel_id"]) == (12.0, 0)
    assert "ctr_pt_supervoxel_id" not in flat


def test_positions_are_rounded_and_large_integers_kept():
    values = {"pt": {"position": [1.6, 2, 3]}, "valid_id": 2**60 + 1, "proofread": "true", "user_id": "7"}
    flat = SCHEMAS["proofreading_boolstatus_user"].flatten(values)
    assert (flat["pt_position_x"], flat["valid_id"], flat["proofread"], flat["user_id"]) == (2, 2**60 + 1, True, 7)


def test_all_that_does_not_fit_is_told_at_once():
    with pytest.raises(InvalidAnnotation) as caught:
        SCHEMAS["bound_tag_user"].flatten({"pt": [1, 2, 3], "user_id": 1.5, "colour": "red"})
    for name in ("pt", "tag", "user_id", "colour"):
        assert f"'{name}':" in str(caught.value)


@pytest.mark.parametrize("wrong", [True, 2**63, "seven", 1.5, float("nan"), [1]])
def test_no_integer(wrong):
    with pytest.raises(InvalidAnnotation):
        SCHEMAS["simple_reference"].flatten({"target_id": wrong})
