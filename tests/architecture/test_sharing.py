"""Tests that share a server run in one process, so that it starts once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVER = """
import pytest

@pytest.fixture(scope="{scope}")
def server(request):
    with open("started", "a") as log:
        log.write(request.node.nodeid + "\\n")
"""
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(20))
def test_it(server, number):
    pass
"""


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in {"__init__.py": "", **files}.items():
        (folder / name).write_text(text)


def test_a_server_of_a_module_or_of_a_package_starts_once(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    tests = {"test_one.py": TESTS, "test_other.py": TESTS}
    write(tmp_path / "tests/unit/shared", tests | {"conftest.py": SERVER.format(scope="package")})
    write(tmp_path / "tests/unit/apart", {name: SERVER.format(scope="module") + text for name, text in tests.items()})
    options = ["-p", "tests.fixtures.sharing", "-n", "2", "--dist", "loadscope", "-q"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "80 passed" in ran.stdout, ran.stdout + ran.stderr
    modules = ["tests/unit/apart/test_one.py", "tests/unit/apart/test_other.py"]
    assert sorted((tmp_path / "started").read_text().split()) == [*modules, "tests/unit/shared"]
