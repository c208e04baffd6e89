"""The controller counts per rule, adds waits up and lets the first breakage win."""

from __future__ import annotations

import pytest

from crant_core.sandbox.faults.controller import UNHARMED, Controller
from crant_core.sandbox.faults.profiles import profile
from crant_core.sandbox.faults.rules import Rule


def test_without_rules_every_request_is_unharmed():
    assert Controller().decide("GET", "/a", 0) is UNHARMED


def test_each_rule_counts_only_the_requests_it_meets():
    controller = Controller()
    controller.add([Rule(path="/a", status=503, times=1), Rule(path="/b", status=502, times=1)])
    rules = [controller.decide("GET", path, 0).rule for path in ("/b", "/a", "/b", "/a")]
    assert [rule and rule.status for rule in rules] == [502, 503, None, None]


def test_waits_add_up_and_the_first_breakage_wins():
    controller = Controller()
    rules = [Rule(delay=1), Rule(status=503, delay=2, name="first"), Rule(status=502, delay=4, name="second")]
    controller.add(rules)
    verdict = controller.decide("GET", "/a", 0)
    assert (verdict.wait, verdict.fault) == (7, "first")


def test_a_nameless_fault_is_called_after_its_kind_and_number():
    controller = Controller()
    controller.add([Rule(delay=1), Rule(kind="hang")])
    assert controller.decide("GET", "/a", 0).fault == "hang-1"


def test_numbers_are_not_given_twice_until_everything_is_cleared():
    controller = Controller()
    assert controller.add([Rule(status=503), Rule(status=502)]) == [0, 1]
    assert controller.remove(1)
    assert not controller.remove(1)
    assert controller.add([Rule(status=504)]) == [2]
    controller.clear()
    assert controller.add([Rule(status=504)]) == [0]


def test_the_same_profile_and_seed_harm_the_same_requests_again():
    controller = Controller()
    runs = []
    for seed in (4, 4, 5):
        controller.use(profile("bad_day", seed))
        runs.append([controller.decide("GET", "/segmentation/api/v1/x", 0) for _ in range(2000)])
    assert runs[0] == runs[1] != runs[2]
    assert {verdict.fault for verdict in runs[0]} >= {None, "burst", "proxy", "reset", "hang"}


def test_a_profile_says_what_the_application_carries_out():
    controller = Controller()
    controller.use(profile("edit_storm", scale=0.5))
    assert (controller.row_limit, controller.edit_every) == (None, pytest.approx(2.5))
    controller.use(profile("truncate"))
    assert (controller.row_limit, controller.edit_every) == (1000, None)
    controller.clear()
    assert (controller.profile.name, controller.row_limit) == ("fast", None)
