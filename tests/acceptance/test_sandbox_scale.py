"""The sandbox with a thousand more neurons: everything answers, and it stays within a gigabyte."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
import psutil
import pytest
from scipy.spatial import cKDTree
from seatable_api import Base
from trimesh import Trimesh

from crant_core.sandbox import layout, names
from tests.contracts.sandbox_clients import REAL, base, cave, moment, segmentation, shape, truth
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, run_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COPIES = 1000
SYNAPSES_EACH = 1000
GIB = 2**30
XYZ = list("xyz")


class Memory:
    """Watches how much a process holds."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._process = psutil.Process(pid)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        ended = False
        while not ended:
            ended = self._end.wait(0.02)
            self.peak = max(self.peak, self._process.memory_info().rss)


@pytest.fixture(scope="module")
def crowded() -> Iterator[Sandbox]:
    with run_sandbox("--neurons", str(COPIES)) as running:
        yield running


@pytest.fixture(autouse=True)
def within_a_gigabyte(crowded: Sandbox) -> Iterator[None]:
    with Memory(crowded.pid) as memory:
        yield
    assert 0 < memory.peak < GIB


@pytest.fixture(scope="module")
def client(crowded):
    return cave(crowded)


@pytest.fixture(scope="module")
def annotations(crowded) -> Base:
    return base(crowded)


@pytest.fixture(scope="module")
def copies(annotations) -> list[int]:
    """The copies' root ids, in their order."""
    rows = annotations.query("SELECT root_id FROM CRANTb_meta WHERE cell_class = 'load_copy' LIMIT 10000")
    return [int(row["root_id"]) for row in rows]


@pytest.fixture(scope="module")
def mesh(crowded, copies) -> Trimesh:
    """The finest surface: copy 3's."""
    return shape(segmentation(crowded).mesh.get(copies[3])[copies[3]])


@pytest.fixture(scope="module")
def tree(client, copies) -> pd.DataFrame:
    """Nodes, radii and parents of the true skeleton where copy 3 stands."""
    template = int(client.chunkedgraph.get_roots(neurons.supervoxels())[3])
    one, other = (
        layout.chunk_of(client.chunkedgraph.get_leaves(root, stop_layer=2)).min(axis=0)
        for root in (copies[3], template)
    )
    rows = truth("skeletons")[lambda every: every.neuron == 3].reset_index(drop=True)
    rows[XYZ] += (one - other) * layout.chunk_nm()
    return rows


def test_all_copies_are_there_and_the_latest(crowded, client, copies):
    listed = crowded.control("GET", "world")["copies"]
    assert [int(copy["root_id"]) for copy in listed] == copies
    assert len(set(copies)) == COPIES
    assert client.chunkedgraph.is_latest_roots(copies).all()


def test_the_real_neurons_are_as_without_them(client):
    supervoxels = neurons.supervoxels()
    found = client.chunkedgraph.get_roots(supervoxels)
    leaves = [client.chunkedgraph.get_leaves(root) for root in found]
    owners = neurons.world().segmentation
    assert [sorted(own.tolist()) for own in leaves] == [owners.ids[owners.neuron == n].tolist() for n in range(REAL)]
    true = truth("synapse_neurons")[lambda rows: rows.pre == 0].synapse_id
    synapses = client.materialize.synapse_query(
        pre_ids=client.chunkedgraph.get_roots(supervoxels[:1], timestamp=client.materialize.get_timestamp(3))
    )
    assert set(synapses.id) <= set(true)
    assert len(synapses) > 500


@pytest.mark.parametrize("number", [0, 1, 999])
def test_a_copy_has_as_many_l2_chunks_as_its_template_moved_by_whole_chunks(client, copies, number):
    template = int(client.chunkedgraph.get_roots(neurons.supervoxels())[number % REAL])
    mine, theirs = (
        layout.chunk_of(client.chunkedgraph.get_leaves(root, stop_layer=2)) for root in (copies[number], template)
    )
    move = mine.min(axis=0) - theirs.min(axis=0)
    assert sorted((theirs + move).tolist()) == sorted(mine.tolist())
    assert move.any()


def test_synapse_queries_give_every_copys_synapses(client, copies):
    found = client.materialize.synapse_query(pre_ids=copies[:50], remove_autapses=False)
    assert found.groupby("pre_pt_root_id").size().to_dict() == dict.fromkeys(copies[:50], SYNAPSES_EACH)
    assert set(found.post_pt_root_id) <= set(copies)
    live = client.materialize.live_live_query(
        names.SYNAPSES, moment("live"), filter_in_dict={names.SYNAPSES: {"pre_pt_root_id": copies[:50]}}
    )
    assert set(live.id) == set(found.id)


def test_a_million_synapses_are_cut_at_the_row_limit_and_counted_in_full(client, caplog):
    with caplog.at_level("WARNING"):
        found = client.materialize.query_table(names.SYNAPSES)
    assert len(found) == 200_000
    assert "Limited query to 200000 rows" in caplog.text
    assert client.materialize.get_annotation_count(names.SYNAPSES) == COPIES * SYNAPSES_EACH + 17_479


class TestSeaTable:
    def test_there_are_more_than_100_000_rows(self, annotations):
        assert annotations.query("SELECT COUNT(*) FROM CRANTb_meta") == [{"COUNT(*)": 68 + COPIES * 101}]

    def test_a_query_gets_100_rows_unasked_and_10_000_at_most(self, annotations):
        assert len(annotations.query("SELECT root_id FROM CRANTb_meta")) == 100
        assert len(annotations.query("SELECT root_id FROM CRANTb_meta LIMIT 200000")) == 10_000

    def test_paging_gets_every_row_once(self, annotations):
        pages = [
            annotations.query(f"SELECT _id FROM CRANTb_meta LIMIT 10000 OFFSET {start}")  # noqa: S608 - a number
            for start in range(0, 110_000, 10_000)
        ]
        assert [len(page) for page in pages] == [10_000] * 10 + [1068]
        assert len({row["_id"] for page in pages for row in page}) == 101_068

    def test_fragments_are_roots_of_one_supervoxel(self, annotations, client):
        rows = annotations.query("SELECT * FROM CRANTb_meta WHERE cell_class = 'load_fragment' LIMIT 50")
        roots = client.chunkedgraph.get_roots([int(row["supervoxel_id"]) for row in rows])
        assert [str(root) for root in roots] == [row["root_id"] for row in rows]
        assert [len(client.chunkedgraph.get_leaves(root)) for root in roots[:5]] == [1] * 5


class TestLargeMesh:
    """Copy 3 is drawn finest; its skeleton is that of the fourth real neuron, moved."""

    def test_it_has_at_least_half_a_million_faces(self, mesh):
        assert len(mesh.faces) >= 500_000

    def test_it_encloses_the_volume_of_tubes_along_the_skeleton(self, mesh, tree):
        """12-sided frusta of the skeleton's lengths and radii."""
        child = tree[tree.parent >= 0]
        parent = tree.loc[child.parent]
        length = np.linalg.norm(child[XYZ].to_numpy() - parent[XYZ].to_numpy(), axis=1)
        one, other = child.radius.to_numpy(), parent.radius.to_numpy()
        twelfth = np.sin(np.pi / 6) / 2
        volume = (length * 12 * twelfth * (one**2 + one * other + other**2) / 3).sum()
        assert mesh.volume == pytest.approx(volume, rel=0.03)

    def test_it_lies_around_every_node_at_its_radius(self, mesh, tree):
        nodes = tree[XYZ].to_numpy()
        away = cKDTree(mesh.vertices).query(nodes)[0]
        assert (away <= tree.radius.to_numpy() + 2).all()
        assert cKDTree(nodes).query(mesh.vertices)[0].max() < tree.radius.max() + 1000

    def test_the_skeleton_service_finds_about_the_same_length(self, client, copies, tree):
        found = client.skeleton.get_skeleton(copies[3])
        ends = np.asarray(found["vertices"], dtype=float)[np.asarray(found["edges"])]
        child = tree[tree.parent >= 0]
        true = np.linalg.norm(child[XYZ].to_numpy() - tree.loc[child.parent, XYZ].to_numpy(), axis=1).sum()
        assert 0.5 < np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum() / true < 1.2

    def test_coarser_copies_have_fewer_faces(self, crowded, copies):
        counts = [len(shape(segmentation(crowded).mesh.get(copies[n])[copies[n]]).faces) for n in (0, 1, 2)]
        assert counts == sorted(counts)
        assert counts[0] >= 20_000
        assert counts[2] >= 200_000
