"""Annotation schemas: what the columns of CAVE's tables mean, and what an annotation must have to go into one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

_INT32 = 2**31
_INT64 = 2**63
_BOOLEANS = {True: True, False: False, "true": True, "false": False, "True": True, "False": False}


class InvalidAnnotation(Exception):
    """An annotation that does not fit its schema; the message has marshmallow's shape."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(str({name: [message] for name, message in errors.items()}))


class Kind(Enum):
    """What a field holds, as its JSON schema has it."""

    BOUND_POINT = "BoundSpatialPoint"
    POINT = "SpatialPoint"
    TARGET = "target"
    TEXT = "string"
    INTEGER = "integer"
    FLOAT = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a schema."""

    name: str
    kind: Kind
    description: str
    required: bool = True

    @property
    def is_point(self) -> bool:
        """Whether the field is a position."""
        return self.kind in {Kind.POINT, Kind.BOUND_POINT}

    def columns(self) -> dict[str, str]:
        """Return the field's columns in a table's rows, with their dtypes."""
        if not self.is_point:
            return {self.name: _DTYPES[self.kind][0 if self.required else 1]}
        dtype = "int32" if self.required else "Int32"
        columns = {f"{self.name}_position_{axis}": dtype for axis in "xyz"}
        return columns | ({f"{self.name}_supervoxel_id": "uint64"} if self.kind is Kind.BOUND_POINT else {})

    def values(self, value: Any) -> dict[str, Any]:
        """Return what the columns hold for one annotation's value; ValueError if it does not fit."""
        if value is None:
            if self.required:
                raise ValueError("Missing data for required field.")
            return dict.fromkeys(self.columns(), None) | self._unresolved()
        if not self.is_point:
            return {self.name: _PARSERS[self.kind](value)}
        axes = zip("xyz", _position(value), strict=True)
        return {f"{self.name}_position_{axis}": number for axis, number in axes} | self._unresolved()

    def _unresolved(self) -> dict[str, int]:
        return {f"{self.name}_supervoxel_id": 0} if self.kind is Kind.BOUND_POINT else {}

    def json_schema(self) -> dict[str, Any]:
        """Describe the field; optional ones may be null."""
        common = {"title": self.name, "description": self.description}
        if self.is_point:
            return common | {"type": "object", "$ref": f"#/definitions/{self.kind.value}"}
        name = "integer" if self.kind is Kind.TARGET else self.kind.value
        form = {"format": "float"} if self.kind is Kind.FLOAT else {}
        return common | {"type": name if self.required else [name, "null"]} | form


@dataclass(frozen=True, slots=True)
class Schema:
    """A named set of fields; `definition` is its name inside the JSON schema."""

    name: str
    definition: str
    fields: tuple[Field, ...]

    @property
    def points(self) -> tuple[str, ...]:
        """Names of the bound points: each gets a root id when it is queried."""
        return tuple(field.name for field in self.fields if field.kind is Kind.BOUND_POINT)

    @property
    def is_reference(self) -> bool:
        """Whether rows annotate rows of another table."""
        return any(field.kind is Kind.TARGET for field in self.fields)

    def columns(self) -> dict[str, str]:
        """Return all columns of a table's rows, with their dtypes."""
        return _BASE_COLUMNS | {name: dtype for field in self.fields for name, dtype in field.columns().items()}

    def flatten(self, annotation: Mapping[str, Any]) -> dict[str, Any]:
        """Return an annotation's columns, without the base ones; InvalidAnnotation tells what does not fit."""
        values: dict[str, Any] = {}
        errors = dict.fromkeys(annotation.keys() - self._known(), "Unknown field.")
        for field in self.fields:
            try:
                values |= field.values(annotation.get(field.name))
            except ValueError as error:
                errors[field.name] = str(error)
        if errors:
            raise InvalidAnnotation(errors)
        return values

    def _known(self) -> set[str]:
        return {field.name for field in self.fields} | {"id", "valid"}

    def json_schema(self) -> dict[str, Any]:
        """Describe the schema as the schema service does."""
        kinds = {field.kind.value for field in self.fields if field.is_point}
        points = {name: definition for name, definition in _POINTS.items() if name in kinds}
        return {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": points | {self.definition: self._definition()},
            "$ref": f"#/definitions/{self.definition}",
        }

    def _definition(self) -> dict[str, Any]:
        fields = sorted((*self.fields, _VALID), key=lambda field: field.name)
        return _object(
            {field.name: field.json_schema() for field in fields},
            required=[field.name for field in fields if field.required],
        )


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": True}


def _position(value: Any) -> list[int]:
    position = value.get("position") if isinstance(value, Mapping) else None
    if not isinstance(position, Sequence) or isinstance(position, str) or len(position) != len("xyz"):
        raise ValueError("Not a point: {'position': [x, y, z]} is expected.")
    # PostGIS keeps fractions, but every query rounds them away.
    voxels = [round(_number(coordinate)) for coordinate in position]
    if any(not -_INT32 <= voxel < _INT32 for voxel in voxels):
        raise ValueError("Position out of range.")
    return voxels


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")  # noqa: TRY004 - validation knows one kind of error
    return value


def _number(value: Any) -> float:
    number = math.nan if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    if not math.isfinite(number):
        raise ValueError("Not a valid number.")
    return number


def _integer(value: Any) -> int:
    whole = isinstance(value, int | str) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise ValueError("Not a valid integer.")
    number = int(value)
    if not -_INT64 <= number < _INT64:
        raise ValueError("Integer out of range.")
    return number


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool | int | str) or value not in _BOOLEANS:
        raise ValueError("Not a valid boolean.")
    return _BOOLEANS[value]


_PARSERS = {
    Kind.TEXT: _text,
    Kind.FLOAT: _number,
    Kind.INTEGER: _integer,
    Kind.TARGET: _integer,
    Kind.BOOLEAN: _boolean,
}
#: of required and of optional fields
_DTYPES = {
    Kind.TEXT: ("object", "object"),
    Kind.FLOAT: ("float64", "float64"),
    Kind.INTEGER: ("int64", "Int64"),
    Kind.TARGET: ("int64", "Int64"),
    Kind.BOOLEAN: ("bool", "boolean"),
}
_BASE_COLUMNS = {
    "id": "int64",
    "created": "datetime64[ns, UTC]",
    "deleted": "datetime64[ns, UTC]",
    "superceded_id": "Int64",
    "valid": "bool",
}
_VALID = Field("valid", Kind.BOOLEAN, "whether the row counts", required=False)
_PLACE = {"title": "position", "type": "array", "description": "position in voxels: x, y, z"}
_ROOT = {"title": "root_id", "type": ["integer", "null"], "description": "root id at the point"}
_SUPERVOXEL = {"title": "supervoxel_id", "type": ["integer", "null"], "description": "supervoxel id at the point"}
_POINTS = {
    "BoundSpatialPoint": _object({"position": _PLACE, "root_id": _ROOT, "supervoxel_id": _SUPERVOXEL}, ["position"]),
    "SpatialPoint": _object({"position": _PLACE}, ["position"]),
}

_PT = Field("pt", Kind.BOUND_POINT, "location of the annotated object")
_TAG = Field("tag", Kind.TEXT, "free text")
_TAG2 = Field("tag2", Kind.TEXT, "free text, more specific")
_USER = Field("user_id", Kind.INTEGER, "user who made the annotation")
_TARGET = Field("target_id", Kind.TARGET, "id of the annotation this refers to")
_CELL_TYPE = (
    Field("classification_system", Kind.TEXT, "classification that is followed"),
    Field("cell_type", Kind.TEXT, "name of the cell type"),
)
_SYNAPSE = (
    Field("pre_pt", Kind.BOUND_POINT, "point in the presynaptic neuron"),
    Field("post_pt", Kind.BOUND_POINT, "point in the postsynaptic neuron"),
    Field("ctr_pt", Kind.POINT, "centre of the synapse"),
    Field("size", Kind.FLOAT, "size of the synapse in voxels", required=False),
)
_NUCLEUS = (
    _PT,
    Field("bb_start", Kind.POINT, "where its box begins", required=False),
    Field("bb_end", Kind.POINT, "where its box ends", required=False),
    Field("volume", Kind.FLOAT, "volume in cubic micrometres", required=False),
)
_PROOFREAD = (
    _PT,
    Field("valid_id", Kind.INTEGER, "root id when the status was assigned"),
    Field("proofread", Kind.BOOLEAN, "whether the cell is proofread"),
    _USER,
)

SCHEMAS = {
    schema.name: schema
    for schema in (
        Schema("synapse", "SynapseSchema", _SYNAPSE),
        Schema("nucleus_detection", "NucleusDetection", _NUCLEUS),
        Schema("bound_tag", "BoundTagAnnotation", (_PT, _TAG)),
        Schema("bound_tag_user", "BoundTagAnnotationUser", (_PT, _TAG, _USER)),
        Schema("bound_double_tag", "BoundDoubleTagAnnotation", (_PT, _TAG, _TAG2)),
        Schema("bound_double_tag_user", "BoundDoubleTagAnnotationUser", (_PT, _TAG, _TAG2, _USER)),
        Schema("cell_type_local", "CellTypeLocal", (*_CELL_TYPE, _PT)),
        Schema("cell_type_reference", "CellTypeReference", (_TARGET, *_CELL_TYPE)),
        Schema("proofreading_boolstatus_user", "ProofreadingBoolStatusUser", _PROOFREAD),
        Schema("simple_reference", "ReferenceAnnotation", (_TARGET,)),
        Schema("reference_tag", "ReferenceTagAnnotation", (_TARGET, _TAG)),
        Schema("reference_point", "FlatSegmentationReferenceSinglePoint", (_TARGET, _PT)),
        Schema("representative_point", "RepresentativePoint", (_PT,)),
    )
}
