"""Pictures of the sandbox's world: what is shown is what the world consists of."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import pyvista
from trimesh import Trimesh

from crant_core.caching.memory import clear_global_caches
from crant_core.datasets import Dataset
from crant_core.errors import DataMissing, InvalidInput, MeshNotFound, NotInstalled, OutOfBounds, SourceError
from crant_core.registry import register
from crant_core.sandbox import names
from crant_core.sandbox.objects import imagery
from crant_core.sandbox.world.navis_data import BODY_IDS, read_surface
from crant_core.viewing import get_brain_mesh_scene, load_whole_brain_mesh, plot_em_image
from tests.contracts.sandbox_clients import shape
from tests.fixtures import neurons
from tests.fixtures.sandbox import Sandbox, run_sandbox

UNKNOWN = (8 << 56) | 12_345
LOW, SIZE = np.array(imagery.SCALE.offset), np.array(imagery.SCALE.size)
CHUNK = np.array(imagery.SCALE.chunk)


def known(sandbox: Sandbox) -> Dataset:
    """Make a sandbox's dataset known, with its surface of the brain."""
    surface = f"precomputed://{sandbox.url}/gcs/tissue_mesh/mesh#type=mesh"
    return register(sandbox.dataset.model_copy(update={"brain_mesh_source": surface}), sandbox.token)


@pytest.fixture(scope="module")
def demo(sandbox: Sandbox) -> Dataset:
    return known(sandbox)


@pytest.fixture(scope="module")
def watched() -> Iterator[Sandbox]:
    """A sandbox that nobody else uses, so that its log is this module's."""
    with run_sandbox() as running:
        yield running


def paths_asked(sandbox: Sandbox) -> list[str]:
    """Return what was asked for since the last time."""
    found = [entry["path"] for entry in sandbox.control("GET", "log")["entries"]]
    sandbox.control("DELETE", "log")
    return found


def synapses() -> np.ndarray:
    """Return the middles of the world's synapses, (n, 3) float64 nm."""
    rows = neurons.world().frame(f"tables/{names.SYNAPSES}")
    return rows[[f"ctr_pt_position_{axis}" for axis in "xyz"]].to_numpy(dtype=np.float64)


def drawn(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return a box of the world's images, put together from its chunks as they are drawn."""
    found = np.zeros(high - low, dtype=np.uint8)
    first, last = (low - LOW) // CHUNK, (high - 1 - LOW) // CHUNK
    for index in np.ndindex(*(last - first + 1)):
        start = LOW + (first + index) * CHUNK
        name = "_".join(f"{begin}-{begin + size}" for begin, size in zip(start, CHUNK, strict=True))
        stored = imagery.find(neurons.world(), synapses(), f"{imagery.SCALE.key}/{name}")
        block = np.frombuffer(gzip.decompress(stored.data), np.uint8).reshape(CHUNK, order="F")
        begin, end = np.maximum(low, start), np.minimum(high, start + CHUNK)
        to, source = (tuple(map(slice, begin - corner, end - corner)) for corner in (low, start))
        found[to] = block[source]
    return found


class TestImages:
    def test_a_section_is_the_worlds_with_x_along_the_first_axis(self, demo):
        x, y, z = np.floor(synapses()[0] / (8, 8, 42)).astype(int).tolist()
        image = plot_em_image(x, y, z, size=200, dataset=demo)
        expected = drawn(np.array([x - 100, y - 100, z]), np.array([x + 100, y + 100, z + 1]))
        assert image.shape == (200, 200)
        assert image.dtype == np.uint8
        assert (image == expected[:, :, 0]).all()
        assert image.std() > 0

    def test_the_position_is_in_the_middle(self, demo):
        x, y, z = np.floor(synapses()[0] / (8, 8, 42)).astype(int).tolist()
        large, small = (plot_em_image(x, y, z, size=size, dataset=demo) for size in (300, 100))
        assert (large[100:200, 100:200] == small).all()
        shifted = plot_em_image(x + 3, y - 2, z, size=100, dataset=demo)
        assert (shifted == large[103:203, 98:198]).all()

    def test_numpys_numbers_and_fractions_of_voxels_are_positions(self, demo):
        x, y, z = np.floor(synapses()[5] / (8, 8, 42)) + 0.75
        whole = plot_em_image(int(x), int(y), int(z), size=100, dataset=demo)
        assert (plot_em_image(x, np.float32(y), z, size=100, dataset=demo) == whole).all()

    def test_the_volume_is_opened_once(self, watched):  # P9: the peer opens it for every picture
        dataset = known(watched)
        x, y, z = np.floor(synapses()[0] / (8, 8, 42)).astype(int).tolist()
        plot_em_image(x, y, z, size=100, dataset=dataset)
        assert "/gcs/em/info" in paths_asked(watched)
        plot_em_image(x, y, z, size=100, dataset=dataset)
        paths = paths_asked(watched)
        assert paths
        assert all(path.startswith("/gcs/em/8_8_42/") for path in paths)

    def test_a_picture_is_the_callers_own(self, demo):
        x, y, z = np.floor(synapses()[0] / (8, 8, 42)).astype(int).tolist()
        image = plot_em_image(x, y, z, size=100, dataset=demo)
        before = image.copy()
        image[:] = 0
        assert (plot_em_image(x, y, z, size=100, dataset=demo) == before).all()

    def test_where_the_images_are_is_asked_of_cave_if_the_dataset_does_not_say(self, demo):
        x, y, z = np.floor(synapses()[0] / (8, 8, 42)).astype(int).tolist()
        silent = demo.model_copy(update={"image_source": None})
        found = plot_em_image(x, y, z, size=100, dataset=silent)
        assert (found == plot_em_image(x, y, z, size=100, dataset=demo)).all()

    @pytest.mark.parametrize("corner", [0, 1])
    def test_the_last_section_that_fits_is_given_and_the_next_is_not(self, demo, corner):
        low_side, high_side = LOW + np.array([50, 50, 0]), LOW + SIZE - np.array([50, 50, 1])
        place, step = ((low_side, -1), (high_side, 1))[corner]
        assert plot_em_image(*place, size=100, dataset=demo).shape == (100, 100)
        for axis in range(3):
            beyond = place.copy()
            beyond[axis] += step
            with pytest.raises(OutOfBounds, match="is not inside the images of demo"):
                plot_em_image(*beyond, size=100, dataset=demo)

    def test_bounds_begin_at_the_voxel_offset(self, demo):  # the peer compares with the volume's shape alone
        with pytest.raises(OutOfBounds, match=r"the box \[50, 50, 5\] to \[150, 150, 6\].*\[500, 2800, 1000\]"):
            plot_em_image(100, 100, 5, size=100, dataset=demo)

    @pytest.mark.parametrize("size", [98, 101, 5002, 200.0, True, "200", None])
    def test_other_sizes_are_refused(self, demo, size):
        with pytest.raises(InvalidInput, match="100 to 5000"):
            plot_em_image(1, 2, 3, size=size, dataset=demo)

    @pytest.mark.parametrize("x", [np.nan, np.inf, "a", None, [1]])
    def test_what_is_no_position_is_refused(self, demo, x):
        with pytest.raises(InvalidInput, match="no position"):
            plot_em_image(x, 2, 3, dataset=demo)

    def test_a_position_beyond_all_volumes_is_out_of_bounds(self, demo):
        with pytest.raises(OutOfBounds):
            plot_em_image(1e30, 2, 3, dataset=demo)

    def test_a_missing_chunk_is_an_error_and_no_zeros(self, own_sandbox):
        dataset = register(own_sandbox.dataset, own_sandbox.token)
        own_sandbox.control("POST", "fault", {"path": "/gcs/em/8_8_42/", "status": 404, "times": 1000})
        x, y, z = np.floor(synapses()[0] / (8, 8, 42)).astype(int).tolist()
        with pytest.raises(DataMissing):
            plot_em_image(x, y, z, size=100, dataset=dataset)


class TestBrain:
    def test_it_is_the_worlds_surface(self, demo):
        found, true = load_whole_brain_mesh(demo), neurons.world().surface("brain")
        assert isinstance(found, Trimesh)
        assert (found.faces == true.faces).all()
        assert np.abs(found.vertices - true.vertices).max() < 1

    def test_it_is_fetched_once_and_everybody_gets_a_copy(self, watched):  # P9: the peer fetches it every time
        dataset = known(watched)
        clear_global_caches()
        paths_asked(watched)
        first = load_whole_brain_mesh(dataset)
        assert paths_asked(watched) == ["/gcs/tissue_mesh/mesh/1:0", "/gcs/tissue_mesh/mesh/tissue_mesh.frag"]
        first.vertices[:] = 0
        assert load_whole_brain_mesh(dataset).vertices.max() > 0
        assert paths_asked(watched) == []

    def test_clearing_caches_fetches_it_anew(self, watched):
        load_whole_brain_mesh(known(watched))
        clear_global_caches()
        paths_asked(watched)
        load_whole_brain_mesh(known(watched))
        assert len(paths_asked(watched)) == 2

    def test_a_dataset_without_one_is_an_error(self, demo):
        with pytest.raises(InvalidInput, match="has no surface of the brain"):
            load_whole_brain_mesh(demo.model_copy(update={"brain_mesh_source": None}))

    def test_a_missing_one_is_an_error(self, sandbox, demo):
        elsewhere = demo.model_copy(update={"brain_mesh_source": f"precomputed://{sandbox.url}/gcs/nowhere/mesh"})
        with pytest.raises(DataMissing, match="list of the surface's pieces"):
            load_whole_brain_mesh(elsewhere)


@pytest.fixture
def scene(demo):
    made = []

    def make(roots, **kwargs) -> pyvista.Plotter:
        made.append(get_brain_mesh_scene(roots, dataset=demo, **kwargs))
        return made[-1]

    yield make
    for plotter in made:
        plotter.close()


def rgb(actor) -> list[int]:
    return [round(255 * part) for part in actor.prop.color.float_rgb]


class TestScene:
    def test_it_has_the_brain_and_the_neurons(self, scene):
        first, second = neurons.live_roots()[:2]
        plotter = scene([first, second], neuron_mesh_colors=["red", "blue"], backend="static")
        actors = plotter.actors
        assert set(actors) == {"brain", str(first), str(second)}
        assert [rgb(actors[name]) for name in ("brain", str(first), str(second))] == [
            [128, 128, 128],
            [255, 0, 0],
            [0, 0, 255],
        ]
        assert [actors[name].prop.opacity for name in ("brain", str(first))] == [0.1, 1]

    def test_neurons_have_the_areas_of_their_sources(self, scene):
        roots = neurons.live_roots()[:2]
        plotter = scene(roots)
        for root, body in zip(roots, BODY_IDS, strict=False):
            area = plotter.actors[str(root)].mapper.dataset.area
            assert area == pytest.approx(shape(read_surface(body)).area, rel=1e-3)

    def test_it_can_be_drawn_without_a_display(self, scene, monkeypatch):
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        plotter = scene(neurons.live_roots()[0], neuron_mesh_colors="red")
        assert plotter.off_screen
        plotter.window_size = (200, 150)
        plotter.zoom_camera(1.5)
        picture = plotter.screenshot(return_img=True).astype(int)
        assert picture.shape == (150, 200, 3)
        reddish = (picture[..., 0] > 100) & (picture[..., 1] < 80) & (picture[..., 2] < 80)
        assert reddish.sum() > 0

    def test_it_is_seen_as_neuroglancer_shows_it(self, scene):
        camera = scene([]).camera
        assert tuple(camera.up) == (0, -1, 0)
        assert camera.direction == pytest.approx((0, 0, 1))

    def test_pyvistas_own_settings_stay(self, scene):  # the peer sets the global backend
        before = (pyvista.global_theme.to_dict(), pyvista.OFF_SCREEN)
        scene(neurons.live_roots()[:1], backend="static")
        assert (pyvista.global_theme.to_dict(), pyvista.OFF_SCREEN) == before

    def test_in_a_notebook_the_backend_is_the_plotters_own(self, scene, monkeypatch):
        monkeypatch.setattr("pyvista.plotting.plotter.scooby.in_ipykernel", lambda: True)
        before = pyvista.global_theme.jupyter_backend
        assert scene([], backend="static").theme.jupyter_backend == "static"
        assert pyvista.global_theme.jupyter_backend == before

    def test_what_a_notebooks_backend_needs_is_said(self, scene, monkeypatch):
        monkeypatch.setattr("pyvista.plotting.plotter.scooby.in_ipykernel", lambda: True)
        monkeypatch.setattr("pyvista.jupyter._get_custom_backend_handler", lambda backend: None)
        with pytest.raises(NotInstalled, match='backend="static"'):
            scene([], backend="client")

    def test_a_missing_pyvista_is_said_before_anything_is_fetched(self, watched, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyvista", None)
        paths_asked(watched)
        with pytest.raises(NotInstalled, match="pip install pyvista"):
            get_brain_mesh_scene(neurons.live_roots()[:1], dataset=known(watched))
        assert paths_asked(watched) == []

    @pytest.mark.parametrize("kind", [int, str, np.int64])
    def test_ids_in_any_form(self, scene, kind):  # D7: the peer refuses NumPy's integers
        root = neurons.live_roots()[0]
        assert set(scene(kind(root)).actors) == {"brain", str(root)}

    def test_a_root_that_was_edited_since_has_its_mesh_still(self, scene):
        old = neurons.roots_at(3)[4]
        assert old != neurons.live_roots()[4]
        assert set(scene(old).actors) == {"brain", str(old)}

    def test_without_colours_neurons_differ_and_are_there_once(self, scene):
        first, second = neurons.live_roots()[:2]
        actors = scene([first, second, first]).actors
        assert len(actors) == 3
        assert rgb(actors[str(first)]) != rgb(actors[str(second)])

    def test_a_mapping_and_labels_are_colours(self, scene):
        first, second = neurons.live_roots()[:2]
        actors = scene([first, second], neuron_mesh_colors={first: (0, 255, 0)}).actors
        assert rgb(actors[str(first)]) == [0, 255, 0]
        actors = scene([first, second], neuron_mesh_colors=np.array(["x", "x"])).actors
        assert rgb(actors[str(first)]) == rgb(actors[str(second)]) == [31, 119, 180]

    def test_another_number_of_colours_is_refused_before_anything_is_fetched(self, watched):
        paths_asked(watched)
        with pytest.raises(InvalidInput, match="1 colours for 2 neurons"):  # the peer takes other colours silently
            get_brain_mesh_scene(neurons.live_roots()[:2], neuron_mesh_colors=["red"], dataset=known(watched))
        assert paths_asked(watched) == []

    def test_bad_arguments_are_refused(self, scene):
        with pytest.raises(InvalidInput, match="backend='statik'"):
            scene([], backend="statik")
        with pytest.raises(InvalidInput, match="2 is no opacity"):
            scene([], alpha=2)
        with pytest.raises(InvalidInput, match="no colour"):
            scene([], brain_mesh_color="nocolour")

    def test_a_neuron_without_a_mesh_is_an_error(self, scene):
        with pytest.raises((MeshNotFound, SourceError)):
            scene([neurons.live_roots()[0], UNKNOWN])
