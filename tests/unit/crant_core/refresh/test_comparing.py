"""What changed between two runs, counted by hand."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crant_core.refresh.comparing import Change, ConnectionChange, Edited, chained, compare
from crant_core.refresh.heatmaps import NEURONS, heatmaps
from crant_core.refresh.page import page
from crant_core.refresh.run import MEASURES, Cost, Failure, Run, files, read
from crant_core.refresh.telling import as_json, rows, summary

BIG = 2**62 + 1  # loses digits as a float
NAN = float("nan")


def neurons(**measured: tuple[float, ...]) -> pd.DataFrame:
    """A row for each `n<id>`: cable, nodes, branches, ends, outputs, inputs."""
    index = pd.Index([int(name[1:]) for name in measured], dtype="int64", name="root_id")
    return pd.DataFrame(list(measured.values()), index=index, columns=list(MEASURES), dtype="float64")


def connections(*made: tuple[str, int, int, int]) -> pd.DataFrame:
    columns = list(zip(*made, strict=True)) if made else [(), (), (), ()]
    kinds = {"neuropil": object, "pre": "int64", "post": "int64", "weight": "int64"}
    return pd.DataFrame(
        {name: pd.Series(list(c), dtype=k) for (name, k), c in zip(kinds.items(), columns, strict=True)}
    )


#: 1 stays; 2 is edited into 20; 3 and 4 are merged into 30; 5 goes; 6 comes
BEFORE = Run(
    about={
        "job": "aaa",
        "label": "night",
        "timestamp": "2026-11-01",
        "materialization": 2,
        "criteria": None,
        "steps": [],
    },
    neurons=neurons(
        n1=(100.0, 10, 2, 3, 50, 60),
        n2=(200.0, 20, 4, 5, 70, 80),
        n3=(10.0, 5, 1, 2, 3, 4),
        n4=(20.0, 6, 1, 2, 30, 40),
        n5=(1.0, 2, 0, 2, 0, 1),
    ),
    connections=connections(
        ("MB", 1, 2, 7), ("MB", 2, 9, 4), ("LH", 2, 9, 1), ("MB", 3, 1, 2), ("MB", 4, 1, 3), ("MB", 5, 1, 1)
    ),
)
AFTER = Run(
    about={**BEFORE.about, "job": "bbb", "timestamp": "2026-11-02", "materialization": 3},
    neurons=neurons(
        n1=(100.0, 10, 2, 3, 50, 61),
        n20=(190.0, 20, 4, 5, 70, 80),
        n30=(30.0, 11, 2, 4, NAN, 44),
        n6=(5.0, 3, 0, 2, 1, 1),
    ),
    connections=connections(("MB", 1, 20, 7), ("MB", 20, 90, 6), ("LH", 20, 90, 1), ("MB", 30, 1, 5), ("MB", 6, 1, 2)),
    lineage={1: (1, 1.0), 2: (20, 0.75), 3: (30, 1.0), 4: (30, 1.0), 5: (50, 1.0), 9: (90, 1.0)},
    failures=[Failure("skeletonize", "30", "mesh_not_found", "no mesh <b>")],
    costs={"skeletonize": Cost(10.0, 30, 4, 3, 1, 2_500_000), "update_ids": Cost(0.5, 2, 5, 0, 0)},
)
FOUND = compare(BEFORE, AFTER)


def test_neurons_are_added_gone_or_edited() -> None:
    assert FOUND.added == [6]
    assert FOUND.gone == [5], "it became a root that is no neuron of the run"
    assert FOUND.edited == [Edited(2, 20, 0.75), Edited(3, 30, 1.0), Edited(4, 30, 1.0)]
    assert FOUND.changed_percent == pytest.approx(100 * 4 / 5)  # 6, 5, 20, 30 of 1, 20, 30, 6, 5


def test_numbers_are_compared_with_those_of_the_root_that_it_was() -> None:
    assert FOUND.skeletons == [Change(20, (2,), "cable_length_um", 200.0, 190.0)]
    assert Change(1, (1,), "n_post", 60.0, 61.0) in FOUND.synapses


def test_neurons_that_were_merged_are_added_up_and_what_was_not_measured_is_said() -> None:
    assert [one for one in FOUND.synapses if one.root_id == 30] == [Change(30, (3, 4), "n_pre", 33.0, None)]
    assert not [one for one in FOUND.skeletons if one.root_id == 30], "30 µm, 11 nodes, 2 branches, 4 ends as before"


def test_connections_are_followed_through_edits_of_both_sides() -> None:
    # 1→20 as 1→2; 20→90 as 2→9 but for two more; 30→1 as 3→1 and 4→1 together; 6→1 is new; 50→1, that was 5→1, is gone
    assert FOUND.connections == [
        ConnectionChange(6, 1, 0, 2),
        ConnectionChange(20, 90, 5, 7),
        ConnectionChange(50, 1, 1, 0),
    ]


def test_nothing_changed_between_a_run_and_itself() -> None:
    same = compare(BEFORE, BEFORE)
    assert (same.added, same.gone, same.edited, same.skeletons, same.synapses, same.connections) == ([],) * 6
    assert same.changed_percent == 0


def test_of_nothing_and_nothing_no_per_cent_changed() -> None:
    nothing = Run(about=BEFORE.about, neurons=neurons())
    assert compare(nothing, nothing).changed_percent == 0
    assert compare(nothing, BEFORE).changed_percent == 100
    assert compare(BEFORE, nothing).changed_percent == 100


def test_lineages_are_chained_and_shares_multiplied() -> None:
    assert chained({1: (2, 0.5), 8: (8, 1.0)}, {2: (3, 0.5), 4: (5, 1.0)}) == {
        1: (3, 0.25),
        8: (8, 1.0),
        2: (3, 0.5),
        4: (5, 1.0),
    }


def test_every_change_is_a_row_and_ids_keep_their_digits() -> None:
    run = Run(about=BEFORE.about, neurons=neurons(**{f"n{BIG}": (1.0,) * 6}))
    listed = list(rows(compare(Run(about=BEFORE.about, neurons=neurons()), run)))
    assert listed == [
        {"number": 0, "change": "added", "root_id": BIG, "old_id": None, "partner_id": None, "measure": "neuron",
         "before": 0.0, "after": 1.0}
    ]  # fmt: skip
    told = [row["change"] for row in rows(FOUND)]
    assert told == ["added", "gone", *["edited"] * 3, "skeleton", *["synapses"] * 2, *["connection"] * 3, "failure"]


def test_json_has_ids_as_strings_and_says_how_many_are_not_shown() -> None:
    told = json.loads(json.dumps(as_json(FOUND, 1), allow_nan=False))
    assert told["edited"] == [{"old_id": "2", "new_id": "20", "share": 0.75}]
    assert told["numbers"]["edited"] == 3
    assert told["summary"] == {
        "neurons_before": 5,
        "neurons_after": 4,
        "changed_percent": 80.0,
        "seconds": 10.5,
        "requests": 32,
        "received": 2_500_000,
        "items": 9,
        "reused": 3,
        "reused_percent": 33.333,
    }
    assert summary(compare(BEFORE, BEFORE))["reused_percent"] == 0


def test_heatmaps_show_both_runs_under_the_same_neurons() -> None:
    mb, lh = heatmaps(FOUND.weights)
    assert (mb.neuropil, lh.neuropil) == ("MB", "LH")
    assert (mb.changed, mb.connections) == (3, 5)
    assert (mb.pre, mb.post) == ([1, 6, 20, 30, 50], [1, 20, 90])
    assert mb.before.tolist() == [[0, 7, 0], [0, 0, 0], [0, 0, 4], [5, 0, 0], [1, 0, 0]]
    assert mb.after.tolist() == [[0, 7, 0], [2, 0, 0], [0, 0, 6], [5, 0, 0], [0, 0, 0]]
    assert heatmaps(connections().assign(before=0, after=0)) == []


def test_a_large_matrix_is_drawn_where_most_changed() -> None:
    side = np.arange(1, 101)
    pre, post = (grid.ravel() for grid in np.meshgrid(side, side, indexing="ij"))
    weights = pd.DataFrame({"neuropil": "MB", "pre": pre, "post": post, "before": 1, "after": 1})
    weights.loc[(weights.pre == 77) & (weights.post == 88), "after"] = 50
    [one] = heatmaps(weights)
    assert one.before.shape == (NEURONS, NEURONS)
    assert 77 in one.pre
    assert 88 in one.post


def test_a_run_is_read_back_as_it_was() -> None:
    again = read(files(AFTER).__getitem__)
    assert (again.about, again.failures, again.costs, again.lineage) == (
        AFTER.about,
        AFTER.failures,
        AFTER.costs,
        AFTER.lineage,
    )
    pd.testing.assert_frame_equal(again.neurons, AFTER.neurons)
    pd.testing.assert_frame_equal(again.connections, AFTER.connections)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "data")]
        self.found += [tag] if tag in ("script", "link", "iframe") else []


def test_the_page_needs_no_network_and_repeats_nothing_as_markup() -> None:
    text = page(as_json(FOUND, 50))
    links = Links()
    links.feed(text)
    assert links.found == []
    assert not re.search(r"url\(|@import|https?://", text)
    assert "no mesh &lt;b&gt;" in text
    assert "prefers-color-scheme: dark" in text
    assert "<code>20</code>" in text
    assert "2.5 MB" in text
    assert text.count("<svg") == 4


def test_the_page_says_that_nobody_fits_and_that_there_was_no_run_before() -> None:
    about = {**AFTER.about, "criteria": {"cell_class": "nobody"}}
    nobody = Run(about=about, neurons=neurons())
    nothing = Run(about={"job": None, "label": "", "timestamp": None, "materialization": None}, neurons=neurons())
    text = page(as_json(compare(nothing, nobody), 50))
    assert "No neuron fits" in text
    assert "cell_class = nobody" in text
    assert "there is no run before it" in text


ROOTS = st.integers(1, 12)


@given(
    before=st.lists(ROOTS, unique=True),
    after=st.lists(ROOTS, unique=True),
    lineage=st.dictionaries(ROOTS, st.tuples(ROOTS, st.just(1.0))),
)
def test_every_neuron_is_accounted_for(before, after, lineage) -> None:
    one, other = (Run(about={}, neurons=neurons(**{f"n{r}": (1.0,) * 6 for r in roots})) for roots in (before, after))
    found = compare(one, other, lineage)
    became = {root: lineage.get(root, (root, 1.0))[0] for root in before}
    stayed = {root for root, now in became.items() if now in after}
    assert set(found.gone) | stayed == set(before)
    assert not set(found.gone) & stayed
    assert set(found.added) | {became[root] for root in stayed} == set(after)
    assert {edit.old_id for edit in found.edited} == {root for root in stayed if became[root] != root}
    assert 0 <= found.changed_percent <= 100
