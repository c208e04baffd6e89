"""The artifact store: full, and read-only. Both need a disk of one's own, which only root can have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.faults.base import Fault, Scene
from tests.chaos.stand import Stand, until


@contextmanager
def small_disk(stand: Stand, megabytes: int = 4) -> Iterator[None]:
    """Keep artifacts on a disk of a few megabytes."""
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(stand.artifacts))
    try:
        yield
    finally:
        stand.kill_workers()
        subprocess.run(["umount", "--lazy", str(stand.artifacts)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def may_mount() -> bool:
    """Say whether this process may have disks of its own."""
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode == 0


def fill_the_disk(scene: Scene) -> None:
    ballast = scene.stand.artifacts / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    refused(scene)
    scene.wait(1, 20)
    drafts = list(scene.stand.store.drafts())
    assert len(drafts) <= len(scene.stand.children()), f"{len(drafts)} drafts make it worse"
    ballast.unlink()


def make_it_read_only(scene: Scene) -> None:
    where = str(scene.stand.artifacts)
    # "busy" while a worker is writing: then again
    until(lambda: _remounted("ro", where), "nobody is writing", seconds=20)
    refused(scene)
    scene.wait(1, 20)
    _mount("-o", "remount,rw", where)


def _remounted(how: str, where: str) -> bool:
    return subprocess.run(["mount", "-o", f"remount,{how}", where], check=False, capture_output=True).returncode == 0


def refused(scene: Scene) -> None:
    """Wait until an item was not stored."""
    until(lambda: "store_unavailable" in _said(scene.stand.folder), "the store refuses", scene.stand.logs)


def _said(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.glob("w*.log"))


FAULTS = [
    Fault(name="store-full", what="the artifact store is full", inject=fill_the_disk, setting=small_disk),
    Fault(name="store-read-only", what="the artifact store is read-only", inject=make_it_read_only, setting=small_disk),
]
