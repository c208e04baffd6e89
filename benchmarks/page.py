"""The page of the benchmarks: a section for each part, which only that part's own run replaces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Ours and the peers, side by side in one run each. `make bench` measures all in short, `make bench FULL=1` at the sizes
that count, `make bench PART=matrices` one part; what is measured replaces its own section. Medians; CPU time of all
threads unless said."""


def updated(text: str, titles: Iterable[str], measured: Mapping[str, str]) -> str:
    """Return the page with some sections replaced, in the order of all titles; other sections go.

    Parameters
    ----------
    text : str
        The page as it is.
    titles : iterable of str
    measured : mapping of str to str
        By title: the new text of a section.
    """
    sections = sections_of(text) | measured
    return "\n\n".join([HEAD, *(f"## {title}\n\n{sections[title]}" for title in titles if title in sections)]) + "\n"


def sections_of(text: str) -> dict[str, str]:
    """Return the sections of a page by title."""
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)[1:]
    return {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}
