"""Clients, volumes and tokens as people get them, against the sandbox over HTTP."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3
from cloudvolume import Bbox

import crant_core as cp
from crant_core import registry
from crant_core.access import clients, source_of, tokens
from crant_core.caching import cached_result, id_store, memory
from crant_core.errors import InvalidInput, SourceError, SourceTokenMissing, UnknownDataset
from crant_core.registry import register
from crant_core.sources.pool import connections
from crant_core.times import resolve
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Nothing remembered of other tests, and a home with no token in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path / "cache"))
    for name, value in {"_registered": {}, "_tokens": {}, "_default": None}.items():
        monkeypatch.setattr(registry, name, value)
    cp.clear_all_caches()
    yield
    cp.clear_all_caches()


@pytest.fixture
def demo(sandbox) -> Sandbox:
    register(sandbox.dataset, sandbox.token)
    cp.set_default_dataset("demo")
    return sandbox


@pytest.fixture
def other(demo) -> Any:
    """A second dataset of the same server."""
    return register(demo.dataset.model_copy(update={"name": "other", "aliases": ()}))


@pytest.fixture
def asked(demo) -> Callable[[str], int]:
    """Count the requests whose path contains something."""
    demo.control("DELETE", "log")

    def count(part: str = "") -> int:
        counts = demo.control("GET", "log")["counts"]
        return sum(entry["requests"] for path, entry in counts.items() if part in path)

    return count


def later(monkeypatch, seconds: float) -> None:
    now = memory.monotonic() + seconds
    monkeypatch.setattr(memory, "monotonic", lambda: now)


class TestClients:
    def test_threads_that_are_first_get_one_client(self, asked):
        # P10: eight threads made eight.
        together = threading.Barrier(8)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda _: (together.wait(), cp.get_cave_client())[1], range(8)))
        assert len(set(map(id, found))) == 1
        assert asked("/datastack/full/") == 1

    def test_it_is_caveclients_own_for_the_dataset(self, demo):
        client = cp.get_cave_client("demo")
        assert type(client).__mro__[1].__name__ == "CAVEclientFull"
        assert (client.datastack_name, client.server_address) == (demo.dataset.datastack, demo.url)
        assert client.auth.token == demo.token
        assert client.chunkedgraph.is_latest_roots(neurons.live_roots()[:1]).tolist() == [True]

    def test_it_is_remembered_and_asks_nothing_more_than_once(self, asked):
        first = cp.get_cave_client()
        assert cp.get_cave_client() is first
        before = asked()
        for _ in range(5):
            assert cp.get_cave_client() is cp.get_cave_client("demo") is first
        assert asked() == before

    def test_a_new_one_where_it_is_wanted_or_the_old_one_is_too_old(self, demo, monkeypatch):
        first = cp.get_cave_client()
        second = cp.get_cave_client(clear_cache=True)
        assert second is not first
        later(monkeypatch, 7199)
        assert cp.get_cave_client() is second
        later(monkeypatch, 2)
        assert cp.get_cave_client(check_stale=False) is second
        assert cp.get_cave_client() is not second
        third = cp.get_cave_client()
        cp.clear_cave_client_cache()
        assert cp.get_cave_client() is not third

    def test_a_new_one_where_all_versions_have_expired(self, demo, monkeypatch):
        first = cp.get_cave_client()
        assert cp.validate_cave_client(first)

        class Late(datetime):
            @classmethod
            def now(cls, tz=None) -> datetime:
                return datetime(2200, 1, 1, tzinfo=UTC)

        monkeypatch.setattr(clients, "datetime", Late)
        assert not cp.validate_cave_client(first)
        assert cp.get_cave_client(check_stale=False) is first
        assert cp.get_cave_client() is not first

    def test_each_token_and_each_dataset_has_its_own(self, demo, other):
        first, second = cp.get_cave_client("demo"), cp.get_cave_client("other")
        assert first is not second
        register(demo.dataset, f"{demo.token}-wrong")
        with pytest.raises(SourceError, match="token"):
            cp.get_cave_client("demo")
        register(demo.dataset, demo.token)
        assert cp.get_cave_client("demo") is first

    def test_the_library_does_not_use_it(self, demo):
        # D6: a version that was set on the shared client was the version of everything.
        client = cp.get_cave_client()
        client.materialize.version = 2
        assert resolve(source_of(), "mat").version == 3
        assert source_of().client() is not client

    def test_unknown_names_are_named(self):
        with pytest.raises(UnknownDataset, match="latest"):
            cp.get_cave_client("lattest")

    def test_all_requests_of_a_process_go_through_one_pool(self, demo, monkeypatch, tmp_path):
        used = []
        original = urllib3.PoolManager.connection_from_host

        def noting(manager, host, **kwargs):
            used.append(manager)
            return original(manager, host, **kwargs)

        monkeypatch.setattr(urllib3.PoolManager, "connection_from_host", noting)

        def work(n: int) -> None:
            if n % 2:
                cp.get_cave_client().chunkedgraph.get_root_timestamps(neurons.live_roots())
                cp.get_cave_client(clear_cache=n == 1).materialize.get_versions()
            else:
                cp.get_cloudvolume(mip=1)[tuple(slice(low, low + 8) for low in cp.get_cloudvolume(mip=1).bounds.minpt)]

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        source_of().mesh(neurons.live_roots()[0])
        assert len(used) > 20
        assert all(manager is connections() for manager in used)


class TestVolumes:
    def test_it_is_remembered_by_all_its_arguments(self, demo, other):
        # The peer's cache ignored all arguments but the dataset, and one function's mip was everybody's.
        first, coarse = cp.get_cloudvolume(), cp.get_cloudvolume(mip=1)
        assert first.path == cp.get_dataset_segmentation_source()
        assert (first.mip, coarse.mip) == (0, 1)
        assert cp.get_cloudvolume("demo") is first
        assert cp.get_cloudvolume(mip=1) is coarse
        assert cp.get_cloudvolume("other") is not first
        assert cp.get_cloudvolume(fill_missing=True).fill_missing
        assert not first.fill_missing

    def test_a_new_one_where_it_is_wanted_or_the_old_one_is_too_old(self, demo, monkeypatch):
        first = cp.get_cloudvolume()
        second = cp.get_cloudvolume(clear_cache=True)
        assert second is not first
        later(monkeypatch, 7201)
        assert cp.get_cloudvolume(check_stale=False) is second
        assert cp.get_cloudvolume() is not second
        third = cp.get_cloudvolume()
        cp.clear_cloudvolume_cache()
        assert cp.get_cloudvolume() is not third

    def test_what_is_set_on_it_changes_nothing_in_the_library(self, demo):
        # P10: functions set the mip of the volume that all shared.
        cp.get_cloudvolume().mip = 1
        own = source_of().new_volume()
        assert own.mip == 0

    def test_threads_that_are_first_get_one_volume(self, demo):
        together = threading.Barrier(6)
        with ThreadPoolExecutor(6) as threads:
            found = list(threads.map(lambda _: (together.wait(), cp.get_cloudvolume())[1], range(6)))
        assert len(set(map(id, found))) == 1

    def test_it_reads_supervoxels(self, demo):
        volume = cp.get_cloudvolume()
        low = np.asarray(volume.bounds.minpt)
        assert volume.download(Bbox(low, low + 4)).dtype == np.uint64

    @pytest.mark.parametrize("wrong", [{"bogus": 1}, {"mip": 9}, {"mip": (1, 1, 1)}])
    def test_arguments_that_cloudvolume_cannot_take_are_named(self, demo, wrong):
        with pytest.raises(InvalidInput, match="cannot be opened"):
            cp.get_cloudvolume(**wrong)

    def test_arguments_that_cannot_be_compared_open_a_volume_each_time(self, demo):
        green = [cp.get_cloudvolume(autocrop=bytearray()) for _ in range(2)]
        assert green[0] is not green[1]


class TestDefaults:
    def test_the_default_takes_effect_everywhere(self, demo, other):
        # D1: `set_default_dataset` had no effect on any function.
        @cached_result("test_access")
        def remembered(dataset=None):
            return source_of(dataset).dataset.name

        before = [cp.get_cave_client(), cp.get_cloudvolume(), source_of(), remembered()]
        assert cp.set_default_dataset("other") == "other"
        after = [cp.get_cave_client(), cp.get_cloudvolume(), source_of(), remembered()]
        assert all(one is not another for one, another in zip(before, after, strict=True))
        assert (before[-1], after[-1]) == ("demo", "other")
        assert cp.CRANT_DEFAULT_DATASET == "other"
        cp.set_default_dataset("demo")
        assert [cp.get_cave_client(), cp.get_cloudvolume(), source_of(), remembered()] == before

    def test_the_settings_name_datasets_and_tokens(self, sandbox, monkeypatch):
        monkeypatch.setenv("CRANT_DATASETS", json.dumps([sandbox.dataset.model_dump(mode="json")]))
        monkeypatch.setenv("CRANT_CAVE_TOKENS", json.dumps({sandbox.url: sandbox.token}))
        monkeypatch.setenv("CRANT_DEFAULT_DATASET", "demo")
        assert cp.get_cave_datastacks() == [sandbox.dataset.datastack]

    def test_where_segmentations_are(self, demo):
        expected = f"graphene://{demo.url}/segmentation/table/crant_demo_x1"
        assert cp.get_dataset_segmentation_source() == cp.get_dataset_segmentation_source("demo") == expected
        assert cp.get_datastack_segmentation_source(demo.dataset.datastack) == expected
        with pytest.raises(SourceError) as caught:
            cp.get_datastack_segmentation_source("no_such_datastack")
        assert caught.value.value == 404

    def test_clearing_everything_clears_everything(self, demo):
        before = [cp.get_cave_client(), cp.get_cloudvolume(), source_of()]
        answers = iter("ab")
        ask = cached_result("test_access")(lambda: next(answers))
        assert ask() == "a"
        id_store().put("test", {1: b"one"})
        cp.clear_all_caches()
        assert id_store().get("test", [1]) == {}
        assert ask() == "b"
        after = [cp.get_cave_client(), cp.get_cloudvolume(), source_of()]
        assert all(one is not another for one, another in zip(before, after, strict=True))


def secrets_file(home: Path, name: str = "cave-secret.json") -> Path:
    path = home / ".cloudvolume" / "secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


class TestTokens:
    @pytest.fixture(autouse=True)
    def without(self, sandbox):
        register(sandbox.dataset)
        cp.set_default_dataset("demo")

    @pytest.mark.parametrize(
        "use", [cp.get_current_cave_token, cp.get_cave_client, cp.get_cloudvolume, cp.get_cave_datastacks]
    )
    def test_a_missing_one_is_one_clear_error_that_says_how_to_set_it(self, use, sandbox):
        with pytest.raises(SourceTokenMissing) as caught:
            use()
        assert isinstance(caught.value, ValueError)  # as it is documented
        for part in (sandbox.url, "create_token", "set_cave_token", "cave-secret.json", "CRANT_CAVE_TOKENS"):
            assert part in str(caught.value)

    def test_it_may_be_set_later(self, sandbox, tmp_path):
        with pytest.raises(SourceTokenMissing):
            cp.get_cave_client()
        secrets_file(tmp_path).write_text(json.dumps({"token": sandbox.token}))
        assert cp.get_current_cave_token() == sandbox.token
        assert cp.get_cave_client().auth.token == sandbox.token

    def test_setting_one_writes_a_file_that_only_the_owner_reads(self, sandbox, tmp_path):
        cp.set_cave_token(f" {sandbox.token}\n")
        files = list((tmp_path / ".cloudvolume" / "secrets").iterdir())
        assert [file.name for file in files] == [f"{sandbox.url.removeprefix('http://')}-cave-secret.json"]
        assert json.loads(files[0].read_text()) == {"token": sandbox.token}
        assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
        assert cp.get_cave_client().auth.token == cp.get_current_cave_token() == sandbox.token

    def test_a_new_one_takes_the_place_of_every_old_one_at_once(self, sandbox, monkeypatch):
        cp.set_cave_token("old")
        with pytest.raises(SourceError, match="refused the token"):
            cp.get_cave_client()
        cp.set_cave_token(sandbox.token)
        assert cp.get_cave_client().auth.token == sandbox.token
        register(sandbox.dataset, "registered")
        monkeypatch.setenv("CRANT_CAVE_TOKENS", json.dumps({sandbox.url: "configured"}))
        cp.set_cave_token(sandbox.token)
        assert cp.get_current_cave_token() == sandbox.token

    @pytest.mark.parametrize("token", ["", "  ", None, 5])
    def test_an_empty_one_is_refused(self, token, tmp_path):
        with pytest.raises(InvalidInput, match="empty"):
            cp.set_cave_token(token)
        assert not (tmp_path / ".cloudvolume" / "secrets").exists() or not list(
            (tmp_path / ".cloudvolume" / "secrets").iterdir()
        )

    @pytest.mark.parametrize("content", ["", "my-token", "[]", '"token"'])
    def test_a_file_that_holds_no_token_is_named(self, content, tmp_path):
        secrets_file(tmp_path).write_text(content)
        with pytest.raises(SourceTokenMissing, match=r"cannot be read|no CAVE token"):
            cp.get_current_cave_token()

    def test_one_of_another_server_is_not_used(self, tmp_path, sandbox):
        secrets_file(tmp_path, "elsewhere.org-cave-secret.json").write_text('{"token": "x"}')
        with pytest.raises(SourceTokenMissing):
            cp.get_current_cave_token()

    def test_the_page_is_opened_and_nobody_is_asked(self, sandbox, monkeypatch):
        opened: list[str] = []
        monkeypatch.setattr(tokens.webbrowser, "open", lambda page: opened.append(page) or True)
        assert cp.generate_cave_token() is None
        assert opened == [f"{sandbox.url}/auth/api/v1/create_token"]

    def test_without_a_browser_the_page_is_named(self, sandbox, monkeypatch):
        monkeypatch.setattr(tokens.webbrowser, "open", lambda page: False)
        with pytest.raises(SourceTokenMissing, match=f"{sandbox.url}/auth/api/v1/create_token"):
            cp.generate_cave_token()

    @pytest.mark.parametrize("terminal", ["none", "closed", "file"])
    def test_without_a_terminal_nobody_is_asked_to_paste(self, monkeypatch, terminal, tmp_path):
        monkeypatch.setattr(tokens.webbrowser, "open", lambda page: True)
        with (tmp_path / "in").open("w+") as file:
            if terminal == "closed":
                file.close()
            monkeypatch.setattr(sys, "stdin", None if terminal == "none" else file)
            with pytest.raises(SourceTokenMissing, match="set_cave_token"):
                cp.generate_cave_token(save=True)

    def test_what_is_pasted_is_stored(self, sandbox, monkeypatch):
        import getpass

        monkeypatch.setattr(tokens.webbrowser, "open", lambda page: True)
        monkeypatch.setattr(getpass, "getpass", lambda prompt: sandbox.token)
        monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"closed": False, "isatty": lambda self: True})())
        cp.generate_cave_token(save=True)
        assert cp.get_current_cave_token() == sandbox.token

    def test_a_batch_job_without_a_token_ends_with_the_error_and_waits_for_nobody(self, sandbox, tmp_path):
        # D19: the peer opened a browser and waited for an answer.
        environment = {
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            "CRANT_DATASETS": json.dumps([sandbox.dataset.model_dump(mode="json")]),
            "BROWSER": f"touch {tmp_path}/browser-was-opened #%s",
        }
        code = "import os; os.close(0); import crant_core; crant_core.get_cave_client('demo')"
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 1
        assert ran.stderr.splitlines()[-1].startswith("crant_core.errors.SourceTokenMissing: no CAVE token for")
        assert ran.stdout == ""
        assert not (tmp_path / "browser-was-opened").exists()
