"""CAVE, which every item asks something: busy, broken, silent, with a wrong certificate, with an expired token."""

from __future__ import annotations

import datetime as dt
import ipaddress
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from crant_core.stack.network import free_port
from tests.chaos.faults.base import Fault, Scene
from tests.chaos.stand import Stand, frozen
from tests.fixtures.sandbox import Sandbox, run_sandbox

_ASKED = "is_latest_roots"
_SQLITE = ("sqlite",)  # the database has no part in it
_ITEMS = {"asks": True, "seconds": 0.01}


@contextmanager
def offline_cave(stand: Stand) -> Iterator[None]:
    """Have a CAVE that can be told to break; the stand's, if it has one already."""
    if stand.sandbox:
        stand.cave(stand.sandbox.url, stand.sandbox.token)
        yield
        return
    with run_sandbox() as sandbox:
        stand.sandbox = sandbox
        stand.cave(sandbox.url, sandbox.token)
        stand.kill_workers()
        yield
        stand.sandbox = None


def breaking(short: float, whole: float, **rule: object) -> Callable[[Scene], None]:
    """Make a fault: every request breaks like this for some seconds."""

    def inject(scene: Scene) -> None:
        sandbox: Sandbox = scene.stand.sandbox
        [number] = sandbox.control("POST", "fault", {"path": _ASKED, **rule})["ids"]
        scene.wait(short, whole)
        sandbox.control("DELETE", f"fault/{number}")

    return inject


def freeze(scene: Scene) -> None:
    with frozen(psutil.Process(scene.stand.sandbox.pid)):
        scene.wait(2, 30)


def expire_the_token(scene: Scene) -> None:
    """What asks with an expired token fails at once; with a new one it is retried."""
    sandbox: Sandbox = scene.stand.sandbox
    [number] = sandbox.control("POST", "fault", {"path": _ASKED, "status": 401})["ids"]
    ended = scene.stand.until_ended(scene.job)
    sandbox.control("DELETE", f"fault/{number}")
    errors = scene.stand.engine.jobs.error_counts(ended.id)
    assert set(errors) == {"source_error"}, errors
    assert ended.failed == sum(errors.values()) > 0
    scene.stand.engine.control.retry(ended.id)


class Front:
    """Speaks TLS for a CAVE, with any certificate."""

    def __init__(self, folder: Path, behind: str) -> None:
        self.folder, self.behind, self.port = folder, behind, free_port(0, "127.0.0.1")
        for name in ("right", "wrong"):
            _certify(folder, name)

    def speak(self, name: str) -> None:
        """Start with this certificate, in the place of the one before."""
        self.stop()
        words = [str(self.port), self.behind, str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")]
        self.process = subprocess.Popen([sys.executable, "-m", "tests.chaos.front", *words], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def stop(self) -> None:
        """End."""
        if hasattr(self, "process"):
            self.process.kill()
            self.process.communicate()


@contextmanager
def cave_behind_tls(stand: Stand) -> Iterator[None]:
    """Have a CAVE at an https address, whose certificate workers trust."""
    with offline_cave(stand):
        stand.front = Front(stand.folder, stand.sandbox.url.removeprefix("http://"))
        stand.front.speak("right")
        stand.cave(f"https://127.0.0.1:{stand.front.port}", stand.sandbox.token)
        stand.environment["REQUESTS_CA_BUNDLE"] = str(stand.folder / "right.pem")
        stand.kill_workers()
        try:
            yield
        finally:
            stand.front.stop()
            del stand.environment["REQUESTS_CA_BUNDLE"]
            stand.kill_workers()


def change_the_certificate(scene: Scene) -> None:
    scene.stand.front.speak("wrong")
    scene.wait(2, 20)
    scene.stand.front.speak("right")


def _certify(folder: Path, name: str) -> None:
    """Write a certificate for 127.0.0.1 that nobody signed but itself."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = dt.datetime.now(dt.UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    signed = made.add_extension(host, critical=True).sign(key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(key.private_bytes(*kind))


def _fault(name: str, what: str, inject: Callable[[Scene], None], **fields: object) -> Fault:
    usual = {"setting": offline_cave, "databases": _SQLITE, "parameters": _ITEMS}
    return Fault(name=name, what=what, inject=inject, **usual | fields)


FAULTS = [
    _fault(
        "cave-429",
        "CAVE answers 429 with Retry-After",
        breaking(1.5, 20, status=429, headers={"Retry-After": "1"}),
    ),
    _fault("cave-503", "CAVE answers 503", breaking(1.5, 20, status=503)),
    _fault("cave-half", "CAVE sends half an answer and hangs up", breaking(1.5, 20, kind="reset")),
    _fault("cave-silent", "CAVE accepts requests and answers nothing (SIGSTOP, 30 s)", freeze),
    _fault(
        "cave-certificate",
        "CAVE has a wrong certificate",
        change_the_certificate,
        setting=cave_behind_tls,
    ),
    _fault("cave-token", "the CAVE token has expired; a new one, and retry", expire_the_token, retried=True),
]
