"""Each profile breaks what it says it breaks."""

from __future__ import annotations

import statistics

import pytest

from crant_core.sandbox.faults.controller import Controller, Verdict
from crant_core.sandbox.faults.profiles import NAMES, profile
from crant_core.sandbox.names import NUCLEI, SYNAPSES

GRAPH = "/segmentation/api/v1/table/t"
QUERY = "/materialize/api/v3/datastack/ds/version/2/table/synapses_v2/query"
CHUNKS = [f"/gcs/ws/16_16_42/{n}-{n + 64}_0-64_0-64" for n in range(0, 6400, 64)]


def _run(name: str, path: str, times: int = 1, size: int = 0, scale: float = 1) -> list[Verdict]:
    controller = Controller()
    controller.use(profile(name, seed=1, scale=scale))
    return [controller.decide("GET", path, size) for _ in range(times)]


def _statuses(name: str, path: str, times: int = 1) -> list[int | None]:
    return [verdict.rule.status if verdict.rule else None for verdict in _run(name, path, times)]


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_gives_all_its_rules_the_seed(name):
    assert {rule.seed for rule in profile(name, seed=9).rules} <= {9}


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="no profile 'sunny'"):
        profile("sunny")


def test_fast_has_no_rules():
    assert profile("fast").rules == ()


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("/info/api/v2/datastacks", 0.05, 0.15),
        (f"{GRAPH}/is_latest_roots", 0.05, 0.15),
        (f"{GRAPH}/roots_binary", 0.1, 0.3),
        (f"{GRAPH}/node/864691135/root", 0.1, 0.3),
        (f"{GRAPH}/node/864691135/leaves", 0.3, 3),
        (f"{GRAPH}/node/864691135/lvl2_graph", 0.3, 3),
        (QUERY, 0.3, 1),
        ("/l2cache/api/v1/table/t/attributes", 0.2, 0.4),
        ("/skeletoncache/api/v1/ds/async/get_skeleton/4/864691135/flatdict", 0.2, 0.45),
        ("/meshing/api/v1/table/t/manifest/864691135:0", 0.5, 3),
        ("/gcs/ws/info", 0.03, 0.08),
    ],
)
def test_realistic_waits_as_long_as_the_real_endpoint(path, low, high):
    waits = [verdict.wait for verdict in _run("realistic", path, 1000)]
    within = sum(low <= wait <= high for wait in waits) / len(waits)
    assert within == pytest.approx(0.9 * 0.99, abs=0.03)  # both ends cut 5 %, the tail 1 %
    assert 0 < sum(wait > 10 * high for wait in waits) < 30
    assert statistics.median(waits) == pytest.approx((low * high) ** 0.5, rel=0.15)


def test_realistic_roots_of_100_000_supervoxels_take_two_seconds_more():
    few, many = (_run("realistic", f"{GRAPH}/roots_binary", size=size)[0].wait for size in (0, 800_000))
    assert many - few == pytest.approx(2.0)


def test_scale_shrinks_every_wait():
    full, small = (_run("realistic", QUERY, size=1000, scale=scale)[0].wait for scale in (1, 0.01))
    assert small == pytest.approx(full / 100)
    bounds = {rule.name: rule.bound for rule in profile("bad_day", scale=0.01).rules}
    assert bounds["hang"] == pytest.approx(6)


def test_bad_day_breaks_some_requests_in_every_way_and_leaves_most_alone():
    verdicts = _run("bad_day", QUERY, 5000)
    faults = [verdict.fault for verdict in verdicts]
    expected = {None, "burst", "cut", "proxy", "patience", "limit", "reset", "truncated", "hang", "drip"}
    assert set(faults) == expected
    assert 0.9 < faults.count(None) / len(faults) < 0.98


def test_bad_day_outlives_a_burst_the_four_attempts_of_caveclient():
    faults = [verdict.fault == "burst" for verdict in _run("bad_day", f"{GRAPH}/roots_binary", 3000)]
    first = faults.index(True)
    assert all(faults[first : first + 6])


def test_auth_revokes_the_token_after_100_requests_but_not_for_the_bucket():
    assert _statuses("auth", f"{GRAPH}/roots_binary", 102) == [None] * 100 + [401] * 2
    assert _statuses("auth", "/gcs/ws/info", 200) == [None] * 200


def test_auth_forbids_one_table_and_asks_for_terms():
    tables = "/materialize/api/v3/datastack/ds/version/2/table"
    assert _statuses("auth", f"{tables}/{NUCLEI}/query") == [403]
    assert _statuses("auth", f"{tables}/{SYNAPSES}/query") == [None]
    (verdict,) = _run("auth", "/skeletoncache/api/v1/ds/precomputed/skeleton/exists")
    assert verdict.rule is not None
    assert verdict.rule.body["error"] == "missing_tos"


def test_half_of_the_data_is_missing_the_same_every_time():
    first, second = (_missing() for _ in range(2))
    assert first == second
    assert 2 <= len(first) <= 25
    assert _statuses("half_data", "/gcs/ws/info", 20) == [None] * 20


def _missing() -> set[str]:
    controller = Controller()
    controller.use(profile("half_data", seed=1))
    return {path for path in CHUNKS if controller.decide("GET", path, 0).rule}


def test_half_data_forbids_some_shards_and_blanks_l2_data():
    controller = Controller()
    controller.use(profile("half_data", seed=1))
    shards = [controller.decide("GET", f"/gcs/t/mesh/initial/2/{n}-0.shard", 0).rule for n in range(100)]
    assert {rule.status for rule in shards if rule} == {403}
    assert 2 <= sum(rule is not None for rule in shards) <= 25
    (verdict,) = _run("half_data", "/l2cache/api/v1/table/t/attributes")
    assert verdict.fault == "no l2"


def test_expired_refuses_queries_of_versions_but_not_live_ones_or_lists():
    assert _statuses("expired", QUERY) == [410]
    assert _statuses("expired", "/materialize/api/v3/datastack/ds/version/2/query") == [410]
    assert _statuses("expired", "/materialize/api/v3/datastack/ds/query") == [None]
    assert _statuses("expired", "/materialize/api/v3/datastack/ds/versions") == [None]
