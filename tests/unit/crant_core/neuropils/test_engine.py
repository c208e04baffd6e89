from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.mesh import Mesh
from crant_core.neuropils import WrongUnitWarning, cache, exact, prepare
from crant_core.neuropils.ranges import expanded
from crant_core.sandbox.world.winding import winding_number
from tests.fixtures.solids import ball, box
from tests.fixtures.winding import winding_numbers

BOXES = {"low": box((0, 0, 0), (2, 2, 2)), "high": box((1, 1, 1), (3, 3, 3)), "far": box((9, 9, 9), (10, 10, 10))}
POINTS = np.array([(0.5, 0.5, 0.5), (5, 5, 5), (1.5, 1.5, 1.5), (2.5, 2.5, 2.5)])


class TestAnswers:
    found = prepare(BOXES).find(POINTS)

    def test_pairs_are_ordered_by_point_then_mesh(self):
        assert (self.found.point.tolist(), self.found.mesh.tolist()) == ([0, 2, 2, 3], [0, 0, 1, 1])
        assert (self.found.point.dtype, self.found.mesh.dtype) == (np.int64, np.int32)

    def test_they_are_a_csr_matrix(self):
        assert self.found.starts.tolist() == [0, 1, 1, 3, 4]

    def test_other_views_agree(self):
        assert self.found.table().tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0]]
        assert self.found.inside("high").tolist() == [False, False, True, True]
        assert self.found.nowhere.tolist() == [False, True, False, False]
        assert self.found.counts() == {"low": 2, "high": 2, "far": 0}

    def test_an_unknown_mesh_is_refused(self):
        with pytest.raises(NoMatchesError, match="there are: low, high, far"):
            self.found.inside("middle")


class TestPositions:
    neuropils = prepare(BOXES)

    def test_none_are_in_nothing(self):
        assert self.neuropils.find([]).table().shape == (0, 3)

    def test_no_meshes_hold_nothing(self):
        assert prepare({}).find(POINTS).table().shape == (4, 0)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_is_refused_with_its_row(self, bad):
        points = POINTS.copy()
        points[2, 1] = bad
        with pytest.raises(InvalidInput, match="1 of 4 positions are not finite numbers, the first in row 2"):
            self.neuropils.find(points)

    @pytest.mark.parametrize("points", [[1, 2, 3], [[1, 2]], np.zeros((2, 2, 3))])
    def test_what_are_no_positions_is_refused(self, points):
        with pytest.raises(InvalidInput, match="rows of x, y, z"):
            self.neuropils.find(points)

    def test_far_away_is_outside(self):
        points = np.concatenate([POINTS, np.array([(1e300, 0, 0), (-1e300, 1e300, 1)])])
        assert self.neuropils.find(points).table()[4:].sum() == 0

    def test_lists_integers_and_strided_arrays_are_positions_too(self):
        assert self.neuropils.find([[1, 1, 1]]).table().tolist() == [[1, 1, 0]]
        assert self.neuropils.find(np.asfortranarray(POINTS)[::-1]).table().tolist()[0] == [0, 1, 0]

    def test_few_points_outside_say_nothing_about_the_unit(self):
        for count in (1, 19):  # warnings are errors
            assert self.neuropils.find(np.full((count, 3), 100.0)).nowhere.all()
        with pytest.warns(WrongUnitWarning, match="nearly all points lie outside"):
            self.neuropils.find(np.full((20, 3), 100.0))

    def test_they_are_shown_in_short(self):
        meshes = BOXES | {"open": Mesh(BOXES["low"].vertices, BOXES["low"].faces[2:])}
        assert repr(prepare(BOXES)) == "<Neuropils: 3 meshes (low, high, far)>"
        assert repr(prepare(meshes | {"a": BOXES["low"], "b": BOXES["low"]})) == (
            "<Neuropils: 6 meshes (low, high, far, open, a, …), 1 do not close>"
        )

    def test_threads_get_the_same_answers(self):
        points = np.random.default_rng(1).uniform(-1, 4, (50_000, 3))
        expected = self.neuropils.find(points).table()
        with ThreadPoolExecutor(4) as pool:
            assert all((found.table() == expected).all() for found in pool.map(self.neuropils.find, [points] * 4))


class TestCache:
    def test_what_is_kept_gives_the_same_answers_and_is_mapped(self, tmp_path):
        meshes = BOXES | {"open": Mesh(BOXES["low"].vertices, BOXES["low"].faces[2:])}
        points = np.random.default_rng(1).uniform(-1, 4, (5000, 3))
        expected = prepare(meshes).find(points)
        for _ in range(2):
            kept = prepare(meshes, tmp_path)
            assert not kept.labels.codes.flags.writeable
            found = kept.find(points)
            assert (found.table() == expected.table()).all()
            assert (found.repairs, found.open_meshes) == (expected.repairs, ("open",))

    def test_it_is_built_once(self, tmp_path, monkeypatch):
        prepare(BOXES, tmp_path)
        monkeypatch.setattr(cache, "built", None)
        prepare({name.upper(): mesh for name, mesh in BOXES.items()}, tmp_path)  # names are not part of the key
        with pytest.raises(TypeError):
            prepare(dict(reversed(BOXES.items())), tmp_path)

    def test_other_vertices_faces_or_engine_have_another_key(self, monkeypatch):
        moved = BOXES | {"far": Mesh(np.nextafter(BOXES["far"].vertices, 11), BOXES["far"].faces)}
        other = BOXES | {"far": Mesh(BOXES["far"].vertices, BOXES["far"].faces[::-1].copy())}
        keys = {cache.key_of(meshes) for meshes in (BOXES, moved, other)}
        monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
        assert len(keys | {cache.key_of(BOXES)}) == 4

    def test_a_half_written_grid_is_built_anew(self, tmp_path):
        prepare(BOXES, tmp_path)
        [folder] = [path for path in (tmp_path / cache.FOLDER).iterdir() if path.is_dir()]
        (folder / "about.json").unlink()
        (folder / "codes.npy").write_bytes(b"")
        assert prepare(BOXES, tmp_path).find(POINTS).counts()["low"] == 2

    def test_a_failed_build_leaves_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(cache, "_arrays", lambda _: {"codes": 1 / 0})
        with pytest.raises(ZeroDivisionError):
            prepare(BOXES, tmp_path)
        assert [path.suffix for path in (tmp_path / cache.FOLDER).iterdir()] == [".lock"]

    def test_of_many_processes_one_builds(self, tmp_path):
        with multiprocessing.get_context("spawn").Pool(3) as pool:
            counts = pool.map(_builds, [tmp_path] * 3)
        assert sorted(counts) == [0, 0, 1]


def _builds(folder) -> int:
    """Prepare meshes in a process of its own; return how often it had to build."""
    real, calls = cache.built, []
    cache.built = lambda meshes: calls.append(1) or real(meshes)
    assert prepare({"ball": ball((0, 0, 0), 1000.0, 5)}, folder).find([[0, 0, 0]]).counts() == {"ball": 1}
    return len(calls)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 4))))
def test_ranges_are_those_of_a_loop(ranges):
    begin = np.array([one for one, _ in ranges], dtype=np.int64)
    counts = np.array([count for _, count in ranges], dtype=np.int64)
    owner, numbers = expanded(begin, counts)
    expected = [(which, one + step) for which, (one, count) in enumerate(ranges) for step in range(count)]
    assert list(zip(owner.tolist(), numbers.tolist(), strict=True)) == expected


@given(arrays.arrays(np.float64, (3, 2), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_scaled_integers_have_the_ratios_of_the_floats(values):
    [whole] = exact.integers(values)
    for row, scaled in zip(values.ravel().tolist(), whole.ravel().tolist(), strict=True):
        for other, other_scaled in zip(values.ravel().tolist(), whole.ravel().tolist(), strict=True):
            assert (row < other) == (scaled < other_scaled)
    top = int(np.abs(values).argmax())
    scale = whole.ravel()[top]
    if scale:
        n, d = float(values.ravel()[top]).as_integer_ratio()
        for value, scaled in zip(values.ravel().tolist(), whole.ravel().tolist(), strict=True):
            p, q = value.as_integer_ratio()
            assert p * d * scale == n * q * scaled


def test_winding_numbers_are_the_sandboxs():
    mesh = ball((1, 2, 3), 10.0)
    cut = Mesh(mesh.vertices, mesh.faces[40:])
    points = np.random.default_rng(2).uniform(-12, 15, (500, 3))
    assert winding_numbers(points, cut) == pytest.approx(winding_number(points, cut.vertices, cut.faces), abs=1e-9)
