"""A process that reaches the public internet only, for libraries that open connections as they like.

Python tells its audit hooks of each connection and each file before it is opened, in whichever thread and library, and
a hook that raises an error prevents it. Hooks cannot be removed: a process is confined for good.
"""

from __future__ import annotations

import mimetypes
import os
import socket
import sys
import zoneinfo
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from crant_core.sources.public import addresses_of, is_public

_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_SYSTEM = (os.devnull, "/etc/localtime", "/etc/timezone", "/etc/ssl", "/usr/share/ca-certificates")


class Refused(PermissionError):
    """A process that is confined may not reach it."""


class Confinement:
    """What a process may reach; it counts from `begin` on.

    Parameters
    ----------
    exempt : collection of str
        Hosts that it may ask though they are not of the public internet.

    Attributes
    ----------
    refused : list of str
        What it tried to reach and may not: IP addresses, or `"a file"`.
    """

    def __init__(self, exempt: Collection[str] = ()) -> None:
        self.refused: list[str] = []
        self._exempt = {*exempt, *_found(exempt)}
        libraries = {sys.prefix, sys.base_prefix, *filter(os.path.isabs, sys.path)} - {str(Path.cwd())}
        allowed = (*libraries, *_SYSTEM, *mimetypes.knownfiles, *zoneinfo.TZPATH)
        self._folders = tuple(os.path.realpath(path) for path in allowed)

    def begin(self) -> None:
        """Confine this process, for good."""
        sys.addaudithook(self._look)

    def _look(self, event: str, details: tuple[Any, ...]) -> None:
        if event in _SENDING:
            self._look_at_connection(*details)
        elif event == "open":
            self._look_at_file(details[0])

    def _look_at_connection(self, connection: socket.socket, place: Any) -> None:
        if place is None:  # it is connected, and was looked at then
            return
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            self._refuse("a socket of this machine")
        if place[0] not in self._exempt and not _is_public(place[0]):
            self._refuse(str(place[0]))

    def _look_at_file(self, path: object) -> None:
        if isinstance(path, int):  # it is open
            return
        real = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        if not any(real == folder or real.startswith(folder + os.sep) for folder in self._folders):
            self._refuse("a file")

    def _refuse(self, what: str) -> None:
        self.refused.append(what)
        raise Refused(f"{what} is not to be reached from here")


def _found(hosts: Iterable[str]) -> Iterator[str]:
    for host in hosts:
        try:
            yield from addresses_of(host)
        except OSError:  # unknown names are no exceptions to anything
            continue


def _is_public(host: str) -> bool:
    try:
        return is_public(host)
    except ValueError:  # a name: whoever looks it up after us may find another address
        return False
