"""Whose a token of CAVE's login service (middle_auth) is. It is asked, kept for minutes as a hash, and never stored."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx

from crant_core.errors import AccessDenied, CrantError, SourceUnavailable, TokenInvalid
from crant_core.jobs.model import Scope
from crant_core.jobs.repository.tokens import Identity

EVERYBODY = "*"  #: instead of a group: whoever has an account
_WHO = "/api/v1/user/cache"
_PATIENCE = 5.0  #: seconds
_KEPT, _REFUSED = 300.0, 30.0  #: seconds that an answer counts; CAVE's own services keep theirs for 300, too
_MANY = 10_000  #: tokens that are remembered
_LONGEST_NAME = 128  #: of an owner


class CaveLogin:
    """Recognises people by their CAVE tokens.

    Parameters
    ----------
    url : str
        Of the login service, such as https://global.daf-apis.com/auth.
    scopes : mapping
        What members of each group may do; `*` is everybody who has an account.
    clock : callable, optional
        Seconds that never go back.
    """

    def __init__(
        self, url: str, scopes: Mapping[str, Sequence[Scope]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.url, self.scopes, self.clock = url.rstrip("/"), scopes, clock
        self._known: dict[str, tuple[Identity | CrantError, float]] = {}  # and until when
        self._lock = threading.Lock()

    def identify(self, token: str) -> Identity:
        """Say whose token this is: the owner is the account's address of e-mail, in small letters.

        Raises
        ------
        TokenInvalid
            The login service does not know it.
        AccessDenied
            It does, but the account is in no group that is let in.
        SourceUnavailable
            The login service does not answer.
        """
        digest = hashlib.sha256(token.encode()).hexdigest()
        found, until = self._known.get(digest, (None, 0.0))
        if found is None or self.clock() >= until:
            found = self._asked(token, digest)
            self._remember(digest, found)
        if isinstance(found, CrantError):
            raise type(found)(found.message, value=found.value, hint=found.hint)
        return found

    def _remember(self, digest: str, found: Identity | CrantError) -> None:
        kept = _REFUSED if isinstance(found, CrantError) else _KEPT
        with self._lock:
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[digest] = found, self.clock() + kept

    def _asked(self, token: str, digest: str) -> Identity | CrantError:
        """Ask; what is refused is remembered, too, so that a program with a bad token does not ask CAVE at each try."""
        try:
            headers = {"Authorization": f"Bearer {token}"}
            answer = httpx.get(f"{self.url}{_WHO}", headers=headers, timeout=_PATIENCE, follow_redirects=False)
            if answer.is_server_error:
                raise SourceUnavailable(f"CAVE's login service answers {answer.status_code}", hint="try again")
            return self._identity(answer.json(), digest) if answer.status_code == HTTPStatus.OK else _unknown()
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"no answer from CAVE's login service: {type(error).__name__}") from error
        except ValueError:  # no JSON: a page to sign in on
            return _unknown()

    def _identity(self, account: Any, digest: str) -> Identity | CrantError:
        name = account.get("email") if isinstance(account, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            return _unknown()
        groups = {EVERYBODY, *(account.get("groups") or ())}
        scopes = frozenset(scope for group in groups for scope in self.scopes.get(group, ()))
        if not scopes:
            hint = "ask your administrator: CRANT_MIDDLE_AUTH_SCOPES names the groups that are let in"
            return AccessDenied("this CAVE account is in no group that may use this service", hint=hint)
        return Identity(name.lower(), scopes, f"cave-{digest[:27]}")


def _unknown() -> TokenInvalid:
    return TokenInvalid(hint="neither a token of this service nor one that CAVE's login service knows")
