"""The functions on synapses against the offline CAVE: what they take, what they give, what they ask, how they fail."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import navis
import numpy as np
import pandas as pd
import pytest

from crant_core import NeuronCriteria
from crant_core.access import source_of
from crant_core.datasets import Dataset
from crant_core.errors import (
    InvalidId,
    InvalidInput,
    InvalidParameters,
    InvalidTime,
    NoMatchesError,
    SourceError,
    SourceUnavailable,
    UnknownDataset,
    VersionNotFound,
)
from crant_core.identity import update_ids
from crant_core.registry import register
from crant_core.sandbox.names import SYNAPSES
from crant_core.sandbox.world.history import VERSIONS
from crant_core.synapses import (
    attach_synapses,
    get_adjacency,
    get_connectivity,
    get_synapse_counts,
    get_synapses,
    query_synapses,
)
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, lasting, run_sandbox

pytestmark = pytest.mark.xdist_group("synapses")

NO_ROOT = (8 << 56) + 5_000_000  # a root id of the right form that never was
FLYWIRE = 720575940621039145  # a root id of another dataset
COLUMNS = [
    *("pre_pt_root_id", "post_pt_root_id", "id", "created", "superceded_id", "valid", "size"),
    *("pre_pt_supervoxel_id", "post_pt_supervoxel_id", "pre_pt_position", "post_pt_position", "ctr_pt_position"),
]
ROWS = "POST /query"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with run_sandbox() as started:
        yield started


@pytest.fixture
def dataset(running, tmp_path, monkeypatch) -> Dataset:
    """A dataset in an offline CAVE, and an empty store."""
    monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
    return register(lasting(running.dataset), running.token)


@pytest.fixture
def cave(running, dataset) -> Iterator[Sandbox]:
    """The same CAVE, which a test may change."""
    source_of(dataset).client()
    running.control("DELETE", "log")
    yield running
    running.control("POST", "reset")


def asked(cave: Sandbox) -> Counter[str]:
    """Count the requests since the last time, by what is asked."""
    entries = cave.control("GET", "log")["entries"]
    cave.control("DELETE", "log")
    return Counter(f"{entry['method']} /{entry['path'].rsplit('/', 1)[-1]}" for entry in entries)


def skeleton(number: int, root: Any, **options: Any) -> navis.TreeNeuron:
    """The skeleton of a real neuron under an id."""
    nodes = neurons.world().frame("truth/skeletons").query("neuron == @number")
    table = nodes.rename(columns={"node": "node_id", "parent": "parent_id"})
    return navis.TreeNeuron(table.drop(columns="neuron"), id=root, units="1 nm", **options)


def current(version: int = 3) -> list[int]:
    """The real neurons in a version."""
    return neurons.roots_at(version)


def test_a_neuron_that_was_several_roots_in_the_version_says_how_much_of_it_is_here(dataset, caplog):
    whole, merged = neurons.live_roots()[0], neurons.live_roots()[4]
    found = get_connectivity([whole, merged], dataset=dataset)
    share = update_ids(merged, timestamp="mat", dataset=dataset).confidence[0]
    assert found.attrs["partial"] == {str(merged): share}
    assert 0 < share < 1
    assert "1 ids were several roots at" in caplog.text
    assert str(merged) in caplog.text
    assert "partial" not in get_connectivity(whole, dataset=dataset).attrs


class TestForms:
    @pytest.mark.parametrize(
        "form",
        [
            lambda roots: roots,
            lambda roots: [str(root) for root in roots],
            np.array,
            lambda roots: list(np.array(roots)),
            pd.Series,
            lambda roots: pd.DataFrame({"root_id": roots}),
            lambda roots: {*roots},
            lambda roots: [*roots, roots[0], str(roots[1])],
            lambda roots: SimpleNamespace(get_roots=lambda: np.array(roots)),
            lambda roots: navis.NeuronList([skeleton(number, root) for number, root in enumerate(roots)]),
        ],
        ids=["list", "str", "array", "numpy", "series", "table", "set", "twice", "criteria", "navis"],
    )
    def test_neurons_in_any_form_are_the_same_neurons(self, dataset, form):
        # D7: the peer refuses NumPy's integers and neurons
        roots = current()[:2]
        found = get_synapses(pre_ids=form(roots), dataset="demo")
        assert found.equals(get_synapses(pre_ids=roots, dataset=dataset))
        assert set(found["pre_pt_root_id"]) == set(roots)

    def test_one_id_is_one_neuron(self, dataset):
        root = current()[1]
        expected = get_synapses(post_ids=[root], dataset="demo")
        assert len(expected)
        for one in (root, str(root), np.int64(root), np.array(root)):
            assert get_synapses(post_ids=one, dataset="demo").equals(expected)

    def test_criteria_that_can_are_asked_for_their_roots_at_the_time(self, dataset):
        when = list[Any]()

        def at(base: Any) -> Any:
            when.append(base)
            return SimpleNamespace(get_roots=lambda: np.array(current(2)))

        criteria = SimpleNamespace(get_roots=lambda: 1 / 0, at=at)
        found = get_adjacency(criteria, criteria, materialization=2, dataset="demo")
        assert found.equals(get_adjacency(current(2), current(2), materialization=2, dataset="demo"))
        assert [base.version for base in when] == [2]

    def test_neuron_criteria_are_neurons(self, running, tmp_path, monkeypatch):
        monkeypatch.setenv("CRANT_CACHE_FOLDER", str(tmp_path))
        register(running.dataset, running.token)
        criteria = NeuronCriteria(cell_class="olfactory_projection_neuron", dataset="demo")
        found = get_connectivity(criteria, materialization="live", dataset="demo")
        assert len(found)
        assert found.equals(get_connectivity(criteria.get_roots(), materialization="live", dataset="demo"))
        with pytest.raises(InvalidInput, match="say nothing"):
            get_synapses(NeuronCriteria(dataset="demo"), dataset="demo")
        with pytest.raises(NoMatchesError):
            get_synapses(NeuronCriteria(cell_class="nobody", dataset="demo"), dataset="demo")

    @pytest.mark.parametrize(
        "when",
        ["latest", "mat", "MAT_3", "mat_3", 3, np.int64(3), "3", "v3", VERSIONS[2].timestamp],
        ids=str,
    )
    def test_a_version_in_any_form_is_that_version(self, dataset, when):
        found = get_synapses(current(), materialization=when, dataset="demo")
        expected = get_synapses(current(), materialization=3, dataset="demo")
        assert found.equals(expected)
        assert datetime.fromisoformat(found.attrs["timestamp"]) == VERSIONS[2].timestamp

    def test_answers_say_their_one_time_and_can_be_asked_for_again_by_it(self, dataset, tmp_path):
        for when, version in (("latest", 3), (2, 2), ("live", None)):
            found = get_connectivity(current(), materialization=when, dataset="demo")
            assert found.attrs["materialization"] == version
            assert found.attrs["dataset"] == "demo"
            again = get_connectivity(current(), materialization=found.attrs["timestamp"], dataset="demo")
            assert again.equals(found)
            found.to_parquet(tmp_path / "found.parquet")
            assert pd.read_parquet(tmp_path / "found.parquet").attrs == found.attrs


class TestTables:
    @pytest.mark.parametrize("when", ["latest", "live"])
    def test_columns_are_those_documented_whenever_it_is(self, dataset, when):
        found = get_synapses(current(), materialization=when, dataset="demo")
        assert found.columns.tolist() == COLUMNS
        ids = [name for name in COLUMNS if name.endswith("_id") and name != "superceded_id"]
        assert found[[*ids, "id", "size"]].dtypes.eq(np.int64).all()
        assert str(found["created"].dtype) == "datetime64[ns, UTC]"
        assert found["valid"].dtype == np.bool_
        assert found.index.tolist() == list(range(len(found)))
        assert found["id"].is_monotonic_increasing
        assert {type(cell) for name in COLUMNS[-3:] for cell in found[name]} == {list}

    def test_no_synapses_have_the_types_of_synapses(self, dataset):
        # D22: the peer's empty tables are of type object
        some = get_synapses(current(), dataset="demo")
        lonely = get_synapses(current(), threshold=10**6, dataset="demo")
        nobody = get_synapses([], dataset="demo")
        for found in (lonely, nobody):
            assert len(found) == 0
            assert found.dtypes.equals(some.dtypes)
            assert set(found.attrs) == {"timestamp", "materialization", "dataset"}
        assert get_connectivity([], dataset="demo").dtypes.astype(str).tolist() == ["int64"] * 3
        counts = get_synapse_counts([], dataset="demo")
        assert (len(counts), counts.index.dtype, counts["pre"].dtype) == (0, np.int64, np.int64)
        assert get_adjacency([], dataset="demo").shape == (0, 0)
        assert len(navis.NeuronList([])) == len(attach_synapses(navis.NeuronList([]), dataset="demo"))

    def test_pixels_are_voxels_of_the_viewer(self, dataset):
        nm, pixels = (get_synapses(current(), return_pixels=are, dataset="demo") for are in (False, True))
        for name in COLUMNS[-3:]:
            expected = np.array(nm[name].tolist()) // np.array([8, 8, 42])
            assert np.array_equal(np.array(pixels[name].tolist()), expected)
            assert all(isinstance(axis, int) for axis in pixels[name][0])

    def test_a_matrix_can_be_sparse(self, dataset):
        dense = get_adjacency(post_ids=current(), threshold=3, dataset="demo")
        sparse = get_adjacency(post_ids=current(), threshold=3, dataset="demo", sparse=True)
        assert sparse.matrix.format == "csr"
        assert sparse.to_frame().equals(dense)
        assert (sparse.attrs, sparse.to_frame().attrs) == (dense.attrs, dense.attrs)
        assert np.array_equal(sparse.matrix.toarray(), dense.to_numpy())

    def test_counts_are_under_the_ids_that_were_asked_for(self, cave):
        # D12: the peer finds nothing under an outdated id
        new = update_ids(current(2), timestamp=3, dataset="demo")
        changed = new[new["changed"]]
        assert len(changed)
        old, new = changed["old_id"].tolist(), changed["new_id"].tolist()
        found = get_synapse_counts([*old, *new, old[0]], dataset="demo")
        assert found.index.tolist() == [*old, *new, old[0]]
        assert found.index.name == "neuron_id"
        assert found["pre"].tolist()[: len(old)] == found["pre"].tolist()[len(old) : -1]
        assert (found.to_numpy() > 0).any(axis=1).all()


class TestRequests:
    @pytest.mark.parametrize(
        ("call", "queries"),
        [
            (lambda roots: get_synapses(roots, roots, dataset="demo"), 1),
            (lambda roots: get_adjacency(roots, roots, symmetric=True, dataset="demo"), 1),
            (lambda roots: get_connectivity(roots, dataset="demo"), 2),
            (lambda roots: get_connectivity(roots, upstream=False, dataset="demo"), 1),
            (lambda roots: get_synapse_counts(roots, dataset="demo"), 2),
        ],
        ids=["synapses", "adjacency", "connectivity", "downstream", "counts"],
    )
    def test_all_neurons_cost_one_query_for_each_side(self, cave, call, queries):
        # P7 of the peer
        call(current())
        count = asked(cave)
        assert count[ROWS] == queries
        assert count["POST /is_latest_roots"] == 1
        assert count.total() <= queries + 4  # the version and its time; the layers of ids, once per client

    def test_all_skeletons_cost_one_query_for_each_side(self, cave):
        attach_synapses(navis.NeuronList([skeleton(one, root) for one, root in enumerate(current())]), dataset="demo")
        assert asked(cave)[ROWS] == 2

    def test_without_updates_the_chunkedgraph_is_not_asked(self, cave):
        get_synapses(current(), update_ids=False, dataset="demo")
        count = asked(cave)
        assert count["POST /is_latest_roots"] == 0
        assert count[ROWS] == 1

    def test_counting_downloads_no_positions(self, dataset, monkeypatch):
        # P7: the peer downloads all columns to count rows
        materialize = source_of(dataset).client().materialize
        query, seen = materialize.query_table, list[pd.DataFrame]()

        def watched(*args: Any, **kwargs: Any) -> pd.DataFrame:
            seen.append(query(*args, **kwargs))
            return seen[-1]

        monkeypatch.setattr(materialize, "query_table", watched)
        get_adjacency(current(), dataset="demo")
        get_connectivity(current(), min_size=5, dataset="demo")
        assert len(seen) == 3
        assert not [name for frame in seen for name in frame if "position" in name]

    def test_many_ids_are_asked_in_batches(self, cave):
        roots = [*current(), *range(NO_ROOT, NO_ROOT + 50_000)]
        found = get_connectivity(roots, upstream=False, update_ids=False, dataset="demo")
        assert asked(cave)[ROWS] == 2
        assert found.equals(get_connectivity(current(), upstream=False, update_ids=False, dataset="demo"))

    @pytest.mark.parametrize("when", ["latest", "live"])
    def test_a_live_answer_does_not_touch_the_root_logger(self, dataset, when):
        # caveclient's live_live_query sets up handlers for the whole process
        handlers = logging.getLogger().handlers
        before = list(handlers)
        handlers.clear()
        try:
            get_synapses(current(), materialization=when, dataset="demo")
            assert handlers == []
        finally:
            handlers[:] = before


class TestRowLimits:
    @pytest.mark.parametrize("when", [2, 3, VERSIONS[2].timestamp + timedelta(days=1)], ids=["2", "3", "live"])
    def test_nothing_depends_on_the_servers_row_limit(self, cave, when):
        # D11: the peer takes the first rows for all of them
        roots = update_ids(current(), timestamp=when, dataset="demo")["new_id"].tolist()
        partners = get_connectivity(roots, materialization=when, dataset="demo")["pre"].unique()[:20].tolist()

        def answers() -> list[pd.DataFrame]:
            pairs = get_adjacency(partners, roots, materialization=when, dataset="demo")
            skeletons = navis.NeuronList([skeleton(number, root) for number, root in enumerate(roots)])
            attached = attach_synapses(skeletons, materialization=when, dataset="demo")
            return [
                get_synapses(post_ids=roots, materialization=when, dataset="demo"),
                pairs,
                get_synapse_counts(roots, materialization=when, dataset="demo"),
                *(one.connectors for one in attached),
            ]

        whole = answers()
        assert len(whole[0]) > 5_000
        assert whole[0]["post_pt_root_id"].value_counts().max() > 1_000  # one neuron alone is too much
        cave.control("POST", "profile", {"name": "truncate"})
        for one, other in zip(answers(), whole, strict=True):
            assert one.equals(other)

    def test_a_live_answer_has_the_rows_of_caveclients_own(self, cave):
        done = cave.control("POST", "edit", {"operation": "toggle", "neuron": 2})
        moment = datetime.fromisoformat(done["timestamp"]) + timedelta(seconds=1)
        cave.control("POST", "clock", {"advance_seconds": 10})
        roots = [*map(int, done["new_roots"]), current()[4]]
        roots = update_ids(roots, timestamp=moment, dataset="demo")["new_id"].unique().tolist()
        found = get_synapses(roots, clean=False, return_pixels=False, materialization=moment, dataset="demo")
        theirs = (
            source_of("demo")
            .client()
            .materialize.live_query(
                SYNAPSES, moment, filter_in_dict={"pre_pt_root_id": roots}, split_positions=True, metadata=False
            )
        )
        theirs = theirs.sort_values("id", ignore_index=True)
        assert len(found) > 100
        for name in ("id", "pre_pt_root_id", "post_pt_root_id", "size", "pre_pt_supervoxel_id"):
            assert found[name].tolist() == theirs[name].tolist()
        places = theirs[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy(np.int64)
        assert found["ctr_pt_position"].tolist() == places.tolist()


class TestRefusals:
    @pytest.mark.parametrize("call", [get_synapses, get_adjacency])
    def test_all_synapses_of_a_dataset_are_not_fetched(self, cave, call):
        with pytest.raises(ValueError, match="neither pre_ids nor post_ids"):
            call(dataset="demo")
        assert asked(cave).total() == 0

    def test_neither_direction_is_refused(self, cave):
        with pytest.raises(ValueError, match="upstream"):
            get_connectivity(current(), upstream=False, downstream=False, dataset="demo")
        with pytest.raises(ValueError, match="neither pre nor post"):
            attach_synapses(skeleton(0, current()[0]), pre=False, post=False, dataset="demo")
        assert asked(cave).total() == 0

    @pytest.mark.parametrize(
        ("when", "error"), [("newest", InvalidTime), (99, VersionNotFound), (1, VersionNotFound), (True, InvalidTime)]
    )
    def test_a_time_that_is_none_is_refused(self, dataset, when, error):
        for call in (get_synapses, get_connectivity, get_synapse_counts, get_adjacency):
            with pytest.raises(error):
                call(current(), materialization=when, dataset="demo")

    @pytest.mark.parametrize("wrong", [5, FLYWIRE, 0, -1, None, 5.0, "a", float("nan"), [True]])
    def test_what_is_no_root_id_is_refused(self, dataset, wrong):
        for call in (get_connectivity, get_synapse_counts):
            with pytest.raises(InvalidId):
                call([current()[0], wrong], dataset="demo")

    def test_a_supervoxel_is_no_root_id_and_the_message_says_its_layer(self, dataset):
        with pytest.raises(InvalidId, match="layer 8, this one 1"):
            get_synapses(post_ids=int(neurons.supervoxels()[0]), dataset="demo")

    @pytest.mark.parametrize("update", [True, False])
    @pytest.mark.parametrize("when", ["latest", "live"])
    def test_a_root_that_never_was_has_no_synapses_which_is_logged(self, dataset, caplog, update, when):
        with caplog.at_level(logging.WARNING, "crant_core"):
            found = get_synapse_counts([NO_ROOT], update_ids=update, materialization=when, dataset="demo")
        assert found.to_numpy().tolist() == [[0, 0]]
        assert (str(NO_ROOT) in caplog.text) is update

    def test_a_table_without_a_column_is_named_with_it(self, cave):
        register(lasting(cave.dataset).model_copy(update={"synapse_table": "nucleus_detection_v0"}), cave.token)
        try:
            for call in (get_connectivity, get_adjacency, get_synapses):
                with pytest.raises(SourceError, match=r"nucleus_detection_v0 has no column (pre|post)_pt_root_id"):
                    call(current(), dataset="demo")
            with pytest.raises(SourceError, match="no column post_pt_root_id"):
                get_connectivity(current(), materialization="live", dataset="demo")
        finally:
            register(lasting(cave.dataset), cave.token)

    def test_the_synapse_table_may_be_that_of_caves_description(self, cave):
        plain = lasting(cave.dataset).model_copy(update={"synapse_table": None})
        expected = get_synapses(current(), dataset="demo")
        assert get_synapses(current(), dataset=plain).equals(expected)

    def test_a_dataset_must_be_known(self):
        with pytest.raises(UnknownDataset):
            get_synapses(current(), dataset="nowhere")

    def test_a_server_that_does_not_answer_is_an_error_and_neurons_stay_as_they_were(self, cave):
        some = navis.NeuronList([skeleton(number, root) for number, root in enumerate(current())])
        attach_synapses(some, dataset="demo")
        before = [one.connectors.copy() for one in some]
        cave.control("POST", "fault", {"path": "/query", "status": 503, "times": 100, "after": 1})
        with pytest.raises(SourceUnavailable):
            attach_synapses(some, materialization=2, dataset="demo")
        assert all(one.connectors.equals(other) for one, other in zip(some, before, strict=True))

    def test_ids_of_skeletons_must_be_root_ids(self, dataset):
        some = navis.NeuronList([skeleton(0, current()[0]), skeleton(1, "DA1")])
        with pytest.raises(InvalidId, match="DA1"):
            attach_synapses(some, dataset="demo")
        assert all(one.connectors is None for one in some)


class TestCortical:
    def test_without_a_side_it_is_refused(self, dataset):
        with pytest.raises(ValueError, match="pre=True"):
            query_synapses(source_of("demo"), current())

    @pytest.mark.parametrize("options", [{}, {"live": True}, {"reference_tables": ["cell_info"]}], ids=str)
    def test_no_roots_have_a_typed_table(self, dataset, options):
        # D12 of cortical-tools: "number sections must be larger than 0"
        found = query_synapses(source_of("demo"), [], pre=True, post=True, **options)
        assert len(found) == 0
        assert {"id", "pre_pt_root_id", "post_pt_root_id", "ctr_pt_position_x"} <= set(found)
        assert found["id"].dtype == np.int64

    def test_synapses_of_both_sides_are_there_once_without_autapses(self, dataset):
        both = query_synapses(source_of("demo"), current(), pre=True, post=True, batch_size=2)
        ours = get_synapses(current(), clean=False, dataset="demo")["id"]
        theirs = get_synapses(post_ids=current(), clean=False, dataset="demo")["id"]
        rows = query_synapses(source_of("demo"), current(), pre=True, post=True, omit_self_synapse=False)
        assert rows["id"].tolist() == sorted({*ours, *theirs})
        assert both["id"].tolist() == rows["id"][rows["pre_pt_root_id"] != rows["post_pt_root_id"]].tolist()

    def test_positions_have_the_unit_that_is_asked_for(self, dataset):
        source = source_of("demo")
        nm = query_synapses(source, current(), pre=True)
        voxels = query_synapses(source, current(), pre=True, resolution=[8, 8, 42], split_positions=False)
        axes = nm[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy()
        assert np.allclose(np.array(voxels["ctr_pt_position"].tolist()), axes / [8, 8, 42])
        assert not [name for name in voxels if name.endswith("_x")]
        with pytest.raises(InvalidParameters):
            query_synapses(source, current(), pre=True, resolution=[8, 0, 42])

    def test_a_timestamp_counts_whether_or_not_it_is_live(self, dataset):
        # D15 of cortical-tools: it is ignored without a word
        source = source_of("demo")
        then = query_synapses(source, current(2), pre=True, timestamp=VERSIONS[1].timestamp)
        assert then.attrs["timestamp"] == VERSIONS[1].timestamp.isoformat()
        assert set(then["pre_pt_root_id"]) <= set(current(2))
        assert then.equals(query_synapses(source, current(2), pre=True, timestamp="mat_2"))
        assert query_synapses(source, current(2), pre=True, live=True, timestamp=2).equals(then)

    def test_a_client_is_asked_at_its_version(self, dataset):
        client = SimpleNamespace(_source=source_of("demo"), version=2)
        found = query_synapses(client, current(2), post=True, omit_self_synapse=False)
        assert found.attrs["materialization"] == 2
        assert len(found) == len(get_synapses(post_ids=current(2), clean=False, materialization=2, dataset="demo"))

    def test_a_batch_has_some_roots(self, cave):
        query_synapses(source_of("demo"), current(), pre=True, batch_size=2)
        assert asked(cave)[ROWS] == 3
        with pytest.raises(InvalidParameters):
            query_synapses(source_of("demo"), current(), pre=True, batch_size=0)

    @pytest.mark.parametrize("limit", [False, True])
    def test_reference_tables_are_merged_on_the_synapse_they_are_about(self, cave, limit):
        # D13 and D14 of cortical-tools
        source = source_of("demo")
        rows = query_synapses(source, current(), pre=True)
        about = rows["id"].tolist()[::2]
        _doubt(about)
        if limit:
            cave.control("POST", "profile", {"name": "truncate"})
        version = cave.control("POST", "materialize")["version"]
        asked(cave)
        found = query_synapses(
            source, current(), pre=True, reference_tables=["doubts"], timestamp=version, ref_batch_size=1_000
        )
        assert found["tag"].notna().sum() == len(set(about) & set(found["id"]))
        tags = dict(zip(found["id"], found["tag"], strict=True))
        assert all(tags[one] == f"doubt {one}" for one in about if one in tags)
        assert (str(found["id_doubts"].dtype), "target_id" in found) == ("Int64", False)
        named = query_synapses(
            source,
            current(),
            pre=True,
            reference_tables="doubts",
            suffixes={"doubts": "_why"},
            timestamp=version,
        )
        assert named["id_why"].equals(found["id_doubts"].rename("id_why"))


def _doubt(about: list[int]) -> None:
    """Annotate synapses, in a table that refers to theirs."""
    annotation = source_of("demo").client().annotation
    annotation.create_table(
        table_name="doubts",
        schema_name="reference_tag",
        description="for a test",
        voxel_resolution=[1, 1, 1],
        reference_table=SYNAPSES,
    )
    annotation.post_annotation("doubts", [{"tag": f"doubt {one}", "target_id": one} for one in about])
