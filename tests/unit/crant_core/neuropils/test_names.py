from __future__ import annotations

import pytest
import trimesh

from crant_core.errors import InvalidInput, NoMatchesError
from crant_core.neuropils import NEUROPIL_MESH_DICT, get_supported_neuropil_mesh_labels, load_neuropil_mesh
from crant_core.neuropils.names import NEUROPIL_UNIONS, parts_of
from tests.fixtures.solids import box

NODULUS = ("NOc_r", "NOm1_r", "NOm2_r", "NOs_r")


def test_numbers_are_crants():
    some = {1: "mushroom_body_pedunculus_and_lobes_left", 5: "mushroom_body_medial_calyx_right"}
    some |= {8: "antennal_lobe_right", 30: "bulb_right", 36: "NOs_r"}
    some |= {9: "fan_shaped_body", 12: "nodulus_left", 14: "optic_lobe_right", 16: "lateral_horn_right"}
    some |= {17: "pb_glomerulus_L5", 20: "pb_glomerulus_L8", 23: "pb_glomerulus_R3", 24: "pb_glomerulus_R5"}
    some |= {26: "pb_glomerulus_R8", 27: "gall_left", 32: "posterior_optic_tubercle_right"}
    assert some.items() <= NEUROPIL_MESH_DICT.items()
    assert list(NEUROPIL_MESH_DICT) == list(range(1, 37))
    assert len(set(NEUROPIL_MESH_DICT.values())) == 36


def test_they_cannot_be_changed():
    with pytest.raises(TypeError):
        NEUROPIL_MESH_DICT[37] = "new"  # type: ignore[index]


def test_the_right_nodulus_is_four():
    assert NEUROPIL_UNIONS == {"nodulus_right": NODULUS}
    assert parts_of("nodulus_right") == NODULUS
    assert parts_of("gall_left") == ("gall_left",)


def test_labels_are_all_names_with_the_unions():
    assert get_supported_neuropil_mesh_labels() == [*NEUROPIL_MESH_DICT.values(), "nodulus_right"]


@pytest.mark.parametrize(
    ("wrong", "near"), [("galll_left", "gall_left"), ("noduls_right", "nodulus_right"), (7, "known")]
)
def test_unknown_names_are_refused_with_near_ones(wrong, near):
    with pytest.raises(NoMatchesError, match=near):
        parts_of(wrong)


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        for at, (name, suffix) in enumerate(zip((*NODULUS, "mine"), ("ply", "obj", "stl", "ply", "OBJ"), strict=True)):
            mesh = box((3 * at, 0, 0), (3 * at + 1, 1, 1))
            data = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file_type=suffix.lower())
            (tmp_path / f"{name}.{suffix}").write_bytes(data if isinstance(data, bytes) else data.encode())
        (tmp_path / "notes.txt").write_text("no mesh")
        return tmp_path

    def test_names_are_those_of_the_files(self, folder):
        mesh = load_neuropil_mesh("mine", source=folder)
        assert mesh.bounds.tolist() == [[12, 0, 0], [13, 1, 1]]

    def test_a_union_is_put_together(self, folder):
        mesh = load_neuropil_mesh("nodulus_right", source=f"file://{folder}")
        assert (mesh.body_count, mesh.volume) == (4, pytest.approx(4))

    def test_a_name_without_a_file_is_refused(self, folder):
        with pytest.raises(NoMatchesError, match="did you mean mine"):
            load_neuropil_mesh("mines", source=folder)

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(InvalidInput, match="there is no folder"):
            load_neuropil_mesh("mine", source=tmp_path / "none")

    def test_its_names_are_those_of_the_files_and_of_whole_unions(self, folder):
        assert get_supported_neuropil_mesh_labels(source=folder) == [*NODULUS, "mine", "nodulus_right"]
        (folder / "NOc_r.ply").unlink()
        assert get_supported_neuropil_mesh_labels(source=folder) == [*NODULUS[1:], "mine"]

    @pytest.mark.parametrize(
        ("suffix", "content"),
        [
            ("ply", b""),
            ("ply", bytes(range(256))),
            ("obj", b""),
            ("obj", b"v 0 0 0\nf 1 2 9\n"),
            ("stl", b"what is this\n"),
            ("stl", b"solid\nendsolid\n"),
            ("stl", bytes(range(256))),
            ("ply", trimesh.creation.box().export(file_type="ply")[:-30]),
        ],
    )
    def test_a_file_that_is_no_mesh_is_named(self, suffix, content, tmp_path):
        (tmp_path / f"broken.{suffix}").write_bytes(content)
        with pytest.raises(InvalidInput, match=f"broken.{suffix} (cannot be read|has )") as caught:
            load_neuropil_mesh("broken", source=tmp_path)
        assert caught.value.value == str(tmp_path / f"broken.{suffix}")
