"""What a materialization request is about: its datastack, version, table or view, or the refusal it deserves."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request

from crant_core.sandbox import names
from crant_core.sandbox.answers import Refusal
from crant_core.sandbox.state import State, state
from crant_core.sandbox.tables.frozen import Frozen, frozen_in
from crant_core.sandbox.tables.table import Table
from crant_core.sandbox.tables.version import Version
from crant_core.sandbox.tables.view import View

_API_VERSIONS = {2, 3}


def world(request: Request) -> State:
    """Return the sandbox's state if the request names its datastack."""
    datastack = request.path_params["datastack"]
    if request.path_params.get("api", 2) not in _API_VERSIONS:
        raise Refusal(404, "The requested URL was not found on the server")
    if datastack != names.DATASTACK:
        raise Refusal(404, f"datastack {datastack} not found")
    return state(request)


def is_valid(version: Version, now: datetime) -> bool:
    """Whether a version can still be queried."""
    return version.expires > now


def version_of(request: Request) -> Version:
    """Return the version in the path, expired or not."""
    number = request.path_params["version"]
    for version in world(request).versions:
        if version.number == number:
            return version
    raise Refusal(404, f"version {number} not found in {names.DATASTACK}")


def queried_version(request: Request) -> Version:
    """Return the version in the path if its database still exists."""
    version = version_of(request)
    if not is_valid(version, world(request).clock.now()):
        raise Refusal(410, "This materialization version is not available")
    return version


def table_in(request: Request, version: Version, name: str) -> Table:
    """Return a table frozen in a version."""
    table = world(request).tables.get(name)
    if table is None or name not in version.tables:
        raise Refusal(404, f"Analysis table '{name}' not found for version {version.number} in {names.DATASTACK}")
    return table


def table_now(request: Request, name: str) -> Table:
    """Return a table of now, whether or not any version has it."""
    here = world(request)
    table = here.tables.get(name)
    if table is None or table.deleted is not None:
        raise Refusal(404, f"table {name} not found in {names.DATASTACK}")
    return table


def view_in(request: Request, version: Version) -> View:
    """Return the view in the path if its table is in a version."""
    name = request.path_params["view"]
    view = world(request).views.get(name)
    if view is None or view.table not in version.tables:
        raise Refusal(404, f"view {name} not found for version {version.number} in {names.DATASTACK}")
    return view


def frozen_table(request: Request, version: Version, name: str) -> Frozen:
    """Return the rows of a table in a version."""
    return frozen_in(world(request), table_in(request, version, name), version)


def frozen_view(request: Request, version: Version, view: View) -> Frozen:
    """Return the rows of a view in a version."""
    return frozen_table(request, version, view.table).only(view.columns)
