"""Radii of thin neurites with side twigs on coarse triangles, where the answer is computed by hand.

A bar of square section, 200 nm wide and 8 µm long, from which a twig of 200 x 100 nm rises: faces are up to 4 µm long,
as in decimated meshes. The circles as large as their sections have radii of 200 / √π and √(200 · 100 / π) nm.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from crant_core.mesh import Mesh
from crant_core.skeleton import Options, Skeleton, arrays, kernels, trace

BOTH = pytest.mark.parametrize("heavy", [kernels, arrays], ids=["kernels", "arrays"])
STEM, TWIG = 200 / np.pi**0.5, (200 * 100 / np.pi) ** 0.5
FOOT = 4000.0  # where along the stem the twig rises


@cache
def twigged(height: float) -> Mesh:
    """Return the bar, from -100 to 100 nm in y and z, with a twig that ends `height` nm above its middle."""
    section = np.array([[-100, -100], [100, -100], [100, 100], [-100, 100]])
    along = (0.0, FOOT - 50, FOOT + 50, 8000.0)
    places = np.array([[x, *corner] for x in along for corner in section] + [
        [x, y, height] for x, y in ((FOOT - 50, 100), (FOOT - 50, -100), (FOOT + 50, -100), (FOOT + 50, 100))
    ])  # fmt: skip
    quads = [[3, 2, 1, 0], [12, 13, 14, 15]]
    for low in (0, 4, 8):
        quads += [[low + k, low + (k + 1) % 4, low + (k + 1) % 4 + 4, low + k + 4] for k in range(4)]
    quads.remove([6, 7, 11, 10])  # where the twig rises
    foot, tip = [6, 7, 11, 10], [16, 17, 18, 19]
    quads += [[foot[k], foot[(k + 1) % 4], tip[(k + 1) % 4], tip[k]] for k in range(4)] + [tip]
    return Mesh(places.astype(np.float64), np.array([[q[0], *q[k : k + 2]] for q in quads for k in (1, 2)]))


def followed(height: float, heavy, step: float = 400.0) -> Skeleton:
    return trace(twigged(height), Options(longest_step=step), heavy).skeleton


def stem_of(skeleton: Skeleton) -> np.ndarray:
    return (np.abs(skeleton.nodes[:, 2]) < 120) & (skeleton.nodes[:, 0] > 300) & (skeleton.nodes[:, 0] < 7700)


def test_the_surface_is_closed_and_as_large_as_both_bars_together():
    corners = twigged(1500).vertices[twigged(1500).faces]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(200 * 200 * 8000 + 200 * 100 * 1400)


@BOTH
@pytest.mark.parametrize("step", [300.0, 400.0, 800.0])
def test_a_twig_does_not_widen_the_neurite_it_hangs_from(heavy, step):
    skeleton = followed(3000, heavy, step)
    assert (skeleton.n_roots, skeleton.n_branches, skeleton.n_ends) == (1, 1, 3)
    stem, beside = stem_of(skeleton), np.abs(skeleton.nodes[:, 0] - FOOT) < 2 * step
    assert skeleton.radii[stem & ~beside] == pytest.approx(STEM, rel=0.05)
    assert skeleton.radii[stem].max() < 1.5 * STEM


@BOTH
def test_the_twig_has_its_own_radius(heavy):
    skeleton = followed(3000, heavy)
    twig = (skeleton.nodes[:, 2] > 600) & (skeleton.nodes[:, 2] < 2600)
    assert twig.sum() >= 4
    assert skeleton.radii[twig] == pytest.approx(TWIG, rel=0.02)


@BOTH
def test_a_twig_shorter_than_a_step_changes_no_radius_by_half(heavy):
    radii = followed(400, heavy, 800.0).radii
    assert radii.max() < 1.5 * STEM
    assert np.median(radii) == pytest.approx(STEM, rel=0.05)
