"""The clients as they come, and servers that break."""

from __future__ import annotations

from caveclient import CAVEclient

from crant_core.sandbox import names
from tests.fixtures.sandbox import Sandbox


def bare_client(sandbox: Sandbox) -> CAVEclient:
    return CAVEclient(names.DATASTACK, server_address=sandbox.url, auth_token=sandbox.token, write_server_cache=False)
