"""The page of faults: what was done, and what was seen; a run replaces the lines of what it tried."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.faults import Seen
from tests.chaos.schedules import Survived

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def write_faults(seen: Iterable[Seen]) -> None:
    """Put what was seen of faults into the page."""
    lines = {_name(line): line for line in _between("faults").splitlines()[2:]}
    lines |= {_name(line): line for line in map(_line, seen)}
    head = (
        "| fault | database | work goes on after | job of 150 items ends after | attempts | of these lost "
        "| items lost | doubled | files torn |\n|---|---|---|---|---|---|---|---|---|"
    )
    _replace("faults", "\n".join([head, *lines.values()]))


def _name(line: str) -> tuple[str, ...]:
    return tuple(line.split(" | ")[:2])


def _line(seen: Seen) -> str:
    verdict = seen.verdict
    after = f"{seen.recovered:.1f} s | {seen.took:.0f} s"
    counts = f"{verdict.attempts} | {verdict.deaths} | {verdict.lost} | {verdict.doubled} | {verdict.torn}"
    return f"| {seen.fault.what} | {seen.database} | {after} | {counts} |"


def write_schedules(survived: Sequence[Survived], minutes: float, words: str = "") -> None:
    """Put what was seen of random schedules into the page."""
    actions = Counter(step.action for one in survived for step in one.schedule.steps)
    total = Counter[str]()
    for one in survived:
        total.update(
            {name: getattr(one.verdict, name) for name in ("items", "attempts", "deaths", "lost", "doubled", "torn")}
        )
    seeds = sorted(one.schedule.seed for one in survived)
    databases = Counter(one.schedule.database for one in survived)
    took = sorted(one.took for one in survived)
    text = (
        f"{len(survived)} schedules (seeds {seeds[0]} to {seeds[-1]}; {_listed(databases)}) took {minutes:.0f} minutes"
        f"{words}. {sum(actions.values())} faults were drawn: {_listed(actions)}.\n\n"
        "| items | attempts at units | of these lost | items lost | doubled | files torn | jobs that hung "
        "| a job took (median, longest) |\n|---|---|---|---|---|---|---|---|\n"
        f"| {total['items']:,} | {total['attempts']:,} | {total['deaths']:,} | {total['lost']} | {total['doubled']} "
        f"| {total['torn']} | 0 | {took[len(took) // 2]:.0f} s, {took[-1]:.0f} s |"
    )
    _replace("schedules", text)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} × {name}" for name, count in counts.most_common())


def _between(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- end of {name} -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def _replace(name: str, text: str) -> None:
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}")
