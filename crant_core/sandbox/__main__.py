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

from crant_core.sandbox.announcement import announcement
from crant_core.sandbox.app import create_app
from crant_core.sandbox.faults.profiles import NAMES, profile
from crant_core.sandbox.live import Sandbox, open_sandbox
from crant_core.sandbox.world import cache

_HOST = "127.0.0.1"


class AnnouncingServer(uvicorn.Server):
    """A server that says where it listens once it does: with port 0 nobody knows before."""

    def __init__(self, config: uvicorn.Config, sandbox: Sandbox) -> None:
        super().__init__(config)
        self._sandbox = sandbox

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the address."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            _say(announcement(self._sandbox, f"http://{_HOST}:{port}"))


def _say(text: str) -> None:
    """Print at once: whoever started the sandbox waits for this on a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    options = _parser().parse_args(arguments)
    listening = _listen(options.host, options.port)
    if not cache.is_ready():
        _say(f"{cache.NOTICE}\n")
    sandbox = open_sandbox(options.token, cache.open_world(), options.neurons)
    sandbox.faults.begin(profile(options.profile, options.seed, options.scale))
    config = uvicorn.Config(
        create_app(sandbox),
        log_level=options.log_level,
        timeout_graceful_shutdown=1,  # a hanging request must not outlive the server
    )
    AnnouncingServer(config, sandbox).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before the world is opened, so that a taken one is said at once."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise SystemExit(f"{host}:{port} cannot be used: {error.strerror}; --port 0 takes any free port") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crant_core.sandbox", description="An offline CAVE")
    parser.add_argument("--host", default=_HOST, help="where it listens; 0.0.0.0 in a container")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port (default)")
    parser.add_argument(
        "--token",
        type=_token,
        default=os.environ.get("CRANT_SANDBOX_TOKEN") or secrets.token_hex(16),
        help="32 hexadecimal digits; CRANT_SANDBOX_TOKEN, or one made up",
    )
    parser.add_argument("--neurons", type=int, default=0, help="copies of the real neurons to add, for load")
    parser.add_argument("--profile", choices=NAMES, default="fast", help="latency and faults")
    parser.add_argument("--seed", type=int, default=0, help="of the profile's faults")
    parser.add_argument("--scale", type=float, default=1.0, help="of the profile's latencies")
    parser.add_argument("--log-level", default="warning", help="uvicorn's log level")
    return parser


def _token(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise argparse.ArgumentTypeError("a CAVE token has 32 lower-case hexadecimal digits")
    return text


if __name__ == "__main__":
    main()
