"""Sends one message through Apprise, to the public internet only; see decision 0022.

Apprise has well over a hundred services, each with its own way to connect, and no place for a session of ours. So it
sends from a process of its own (`python -m crant_core.jobs.sending`), which is confined and knows the message only.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from crant_core.errors import InvalidParameters, SourceUnavailable
from crant_core.settings import library_settings
from crant_core.sources.public import HINT, addresses_of, is_public

if TYPE_CHECKING:
    from apprise import NotifyBase

SECONDS = 100  #: that one message may take
_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TZ", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_FILES = ("keyfile", "subfile", "pgp_key", "pgp_privkey")  #: what services call files of the machine that sends


def send(url: str, title: str, text: str, bad: bool) -> bool:
    """Send one message; False if it was not taken.

    Raises
    ------
    InvalidParameters
        It led to an internal network, by its name, by a redirection, or in another way, or to a file.
    SourceUnavailable
        It took too long, or the process that sends died.
    """
    told = {"url": url, "title": title, "text": text, "bad": bad, "exempt": library_settings().internal_hosts}
    answer = _ask(json.dumps(told))
    if answer["refused"] and not answer["taken"]:
        message = f"it leads to {answer['refused'][0]}, which notifications may not reach"
        raise InvalidParameters(message, hint=HINT)
    return bool(answer["taken"])


def main() -> None:
    """Send the message that standard input has, and write what became of it to standard output."""
    from apprise import Apprise, NotifyType

    from crant_core.sources.confinement import Confinement

    asked = json.load(sys.stdin)
    confinement = Confinement(asked["exempt"])
    confinement.begin()
    service = service_of(asked["url"])
    sender = Apprise([] if service is None or is_local(service) else [service])  # which catches what services raise
    kind = NotifyType.FAILURE if asked["bad"] else NotifyType.SUCCESS
    taken = sender.notify(body=asked["text"], title=asked["title"], notify_type=kind)
    json.dump({"taken": bool(taken), "refused": confinement.refused}, sys.stdout)


def _ask(told: str) -> Any:
    """Let a process of its own send; what it is told is in no list of processes, and its environment has no secrets."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"HOME": os.devnull}
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(
            command, input=told, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        raise SourceUnavailable(f"not sent within {SECONDS} seconds") from None
    except subprocess.CalledProcessError as error:
        raise SourceUnavailable(f"the process that sends ended with {error.returncode}") from None
    except OSError as error:
        raise SourceUnavailable(f"no process to send with: {error.strerror}") from None
    return json.loads(done.stdout)


def service_of(url: str) -> NotifyBase | None:
    """Read an address; None if it is none, or names files of this machine, which some services read at once."""
    from apprise import Apprise, AppriseAttachment
    from apprise.plugins import url_to_dict

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # what it says of addresses
    parts = url_to_dict(url)  # type: ignore[no-untyped-call]
    if parts is None or any(parts.get(name) for name in _FILES):
        return None
    service = Apprise.instantiate(parts)
    files = [one for one in vars(service).values() if isinstance(one, AppriseAttachment)] if service else []
    return None if any(len(one) for one in files) else service


def is_local(service: NotifyBase) -> bool:
    """Say whether a service is of the machine itself, such as its own log or desktop."""
    return "{schema}://" in service.templates


def internal_address(service: NotifyBase) -> str | None:
    """Return an address of a service's host that nobody may send to; None if all are public, or none is known."""
    host = str(getattr(service, "smtp_host", None) or service.host or "").strip("[]")
    if host in library_settings().internal_hosts or not _names_a_host(service):
        return None
    try:
        return next((address for address in addresses_of(host) if not is_public(address)), None)
    except OSError:
        return None  # it is looked up again when it is sent to


def _names_a_host(service: NotifyBase) -> bool:
    forms: Iterable[str] = service.templates
    return any("{host}" in form for form in forms)


if __name__ == "__main__":
    main()
