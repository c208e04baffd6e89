"""Importing does nothing but define names: no files, no network, no logging, nothing demanded, nothing global."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: imports every module; cloud-volume and caveclient come with some, and one of them makes `~/.cloudvolume`
EVERYTHING = """
import importlib, logging, os, pkgutil, socket, sys, threading, warnings

def refuse(*args, **kwargs):
    raise AssertionError(f"an import opened a connection: {args}")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
before = list(warnings.filters), dict(os.environ), set(threading.enumerate()), sys.excepthook, os.getcwd()
import crant_core
names = ["crant_core"] + [found.name for found in pkgutil.walk_packages(crant_core.__path__, "crant_core.")]
skipped = ("__main__", ".migrations")  # these are programs
for name in names:
    if not any(part in name for part in skipped):
        importlib.import_module(name)
assert len(names) > 150, names
root = logging.getLogger()
assert root.handlers == [] and root.level == logging.WARNING, (root.handlers, root.level)
ours = logging.getLogger("crant_core")
assert ours.handlers == [] and ours.level == logging.NOTSET
assert logging.getLogger("urllib3.connectionpool").filters == []
news = [filter for filter in warnings.filters if filter not in before[0]]  # of numpy, requests and the like
assert not [f for f in news if f[1] is None and f[3] is None and f[2].__module__ == "builtins"], news
assert not [f for f in news if "crant" in repr(f)], news
assert {key: value for key, value in os.environ.items() if before[1].get(key) != value} == {}, os.environ
assert set(threading.enumerate()) == before[2]
assert sys.excepthook is before[3] and os.getcwd() == before[4]
"""


@pytest.fixture
def home(tmp_path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter with next to no environment."""
    environment = {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_importing_every_module_does_nothing_else(home):
    # D19: the peer demanded a token of the environment, set up logging, and looked for servers.
    ran = run(EVERYTHING, home)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "")
    assert [path.name for path in home.rglob("*")] in ([], [".cloudvolume"])


def test_importing_it_writes_nothing(home):
    home.chmod(0o500)
    ran = run(
        "import crant_core, crant_core.access, crant_core.caching, crant_core.decorators, crant_core.identity", home
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import crant_core", {"numpy", "pandas", "requests", "pydantic", "caveclient", "cloudvolume", "sqlite3"}),
        ("import crant_core.registry, crant_core.times, crant_core.parsing", {"numpy", "pandas", "caveclient"}),
        ("import crant_core.access, crant_core.caching", {"numpy", "pandas", "caveclient", "cloudvolume", "navis"}),
        ("import crant_core; crant_core.set_default_dataset('sandbox')", {"numpy", "pandas", "caveclient"}),
        (
            "import crant_core; crant_core.is_latest_roots, crant_core.update_ids",
            {"caveclient", "cloudvolume", "navis"},
        ),
    ],
)
def test_what_is_not_needed_is_not_loaded(statement, never, home):
    ran = run(f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})", home)
    assert ran.returncode == 0, ran.stderr
    assert not set(ran.stdout.split()) & never


def test_importing_the_package_leaves_warnings_alone(home):
    code = "import warnings; before = list(warnings.filters); import crant_core; assert warnings.filters == before"
    assert run(code, home).returncode == 0


def test_an_environment_full_of_nonsense_is_no_error_before_it_is_used(home):
    code = "import os; os.environ |= {'CRANT_DATASETS': 'x', 'CRANT_DEFAULT_DATASET': 'x'}; import crant_core.access"
    assert run(code, home).returncode == 0
