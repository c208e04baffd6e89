from __future__ import annotations

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.page import HEAD, PAGE, sections_of, updated

OLD = f"{HEAD}\n\n## A\n\nfirst\n\n| a |\n|---|\n\n## B\n\nsecond\n\n## Gone\n\nof a part that is no more\n"


def test_a_part_that_ran_replaces_its_own_section_only():
    new = updated(OLD, ["A", "B", "C"], {"B": "measured again"})
    assert sections_of(new) == {"A": "first\n\n| a |\n|---|", "B": "measured again"}
    assert new.startswith(HEAD)


def test_sections_are_in_the_order_of_the_parts_whatever_ran_first():
    new = updated("", ["A", "B", "C"], {"C": "third"})
    assert list(sections_of(updated(new, ["A", "B", "C"], {"A": "first"}))) == ["A", "C"]


def test_writing_the_same_again_changes_nothing():
    once = updated(OLD, ["A", "B"], {})
    assert updated(once, ["A", "B"], {}) == once


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_a_section_on_the_page_that_says_what_was_measured_and_when(name):
    section = sections_of(PAGE.read_text())[PARTS[name].TITLE]
    assert "Measured on 20" in section
    assert (PARTS[name].__doc__ or "").strip() in section
