"""`crant demo`, as `make demo` runs it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest


@pytest.mark.timeout(180)
def test_the_demo_leaves_skeletons_rows_and_a_page_and_no_process(tmp_path: Path) -> None:
    data = tmp_path / "demo-data"
    command = [str(Path(sys.executable).with_name("crant")), "demo", "--data", str(data)]
    for _ in range(2):
        ran = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(list((data / "results").glob("*.swc"))) == 5
    rows = sqlite3.connect(data / "crant.sqlite").execute("select state, count(*) from items group by state").fetchall()
    assert rows == [("succeeded", 10)]
    report = (data / "results" / "report.html").read_text()
    assert "data:image/png;base64," in report
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(data) in " ".join(p.info["cmdline"] or [])]
