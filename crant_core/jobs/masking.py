"""Takes secrets out of log lines: those that the settings hold, and whatever looks like one, whoever wrote the line.

It is the last thing that is done to a line, as text: libraries put addresses and headers into messages, extra fields
and tracebacks alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

from crant_core.jobs.settings import Settings

MASK = "***"
_SHORTEST = 6  #: characters of a secret that is looked for by itself; shorter ones are parts of words
_NAMES = r"[\w.-]*(?:token|secret|password|passwd|signature|credential|api_?key|(?<![\w.-])key|(?<![\w.-])auth)"
_LIKELY = (
    re.compile(r"()\bcrant_[\w-]{20,}"),  # our tokens; their prefix is for this
    re.compile(r"(/precomputed/jobs/\w+(?:~|%7[Ee]))[\w-]+"),  # keys of links
    re.compile(r"(\b(?:Bearer|Basic|Token)[ +])[^\s\"'\\,;)]+"),
    re.compile(r"([\w+.-]+://[^\s/\"'\\:@]*:)[^\s/\"'\\@]+(?=@)"),
    re.compile(rf"((?:[?&;]|%3F|%26){_NAMES}(?:=|%3D))[^\s\"'\\&;)]+", re.IGNORECASE),
)


def masking(settings: Settings) -> Callable[[str], str]:
    """Return what takes secrets out of a line; what it leaves of JSON is JSON."""
    known = sorted({form for secret in _secrets(settings) for form in _forms(secret)}, key=len, reverse=True)
    exact = re.compile("|".join(re.escape(one) for one in known)) if known else None

    return lambda line: masked(exact.sub(MASK, line) if exact else line)


def masked(line: str) -> str:
    """Take out whatever looks like a secret."""
    for pattern in _LIKELY:
        line = pattern.sub(rf"\g<1>{MASK}", line)
    return line


def _forms(secret: str) -> Iterator[str]:
    """Write a secret as it stands in text, in addresses, and in JSON."""
    if len(secret) >= _SHORTEST:
        yield from (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])


def _secrets(settings: Settings) -> Iterator[str]:
    for value in vars(settings).values():
        yield from _secrets_in(value)
    for address in (settings.database_url, settings.broker_url):
        if (password := _password(address)) is not None:
            yield password


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _secrets_in(one)


def _password(address: str) -> str | None:
    try:
        password = urlsplit(address).password
    except ValueError:
        return None
    return password and unquote(password)
