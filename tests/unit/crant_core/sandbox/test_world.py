from __future__ import annotations

import subprocess
import sys

from crant_core.datasets import by_name
from crant_core.sandbox import demo_dataset, layout, surfaces, world


def test_the_neurons_are_the_files_of_the_installed_navis():
    files = sorted(int(path.stem) for path in (surfaces.data_folder() / "obj").glob("*.obj"))
    assert sorted(neuron.body_id for neuron in world.NEURONS) == files


def test_a_root_id_is_layer_8_and_the_body_id():
    assert world.ROOT_IDS[3] == (8 << 56) + 1734350788 == 576460754037774276


def test_versions_and_neurons_lie_in_the_past_in_order():
    assert world.VERSIONS[0].timestamp < world.VERSIONS[1].timestamp
    assert all(neuron.created < world.VERSIONS[-1].timestamp for neuron in world.NEURONS)
    assert any(neuron.created > world.VERSIONS[0].timestamp for neuron in world.NEURONS)


def test_the_dataset_is_no_preset_and_cannot_be_mistaken_for_one():
    dataset = demo_dataset("http://127.0.0.1:1/")
    assert (dataset.name, dataset.server, dataset.aliases) == ("demo", "http://127.0.0.1:1", ())
    assert dataset.viewer_resolution == (8, 8, 42)
    assert not {dataset.name, dataset.datastack} & by_name().keys()


def test_the_voxel_offset_is_no_multiple_of_the_chunk():
    assert all(offset % size for offset, size in zip(layout.VOXEL_OFFSET, layout.CHUNK_SIZE, strict=True))


def test_ids_pack_as_documented():
    assert layout.encode_id(8, (0, 0, 0), 5) == 8 << 56 | 5
    assert layout.encode_id(1, (1, 2, 3), 7) == 1 << 56 | 1 << 46 | 2 << 36 | 3 << 26 | 7


def test_chunks_start_at_the_voxel_offset():
    x, y, z = (offset * size for offset, size in zip(layout.VOXEL_OFFSET, layout.RESOLUTION, strict=True))
    assert layout.chunk_at((x, y, z)) == (0, 0, 0)
    assert layout.chunk_at((x + 512 * 16, y, z + 2 * 256 * 42)) == (1, 0, 2)


def test_the_world_and_the_server_load_no_science():
    check = (
        "import sys, crant_core.sandbox.world, crant_core.sandbox.app;"
        "print(sorted({'navis', 'trimesh', 'skeletor', 'caveclient', 'cloudvolume', 'sqlalchemy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"
