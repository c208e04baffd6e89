"""Which stack runs on this machine, so that the command line finds it wherever it keeps its data.

The note lies in the person's data folder, named for the machine, as homes are shared; it is gone with the stack.
"""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from pathlib import Path

from platformdirs import user_data_path


def data_folder() -> Path:
    """Return the folder where `crant up` keeps everything: `CRANT_DATA`, or the user's data folder."""
    return Path(os.environ.get("CRANT_DATA") or user_data_path("crant"))


def stack_folder() -> Path:
    """Return the folder of this machine's stack: `CRANT_DATA`, or that of the one that runs, or `data_folder`."""
    running = None if os.environ.get("CRANT_DATA") else folder_of_running_stack()
    return running or data_folder()


def announce(folder: Path) -> None:
    """Say that this process runs a stack in a folder. The last one to say so is the one that is found."""
    note = _note()
    with suppress(OSError):  # no home, as in containers: then people name the folder in CRANT_DATA
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_name(f"{note.name}.{os.getpid()}")
        draft.write_text(json.dumps({"folder": str(folder), "pid": os.getpid()}))
        draft.replace(note)


def withdraw() -> None:
    """Take back what this process said, if no other stack has said something since."""
    if _read().get("pid") == os.getpid():
        _note().unlink(missing_ok=True)


def folder_of_running_stack() -> Path | None:
    """Return the folder of the stack that was started last and still runs; None if there is none."""
    found = _read()
    return Path(str(found["folder"])) if found and _is_alive(found["pid"]) else None


def _note() -> Path:
    return user_data_path("crant") / f"running-on-{platform.node()}.json"


def _read() -> dict[str, object]:
    """Read the note, if it is this person's: a home may be somebody else's."""
    with suppress(OSError, ValueError):
        if _note().stat().st_uid == os.getuid():
            found = json.loads(_note().read_text())
            return found if isinstance(found, dict) and {"folder", "pid"} <= found.keys() else {}
    return {}


def _is_alive(pid: object) -> bool:
    with suppress(ValueError, TypeError):
        return Path(f"/proc/{int(str(pid))}").exists() or not Path("/proc").exists()
    return False
