"""One neuron, many ids: annotations are found by the ids of any time."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from crant_core import registry
from crant_core.access import source_of
from crant_core.annotations import supervoxels_of
from crant_core.datasets import FileStore
from crant_core.errors import (
    InvalidId,
    InvalidInput,
    NoMatchesError,
)
from crant_core.identity.updates import update_ids
from crant_core.neurons import (
    NeuronCriteria,
    get_all_seatable_annotations,
    get_annotations,
    get_proofread_neurons,
    is_proofread,
)
from tests.contracts.annotations.tables import OPN, meta, requests_of
from tests.fixtures.neurons import live_roots, roots_at, world

NOBODY = 576460752303999999  # has the form of a root id


def real_rows() -> pd.DataFrame:
    """The annotations of the five real neurons; the first has another one further down."""
    return meta().iloc[:5]


def without_id(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns="root_id")


class TestIds:
    def test_annotations_written_with_outdated_ids_are_found_by_current_ones(self, demo):
        written = [int(root) for root in real_rows()["root_id"]]
        assert any(old != now for old, now in zip(written, live_roots(), strict=True))  # else nothing is tested
        found = get_annotations(live_roots(), "demo")
        assert found["cell_instance"].tolist() == [
            *real_rows()["cell_instance"].tolist()[:1] * 2,
            *real_rows()["cell_instance"].tolist()[1:],
        ]

    @pytest.mark.parametrize("version", [2, 3])
    def test_old_and_new_ids_of_a_neuron_give_the_same_rows(self, demo, version):
        old = get_annotations(roots_at(version), "demo")
        new = get_annotations(live_roots(), "demo")
        pd.testing.assert_frame_equal(without_id(old), without_id(new))
        assert list(dict.fromkeys(old["root_id"])) == [str(root) for root in roots_at(version)]

    def test_an_edit_after_the_annotation_was_written_and_fetched_changes_nothing(self, changing):
        before = get_annotations(live_roots()[2], "demo")
        edited = changing.control("POST", "edit", {"operation": "toggle", "neuron": 2})
        now = source_of("demo").graph.roots([int(real_rows()["supervoxel_id"][2])], datetime.now(UTC))
        assert str(now[0]) in edited["new_roots"]
        for root in (int(now[0]), live_roots()[2], roots_at(2)[2]):
            pd.testing.assert_frame_equal(without_id(get_annotations(root, "demo")), without_id(before))

    def test_a_neuron_that_was_split_keeps_its_annotation_on_the_part_with_the_annotated_supervoxel(self, changing):
        edited = changing.control("POST", "edit", {"operation": "toggle", "neuron": 2})
        annotated = source_of("demo").graph.roots([int(real_rows()["supervoxel_id"][2])], datetime.now(UTC))[0]
        (other,) = (int(root) for root in edited["new_roots"] if int(root) != annotated)
        assert get_annotations([other, int(annotated)], "demo").attrs["missing"] == [other]
        criteria = NeuronCriteria(cell_type="DA1_lPN", dataset="demo")
        assert int(annotated) in criteria
        assert other not in criteria

    def test_ids_of_a_version_are_joined_to_annotations_of_now(self, demo):
        # D0: the peer gives annotations the ids of now, so partners of the materialization are "Unknown".
        partners = pd.DataFrame({"post": roots_at(3)})
        found = get_annotations(partners["post"].unique().tolist(), "demo").reset_index()
        found["root_id"] = found["root_id"].astype(int)
        classes = found.drop_duplicates("root_id").set_index("root_id")["cell_class"]
        assert partners["post"].map(classes).tolist() == [OPN] * 5

    @pytest.mark.parametrize(
        "form",
        [
            lambda ids: ids[0],
            lambda ids: np.int64(ids[0]),
            lambda ids: str(ids[0]),
            lambda ids: [np.int64(root) for root in ids],
            np.array,
            pd.Series,
            lambda ids: pd.DataFrame({"root_id": ids}),
            lambda ids: [str(root) for root in ids],
            set,
        ],
    )
    def test_ids_come_in_every_form_that_people_have(self, demo, form):
        # D7: the peer refuses NumPy's integers, also what its own get_roots gives.
        given = form(live_roots())
        expected = set(live_roots()) if np.ndim(given) or isinstance(given, set) else {live_roots()[0]}
        assert {int(root) for root in get_annotations(given, "demo")["root_id"]} == expected

    def test_rows_are_in_the_order_of_the_query_and_an_id_given_twice_counts_once(self, demo):
        asked = [*reversed(live_roots()), live_roots()[1]]
        found = get_annotations(asked, "demo")
        assert list(dict.fromkeys(found["root_id"])) == [str(root) for root in reversed(live_roots())]
        assert found["annotator_notes"].tolist()[-1] == "second annotation of the same neuron"

    def test_ids_without_annotations_are_reported(self, demo):
        found = get_annotations([NOBODY, live_roots()[1]], "demo")
        assert found["root_id"].tolist() == [str(live_roots()[1])]
        assert found.attrs["missing"] == [NOBODY]

    def test_none_at_all_is_an_error(self, demo):
        with pytest.raises(NoMatchesError, match="none of 1"):
            get_annotations(NOBODY, "demo")
        with pytest.raises(NoMatchesError):
            get_annotations([], "demo")

    @pytest.mark.parametrize("wrong", [5.7e17, None, "DA1", 0])
    def test_what_is_no_id_is_refused(self, demo, wrong):
        with pytest.raises(InvalidId):
            get_annotations([wrong], "demo")

    def test_results_tell_their_time(self, demo):
        live = get_annotations(live_roots(), "demo").attrs
        assert (live["materialization"], live["dataset"]) == (None, "demo")
        assert datetime.fromisoformat(live["timestamp"]).tzinfo is not None
        then = get_annotations(roots_at(2), "demo", materialization="mat_2").attrs
        assert then["materialization"] == 2
        with pytest.raises(InvalidInput, match="two times"):
            get_annotations(live_roots(), "demo", materialization=2, timestamp="live")

    def test_only_proofread_ones(self, demo):
        rows = meta()[meta()["root_id"].notna()]
        roots = rows["root_id"].unique()
        found = get_annotations(roots, "demo", proofread_only=True)
        assert found["proofread"].tolist() == [True] * len(found)
        assert len(found) == sum(cell is True for cell in rows["proofread"])

    def test_as_written_asks_nothing_of_cave(self, changing):
        written = [int(root) for root in real_rows()["root_id"]]
        get_all_seatable_annotations("demo")
        changing.control("DELETE", "log")
        found = get_annotations(written, "demo", update_ids=False)
        assert list(dict.fromkeys(found["root_id"])) == [str(root) for root in written]
        assert requests_of(changing) == []

    def test_a_call_costs_a_few_requests_and_none_for_each_id(self, changing):
        get_annotations(live_roots(), "demo")
        changing.control("DELETE", "log")
        get_annotations([int(root) for root in meta()["root_id"].dropna().unique()], "demo")
        assert len(requests_of(changing)) <= 6


class TestCriteria:
    def test_neurons_of_a_class_have_the_ids_of_now_each_once(self, demo):
        roots = NeuronCriteria(cell_class=OPN, dataset="demo").get_roots()
        rows = meta()[(meta()["cell_class"] == OPN) & meta()["root_id"].notna()]
        assert roots.dtype == np.int64
        assert roots[:5].tolist() == live_roots()
        assert len(roots) == len(set(roots.tolist())) == rows["supervoxel_id"].nunique()

    @pytest.mark.parametrize("version", [2, 3])
    def test_they_can_be_those_of_a_version(self, demo, version):
        criteria = NeuronCriteria(cell_type="DA1_lPN", dataset="demo", materialization=version)
        assert sorted(criteria.get_roots().tolist()) == sorted(roots_at(version))
        assert criteria.annotations.attrs["materialization"] == version

    def test_fields_are_combined(self, demo):
        rows = meta()
        wanted = (rows["cell_class"] == OPN) & (rows["side"] == "right") & (rows["tract"] == "mALT")
        found = NeuronCriteria(cell_class=OPN, side="right", tract="mALT", dataset="demo").annotations
        assert found["supervoxel_id"].tolist() == rows.loc[wanted & rows["root_id"].notna(), "supervoxel_id"].tolist()

    def test_rows_without_a_root_are_counted_and_never_a_neuron(self, demo):
        found = NeuronCriteria(annotator_notes="root id not looked up yet", dataset="demo")
        with pytest.raises(NoMatchesError, match="2 annotations fit"):
            found.get_roots()
        notes = ["root id not looked up yet", "second annotation of the same neuron"]
        both = NeuronCriteria(annotator_notes=notes, dataset="demo").annotations
        assert (both["root_id"].tolist(), both.attrs["without_root"]) == ([str(live_roots()[0])], 2)

    def test_criteria_work_where_ids_do(self, demo):
        criteria = NeuronCriteria(cell_type="DA1_lPN", dataset="demo")
        assert len(get_annotations(criteria, "demo")) == 6
        assert is_proofread(criteria, "demo").tolist() == [True] * 5
        assert update_ids(criteria, dataset="demo")["changed"].tolist() == [False] * 5

    def test_two_outdated_ids_that_became_one_neuron_are_one(self, demo, tmp_path):
        first = world().frame("truth/lineage").iloc[:2]  # the first edit: a merger
        assert (first["kind"].tolist(), first["new"].nunique()) == (["merge", "merge"], 1)
        old = first["old"].tolist()
        pd.DataFrame({"root_id": [str(root) for root in old]}).to_csv(tmp_path / "pieces.csv", index=False)
        store = FileStore(path=str(tmp_path / "pieces.csv"))
        pieces = demo.model_copy(update={"name": "pieces", "annotations": store})
        assert NeuronCriteria(dataset=pieces, update_ids=False).get_roots().tolist() == old
        assert len(NeuronCriteria(dataset=pieces).get_roots()) == 1
        found = get_annotations(old, pieces)
        assert found["root_id"].tolist() == [str(old[0])] * 2 + [str(old[1])] * 2

    def test_annotated_ids_that_never_were_roots_are_left_out_and_logged(self, demo, tmp_path, caplog):
        pd.DataFrame({"root_id": [str(NOBODY), str(live_roots()[0])]}).to_csv(tmp_path / "odd.csv", index=False)
        odd = demo.model_copy(update={"name": "odd", "annotations": FileStore(path=str(tmp_path / "odd.csv"))})
        assert NeuronCriteria(dataset=odd).get_roots().tolist() == [live_roots()[0]]
        assert str(NOBODY) in caplog.text


class TestProofread:
    def test_few_proofread_neurons_are_found_too(self, demo, tmp_path):
        # D9: the peer compares text with numbers; with fewer than about ten it finds none.
        rows = pd.DataFrame(
            {"root_id": [str(root) for root in live_roots()], "proofread": [True, None, False, True, ""]}
        )
        rows.to_csv(tmp_path / "few.csv", index=False)
        few = demo.model_copy(update={"name": "few", "annotations": FileStore(path=str(tmp_path / "few.csv"))})
        asked = [*live_roots(), NOBODY, live_roots()[0]]
        assert is_proofread(asked, few).tolist() == [True, False, False, True, False, False, True]
        assert get_proofread_neurons(few).tolist() == [live_roots()[0], live_roots()[3]]

    def test_nobody_proofread_is_false_for_everybody(self, demo, tmp_path):
        pd.DataFrame({"root_id": [str(live_roots()[0])]}).to_csv(tmp_path / "none.csv", index=False)
        none = demo.model_copy(update={"name": "none", "annotations": FileStore(path=str(tmp_path / "none.csv"))})
        assert is_proofread(live_roots(), none).tolist() == [False] * 5
        assert get_proofread_neurons(none).shape == (0,)
        assert get_proofread_neurons(none).dtype == np.int64

    def test_outdated_ids_on_either_side_are_the_same_neuron(self, demo):
        # D9: the peer compares with ids as annotators wrote them.
        for roots in (live_roots(), roots_at(2), roots_at(3)):
            assert is_proofread(roots, "demo").tolist() == [True] * 5

    def test_a_proofread_row_without_a_root_breaks_nothing(self, demo, tmp_path):
        rows = pd.DataFrame({"root_id": ["", str(live_roots()[0])], "proofread": [True, True]})
        rows.to_csv(tmp_path / "gap.csv", index=False)
        gap = demo.model_copy(update={"name": "gap", "annotations": FileStore(path=str(tmp_path / "gap.csv"))})
        assert get_proofread_neurons(gap).tolist() == [live_roots()[0]]


class TestSupervoxels:
    def test_each_annotated_neuron_has_the_one_that_was_written_first(self, demo):
        found = supervoxels_of("demo")
        rows = meta().dropna(subset="root_id").drop_duplicates("root_id")
        assert found == {
            int(root): int(part) for root, part in zip(rows["root_id"], rows["supervoxel_id"], strict=True)
        }

    def test_update_ids_follows_them_where_a_neuron_was_split(self, demo, tmp_path):
        # D3: the peer's look-up never matches, because it compares text with numbers.
        edits = world().frame("truth/lineage")
        split = edits[edits["kind"] == "split"]
        old, graph = int(split["old"].iloc[0]), source_of("demo").graph
        leaves = graph.leaves_many(split["new"].to_numpy(), 1)
        parts = [int(leaves[int(heir)][0]) for heir in split["new"]]
        now = graph.roots(parts, datetime.now(UTC)).tolist()
        assert len(set(now)) == 2
        for part, root in zip(parts, now, strict=True):
            name, path = f"part_{part}", tmp_path / f"{part}.csv"
            pd.DataFrame({"root_id": [str(old)], "supervoxel_id": [str(part)]}).to_csv(path, index=False)
            registry.register(demo.model_copy(update={"name": name, "annotations": FileStore(path=str(path))}))
            found = update_ids(old, dataset=name)
            assert (found["new_id"].tolist(), found["confidence"].tolist()) == ([root], [1.0])
            assert get_annotations(root, name).attrs["missing"] == []

    def test_where_nobody_has_annotations_there_are_none(self, demo):
        assert supervoxels_of("minnie65_public") is None
        assert supervoxels_of("latest") is None  # no token for it here

    def test_a_server_that_is_down_is_logged_and_does_without(self, changing, caplog):
        changing.control("POST", "fault", {"path": "/temp-api-token/", "status": 503, "times": 9})
        assert supervoxels_of("demo") is None
        assert "without annotations" in caplog.text
