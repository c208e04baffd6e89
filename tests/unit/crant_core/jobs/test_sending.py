"""Where notifications may lead: the public internet, whatever addresses, names, redirections and parameters say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crant_core.errors import InvalidParameters, SourceUnavailable
from crant_core.jobs import sending
from crant_core.jobs.notifying import check_address
from crant_core.jobs.sending import send
from tests.fixtures.answering import Site, site

__all__ = ["site"]

SECRET = "hunter2secret"


def told(url: str) -> bool:
    return send(url, "title", "text", False)


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1:8000/hook",
        "jsons://localhost/hook",
        "form://2130706433/hook",
        "xml://[::1]:80/hook",
        "json://169.254.169.254/latest/meta-data",
        "gotify://10.0.0.1/ABCDEFGHIJKLMNO",
        "mailtos://user:password@localhost",
        "mailto://user:password@example.org?smtp=10.1.2.3",
        "rsyslog://192.168.1.1",
        "matrix://user:password@10.0.0.1/#room",
    ],
)
def test_an_internal_host_is_refused_at_submission(address: str) -> None:
    with pytest.raises(InvalidParameters, match="not of the public internet") as caught:
        check_address(address)
    assert "CRANT_INTERNAL_HOSTS" in str(caught.value.hint)
    assert caught.value.value == f"{address.partition('://')[0]}://…"


@pytest.mark.parametrize("sort", ["json", "xml", "form"])
def test_nothing_is_sent_to_an_internal_host(site: Site, sort: str) -> None:
    with pytest.raises(InvalidParameters, match=r"127\.0\.0\.1") as caught:
        told(f"{sort}://user:{SECRET}@127.0.0.1:{site.server_port}/hook")
    assert site.asked == []
    assert SECRET not in f"{caught.value} {caught.value.value}"


@pytest.mark.parametrize(
    "address", ["mailto://user:password@localhost:9", "rsyslog://127.0.0.1:9", "rsyslog://localhost"]
)
def test_mail_and_datagrams_are_held_to_the_same(address: str) -> None:
    with pytest.raises(InvalidParameters, match="may not reach"):
        told(address)


def test_a_host_that_the_settings_name_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANT_INTERNAL_HOSTS", '["localhost"]')
    address = f"json://localhost:{site.server_port}/hook"
    check_address(address)
    assert told(address)
    assert [one["path"] for one in site.asked] == ["/hook"]


def test_where_a_site_redirects_to_is_checked_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANT_INTERNAL_HOSTS", '["127.0.0.1"]')
    site.leads_to = f"http://127.0.0.2:{site.server_port}/secret"
    with pytest.raises(InvalidParameters, match=r"127\.0\.0\.2"):
        told(f"json://127.0.0.1:{site.server_port}/hook")
    assert len(site.asked) == 1


def test_proxies_and_credentials_of_the_worker_are_not_used(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("CRANT_INTERNAL_HOSTS", '["127.0.0.1"]')
    assert told(f"json://127.0.0.1:{site.server_port}/hook")
    assert "Authorization" not in site.asked[0]


@pytest.mark.parametrize(
    "address",
    [
        "syslog://",
        "vapid://me@example.org/?keyfile=/etc/passwd",
        "vapid://me@example.org/?subfile=/etc/passwd",
        "fcm://project/device/?keyfile=/etc/passwd",
        f"slack://{'T' * 9}/{'A' * 9}/{'a' * 24}/?template=/etc/passwd",
        f"workflows://example.org/{'a' * 32}/{'b' * 40}/?template=/etc/passwd",
        "mailto://user:password@example.org?pgppub=/etc/passwd",
    ],
)
def test_the_machine_that_sends_and_its_files_are_no_services(address: str) -> None:
    with pytest.raises(InvalidParameters, match="no address"):
        check_address(address)
    assert not told(address)


CONFINED = """
import json, socket, sys
from crant_core.sources.confinement import Confinement
confinement = Confinement(["localhost"])
confinement.begin()
said = []
for act in (
    lambda: open(sys.argv[1]),
    lambda: socket.create_connection(("127.0.0.2", 9)),
    lambda: socket.socket().connect(("127.1", 9)),
    lambda: socket.socket().connect_ex(("10.0.0.1", 9)),
    lambda: socket.socket(socket.AF_UNIX).connect("/tmp/nothing"),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("10.0.0.1", 9)),
    lambda: socket.create_connection(("localhost", 9)),
):
    try:
        act()
    except OSError as error:
        said.append(type(error).__name__)
import email.mime.text, json.tool  # files of Python may be read
print(json.dumps([said, confinement.refused]))
"""


def test_a_confined_process_reaches_neither_networks_nor_files_in_whatever_way_it_tries(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    command = [sys.executable, "-c", CONFINED, str(tmp_path / "secret")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said, refused = json.loads(done.stdout)
    assert said == ["Refused"] * 6 + ["ConnectionRefusedError"]
    assert refused == ["a file", "127.0.0.2", "127.1", "10.0.0.1", "a socket of this machine", "10.0.0.1"]


def test_a_service_that_never_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.05)
    with pytest.raises(SourceUnavailable, match="not sent within"):
        told("json://nobody-knows.invalid/hook")
