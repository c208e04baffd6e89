"""`query_synapses`, as the cortical side asks it, against the offline CAVE."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from crant_core.access import source_of
from crant_core.errors import InvalidParameters
from crant_core.sandbox.names import SYNAPSES
from crant_core.sandbox.world.history import VERSIONS
from crant_core.synapses import get_synapses, query_synapses
from tests.fixtures.synapse_cave import ROWS, asked, cave, current, dataset, running

__all__ = ["cave", "dataset", "running"]


class TestCortical:
    def test_d15_without_a_side_it_is_refused(self, dataset):
        with pytest.raises(ValueError, match="pre=True"):
            query_synapses(source_of("demo"), current())

    @pytest.mark.parametrize("options", [{}, {"live": True}, {"reference_tables": ["cell_info"]}], ids=str)
    def test_d12_no_roots_have_a_typed_table(self, dataset, options):
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

    def test_d15_a_timestamp_counts_whether_or_not_it_is_live(self, dataset):
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

    @pytest.mark.filterwarnings("ignore::crant_core.cautions.OutdatedRootWarning")  # live, some are
    @pytest.mark.parametrize("options", [{}, {"live": True}], ids=str)
    def test_d14_a_servers_row_limit_cuts_nothing(self, cave, options):
        # D14 of cortical-tools: it takes what the server cut for all, live without a word
        whole = query_synapses(source_of("demo"), current(), pre=True, post=True, **options)
        cave.control("POST", "profile", {"name": "truncate"})  # 1,000 rows
        found = query_synapses(source_of("demo"), current(), pre=True, post=True, **options)
        assert len(whole) > 1000
        assert found["id"].tolist() == whole["id"].tolist()

    @pytest.mark.filterwarnings("ignore::crant_core.cautions.OutdatedRootWarning")  # three of them are
    @pytest.mark.parametrize("limit", [False, True])
    def test_d13_reference_tables_are_merged_on_the_synapse_they_are_about(self, cave, limit):
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
