"""The service as its users meet it: processes, HTTP and the command line, nothing imported from the inside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import navis
import psutil
import pytest

CRANT = str(Path(sys.executable).with_name("crant"))
A_ROOT = str((8 << 56) + 77)
NO_ROOT = str((8 << 56) + (1 << 30))

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Up:
    """A running `crant up`."""

    process: subprocess.Popen[str]
    data: Path

    def crant(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user would."""
        environment = os.environ | {"CRANT_DATA": str(self.data), "COLUMNS": "160", "NO_COLOR": "1"}
        return subprocess.run(
            [CRANT, *words], env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def http(self) -> httpx.Client:
        known = json.loads((self.data / "client.json").read_text())
        return httpx.Client(base_url=known["url"], headers={"Authorization": f"Bearer {known['token']}"}, timeout=30)

    def roots(self) -> list[str]:
        """The current roots of the sandbox's five real neurons."""
        world = httpx.get(f"{self.known()['sandbox_url']}/_sandbox/world", timeout=30).json()
        return [neuron["root_id"] for neuron in world["neurons"][:5]]

    def known(self) -> dict[str, str]:
        return json.loads((self.data / "client.json").read_text())


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("up") / "data"
    command = [CRANT, "up", "--sandbox", "--data", str(data), "--port", "0", "--flower-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until(lambda: "Ctrl-C" in readline(process))
        yield Up(process, data)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def readline(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line or process.poll() is None, "crant up ended"
    return line


def until(condition: object, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_real_neurons_go_in_and_skeletons_come_out(up: Up, tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    ids.write_text("root_id,name\n" + "".join(f"{root},x\n" for root in up.roots()))
    ran = up.crant("submit", "skeletonize", str(ids), "--dataset", "demo", "--at", "mat", "--watch", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    job = json.loads(ran.stdout)
    counts = {name: job["counts"][name] for name in ("total", "succeeded", "failed", "cancelled")}
    assert (job["state"], counts) == ("succeeded", {"total": 5, "succeeded": 5, "failed": 0, "cancelled": 0})

    fetched = up.crant("fetch", job["id"], "-o", str(tmp_path / "out"))
    assert fetched.returncode == 0, fetched.stderr
    for root in up.roots():
        neuron = navis.read_swc(str(tmp_path / "out" / f"{root}.swc"))
        assert neuron.n_trees == 1
        assert neuron.cable_length > 1_000_000  # nm
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["time"]["materialization"] == 3
    assert manifest["dataset"]["datastack"] == "crant_demo"
    assert (tmp_path / "out" / "skeletons.png").read_bytes().startswith(b"\x89PNG")

    listed = json.loads(up.crant("jobs", "--json").stdout)
    assert job["id"] in [row["id"] for row in listed]
    assert "succeeded" in up.crant("status", job["id"]).stdout


def test_no_log_of_the_stack_has_a_token_or_a_password(up: Up) -> None:
    token = up.known()["token"]
    with up.http() as http:
        http.get("/v1/jobs", params={"token": token}).raise_for_status()
    httpx.get(f"{up.known()['url']}/v1/jobs/{token}", trust_env=False)
    until(lambda: "/v1/jobs/***" in (up.data / "logs" / "api.log").read_text())
    kept = json.loads((up.data / "secrets.json").read_text())
    secrets = [token, *(kept[name] for name in kept if name != "sandbox")]  # which says its own, to be pasted
    assert len(secrets) > 1
    logs = {path.name: path.read_text(errors="replace") for path in (up.data / "logs").iterdir()}
    assert {"api.log", "worker.log", "supervisord.log", "flower.log", "beat.log"} <= set(logs)
    assert [name for name, text in logs.items() if any(secret in text for secret in secrets)] == []


def test_jobs_are_paused_cancelled_and_retried_from_the_command_line(up: Up) -> None:
    ran = up.crant("submit", "skeletonize", NO_ROOT, "--dataset", "demo", "--deadline", "2999-01-01", "--json")
    job = json.loads(ran.stdout)["id"]
    assert job, ran.stderr
    up.crant("watch", job)
    again = up.crant("retry", job, "--json")
    assert json.loads(again.stdout)["deadline"] is None, again.stderr
    waiting = json.loads(up.crant("submit", "skeletonize", NO_ROOT, "-d", "demo", "--after", job, "--json").stdout)
    paused = up.crant("pause", waiting["id"])
    assert "paused" in paused.stdout or "wrong_state" in paused.stderr  # or its predecessor has failed already
    up.crant("cancel", waiting["id"])
    refused = up.crant("resume", waiting["id"])
    assert (refused.returncode, "wrong_state" in refused.stderr) == (1, True)


def test_a_dry_run_says_what_a_job_would_be(up: Up) -> None:
    words = ("submit", "skeletonize", *up.roots(), "--dataset", "demo")
    assert up.crant(*words, "--watch").returncode == 0
    assert "known already  5" in up.crant(*words, "--dry-run").stdout
    answer = json.loads(up.crant(*words, "--dry-run", "--json").stdout)
    assert (answer["items"], answer["known"], answer["to_compute"]) == (5, 5, 0)
    again = json.loads(up.crant(*words, "--dry-run", "--no-reuse", "--json").stdout)["bytes"]
    assert 0 < again["expected"] <= again["high"]
    assert re.search(r"to fetch +about \d.* \(.* to .*B\)", up.crant(*words, "--dry-run", "--no-reuse").stdout)
    job = json.loads(up.crant(*words, "--watch", "--json").stdout)
    assert job["counts"]["reused"] == 5


def test_a_neuron_that_never_was_makes_the_job_partial(up: Up) -> None:
    ran = up.crant("submit", "skeletonize", up.roots()[0], NO_ROOT, "77", "-d", "demo", "--watch")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert "not_a_root" in ran.stdout
    job = json.loads(up.crant("jobs", "--limit", "1", "--json").stdout)[0]
    failed = json.loads(up.crant("items", job["id"], "--state", "failed", "--json").stdout)
    assert [(item["key"], item["error_code"]) for item in failed] == [(NO_ROOT, "not_a_root"), ("77", "not_a_root")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["submit", "skeletonise", A_ROOT, "-d", "demo"], "unknown_kind"),
        (["submit", "skeletonize", A_ROOT, "-d", "dmeo"], "unknown_dataset"),
        (["submit", "skeletonize", "0", "-d", "demo"], "invalid_id"),
        (["submit", "skeletonize", str(2**63), "-d", "demo"], "invalid_id"),
        (["submit", "skeletonize", "no-such-file.csv", "-d", "demo"], "neither an id nor a file"),
        (["submit", "skeletonize", A_ROOT, "-d", "demo", "-p", "waves=0"], "params.waves"),
        (["submit", "skeletonize", A_ROOT, "-d", "demo", "-p", "wave=1"], "params.wave"),
        (["submit", "skeletonize", A_ROOT, "-d", "demo", "--at", "noon"], "invalid_time"),
    ],
)
def test_bad_input_is_one_clear_message(up: Up, words: list[str], told: str) -> None:
    ran = up.crant(*words)
    assert ran.returncode == 2, ran.stderr
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_doctor_looks_at_every_part_of_the_stack_that_runs_here(up: Up) -> None:
    ran = up.crant("doctor", "--json")
    found = {finding["name"].split(" for ")[0]: finding["is_well"] for finding in json.loads(ran.stdout)}
    names = ("service", "token", "schema", "worker", "beat", "database", "broker", "store", "CAVE token")
    assert found == dict.fromkeys(names, True)
    assert ran.returncode == 0
    assert json.loads((up.data / "secrets.json").read_text())["sandbox"] not in ran.stdout


def test_the_stack_is_found_although_its_data_are_somewhere_else(up: Up) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CRANT_DATA"}
    ran = subprocess.run([CRANT, "kinds", "--json"], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "skeletonize" in [kind["name"] for kind in json.loads(ran.stdout)]


def test_progress_is_streamed_until_the_job_ends(up: Up) -> None:
    body = {"kind": "skeletonize", "dataset": "demo", "params": {"ids": up.roots()}, "reuse": False}
    with up.http() as http:
        job = http.post("/v1/jobs", json=body).raise_for_status().json()["id"]
        with http.stream("GET", f"/v1/jobs/{job}/events", headers={"Accept": "text/event-stream"}) as stream:
            events = [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
    assert [event["type"] for event in events][-1] == "succeeded"
    assert sorted(event["data"]["succeeded"] for event in events if event["type"] == "item_succeeded") == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_flower_shows_the_tasks_of_a_job(up: Up) -> None:
    up.crant("submit", "skeletonize", up.roots()[0], "-d", "demo", "--watch", "--no-reuse")
    job = json.loads(up.crant("jobs", "--limit", "1", "--json").stdout)[0]["id"]
    known = up.known()
    tasks = httpx.get(
        f"{known['flower_url']}/api/tasks", auth=(known["flower_user"], known["flower_password"]), timeout=30
    )
    names = sorted(task["name"] for key, task in tasks.json().items() if key.startswith(job))
    assert names == ["skeletonize.finish", "skeletonize.plan", "skeletonize.run"]
    assert httpx.get(f"{known['flower_url']}/tasks", timeout=30).status_code == 401


def test_a_wrong_token_is_refused(up: Up) -> None:
    with httpx.Client(base_url=up.known()["url"]) as nobody:
        assert nobody.get("/v1/jobs").json()["code"] == "token_missing"
        wrong = nobody.get("/v1/jobs", headers={"Authorization": "Bearer crant_wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "token_invalid")


def test_a_job_outlives_its_worker(up: Up) -> None:
    submitted = up.crant("submit", "skeletonize", *up.roots(), "-d", "demo", "--json")
    workers = [p for p in psutil.Process(up.process.pid).children(recursive=True) if is_worker(p)]
    assert workers
    for worker in workers:
        worker.kill()
    ran = up.crant("watch", json.loads(submitted.stdout)["id"])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 succeeded" in ran.stdout


def is_worker(process: psutil.Process) -> bool:
    try:
        return "worker.main" in process.cmdline() and "worker" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def test_the_dashboard_shows_a_job(up: Up) -> None:
    job = json.loads(up.crant("submit", "skeletonize", up.roots()[0], "-d", "demo", "--json").stdout)["id"]
    with httpx.Client(base_url=up.known()["url"], follow_redirects=True) as browser:
        assert "token" in browser.get("/").text.lower()
        browser.post("/login", data={"token": up.known()["token"]}).raise_for_status()
        assert job in browser.get("/").text
        assert browser.get(f"/jobs/{job}").status_code == 200


def test_without_a_service_the_command_line_says_so(tmp_path: Path) -> None:
    nowhere = os.environ | {"CRANT_DATA": str(tmp_path)}
    ran = subprocess.run([CRANT, "jobs"], env=nowhere, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "crant up" in ran.stderr
    gone = os.environ | {"CRANT_URL": "http://127.0.0.1:9", "CRANT_TOKEN": "x"}
    ran = subprocess.run([CRANT, "jobs"], env=gone, capture_output=True, text=True, check=False)
    assert ran.returncode == 5
