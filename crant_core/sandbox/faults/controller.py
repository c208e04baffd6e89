"""The controller: the rules in force, what they have met so far, and the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crant_core.sandbox.faults.log import RequestLog
from crant_core.sandbox.faults.profiles import FAST, Profile
from crant_core.sandbox.faults.rules import Rule


@dataclass(slots=True)
class _Active:
    """A rule in force and its history."""

    index: int
    rule: Rule
    met: int = 0
    applied: int = 0

    def decide(self, path: str) -> int | None:
        """Count one more matching request; return its number when the rule applies to it."""
        k = self.met
        self.met += 1
        if not self.rule.applies(self.index, k, path):
            return None
        self.applied += 1
        return k


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to one request: how many seconds it waits, and which rule breaks it."""

    wait: float
    rule: Rule | None = None
    index: int = 0

    @property
    def fault(self) -> str | None:
        """What the log calls the breakage."""
        return None if self.rule is None else self.rule.name or f"{self.rule.breakage}-{self.index}"


UNHARMED = Verdict(0)


class Controller:
    """Decides about every request; `row_limit` and `edit_every` are for the application to carry out."""

    def __init__(self, log: RequestLog | None = None) -> None:
        self.log = log or RequestLog()
        self.profile: Profile = FAST
        self.on_profile: Callable[[Profile], None] = lambda profile: None  #: told of every new profile
        self._active: dict[int, _Active] = {}
        self._next = 0
        self._first: Profile = FAST

    @property
    def row_limit(self) -> int | None:
        """The most rows a query answers, where the profile says so."""
        return self.profile.row_limit

    @property
    def edit_every(self) -> float | None:
        """The seconds between edits, where the profile asks for them."""
        return self.profile.edit_every

    def add(self, rules: Sequence[Rule]) -> list[int]:
        """Put rules into force, after those that are; return their numbers."""
        numbers = list(range(self._next, self._next + len(rules)))
        self._active |= {n: _Active(n, rule) for n, rule in zip(numbers, rules, strict=True)}
        self._next += len(rules)
        return numbers

    def remove(self, number: int) -> bool:
        """Take one rule out of force; False when there is none."""
        return self._active.pop(number, None) is not None

    def clear(self) -> None:
        """Take everything out of force; numbers start from 0 again, so that the same rules decide the same."""
        self._active.clear()
        self._next = 0
        self._adopt(FAST)

    def begin(self, profile: Profile) -> None:
        """Take a profile into use, and come back to it at every `restart`."""
        self._first = profile
        self.use(profile)

    def restart(self) -> None:
        """Be as at the start, with an empty log."""
        self.use(self._first)
        self.log.clear()

    def use(self, profile: Profile) -> list[int]:
        """Replace everything in force by a profile; return its rules' numbers."""
        self.clear()
        self._adopt(profile)
        return self.add(profile.rules)

    def _adopt(self, profile: Profile) -> None:
        self.profile = profile
        self.on_profile(profile)

    def decide(self, method: str, path: str, size: int) -> Verdict:
        """Decide about one request: the waits of all rules that apply add up, the first that breaks it breaks it."""
        if not self._active:
            return UNHARMED
        wait, breaking = 0.0, None
        for active in self._active.values():
            k = active.decide(path) if active.rule.meets(method, path) else None
            if k is not None:
                wait += active.rule.wait(active.index, k, size)
                breaking = breaking or (active if active.rule.breakage else None)
        return Verdict(wait, breaking.rule, breaking.index) if breaking else Verdict(wait)

    def as_json(self) -> dict[str, Any]:
        """Return what is in force, in JSON's types."""
        return {
            "profile": self.profile.name,
            "row_limit": self.row_limit,
            "edit_every": self.edit_every,
            "rules": [_as_json(active) for active in self._active.values()],
        }


def _as_json(active: _Active) -> dict[str, Any]:
    rule = active.rule.model_dump(mode="json", exclude_defaults=True)
    return {"id": active.index, "rule": rule, "met": active.met, "applied": active.applied}
