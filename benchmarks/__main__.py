"""Runs benchmarks: `python -m benchmarks [part ...] [--full]`, or `make bench`."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import time
from datetime import UTC, datetime
from types import ModuleType

from benchmarks import (
    containment,
    containment_hard,
    end_to_end,
    engine,
    exports,
    load,
    matrices,
    refresh,
    sandbox,
    segmentation,
    skeleton_jobs,
    skeletons,
    somata,
    synapses,
    vertex_map,
    whole_lab,
)
from benchmarks.page import PAGE, updated

#: By name; a part has a `TITLE`, and `table(full)` measures it and returns its section.
PARTS: dict[str, ModuleType] = {
    part.__name__.rpartition(".")[2]: part
    for part in (
        *(skeletons, somata, segmentation, synapses, containment, containment_hard, matrices, end_to_end),
        *(vertex_map, exports, engine, load, skeleton_jobs, whole_lab, refresh, sandbox),
    )
}


def main() -> None:
    """Measure, and write the page after each part."""
    asked = _arguments()
    logging.getLogger("crant_core").setLevel(logging.ERROR)  # made-up synapses are far from made-up skeletons
    for name in asked.parts or PARTS:
        began = time.perf_counter()
        section = f"{_measured(asked.full)}\n\n{PARTS[name].table(asked.full)}"
        text = PAGE.read_text() if PAGE.exists() else ""
        PAGE.write_text(updated(text, [part.TITLE for part in PARTS.values()], {PARTS[name].TITLE: section}))
        print(f"## {PARTS[name].TITLE} ({time.perf_counter() - began:.0f} s)\n\n{section}\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", type=_part, help=f"of {', '.join(PARTS)}; left out: all")
    parser.add_argument("--full", action="store_true", help="the sizes that count; some parts take minutes")
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"no part is called {name!r}; there are: {', '.join(PARTS)}")
    return name


def _measured(full: bool) -> str:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    beside = f"a load of {os.getloadavg()[0]:.1f} at the beginning"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} at {'full' if full else 'short'} size ({machine}; {beside})."


if __name__ == "__main__":
    main()
