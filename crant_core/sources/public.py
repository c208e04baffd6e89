"""Addresses that somebody else chose, as in a job's parameters: only the public internet is asked for them.

Otherwise whoever may submit a job could read what a worker reaches and they do not: the machine itself, the network it
stands in, a cloud's metadata service. What counts is the address that is connected to, not the name: names can be made
to say anything, and a public site can redirect.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from crant_core.errors import InvalidParameters, SourceUnavailable
from crant_core.settings import library_settings

_TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64: the last four bytes are those of an IPv4 address
HINT = "CRANT_INTERNAL_HOSTS names hosts of internal networks that jobs may ask all the same"


def check_public(url: str) -> None:
    """Refuse an address of an internal network, before anything is asked of it.

    Parameters
    ----------
    url : str

    Raises
    ------
    InvalidParameters
        It names no host, or one with an address that is not of the public internet.
    SourceUnavailable
        Its host cannot be found.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise InvalidParameters(f"{url!r} names no host", value=url)
    try:
        found = addresses_of(parts.hostname)
    except OSError as error:
        raise SourceUnavailable(f"{parts.hostname} cannot be found: {error}", value=parts.hostname) from error
    for address in found:
        _check(parts.hostname, address)


def addresses_of(host: str) -> list[str]:
    """Look a host up.

    Raises
    ------
    OSError
        It cannot be found.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(str(error)) from error
    return [str(place[0]) for *_, place in found]


def guard(session: Session) -> None:
    """Let a session connect to the public internet only, wherever it is redirected, and show nobody credentials.

    Proxies of the environment are not used: what they reach is not known. `REQUESTS_CA_BUNDLE` still is.
    """
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    for scheme in ("http://", "https://"):
        session.mount(scheme, _PublicAdapter())


def is_public(address: str) -> bool:
    """Say whether an IP address is of the public internet, and not of a machine, a network, or a group of them."""
    plain = address.split("%", maxsplit=1)[0]  # without the interface
    return all(place.is_global and not place.is_multicast for place in _meant(ip_address(plain)))


def _meant(place: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Yield an address, and the IPv4 address that an IPv6 address stands for."""
    if isinstance(place, IPv6Address):
        inner = place.ipv4_mapped or place.sixtofour or (place.teredo or (None, None))[1]
        inner = inner or (IPv4Address(int(place) & 0xFFFFFFFF) if place in _TRANSLATED else None)
        if inner is not None:
            yield inner
        if place.ipv4_mapped is not None:
            return
    yield place


def _check(host: str, address: str) -> None:
    if not is_public(address) and host not in library_settings().internal_hosts:
        message = f"{host} is at {address}, which is not of the public internet"
        raise InvalidParameters(message, value=host, hint=HINT)


def _checked(connected: socket.socket, host: str) -> socket.socket:
    try:
        _check(host, connected.getpeername()[0])
    except InvalidParameters:
        connected.close()
        raise
    return connected


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _Secure(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _PublicAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(maxsize=1)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
