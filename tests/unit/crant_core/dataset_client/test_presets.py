from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crant_core import dataset_client
from crant_core.dataset_client import (
    DatasetClient,
    MicronsProdClient,
    MinniePublicClient,
    V1ddClient,
    V1ddPublicClient,
    load_client,
)
from crant_core.errors import InvalidInput, UnknownDataset

ROOT = Path(__file__).parents[4]
MINNIE, V1DD = "https://global.daf-apis.com", "https://global.em.brain.allentech.org"
PRESETS = [
    (MinniePublicClient, "minnie65_public", MINNIE),
    (MicronsProdClient, "minnie65_phase3_v1", MINNIE),
    (V1ddClient, "v1dd", V1DD),
    (V1ddPublicClient, "v1dd_public", V1DD),
]

#: what a program without a network, a token or a logging set-up runs
OFFLINE = """
import logging, socket, sys
before = (list(logging.root.handlers), logging.root.level, logging.getLogger("urllib3").level, sys.stdout, sys.stderr)
def refuse(*_, **__):
    raise AssertionError("it asked the network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import crant_core.dataset_client as module
not_presets = ("DatasetClient", "MeshClient")
clients = [getattr(module, name)() for name in module.__all__ if name.endswith("Client") and name not in not_presets]
clients += [module.load_client(name) for name in ("microns_public", "minnie_prod", "v1dd", "latest")]
texts = [repr(client) + client._repr_mimebundle_()["text/html"] for client in clients]
assert len(texts) == 8 and "minnie65_public" in texts[1] + texts[0] + texts[2] + texts[3]
after = (list(logging.root.handlers), logging.root.level, logging.getLogger("urllib3").level, sys.stdout, sys.stderr)
assert before == after, (before, after)
heavy = {"caveclient", "cloudvolume", "pandas", "navis", "numba"} & {name.split(".")[0] for name in sys.modules}
assert not heavy, heavy
"""


# D8: importing a preset of cortical-tools builds a client over the network, offline it fails after nine seconds
# D9: importing cortical-tools sets up logging for everybody and silences urllib3
def test_d8_d9_importing_and_making_clients_asks_nobody_and_changes_no_logging():
    ran = subprocess.run([sys.executable, "-c", OFFLINE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(("preset", "datastack", "server"), PRESETS)
def test_presets_say_where_they_connect_to(preset, datastack, server):
    assert (preset.datastack_name, preset.server_address) == (datastack, server)
    client = preset()
    assert isinstance(client, DatasetClient)
    assert (client.datastack_name, client.server_address) == (datastack, server)
    assert client._lookup_view == {MINNIE: "nucleus_detection_lookup_v1", V1DD: "nucleus_alternative_lookup"}[server]
    assert client._main_table == "nucleus_detection_v0"


def test_the_public_v1dd_has_no_alternative_points():
    assert V1ddPublicClient()._alternative_tables == ()
    assert V1ddClient()._alternative_tables == ("nucleus_alternative_points",)


# of these, cortical-tools knows the first of each pair only, and documents the second
@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("microns_public", MinniePublicClient),
        ("minnie_public", MinniePublicClient),
        ("microns_prod", MicronsProdClient),
        ("minnie_prod", MicronsProdClient),
        ("v1dd", V1ddClient),
        ("v1dd_prod", V1ddClient),
        ("v1dd_public", V1ddPublicClient),
        ("V1DD-public", V1ddPublicClient),
    ],
)
def test_clients_are_found_by_every_name(name, preset):
    assert type(load_client(name)) is preset


def test_other_datasets_have_a_client_too():
    assert load_client("latest").datastack_name == DatasetClient.of("crant").datastack_name == "kronauer_ant"


def test_an_unknown_name_is_an_error_with_the_nearest_ones():
    with pytest.raises(UnknownDataset, match="v1dd"):
        load_client("v1d")
    with pytest.raises(ValueError, match="no dataset"):
        load_client("")


@pytest.mark.parametrize(
    ("named", "preset"), [("minnie65_public", MinniePublicClient), ("minnie65_phase3_v1", MicronsProdClient)]
)
@pytest.mark.parametrize("server", [None, MINNIE])
def test_a_client_that_is_constructed_knows_what_the_preset_knows(named, preset, server):
    own, ready = DatasetClient(named, server), preset()
    for known in ("datastack_name", "server_address", "_lookup_view", "_main_table", "_alternative_tables"):
        assert getattr(own, known) == getattr(ready, known)
    assert repr(own.exports) == repr(ready.exports)
    assert DatasetClient(named, root_id_lookup_alt_tables=[])._alternative_tables == ()
    assert DatasetClient(named, root_id_lookup_main_table="mine")._main_table == "mine"


@pytest.mark.parametrize(
    ("named", "datastack", "server"),
    [
        ("v1dd", "v1dd", V1DD),
        ("kronauer_ant", "kronauer_ant", "https://proofreading.zetta.ai"),
        ("latest", "kronauer_ant", "https://proofreading.zetta.ai"),
        ("some_stack", "some_stack", MINNIE),  # caveclient's own server
    ],
)
def test_without_a_server_the_datastacks_own_is_asked(named, datastack, server):
    client = DatasetClient(named)
    assert (client.datastack_name, client.server_address) == (datastack, server)


def test_another_server_may_have_a_datastack_of_the_same_name():
    client = DatasetClient("minnie65_public", "https://nowhere.invalid")
    assert (client.server_address, client._main_table) == ("https://nowhere.invalid", None)


def test_a_client_needs_a_datastack():
    with pytest.raises(InvalidInput, match="no datastack"):
        DatasetClient()


# D7: what is not configured is None in cortical-tools, and calling it a TypeError
@pytest.mark.parametrize("method", ["cell_id_to_root_id", "root_id_to_cell_id"])
def test_d7_a_client_that_knows_no_tables_of_cells_says_how_to_name_them(method):
    client = DatasetClient("some_stack", "http://127.0.0.1:9")
    with pytest.raises(InvalidInput, match="construct the client with"):
        getattr(client, method)([1])


def test_all_public_names_are_there():
    assert {getattr(dataset_client, name).__name__ for name in dataset_client.__all__} == set(dataset_client.__all__)
