from __future__ import annotations

from datetime import UTC, datetime

import navis
import numpy as np
import pytest

from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, InvalidParameters
from crant_core.morphology import neuron_of
from crant_core.morphology.files import files_for
from crant_core.morphology.made import Made
from crant_core.skeleton import Skeleton
from crant_core.skeleton.parquet import read_parquet
from crant_core.skeleton.precomputed import read_precomputed
from crant_core.skeleton.swc import read_swc
from crant_core.times import TimeBase

ONE, OTHER = (8 << 56) | 1, (8 << 56) | 2
DATASET = Dataset(name="demo", datastack="crant_demo", server="http://nowhere.invalid", viewer_resolution=(8, 8, 42))
TIME = TimeBase("live", datetime(2026, 1, 15, 8, 10, tzinfo=UTC))


def made(root: int = ONE, **more) -> Made:
    tree = Skeleton(np.array([[0.0, 0, 0], [10, 0, 0]]), np.array([3.0, 2.0]), np.array([-1, 0]))
    return Made(root=root, skeleton=tree, method="wavefront", **more)


@pytest.mark.parametrize(
    ("save_to", "form", "expected"),
    [
        ("{tmp}/skeletons", None, "skeletons/{root}.swc"),
        ("{tmp}/skeletons/", None, "skeletons/{root}.swc"),
        ("{tmp}", None, "{root}.swc"),
        ("{tmp}/v1.2/", None, "v1.2/{root}.swc"),
        ("{tmp}/v1.2", None, "v1.2/{root}.swc"),
        ("{tmp}/cell_{root_id}.swc", None, "cell_{root}.swc"),
        ("{tmp}/cell_{root_id}", None, "cell_{root}.swc"),
        ("{tmp}/{root_id}.parquet", None, "{root}.parquet"),
        ("{tmp}/skeletons", "parquet", "skeletons/{root}.parquet"),
        ("{tmp}/skeletons", "precomputed", "skeletons/{root}"),
    ],
)
def test_many_neurons_go_into_files_of_their_own(tmp_path, save_to, form, expected):
    files = files_for(save_to.replace("{tmp}", str(tmp_path)), [ONE, OTHER], form)
    for root in (ONE, OTHER):
        path = files.save(made(root), DATASET, TIME)
        assert path == tmp_path / expected.replace("{root}", str(root))
        assert path.stat().st_size


def test_one_neuron_may_have_the_file_that_is_named(tmp_path):
    assert files_for(tmp_path / "mine.swc", [ONE]).path(ONE) == tmp_path / "mine.swc"
    assert files_for(tmp_path / "mine.swc", [ONE, ONE]).path(ONE) == tmp_path / "mine.swc"


@pytest.mark.parametrize("name", ["all.swc", "all.SWC", "all.parquet", "{root_id}/all.swc"])
def test_several_neurons_in_one_file_are_refused(tmp_path, name):
    with pytest.raises(InvalidParameters, match="over each other"):
        files_for(tmp_path / name, [ONE, OTHER])


def test_a_folder_that_is_called_like_a_file_is_a_folder(tmp_path):
    (tmp_path / "odd.swc").mkdir()
    assert files_for(tmp_path / "odd.swc", [ONE, OTHER]).path(ONE) == tmp_path / "odd.swc" / f"{ONE}.swc"


@pytest.mark.parametrize(("name", "form"), [("a.swc", "parquet"), ("a.parquet", "precomputed"), ("a", "obj")])
def test_formats_that_are_unknown_or_contradict_are_refused(tmp_path, name, form):
    with pytest.raises(InvalidParameters):
        files_for(tmp_path / name, [ONE], form)


def test_each_file_is_read_back_and_says_what_it_is(tmp_path):
    swc = files_for(tmp_path / "a.swc", [ONE]).save(made(soma=1), DATASET, TIME).read_bytes()
    assert read_swc(swc).nodes.tolist() == [[0, 0, 0], [10, 0, 0]]
    lines = swc.decode().splitlines()
    assert {"# dataset: demo", "# timestamp: 2026-01-15T08:10:00+00:00", f"# root_id: {ONE}", "# units: nm"} <= set(
        lines
    )
    assert lines[-1] == "2 1 10.000 0.000 0.000 2.000 1"
    parquet = files_for(tmp_path / "a.parquet", [ONE]).save(made(), DATASET, TIME).read_bytes()
    assert read_parquet(parquet).radii.tolist() == [3, 2]
    bare = files_for(tmp_path / "p", [ONE], "precomputed").save(made(), DATASET, TIME)
    assert read_precomputed(bare.read_bytes()).radii.tolist() == [3, 2]
    assert b'"dataset": "demo"' in (bare.parent / "info").read_bytes()


def test_nothing_else_is_left_in_the_folder(tmp_path):
    files_for(tmp_path, [ONE]).save(made(), DATASET, TIME)
    assert [path.name for path in tmp_path.iterdir()] == [f"{ONE}.swc"]


def test_a_home_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files_for("~/skeletons/", [ONE]).path(ONE) == tmp_path / "skeletons" / f"{ONE}.swc"


@pytest.mark.parametrize("name", ["", " ", "a.txt", "cell_{root_id}.obj"])
def test_names_that_nobody_means_are_refused(name):
    with pytest.raises(InvalidParameters):
        files_for(name, [ONE])


@pytest.mark.parametrize("name", ["taken/a.swc", "taken/deeper/", "folder/a.swc"])
def test_what_cannot_be_written_is_refused_before_with_its_path(tmp_path, name):
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder").mkdir()
    files = files_for(tmp_path / "{root_id}.swc", [ONE])
    (tmp_path / f"{ONE}.swc").mkdir()
    with pytest.raises(InvalidInput, match=str(ONE)):
        files.check([ONE], DATASET)
    if name.startswith("taken"):
        with pytest.raises(InvalidInput, match="taken"):
            files_for(f"{tmp_path}/{name}", [ONE]).check([ONE], DATASET)


def test_a_precomputed_folder_is_for_one_way_of_making(tmp_path):
    first, other = ({"method": "wavefront", "edges_per_step": step} for step in (3.0, 6.0))
    before = files_for(tmp_path, [ONE], "precomputed", first)
    before.save(made(), DATASET, TIME)
    info = (tmp_path / "info").read_bytes()
    assert b'"method": "wavefront", "edges_per_step": 3.0' in info
    before.check([OTHER], DATASET)
    after = files_for(tmp_path, [OTHER], "precomputed", other)
    for step in (lambda: after.check([OTHER], DATASET), lambda: after.save(made(OTHER), DATASET, TIME)):
        with pytest.raises(InvalidInput, match="another way"):
            step()
    assert (tmp_path / "info").read_bytes() == info
    assert not (tmp_path / str(OTHER)).exists()


def test_navis_reads_id_units_and_soma_of_an_swc(tmp_path):
    path = files_for(tmp_path / "a.swc", [ONE]).save(made(soma=0), DATASET, TIME)
    neuron = navis.read_swc(path)
    assert (neuron.id, str(neuron.units), neuron.soma) == (ONE, "1 nanometer", 1)
    assert neuron.nodes.node_id.tolist() == [1, 2]


def test_parquet_comes_back_as_the_same_neuron(tmp_path):
    path = files_for(tmp_path / "a.parquet", [ONE]).save(made(), DATASET, TIME)
    neuron = neuron_of(read_parquet(path.read_bytes()), ONE)
    assert (neuron.id, neuron.nodes.parent_id.tolist(), neuron.nodes.radius.tolist()) == (ONE, [-1, 0], [3, 2])
