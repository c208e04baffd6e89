"""A second host, in a network of its own: it joins by addresses alone, is cut off in mid-unit, and comes back.

Redis and PostgreSQL are reached over TCP, each with a password; the artifact store is a folder that both hosts mount.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
from sqlalchemy import select

from crant_core.jobs.tables import AttemptRow, JobRow
from crant_core.stack.network import free_port
from tests.chaos.nursery import Nursery
from tests.chaos.stand import Stand, kill_tree, until
from tests.chaos.truth import Witness, assert_right, assert_store_is_sound
from tests.fixtures.database import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Network:
    """A network of two hosts: this one, and a namespace, joined by one cable."""

    def __init__(self) -> None:
        self.name = f"crant{os.getpid()}"
        self.cable = f"cab{os.getpid() % 10**6}"
        part = 1 + os.getpid() % 250
        self.here, self.there, self.all = (f"10.231.{part}.{end}" for end in ("1", "2", "0/24"))

    def make(self) -> None:
        """Lay the cable."""
        _ip("netns", "add", self.name)
        _ip("link", "add", self.cable, "type", "veth", "peer", "name", "far0", "netns", self.name)
        _ip("addr", "add", f"{self.here}/24", "dev", self.cable)
        _ip("-n", self.name, "addr", "add", f"{self.there}/24", "dev", "far0")
        for words in (("link", "set", self.cable, "up"), ("-n", self.name, "link", "set", "far0", "up")):
            _ip(*words)
        _ip("-n", self.name, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Take it away."""
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Pull the cable, and put it in again."""
        _ip("link", "set", self.cable, "down")
        try:
            yield
        finally:
            _ip("link", "set", self.cable, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class TwoHosts(Stand):
    """A stand whose servers listen on a network."""

    def __init__(self, folder: Path, nursery: Nursery, network: Network) -> None:
        self.network, self.password, self.port = network, secrets.token_hex(8), free_port(0, network.here)
        (folder / "pg").mkdir()
        postgres = PostgresServer(folder / "pg", network.here)
        with (folder / "pg" / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network.all} scram-sha-256\n")
        postgres.start()
        super().__init__(folder, nursery, postgres)

    @property
    def broker_url(self) -> str:
        return f"redis://:{self.password}@{self.network.here}:{self.port}/0"

    @property
    def broker_options(self) -> list[str]:
        return ["--bind", self.network.here, "--port", str(self.port), "--requirepass", self.password]

    def broker(self) -> redis.Redis:
        return redis.Redis.from_url(self.broker_url)

    def start_far_worker(self) -> psutil.Process:
        """Start a worker on the other host; it is told addresses and nothing else."""
        celery = [sys.executable, "-m", "celery", "-A", "tests.chaos.worker", "worker", "--pool", "prefork"]
        command = ["ip", "netns", "exec", self.network.name, *celery, "--concurrency", "2", "-n", "far@there", "-E"]
        return psutil.Process(self.start(command, "far").pid)

    def held_by_far(self, job: JobRow) -> list[str]:
        """Tokens of the units that the other host is doing."""
        mine = (AttemptRow.job_id == job.id, AttemptRow.worker == "far@there", AttemptRow.outcome.is_(None))
        with self.database.reading() as session:
            return list(session.scalars(select(AttemptRow.token).where(*mine)))

    def outcome(self, token: str) -> str | None:
        with self.database.reading() as session:
            return session.scalar(select(AttemptRow.outcome).where(AttemptRow.token == token))

    def done_by_far(self, job: JobRow) -> int:
        return sum(one.worker == "far@there" and one.outcome == "done" for one in self.engine.jobs.attempts(job.id))


@pytest.fixture
def hosts() -> Iterator[TwoHosts]:
    network, folder, nursery = Network(), Path(tempfile.mkdtemp(prefix="chaos-")), Nursery()
    folder.chmod(0o755)
    stand = None
    try:
        network.make()
    except (OSError, subprocess.CalledProcessError) as error:
        nursery.close()
        network.remove()
        pytest.skip(f"a second host needs a network namespace, which this machine does not permit: {error}")
    try:
        stand = TwoHosts(folder, nursery, network)
        yield stand
    finally:
        if stand:
            stand.close()
            kill_tree(psutil.Process(stand.postgres.process.pid))
            stand.postgres.process.wait(10)
        network.remove()
        nursery.close()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_host_that_is_cut_off_in_mid_unit_loses_nothing_and_works_on_when_it_is_back(hosts: TwoHosts) -> None:
    hosts.have_workers(1)
    hosts.start_far_worker()
    job = hosts.submit(150, seconds=0.3)
    until(lambda: hosts.held_by_far(job), "the other host has a unit", hosts.logs)
    with hosts.network.cut():
        cut_off = hosts.held_by_far(job)
        until(lambda: all(map(hosts.outcome, cut_off)), "its units are taken back", hosts.logs)
        assert "worker_lost" in map(hosts.outcome, cut_off)
        done = hosts.done(job)
        hosts.until_done(job, done + 5)
    hosts.until_ended(job)
    verdict = assert_right(Witness(hosts.database, job.id, hosts.store))
    assert verdict.deaths >= 1
    hosts.kill_workers()
    alone = hosts.submit(20, first=1000)
    hosts.until_ended(alone)
    assert_right(Witness(hosts.database, alone.id, hosts.store))
    assert hosts.done_by_far(alone) == len(hosts.engine.jobs.attempts(alone.id)), "nobody else was there"
    assert_store_is_sound(hosts.store)
