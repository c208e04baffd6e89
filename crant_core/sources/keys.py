"""Keys of Amazon's store in the environment."""

from __future__ import annotations

import os

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_SESSION = "AWS_SESSION_TOKEN"


def complete_aws_keys() -> None:
    """Add an empty session token to lasting keys, which have none: cloud-files takes one for granted and breaks.

    Other clients take an empty one for none. Call this before cloud-files first asks an `s3://` address.
    """
    if all(os.environ.get(name) for name in _KEYS):
        os.environ.setdefault(_SESSION, "")
