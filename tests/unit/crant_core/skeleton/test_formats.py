"""Precomputed and Parquet: what other programs read of them, and that nothing is lost."""

from __future__ import annotations

import json
import struct
from io import BytesIO

import numpy as np
import pyarrow.parquet as pq
import pytest
from cloudvolume import CloudVolume
from cloudvolume import Skeleton as TheirSkeleton
from hypothesis import given
from hypothesis import strategies as st

from crant_core.errors import SkeletonError
from crant_core.skeleton import Skeleton
from crant_core.skeleton.parquet import read_parquet, to_parquet
from crant_core.skeleton.precomputed import precomputed_info, read_precomputed, to_precomputed

NODES = np.array([[0, 0, 0], [1000, 0, 0], [2000, 500.5, 0], [1000, 0, 7000.25]], dtype=np.float64)
FORK = Skeleton(NODES, np.array([100, 90.5, 80, 70]), np.array([-1, 0, 1, 1]))
RADIUS = [{"id": "radius", "data_type": "float32", "num_components": 1}]


@st.composite
def skeletons(draw) -> Skeleton:
    count = draw(st.integers(1, 12))
    parents = [draw(st.integers(-1, node - 1)) for node in range(count)]
    numbers = np.array(draw(st.lists(st.integers(0, 2**20), min_size=4 * count, max_size=4 * count)), dtype=np.float64)
    return Skeleton(numbers[: 3 * count].reshape(-1, 3), numbers[3 * count :], np.array(parents))


def same(one: Skeleton, other: Skeleton) -> bool:
    """Say whether two are equal but for the order of nodes: by their edges' ends."""

    def edges(tree: Skeleton) -> list[tuple[float, ...]]:
        whole = np.column_stack([tree.nodes, tree.radii])
        up = np.where((tree.parents < 0)[:, None], np.nan, whole[tree.parents])
        return sorted(map(tuple, np.nan_to_num(np.column_stack([whole, up]), nan=-1).tolist()))

    return edges(one) == edges(other)


@given(skeletons())
def test_nothing_is_lost_in_either_format(tree):
    assert same(read_precomputed(to_precomputed(tree)), tree)
    assert same(read_parquet(to_parquet(tree, {})), tree)


class TestPrecomputed:
    def test_bytes_are_counts_nodes_edges_and_radii(self):
        data = to_precomputed(FORK)
        assert struct.unpack_from("<II", data) == (4, 3)
        assert np.frombuffer(data, "<f4", 12, 8).tolist() == NODES.ravel().tolist()
        assert np.frombuffer(data, "<u4", 6, 8 + 48).tolist() == [1, 0, 2, 1, 3, 1]
        assert np.frombuffer(data, "<f4", 4, 8 + 48 + 24).tolist() == [100, 90.5, 80, 70]

    def test_cloud_volume_reads_it(self):
        theirs = TheirSkeleton.from_precomputed(to_precomputed(FORK), vertex_attributes=RADIUS)
        assert theirs.vertices.tolist() == NODES.tolist()
        assert theirs.radius.tolist() == [100, 90.5, 80, 70]
        assert theirs.cable_length() == pytest.approx(FORK.cable_length)
        assert len(theirs.components()) == 1

    def test_cloud_volume_reads_a_folder_of_them(self, tmp_path):
        volume = {
            "data_type": "uint64", "num_channels": 1, "type": "segmentation", "skeletons": "skeletons",
            "scales": [{"chunk_sizes": [[64, 64, 64]], "encoding": "raw", "key": "8_8_42", "resolution": [8, 8, 42],
                        "size": [64, 64, 64], "voxel_offset": [0, 0, 0]}],
        }  # fmt: skip
        (tmp_path / "skeletons").mkdir()
        (tmp_path / "info").write_text(json.dumps(volume))
        (tmp_path / "skeletons" / "info").write_bytes(precomputed_info({"dataset": "demo"}))
        (tmp_path / "skeletons" / "576460752303423577").write_bytes(to_precomputed(FORK))
        found = CloudVolume(f"file://{tmp_path}", progress=False).skeleton.get(576460752303423577)
        assert found.vertices.tolist() == NODES.tolist()
        assert found.radius.tolist() == [100, 90.5, 80, 70]

    def test_info_says_what_the_skeletons_are(self):
        info = json.loads(precomputed_info({"dataset": "demo", "timestamp": "2026-01-15T08:10:00+00:00"}))
        assert (info["@type"], info["vertex_attributes"]) == ("neuroglancer_skeletons", RADIUS)
        assert info["crant"] == {
            "dataset": "demo", "timestamp": "2026-01-15T08:10:00+00:00", "units": "nm", "format_version": 1,
        }  # fmt: skip

    @pytest.mark.parametrize("cut", [0, 5, 8, 60, -1])
    def test_what_is_cut_short_is_an_error(self, cut):
        with pytest.raises(SkeletonError):
            read_precomputed(to_precomputed(FORK)[:cut])

    def test_a_node_with_two_parents_is_an_error(self):
        data = bytearray(to_precomputed(FORK))
        struct.pack_into("<II", data, 8 + 48 + 8, 1, 2)
        with pytest.raises(SkeletonError, match="parent"):
            read_precomputed(bytes(data))


class TestParquet:
    def test_columns_types_and_header(self):
        table = pq.read_table(
            BytesIO(to_parquet(FORK, {"dataset": "demo"}, soma=2, columns={"compartment": np.arange(4)}))
        )
        assert table.column_names == ["node", "type", "parent", "x", "y", "z", "radius", "compartment"]
        assert [str(table.schema.field(name).type) for name in ("type", "parent", "x")] == ["int8", "int64", "double"]
        assert table["type"].to_pylist() == [0, 0, 1, 0]
        assert table["parent"].to_pylist() == [-1, 0, 1, 1]
        meta = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        assert meta == {"dataset": "demo", "units": "nm", "format": "parquet", "format_version": "1"}

    def test_what_is_none_is_an_error(self):
        with pytest.raises(SkeletonError):
            read_parquet(b"PAR1 no")
