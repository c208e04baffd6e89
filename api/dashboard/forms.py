"""Makes a form of a kind's JSON schema, and parameters of what a person filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crant_core.errors import InvalidInput
from crant_core.kinds.base import MAX_INLINE_IDS, KindSpec

_BETWEEN_WORDS = re.compile(r"[\s,;]+")
_LIMIT = f", at most {MAX_INLINE_IDS:,} in one request"  #: that the API has, and forms have not
_QUOTES = "\"'\ufeff"

Filled = Mapping[str, list[str]]  #: what each named control of a form says


@dataclass(frozen=True, kw_only=True)
class Field:
    """One control of a form.

    Attributes
    ----------
    control : str
        ids, checkbox, select, choices, number, list, json or text.
    given : list of str
        What it says now: what was filled in, else the default.
    """

    name: str
    control: str
    help: str
    required: bool
    given: list[str]
    options: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: str = "any"

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")

    @property
    def text(self) -> str:
        """What it says, for controls of one value."""
        return self.given[0] if self.given else ""


def fields_of(kind: KindSpec, filled: Filled | None = None) -> list[Field]:
    """List the controls of a kind's form, the ids first and what must be filled in next."""
    schema = kind.parameters.model_json_schema()
    required = schema.get("required", [])
    found = [_field(name, one, name in required, filled) for name, one in schema["properties"].items()]
    return sorted(found, key=lambda field: (field.control != "ids", not field.required))


def parameters_from(kind: KindSpec, filled: Filled) -> dict[str, Any]:
    """Read parameters; what was left empty is left out, so that the kind's default holds.

    Raises
    ------
    InvalidInput
        A field that wants JSON has none. Everything else is checked by the kind itself.
    """
    fields = fields_of(kind, filled)
    read = {field.name: _value(field) for field in fields}
    return {name: value for name, value in read.items() if value is not None}


def filled_from(kind: KindSpec, parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    """Write parameters as a form says them; those that were not given as their defaults."""
    return {
        field.name: _default(field.control, parameters[field.name]) if field.name in parameters else field.given
        for field in fields_of(kind)
    }


def ids_in(text: str) -> list[str]:
    """Split what people paste: ids between spaces, commas or line ends."""
    return [word.strip(_QUOTES) for word in _BETWEEN_WORDS.split(text) if word.strip(_QUOTES)]


def _field(name: str, schema: dict[str, Any], required: bool, filled: Filled | None) -> Field:
    one = _without_null(schema)
    control = "ids" if name == "ids" else _control(one)
    given = filled.get(name, []) if filled is not None else _default(control, schema.get("default"))
    return Field(
        name=name,
        control=control,
        help=schema.get("description", "").replace(_LIMIT, ""),
        required=required,
        given=given,
        options=tuple(one.get("enum") or one.get("items", {}).get("enum", ())),
        minimum=one.get("minimum", one.get("exclusiveMinimum")),
        maximum=one.get("maximum", one.get("exclusiveMaximum")),
        step="1" if one.get("type") == "integer" else "any",
    )


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    return next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)


def _control(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "select"
    if schema.get("type") == "array":
        items = schema.get("items", {})
        return "choices" if "enum" in items else "list" if items.get("type") == "string" else "json"
    simple = {"boolean": "checkbox", "number": "number", "integer": "number", "string": "text"}
    return simple.get(str(schema.get("type")), "json")


def _default(control: str, default: Any) -> list[str]:
    if default is None or default in ({}, []):
        return []
    if control == "checkbox":
        return ["on"] if default else []
    if control == "json":
        return [json.dumps(default)]
    return [str(one) for one in default] if isinstance(default, list) else [str(default)]


def _value(field: Field) -> Any:
    """Return what a field says; None where that is nothing. Numbers stay text: the kind reads them exactly."""
    if field.control == "checkbox":
        return bool(field.given)
    if field.control == "choices":
        return field.given
    if field.control == "ids":
        return ids_in(field.text)
    if not field.text.strip():
        return None
    if field.control == "list":
        return [word.strip() for word in re.split(r"[,\n]", field.text) if word.strip()]
    return _json(field) if field.control == "json" else field.text.strip()


def _json(field: Field) -> Any:
    try:
        return json.loads(field.text)
    except json.JSONDecodeError as error:
        hint = 'for example {"576460754037774276": …}, ids in quotation marks'
        raise InvalidInput(f"params.{field.name}: this is no JSON: {error}", value=field.text, hint=hint) from error
