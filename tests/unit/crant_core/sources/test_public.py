"""Addresses that somebody else chose: the public internet, whatever names and redirections say."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests

from crant_core.errors import InvalidParameters, SourceUnavailable
from crant_core.sources.public import check_public, guard, is_public
from tests.fixtures.answering import site

__all__ = ["site"]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        guard(made)
        yield made


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - refused, not bound
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo of 10.0.0.1
    ],
)
def test_machines_and_networks_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "142.250.1.207", "2607:f8b0:4004:c07::cf", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_the_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "169.254.169.254"])
def test_an_internal_host_is_refused_however_it_is_written(host):
    with pytest.raises(InvalidParameters, match="not of the public internet") as caught:
        check_public(f"https://{host}:8443/exports")
    assert "CRANT_INTERNAL_HOSTS" in caught.value.hint


def test_no_host_and_one_that_is_not_there_are_errors_that_say_so():
    with pytest.raises(InvalidParameters, match="no host"):
        check_public("https:///exports")
    with pytest.raises(SourceUnavailable, match="cannot be found"):
        check_public("https://nowhere.invalid/exports")


def test_one_of_several_addresses_is_enough_to_refuse(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, 443)) for place in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(InvalidParameters, match=r"10\.0\.0\.1"):
        check_public("https://two-faced.example/")


def test_nothing_is_sent_to_an_internal_host(site, session):
    with pytest.raises(InvalidParameters, match="not of the public internet"):
        session.get(f"http://127.0.0.1:{site.server_port}/")
    assert site.asked == []


def test_a_host_that_the_settings_name_is_asked_without_credentials(site, session, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("CRANT_INTERNAL_HOSTS", '["127.0.0.1"]')
    assert session.get(f"http://127.0.0.1:{site.server_port}/").ok
    assert "Authorization" not in site.asked[0]


def test_where_a_site_redirects_to_is_checked_too(site, session, monkeypatch):
    monkeypatch.setenv("CRANT_INTERNAL_HOSTS", '["127.0.0.1"]')
    site.leads_to = f"http://localhost:{site.server_port}/"
    with pytest.raises(InvalidParameters, match="localhost"):
        session.get(f"http://127.0.0.1:{site.server_port}/")
    assert len(site.asked) == 1


def test_a_name_that_says_another_address_later_is_refused_when_it_is_connected_to(site, session, monkeypatch):
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("8.8.8.8", *rest, **more))
    check_public(f"http://rebinding.example:{site.server_port}/")
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    with pytest.raises(InvalidParameters, match=r"127\.0\.0\.1"):
        session.get(f"http://rebinding.example:{site.server_port}/")
    assert site.asked == []
