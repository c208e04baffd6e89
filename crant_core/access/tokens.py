"""CAVE tokens: which one is used, and how a person sets one. Nobody is asked for one unasked."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import webbrowser
from pathlib import Path

from crant_core.access.sources import forget_sources, source_of
from crant_core.errors import InvalidInput, SourceTokenMissing
from crant_core.registry import dataset_of, set_token


def get_current_cave_token() -> str:
    """Return the token for the default dataset's server.

    It is the one that was registered, else that of the setting `CRANT_CAVE_TOKENS`, else that of the files caveclient
    uses: `~/.cloudvolume/secrets/<server>-cave-secret.json`, else `~/.cloudvolume/secrets/cave-secret.json`.

    Returns
    -------
    str

    Raises
    ------
    SourceTokenMissing
        There is none; the message says how to set one. It is a ValueError too.
    """
    return source_of().token()


def set_cave_token(token: str) -> None:
    """Store a token for the default dataset's server where caveclient and cloud-volume look for it.

    The file `~/.cloudvolume/secrets/<server>-cave-secret.json` is overwritten, and only its owner may read it. This
    process uses the new token from the next call on; later ones do, unless `CRANT_CAVE_TOKENS` names another.

    Parameters
    ----------
    token : str

    Raises
    ------
    InvalidInput
        It is empty.
    """
    from caveclient.auth import server_token_filename

    from crant_core.sources import caches

    if not isinstance(token, str) or not token.strip():
        raise InvalidInput("the token is empty", hint="paste the token that the server's token page shows")
    server = dataset_of().server
    _write(Path(server_token_filename(server)), json.dumps({"token": token.strip()}))
    set_token(server, token.strip())
    forget_sources()
    caches.forget()


def generate_cave_token(save: bool = False) -> None:
    """Open the page in a browser on which the default dataset's server makes a new token.

    Parameters
    ----------
    save : bool, default False
        Ask for the new token on the terminal, unseen, and store it as `set_cave_token` does.

    Raises
    ------
    SourceTokenMissing
        There is no browser; or the token shall be saved, and there is no terminal to ask on.
    """
    page = f"{dataset_of().server.rstrip('/')}/auth/api/v1/create_token"
    hint = f"take a token from {page} and call set_cave_token"
    if not webbrowser.open(page) and not save:
        raise SourceTokenMissing("no browser can be opened here", hint=hint)
    if not save:
        return
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        raise SourceTokenMissing("there is no terminal to ask for the token on", hint=hint)
    from getpass import getpass

    set_cave_token(getpass(f"token from {page}: "))


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)  # only its owner may read it
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(name).replace(path)
