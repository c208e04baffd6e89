"""Rows of annotations, and a SeaTable of one's own."""

from __future__ import annotations

import pandas as pd

from tests.fixtures.neurons import world
from tests.fixtures.sandbox import Sandbox

OPN = "olfactory_projection_neuron"


def requests_of(sandbox: Sandbox, part: str = "") -> list[str]:
    entries = sandbox.control("GET", "log")["entries"]
    return [entry["path"] for entry in entries if part in entry["path"] and "_sandbox" not in entry["path"]]


def meta() -> pd.DataFrame:
    """The sandbox's annotations as they were written."""
    return world().frame("seatable")
