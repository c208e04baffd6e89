"""Everything that the OpenAPI document allows, and some of what it forbids, is sent to the API by schemathesis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from zlib import crc32

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.idlists import MEDIA_TYPES
from api.limits import RateLimit
from api.main import create_app
from api.routes import skeletoncache
from crant_core.jobs.model import Scope
from crant_core.jobs.settings import Settings
from crant_core.jobs.tables import LeaderRow
from tests.engine import ROOT, Engine
from tests.unit.api.conftest import caller, skeletonized

EXAMPLES = 10  #: of each operation, beside those that cover each parameter's and each field's borders
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: waits for workers, of whom there are none, and then says that it is not ready
WAITS = ("/async/get_skeleton/", "/precomputed/skeleton/{skvn}/{root}/{form}")


def described() -> schemathesis.BaseSchema:
    """The document; it is the same whatever the settings."""
    settings = {"database_url": "sqlite://", "broker_url": "memory://", "artifacts_url": "mem://described"}
    app = create_app(Settings(**settings))
    app.state.services.close()
    config = schemathesis.Config.from_dict({"generation": {"deterministic": True, "database": "none"}})
    return schemathesis.openapi.from_dict(app.openapi(), config=config)


api = described()


@schemathesis.serializer(*(media for media in MEDIA_TYPES if not media.startswith("text/")))
def as_it_is(_: object, value: object) -> bytes:
    """Uploads are whatever they are; what they should be like is tested elsewhere."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(autouse=True)
def at_work(app: FastAPI, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose dispatcher is alive, where nobody is sent away for asking too often or waits for a worker."""
    monkeypatch.setattr(skeletoncache, "_WAIT_SECONDS", 0.0)
    app.state.services.limits = RateLimit(0)
    database = engine.jobs.database
    with database.writing() as session:
        session.add(LeaderRow(name="dispatcher", holder="test", until=database.now() + timedelta(days=1)))


@pytest.fixture
def headers(app: FastAPI) -> dict[str, str]:
    """Of somebody who may do everything."""
    return caller(app, "fuzz", Scope.ADMIN).headers


@pytest.fixture
def known(app: FastAPI, engine: Engine) -> dict[str, list[str]]:
    """What there is to be found, by the name of the parameter that names it."""
    done = skeletonized(app, engine, {str(ROOT): {"swc": b"1 1 0 0 0 5 -1\n"}}, owner="fuzz")
    jobs = [done.id, engine.planned(["1", "2"], owner="fuzz").id]
    return {
        "job_id": jobs,
        "ref": jobs,
        "kind": ["skeletonize"],
        "datastack": ["crant_demo"],
        "name": [f"{ROOT}.swc"],
        "root": [str(ROOT)],
        "roots": [str(ROOT)],
        "form": ["flatdict", "swccompressed", "precomputed"],
        "skvn": ["-1", "4"],
        "input_id": [app.state.services.inputs.store((7).to_bytes(8, "little"))],
    }


def operations() -> Iterator[APIOperation]:
    for found in api.get_all_operations():
        yield found.ok()


@pytest.mark.parametrize("tag", sorted({tag for operation in operations() for tag in operation.tags}))
def test_whatever_is_sent_is_answered_as_the_document_says(
    tag: str, live: str, headers: dict[str, str], known: dict[str, list[str]]
) -> None:
    def send(case: Case) -> None:
        point_at(case, known)
        response = case.call(base_url=live, headers=headers, timeout=60)
        has_waited = any(part in case.path for part in WAITS) and b"source_unavailable" in response.content
        case.validate_response(response, checks=CHECKS[has_waited:])

    for operation in operations():
        if tag in operation.tags:
            a_test(operation, send)()


def a_test(operation: APIOperation, send: Callable[[Case], None]) -> Callable[[], None]:
    """Make the test of an operation: the document's examples, the borders of each value, and what chance brings."""
    few = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    modes = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING]
    return create_test(
        operation=operation,
        test_func=send,
        config=HypothesisTestConfig(project=api.config, modes=modes, explicit_settings=few, settings=few, seed=1),
    )


def test_every_operation_is_asked() -> None:
    found = [operation.tags for operation in operations()]
    assert found
    assert all(found)


def point_at(case: Case, known: dict[str, list[str]]) -> None:
    """Let half of the requests be about what there is: nothing that is made up exists."""
    for name in known.keys() & (case.path_parameters or {}).keys():
        digest = crc32(repr(case.path_parameters[name]).encode("utf-8", "replace"))
        if digest % 2:
            case.path_parameters[name] = known[name][digest // 2 % len(known[name])]
