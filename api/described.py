"""What the OpenAPI document says of errors: that they are problems, under the media type of problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI

PROBLEM = "application/problem+json"
_REF = {"$ref": "#/components/schemas/Problem"}


def describe_problems(app: FastAPI) -> None:
    """Let the document name the media type that errors really have; routes can only name their model."""
    app.openapi = _corrected(app.openapi)  # type: ignore[method-assign] # fastapi's own way


def _corrected(made: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        document = made()  # the same one at each call
        for answers in _answers(document):
            for answer in (found for found in answers.values() if "content" in found):
                answer["content"] = _told(answer["content"])
            if "4XX" in answers:  # where the database or a worker is missing, too
                answers.setdefault("5XX", {"description": "Server Error", "content": answers["4XX"]["content"]})
        return document

    return openapi


def _answers(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (operation["responses"] for operation in path.values())


def _told(content: dict[str, Any]) -> dict[str, Any]:
    return {PROBLEM if about.get("schema") == _REF else media: about for media, about in content.items()}
