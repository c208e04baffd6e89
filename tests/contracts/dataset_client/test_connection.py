"""A dataset's client: the CAVEclient that it holds, and what it costs.

D… are defects of cortical-tools (reference/cortical-tools.md, 10).
"""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from caveclient import CAVEclient

from crant_core.dataset_client import DatasetClient
from crant_core.errors import SourceError
from crant_core.sandbox import names
from crant_core.sources.sessions import BoundedAdapter
from tests.contracts.dataset_client.cells import asked, counts, true_roots
from tests.contracts.sandbox_clients import TIMES, cave
from tests.fixtures import neurons


class TestConnection:
    # D10: cortical-tools builds a new CAVEclient for each lookup, of the latest version, with the token it finds itself
    def test_d10_lookups_use_the_version_and_the_token_of_a_caveclient_that_is_given(self, own):
        mine = CAVEclient(
            names.DATASTACK, server_address=own.url, auth_token=own.token, write_server_cache=False, version=2
        )
        dataset = own.dataset
        client = DatasetClient(
            caveclient=mine,
            cell_id_lookup_view=dataset.cell_lookup_view,
            root_id_lookup_main_table=dataset.cell_main_table,
            root_id_lookup_alt_tables=list(dataset.cell_alternative_tables),
        )
        assert client.cave is mine
        assert (client.datastack_name, client.server_address) == (names.DATASTACK, own.url)
        then = true_roots(TIMES[2])
        assert client.cell_id_to_root_id([1, 2]).tolist() == [then[1], then[2]]
        assert client.root_id_to_cell_id([then[2]]).attrs["materialization"] == 2
        own.control("DELETE", "log")
        client.cell_id_to_root_id([1, 2])
        assert set(counts(own)) == {
            f"/materialize/api/v3/datastack/{names.DATASTACK}/version/{{id}}/views/"
            + (f"{dataset.cell_lookup_view}/query")
        }

    def test_another_client_may_ask(self, client, sandbox):
        other = cave(sandbox, version=2)
        then = true_roots(TIMES[2])
        assert client.cell_id_to_root_id([1, 2], client=other).tolist() == [then[1], then[2]]
        assert client.cell_id_to_root_id([1, 2], other).attrs["materialization"] == 2
        fixed = DatasetClient.of(sandbox.dataset)
        fixed.fix_mat_timestamp(2)
        assert client.root_id_to_cell_id([then[2]], client=fixed).attrs["timestamp"] == TIMES[2].isoformat()
        assert client.version == 3

    # D9: cortical-tools swaps the process's stdout and silences urllib3; caveclient's own live query sets up logging
    def test_d9_lookups_leave_logging_and_the_terminal_alone(self, client, monkeypatch):
        seen, send = [], BoundedAdapter.send

        def watched(*args: Any, **kwargs: Any) -> Any:
            seen.append(state())  # the peer's terminal is another one only meanwhile
            return send(*args, **kwargs)

        monkeypatch.setattr(BoundedAdapter, "send", watched)

        def state() -> list[object]:
            quiet = logging.getLogger("urllib3")
            return [logging.root.handlers[:], logging.root.level, quiet.level, quiet.disabled, sys.stdout, sys.stderr]

        before = state()
        client.cell_id_to_root_id([1], timestamp="live")
        client.root_id_to_cell_id(neurons.live_roots())
        assert seen
        assert all(one == before for one in [*seen, state()])

    def test_making_and_showing_a_client_asks_nobody(self, own, own_client):
        own.control("DELETE", "log")
        client = DatasetClient.of(own.dataset)
        assert repr(client) == f"DatasetClient(datastack_name='{names.DATASTACK}', server_address='{own.url}')"
        assert names.DATASTACK in client._repr_mimebundle_()["text/html"]
        assert counts(own) == {}

    def test_threads_share_a_client_and_connect_once(self, own, own_client):
        own.control("DELETE", "log")
        expected = [true_roots(TIMES[3])[cell] for cell in (1, 2, 3)]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda _: own_client.cell_id_to_root_id([1, 2, 3]).tolist(), range(12)))
        assert found == [expected] * 12
        assert asked(counts(own), "/info/api/v2/datastack/full/") <= 2  # the caller's client, and the library's

    def test_a_refusal_keeps_its_status_and_is_no_empty_answer(self, own, own_client):
        _ = own_client.version
        own.control("POST", "fault", {"path": "/views/", "status": 403, "times": 1})
        with pytest.raises(SourceError, match="403") as error:
            own_client.cell_id_to_root_id([1])
        assert error.value.value == 403

    def test_query_factories_are_caveclients(self, client):
        client.version = 2
        found = client.tables[names.NUCLEI](id=[1]).query()
        assert found.pt_root_id.tolist() == [true_roots(TIMES[2])[1]]
        assert client.views["nucleus_detection_lookup_v1"](id=[2]).query()["id"].tolist() == [2]

    def test_what_the_info_service_says(self, client, sandbox):
        assert client.viewer_resolution().tolist() == [8.0, 8.0, 42.0]
        assert client.segmentation_source() == f"graphene://{sandbox.url}/segmentation/table/{names.TABLE}"
        assert client.image_source().startswith("precomputed://")
        assert client.get_datastack_info()["soma_table"] == names.NUCLEI
