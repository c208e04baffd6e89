"""Runs the steps of the Dockerfile in an empty folder instead of a container: `make image-check`.

It shows that the pins install, that the wheel carries what it must, and that each image can do its work with what is in
it and nothing else. It shows nothing of the base image, its system libraries, or users. Takes some minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
_ROOTED = re.compile(r"(?<![\w.])/(opt|build|srv|data)\b")
_OF_THE_ENGINE = ("useradd",)  #: steps that make users and their folders

_SERVICE = """
import sys, api.main, worker.main, crant_core.jobs.__main__
heavy = {"navis", "trimesh", "cloudvolume", "skeletor", "numba", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
_WORKER = """
from crant_core.kinds.registry import all_kinds, load_runner
import worker.main
for kind in all_kinds().values():
    load_runner(kind)
"""
_COMPILED = """
import sys
from pathlib import Path
cached = {name: getattr(module, "__cached__", None) for name, module in list(sys.modules.items())}
missing = sorted(name for name, path in cached.items() if path and name != "__main__" and not Path(path).is_file())
assert not missing, f"compiled at each start: {len(missing)}, such as {missing[:5]}"
"""  #: run by a Python that writes none itself


class Step(NamedTuple):
    """One instruction."""

    word: str
    rest: str


Stages = dict[str, tuple[str, list[Step]]]  #: by name: what each is made from, and its steps


def stages(text: str) -> Stages:
    """Read a Dockerfile."""
    found: Stages = {}
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.split()
            found[name] = base, []
        elif word.isupper():
            found[name][1].append(Step(word, rest))
    return found


def steps(all_stages: Stages, name: str) -> Iterator[Step]:
    """Return the steps that make a stage, those of the stages it is made from first."""
    if name in all_stages:
        base, own = all_stages[name]
        yield from steps(all_stages, base)
        yield from own


class Machine:
    """An empty folder that stands for a container's root."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root
        self.environment = {"HOME": str(root / "home"), "PATH": f"{root / 'bin'}:/usr/bin:/bin"}
        for name in ("home", "bin", "data/artifacts", "data/home"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}")
        for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_CONFIG_FILE", "SSL_CERT_FILE"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def do(self, step: Step) -> None:
        """Do one step; steps of the engine's own are left out."""
        rest = _ROOTED.sub(lambda match: f"{self.root}/{match[1]}", step.rest)
        if step.word == "WORKDIR":
            self.folder = Path(rest)
            self.folder.mkdir(parents=True, exist_ok=True)
        elif step.word == "COPY" and "--from" not in rest:
            *sources, to = rest.split()
            for source in sources:
                self._copy(source, to)
        elif step.word == "RUN" and not rest.startswith(_OF_THE_ENGINE):
            self.run(rest)

    def _copy(self, source: str, to: str) -> None:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, self.folder / to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, self.folder / to)

    def run(self, command: str) -> None:
        """Run a shell's command in the folder where we are, with nothing of our own environment."""
        began = time.monotonic()
        subprocess.run(["sh", "-euc", command], cwd=self.folder, env=self.environment, check=True)
        print(f"{time.monotonic() - began:6.1f} s  {command[:100]}", flush=True)  # noqa: T201 - that is its output


def check(name: str, code: str) -> None:
    """Build one image's Python in a new folder, and see whether it works."""
    found = stages((ROOT / "deploy" / "Dockerfile").read_text())
    with tempfile.TemporaryDirectory(prefix="crant-image-") as folder:
        machine = Machine(Path(folder))
        for step in (*steps(found, f"build-{name}"), *steps(found, name)):
            machine.do(step)
        machine.environment |= {
            "PATH": f"{folder}/opt/venv/bin:/usr/bin:/bin",
            "CRANT_DATABASE_URL": f"sqlite:///{folder}/data/crant.sqlite",
            "CRANT_BROKER_URL": "memory://",
            "CRANT_ARTIFACTS_URL": f"file://{folder}/data/artifacts",
        }
        (machine.folder / "check.py").write_text(code + _COMPILED)
        machine.run("PYTHONPATH=. python -B check.py")
        machine.run("python -m crant_core.jobs db upgrade && python -m crant_core.jobs db check")
        machine.run("python -m celery -A worker.main report > /dev/null")
        machine.run("du -sh ../opt/venv")


_IMAGES = {"service": _SERVICE, "worker": _WORKER}

if __name__ == "__main__":
    for image in sys.argv[1:] or _IMAGES:
        check(image, _IMAGES[image])
