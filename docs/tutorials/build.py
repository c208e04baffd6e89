"""Execute the tutorial against the offline CAVE and write notebook, page and pictures: `make tutorial`."""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import matplotlib.font_manager  # noqa: F401 - builds its cache, so that no notebook has to say that it does
import nbformat
from nbclient import NotebookClient
from PIL import Image
from traitlets.config import Config

from tests.fixtures.sandbox import Sandbox, run_sandbox

_HERE = Path(__file__).parent
_NAME = "connectivity"
_WIDTH, _COLORS = 900, 200  # of pictures, so that the notebook is a few hundred kilobytes
_OTHERS = ("CRANT_", "DISPLAY", "WAYLAND", "MPLBACKEND")  # variables that would make it look otherwise
_QUIET = {
    "PYTHONWARNINGS": "ignore:IProgress not found",  # navis imports tqdm.auto, which wants ipywidgets
    "TQDM_DISABLE": "1",
}
_NO_DISPLAY = "bad X server connection"  # VTK says it, and draws nevertheless
_ADDRESS = "http://127.0.0.1:PORT"


def main() -> None:
    """Write everything into a folder: the first argument, else this one."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else _HERE
    with run_sandbox() as sandbox:
        notebook = execute(sandbox)
    nbformat.write(notebook, folder / f"{_NAME}.ipynb")
    pictures = folder / f"{_NAME}_files"
    pictures.mkdir(exist_ok=True)
    for old in pictures.iterdir():
        old.unlink()
    (folder / f"{_NAME}.md").write_text(page(notebook, pictures))


def execute(sandbox: Sandbox) -> Any:
    """Return the notebook with outputs, which look the same each time and name nothing of this machine."""
    notebook = jupytext.read(_HERE / f"{_NAME}.py")
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)} | _QUIET
        environment |= {"CRANT_SANDBOX_URL": sandbox.url, "CRANT_SANDBOX_TOKEN": sandbox.token}
        environment |= {"CRANT_CACHE_FOLDER": folder, "IPYTHONDIR": folder}
        private = Config({"KernelManager": {"transport": "ipc"}})  # nobody else on this machine can talk to it
        NotebookClient(notebook, kernel_name="python3", record_timing=False, config=private).execute(env=environment)
    notebook.metadata.pop("language_info")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = [_clean(output, sandbox.url) for output in cell.outputs if not _is_noise(output)]
    return notebook


def _is_noise(output: Any) -> bool:
    if output.get("name") != "stderr":
        return False
    if _NO_DISPLAY in output["text"]:
        return True
    raise RuntimeError(f"the tutorial warns: {output['text']}")


def _clean(output: Any, url: str) -> Any:
    if "text" in output:
        output["text"] = output["text"].replace(url, _ADDRESS)
    if "image/png" in output.get("data", {}):
        output["data"] = {"image/png": _small(output["data"]["image/png"])}
    return output


def _small(picture: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    image.thumbnail((_WIDTH, 2 * _WIDTH))
    buffer = io.BytesIO()
    image.quantize(_COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def page(notebook: Any, pictures: Path) -> str:
    """Return the notebook as Markdown, and write its pictures into a folder."""
    parts = []
    for number, cell in enumerate(notebook.cells):
        is_code = cell.cell_type == "code"
        parts.append(f"```python\n{cell.source}\n```" if is_code else cell.source)
        parts += [_shown(output, pictures / f"{number}.png") for output in cell.get("outputs", ())]
    return "\n\n".join(parts) + "\n"


def _shown(output: Any, picture: Path) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        picture.write_bytes(base64.b64decode(data["image/png"]))
        return f"![What the cell above draws]({picture.parent.name}/{picture.name})"
    if "text/html" in data:
        table = re.search(r"<table.*</table>(\s*<p>.*?</p>)?", data["text/html"], re.DOTALL)
        assert table, data["text/html"]  # noqa: S101 - a table of pandas is all that a cell shows
        return table[0]
    return f"```text\n{output.get('text') or data['text/plain']}".rstrip() + "\n```"


if __name__ == "__main__":
    main()
