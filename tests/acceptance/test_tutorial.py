"""The tutorial's page: written from the notebook, which was executed, and nothing in it about the machine that did."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType, SimpleNamespace

import jupytext
import nbformat
import pytest

from tests.fixtures.tutorial import FOLDER, cells

NOTEBOOK = FOLDER / "connectivity.ipynb"
PAGE = FOLDER / "connectivity.md"
PICTURES = FOLDER / "connectivity_files"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """The script behind `make tutorial`."""
    spec = importlib.util.spec_from_file_location("tutorial_build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_notebook_is_that_of_the_python_file_executed_to_the_end(notebook):
    nbformat.validate(notebook)
    written = [(cell.cell_type, cell.source) for cell in jupytext.read(FOLDER / "connectivity.py").cells]
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == written
    executed = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in executed] == list(range(1, len(executed) + 1))
    outputs = [output for cell in executed for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "execute_result", "display_data"}
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}


def test_the_page_is_that_of_the_notebook(build, notebook, tmp_path):
    """If this fails, run `make tutorial`."""
    pictures = tmp_path / PICTURES.name
    pictures.mkdir()
    assert build.page(notebook, pictures) == PAGE.read_text()
    assert {one.name: one.read_bytes() for one in pictures.iterdir()} == {
        one.name: one.read_bytes() for one in PICTURES.iterdir()
    }
    assert len(list(PICTURES.iterdir())) == 7


def test_nothing_shows_the_machine_that_executed_it():
    for file in (NOTEBOOK, PAGE):
        text = re.sub(r'"image/png": "[^"]*"', "", file.read_text())
        assert not re.search(r"(?<![\w:/.])/(home|root|tmp|usr|var|work|Users)/", text)
        assert not re.search(r"(127\.0\.0\.1|localhost):\d", text)
        assert not re.search(r"\b[0-9a-f]{32}\b", text)
        assert not re.search(r"\d\.\d+\.\d+\D.*python|\"version\"", text)


def test_it_is_small():
    assert NOTEBOOK.stat().st_size < MEGABYTE
    assert PAGE.stat().st_size + sum(one.stat().st_size for one in PICTURES.iterdir()) < MEGABYTE


def test_only_its_first_cell_knows_of_the_sandbox():
    first, *others = cells()
    assert "sandbox" in first
    assert not [cell for cell in others if re.search("sandbox|demo|CRANT_(?!DEFAULT)|os.environ", cell)]
    assert "import crant_core as cp" in others[0]


def test_the_site_shows_the_page_and_not_the_script():
    settings = (FOLDER.parents[1] / "mkdocs.yml").read_text()
    assert "tutorials/connectivity.md" in settings
    assert "exclude_docs: tutorials/build.py" in settings


def test_a_cell_that_warns_stops_the_build_unless_there_is_only_no_display(build):
    output = {"name": "stderr", "text": "vtkXOpenGLRenderWindow: bad X server connection. DISPLAY="}
    assert build._is_noise(output)
    with pytest.raises(RuntimeError, match="something is deprecated"):
        build._is_noise({"name": "stderr", "text": "something is deprecated"})


def test_addresses_are_replaced_and_descriptions_of_pictures_left_out(build, notebook):
    said = SimpleNamespace(url="http://127.0.0.1:34567")
    assert build._clean({"text": f"Server: {said.url}\n"}, said.url) == {"text": "Server: http://127.0.0.1:PORT\n"}
    [picture, *_] = [
        output for cell in notebook.cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})
    ]
    output = {"data": {"text/plain": "<Image at 0x7f>", "image/png": picture["data"]["image/png"]}}
    assert list(build._clean(output, said.url)["data"]) == ["image/png"]
