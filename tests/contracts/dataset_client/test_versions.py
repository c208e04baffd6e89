"""A dataset's client: versions, and questions about one time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core.access import register
from crant_core.dataset_client import DatasetClient
from crant_core.errors import InvalidInput, NotARoot, VersionNotFound
from tests.contracts.dataset_client.cells import counts, pieces, true_roots
from tests.contracts.sandbox_clients import MS, TIMES
from tests.fixtures import neurons


class TestVersions:
    def test_the_latest_version_is_looked_at_and_another_can_be_chosen(self, client):
        assert (client.version, client.most_recent_materialization_version()) == (3, 3)
        assert client.version_timestamp() == TIMES[3]
        client.version = np.int64(2)
        assert (client.version, client.cave.materialize.version) == (2, 2)
        assert client.version_timestamp() == TIMES[2]
        assert client.version_timestamp().utcoffset() == timedelta(0)

    def test_expired_versions_have_a_time_too(self, client):
        assert client.version_timestamp(1) == TIMES[1]

    def test_a_chosen_version_leaves_the_segmentation_live(self, client):
        client.version = 2
        assert client.get_roots(neurons.supervoxels()).tolist() == neurons.live_roots()

    def test_to_begin_with_a_version(self, sandbox):
        register(sandbox.dataset, sandbox.token)
        assert DatasetClient.of(sandbox.dataset, materialization_version=2).version == 2

    @pytest.mark.parametrize(
        "choose",
        [
            lambda client: setattr(client, "version", 99),
            lambda client: client.fix_mat_timestamp(99),
            lambda client: client.version_timestamp(99),
            lambda client: DatasetClient.of(client._described, materialization_version=99).version,
        ],
        ids=["version", "fix", "timestamp", "first"],
    )
    def test_a_version_that_never_was_is_named(self, client, choose):
        with pytest.raises(VersionNotFound, match="99") as error:
            choose(client)
        assert isinstance(error.value, ValueError)

    def test_what_is_no_number_is_refused(self, client):
        with pytest.raises(InvalidInput, match="no version"):
            client.version = "latest"

    def test_two_clients_of_a_dataset_choose_apart(self, client, sandbox):
        client.fix_mat_timestamp(2)
        assert DatasetClient.of(sandbox.dataset).version == 3

    def test_now_is_aware(self):
        assert abs(datetime.now(UTC) - DatasetClient.now()) < timedelta(seconds=5)


class TestFixedTime:
    def test_every_question_is_about_that_time(self, client):
        client.fix_mat_timestamp(2)
        then = neurons.roots_at(2)
        assert client.version == 2
        assert client.cave.timestamp == TIMES[2]
        assert client.get_roots(neurons.supervoxels()).tolist() == then
        assert client.is_latest_roots(then).all()
        assert client.get_latest_roots(neurons.live_roots()[0]).tolist() == sorted(
            {int(root) for root in neurons.graph().roots(pieces(0), TIMES[2])}
        )
        assert client.suggest_latest_roots(neurons.roots_at(1)[2]) == then[2]
        assert client.cell_id_to_root_id([1, 2]).tolist() == [true_roots(TIMES[2])[cell] for cell in (1, 2)]
        assert client.root_id_to_cell_id(then[2:]).tolist() == [2, 3, 4]

    def test_results_say_their_time(self, client):
        client.fix_mat_timestamp(2)
        for found in (client.cell_id_to_root_id([1]), client.root_id_to_cell_id(neurons.live_roots())):
            assert (found.attrs["timestamp"], found.attrs["materialization"]) == (TIMES[2].isoformat(), 2)
            assert (found.attrs["table_version"], found.attrs["dataset"]) == (2, "demo")

    def test_the_current_version_is_fixed_unless_another_is_named(self, client):
        client.version = 2
        client.fix_mat_timestamp()
        assert client.cave.timestamp == TIMES[2]
        client.version = 3  # moves the time along
        assert client.cave.timestamp == TIMES[3]

    def test_a_time_that_is_given_goes_first(self, client):
        client.fix_mat_timestamp(2)
        assert client.get_roots(neurons.supervoxels(), "mat_1").tolist() == neurons.roots_at(1)
        assert client.get_roots(neurons.supervoxels(), "live").tolist() == neurons.live_roots()

    def test_without_it_the_present_is_looked_at_again(self, client):
        client.fix_mat_timestamp(2)
        client.unfix_mat_timestamp()
        assert client.get_roots(neurons.supervoxels()).tolist() == neurons.live_roots()
        assert client.cave.timestamp is None

    def test_the_time_of_a_fixed_version_costs_no_request(self, own, own_client):
        own_client.fix_mat_timestamp(2)
        own.control("DELETE", "log")
        assert own_client.version_timestamp() == TIMES[2]
        assert counts(own) == {}

    def test_roots_newer_than_the_fixed_time_have_no_valid_time(self, client):
        client.fix_mat_timestamp(2)
        newer = neurons.live_roots()[4]
        with pytest.raises(NotARoot, match=f"{newer} is newer than version 2"):
            client.latest_valid_timestamp([newer])
        assert client.latest_valid_timestamp(neurons.roots_at(2)[:1]).tolist() == [TIMES[2] - MS]
