"""Run the offline CAVE: `python -m crant_core.sandbox --port 0 --token HEX`."""

from __future__ import annotations

import argparse
import os
import re
import secrets
import socket
import sys
from collections.abc import Sequence

import uvicorn

from crant_core.sandbox.app import create_app
from crant_core.sandbox.world import DATASTACK, ROOT_IDS

_HOST = "127.0.0.1"


class AnnouncingServer(uvicorn.Server):
    """A server that says where it listens once it does: with port 0 nobody knows before."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the address."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            _say(self._announcement.replace("{url}", f"http://{_HOST}:{port}"))


def _say(text: str) -> None:
    """Print at once: whoever started the sandbox waits for this on a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    options = _parser().parse_args(arguments)
    token: str = options.token
    config = uvicorn.Config(create_app(token), host=_HOST, port=options.port, log_level=options.log_level)
    AnnouncingServer(config, _announcement(token)).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crant_core.sandbox", description="An offline CAVE")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port (default)")
    parser.add_argument(
        "--token",
        type=_token,
        default=os.environ.get("CRANT_SANDBOX_TOKEN") or secrets.token_hex(16),
        help="32 hexadecimal digits; CRANT_SANDBOX_TOKEN, or one made up",
    )
    parser.add_argument("--log-level", default="warning", help="uvicorn's log level")
    return parser


def _token(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise argparse.ArgumentTypeError("a CAVE token has 32 lower-case hexadecimal digits")
    return text


def _announcement(token: str) -> str:
    return f"""sandbox CAVE on {{url}}

    from caveclient import CAVEclient
    client = CAVEclient(
        "{DATASTACK}",
        server_address="{{url}}",
        auth_token="{token}",
        write_server_cache=False,
    )
    client.chunkedgraph.is_latest_roots([{ROOT_IDS[0]}])
"""


if __name__ == "__main__":
    main()
