"""A dataset's client: roots and their L2 chunks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from crant_core import supervoxels_to_roots, update_ids
from crant_core.errors import InvalidId, InvalidParameters, NotARoot
from crant_core.sandbox.world.history import VERSIONS
from tests.contracts.dataset_client.cells import NEVER, SUPERVOXEL, lives, pieces
from tests.contracts.sandbox_clients import MS, TIMES
from tests.fixtures import neurons


class TestRoots:
    def test_roots_are_unsigned_in_input_order_and_background_is_0(self, client):
        asked_for = [*neurons.supervoxels()[::-1].tolist(), 0, SUPERVOXEL]
        found = client.get_roots(asked_for, VERSIONS[1].timestamp)
        assert found.dtype == np.uint64
        assert found.tolist() == [*neurons.roots_at(2)[::-1], 0, neurons.roots_at(2)[0]]

    def test_l2_ids_are_roots_of_a_lower_layer(self, client):
        assert int(client.get_roots([SUPERVOXEL], stop_layer=2)[0]) >> 56 == 2
        assert client.get_roots([SUPERVOXEL], stop_layer=99).tolist() == client.get_roots([SUPERVOXEL]).tolist()

    @pytest.mark.parametrize("layer", [0, -1, "2", 2.0, True])
    def test_layers_that_are_none_are_refused_before_anything_is_asked(self, client, layer):
        for ask in (client.get_roots, client.suggest_latest_roots):
            with pytest.raises(InvalidParameters, match="stop_layer"):
                ask(SUPERVOXEL, stop_layer=layer)
        for function in (supervoxels_to_roots, update_ids):
            with pytest.raises(InvalidParameters, match="layer"):
                function([NEVER], stop_layer=layer, dataset=client._described)

    def test_outdated_roots_are_not_latest_and_what_never_was_is_not(self, client):
        found = client.is_latest_roots([*neurons.roots_at(3), NEVER, SUPERVOXEL, 0])
        assert found.tolist() == [True, True, False, False, False, False, False, False]
        assert found.dtype == np.bool_
        assert client.is_latest_roots(neurons.roots_at(3), TIMES[3]).all()

    def test_what_a_root_became_and_what_it_was_made_of(self, client):
        false_merger = neurons.roots_at(1)[0]  # of neurons 0 and 1
        assert client.get_latest_roots(false_merger).tolist() == sorted(neurons.live_roots()[:2])
        assert client.get_latest_roots(false_merger).dtype == np.int64
        made_of = {int(root) for root in neurons.graph().roots(pieces(4), TIMES[1])}
        assert client.get_latest_roots(neurons.live_roots()[4], timestamp_future=TIMES[1]).tolist() == sorted(made_of)
        assert client.get_latest_roots(neurons.roots_at(3)).tolist() == sorted(neurons.live_roots())

    def test_the_root_with_most_of_an_old_one_is_suggested(self, client):
        false_merger = neurons.roots_at(1)[0]
        ids, shares = client.suggest_latest_roots(
            false_merger, stop_layer=1, return_all=True, return_fraction_overlap=True
        )
        inside = neurons.graph().leaves(false_merger, 1)
        now = neurons.graph().roots(np.asarray(inside, dtype=np.uint64), datetime.now(UTC))
        expected = {int(root): np.mean(now == root) for root in np.unique(now)}
        assert dict(zip(ids.tolist(), shares, strict=True)) == pytest.approx(expected)
        assert shares[0] > shares[1]
        assert client.suggest_latest_roots(false_merger) == max(expected, key=expected.__getitem__)
        assert client.suggest_latest_roots(neurons.roots_at(3)[4], return_fraction_overlap=True) == (
            neurons.live_roots()[4],
            1.0,
        )

    @pytest.mark.parametrize("wrong", [NEVER, SUPERVOXEL])
    def test_what_never_was_a_root_is_named(self, client, wrong):
        for question in (client.get_latest_roots, client.suggest_latest_roots, client.latest_valid_timestamp):
            with pytest.raises(NotARoot, match=str(wrong)):
                question(wrong)

    def test_last_valid_moments_are_a_millisecond_before_the_end_or_now(self, client):
        known = lives()
        old = [root for root, (_, end) in known.items() if end is not None]
        before = datetime.now(UTC)
        found = client.latest_valid_timestamp([*old, *neurons.live_roots(), old[0]])
        assert found.dtype == object
        assert [one.utcoffset() for one in found] == [timedelta(0)] * len(found)
        ends = [known[root][1] - MS for root in [*old, old[0]]]
        assert [abs(one - end) < MS for one, end in zip([*found[: len(old)], found[-1]], ends, strict=True)] == [
            True
        ] * len(ends)
        assert all(before - 2 * MS <= one <= datetime.now(UTC) for one in found[len(old) : -1])

    def test_no_roots_have_no_moments(self, client):
        assert client.latest_valid_timestamp([]).shape == (0,)
        assert client.get_roots([]).dtype == np.uint64

    def test_floats_are_refused(self, client):
        for question in (client.get_roots, client.is_latest_roots, client.root_id_to_cell_id):
            with pytest.raises(InvalidId, match="not an id"):
                question([float(NEVER)])


class TestChunks:
    def test_l2_ids_are_signed_and_those_of_the_root(self, client):
        root = neurons.live_roots()[1]
        found = client.get_l2_ids(root)
        assert found.dtype == np.int64
        assert sorted(found.tolist()) == sorted(int(one) for one in neurons.graph().leaves(root, 2))

    def test_a_box_in_voxels_bounds_them(self, client):
        root = neurons.live_roots()[1]
        every = client.get_l2_ids(root)
        some = client.get_l2_ids(root, [[0, 4000], [0, 100_000], [0, 100_000]])
        assert 0 < len(some) < len(every)
        assert set(some.tolist()) < set(every.tolist())

    @pytest.mark.parametrize("bounds", [[0, 1], [[0, 1], [0, 1]], [[5, 1], [0, 1], [0, 1]]])
    def test_what_is_no_box_is_refused(self, client, bounds):
        with pytest.raises(InvalidParameters, match="no box"):
            client.get_l2_ids(neurons.live_roots()[0], bounds)

    def test_a_root_that_never_was_is_an_error_and_not_a_neuron_without_chunks(self, client):
        with pytest.raises(NotARoot):
            client.get_l2_ids(NEVER)

    def test_features_stand_in_input_order_and_those_that_are_missing_are_missing(self, client):
        first, second = client.get_l2_ids(neurons.live_roots()[0])[:2].tolist()
        unknown = (2 << 56) | 77
        found = client.get_l2data([second, unknown, first, second], ["size_nm3", "rep_coord_nm"])
        assert found.index.tolist() == [second, unknown, first]
        assert list(found) == ["size_nm3", "rep_coord_nm_x", "rep_coord_nm_y", "rep_coord_nm_z"]
        assert found.loc[unknown].isna().all()  # D17
        plain = client.get_l2data([second, unknown, first], ["size_nm3", "rep_coord_nm"], as_dataframe=False)
        assert list(plain) == [second, unknown, first]
        assert plain[unknown] == {}
        assert (
            found.loc[first, ["rep_coord_nm_x", "rep_coord_nm_y", "rep_coord_nm_z"]].tolist()
            == (plain[first]["rep_coord_nm"])
        )
        assert found.loc[second, "size_nm3"] == plain[second]["size_nm3"]
        assert client.get_l2data([first], split_columns=False)["rep_coord_nm"].iloc[0] == plain[first]["rep_coord_nm"]

    def test_all_features_of_no_chunks_are_a_table_too(self, client):
        assert client.get_l2data([]).shape == (0, 25)

    def test_an_unknown_feature_is_named(self, client):
        with pytest.raises(InvalidParameters, match="'volume'"):
            client.get_l2data([(2 << 56) | 77], ["volume"])
