"""The arrows between packages, and what importing costs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: what may never be loaded by importing the library, its client or its command line
HEAVY = {"sqlalchemy", "celery", "fastapi", "redis", "caveclient", "cloudvolume", "navis", "trimesh", "pandas"}


def loaded_by(statement: str) -> set[str]:
    """Names of the top-level modules that a statement loads, in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "crant_core",
        "crant_core.client",
        "crant_core.cli",
        "crant_core.jobs.wire",
        "crant_core.kinds.registry",
        "crant_core.sandbox",
        "crant_core.stack",
    ],
)
def test_importing_it_stays_light(module: str) -> None:
    assert not loaded_by(f"import {module}") & HEAVY


def test_reading_every_kinds_spec_loads_no_science() -> None:
    statement = "from crant_core.kinds.registry import all_kinds; assert all_kinds()"
    assert not loaded_by(statement) & (HEAVY | {"numpy"})


def test_the_api_loads_no_client_of_cave_and_no_broker() -> None:
    assert not loaded_by("import api.main") & {"caveclient", "cloudvolume", "celery", "redis", "navis", "trimesh"}


def test_every_public_name_is_there() -> None:
    loaded_by("import crant_core as cp; [getattr(cp, name) for name in cp.__all__]")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_contracts_hold() -> None:
    ran = lint_imports(ROOT)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("api/services.py", "import worker.runner", "api and worker meet only in crant_core.jobs"),
        ("worker/runner.py", "import api.views", "api and worker meet only in crant_core.jobs"),
        ("crant_core/sources/base.py", "import crant_core.jobs.tables", "science knows nothing of the service"),
        ("crant_core/skeleton/__init__.py", "import sqlalchemy", "science knows nothing of the service"),
        ("crant_core/kinds/skeletonize/spec.py", "import crant_core.skeleton", "a kind's spec is light"),
        ("crant_core/kinds/neuropil_matrices/spec.py", "import crant_core.neuropils", "a kind's spec is light"),
        ("crant_core/kinds/vertex_l2_map/spec.py", "import crant_core.vertex_map", "a kind's spec is light"),
        ("crant_core/l2/chunks.py", "import crant_core.vertex_map", "one direction inside the library"),
        ("crant_core/neuropils/names.py", "import crant_core.matrices", "one direction inside the library"),
        ("crant_core/synapses/rows.py", "import crant_core.matrices", "one direction inside the library"),
        ("crant_core/client.py", "import crant_core.jobs.tables", "client and command line are light"),
        ("api/routes/jobs.py", "import caveclient", "the API loads no science and no broker"),
        ("crant_core/ids.py", "import crant_core.datasets", "one direction inside the library"),
        ("crant_core/sources/base.py", "import crant_core.registry", "one direction inside the library"),
        ("crant_core/caching/store.py", "import crant_core.access", "one direction inside the library"),
        ("crant_core/identity/updates.py", "import crant_core.segmentation", "one direction inside the library"),
        ("crant_core/access/tokens.py", "import crant_core.jobs.settings", "science knows nothing of the service"),
        ("crant_core/datasets.py", "import worker.app", "the library knows neither of the applications"),
        ("crant_core/stack/__init__.py", "import celery", "crant up starts processes, it imports none of them"),
        ("crant_core/sandbox/state.py", "import crant_core.jobs.wire", "the sandbox knows nothing of the service"),
    ],
)
def test_a_wrong_arrow_breaks_its_contract(file: str, line: str, contract: str, tmp_path: Path) -> None:
    for package in ("crant_core", "api", "worker"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / file
    path.write_text(f"{path.read_text()}\n{line}\n")
    ran = lint_imports(tmp_path)
    assert ran.returncode == 1, ran.stdout
    assert f"{contract} BROKEN" in ran.stdout
