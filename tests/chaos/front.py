"""Speaks TLS for a server that does not: `python -m tests.chaos.front PORT HOST:PORT CERTIFICATE KEY`."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import suppress


def _serve(port: int, behind: str, certificate: str, key: str) -> None:
    """Hand bytes on, both ways, a thread for each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", port)) as listening:
        print("ready", flush=True)
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_connect, args=(context, client, behind), daemon=True).start()


def _connect(context: ssl.SSLContext, client: socket.socket, behind: str) -> None:
    host, port = behind.split(":")
    with (
        suppress(OSError),
        context.wrap_socket(client, server_side=True) as outer,
        socket.create_connection((host, int(port))) as inner,
    ):
        threading.Thread(target=_pump, args=(inner, outer), daemon=True).start()
        _pump(outer, inner, (b"\r\nHost: ", b"\r\nX-Forwarded-Proto: https\r\nHost: "))


def _pump(source: socket.socket, target: socket.socket, change: tuple[bytes, bytes] = (b"", b"")) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data.replace(*change) if change[0] else data)
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), *sys.argv[2:])
