"""Rules decide by seed, number and count alone."""

from __future__ import annotations

import random
import statistics

import pytest
from pydantic import ValidationError

from crant_core.sandbox.faults.rules import Latency, Rule

PATH = "/segmentation/api/v1/table/t/roots_binary"


def _applied(rule: Rule, number: int = 1000, index: int = 0) -> list[int]:
    return [k for k in range(number) if rule.applies(index, k, PATH)]


class TestMeets:
    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, True),
            ({"path": "/roots_binary"}, True),
            ({"path": "/leaves"}, False),
            ({"pattern": r"/roots(_binary)?$"}, True),
            ({"pattern": r"^/roots"}, False),
            ({"path": "/table/t/", "pattern": "roots"}, True),
            ({"path": "/table/u/", "pattern": "roots"}, False),
            ({"method": "post"}, True),
            ({"method": "GET"}, False),
        ],
    )
    def test_path_pattern_and_method_must_all_agree(self, fields, expected):
        assert Rule(status=503, **fields).meets("POST", PATH) is expected


class TestApplies:
    def test_without_a_limit_it_applies_to_every_request(self):
        assert _applied(Rule(status=503), 5) == [0, 1, 2, 3, 4]

    def test_times_counts_from_the_first_request(self):
        assert _applied(Rule(status=503, times=2), 6) == [0, 1]

    def test_after_lets_the_first_requests_pass_unharmed(self):
        assert _applied(Rule(status=503, after=3, times=2), 8) == [3, 4]
        assert _applied(Rule(status=503, after=3), 6) == [3, 4, 5]

    def test_a_probability_is_met_on_average(self):
        assert 60 < len(_applied(Rule(status=503, probability=0.1))) < 140

    def test_probability_0_never_applies_and_1_always(self):
        assert _applied(Rule(status=503, probability=0)) == []
        assert len(_applied(Rule(status=503, probability=1))) == 1000

    def test_the_same_seed_decides_the_same_in_any_order(self):
        rule, again = (Rule(status=503, probability=0.3, seed=7) for _ in range(2))
        forward = {k: rule.applies(2, k, PATH) for k in range(200)}
        backward = {k: again.applies(2, k, PATH) for k in reversed(range(200))}
        assert forward == backward

    def test_a_decision_is_the_one_of_seed_index_and_count(self):
        rule = Rule(status=503, probability=0.3, seed=7)
        expected = [k for k in range(100) if random.Random(f"7:2:{k}").random() < 0.3]
        assert _applied(rule, 100, index=2) == expected

    def test_other_seeds_and_other_numbers_decide_otherwise(self):
        rule, other = Rule(status=503, probability=0.5, seed=1), Rule(status=503, probability=0.5, seed=2)
        assert _applied(rule) != _applied(other)
        assert _applied(rule, index=0) != _applied(rule, index=1)

    def test_a_burst_shares_one_draw_among_neighbours(self):
        applied = _applied(Rule(status=503, probability=0.2, burst=10))
        blocks = {k // 10 for k in applied}
        assert 5 < len(blocks) < 40
        assert applied == [k for k in range(1000) if k // 10 in blocks]

    def test_a_sticky_rule_decides_per_path_whatever_the_count(self):
        rule = Rule(status=404, probability=0.5, sticky=True)
        verdicts = {n: {rule.applies(0, k, f"/gcs/chunk{n}") for k in range(10)} for n in range(100)}
        assert all(len(each) == 1 for each in verdicts.values())
        assert 30 < sum(each == {True} for each in verdicts.values()) < 70


class TestLatency:
    def test_nine_of_ten_waits_lie_between_low_and_high_and_half_below_their_geometric_mean(self):
        latency = Latency(low=0.1, high=0.4)
        waits = [latency.sample(random.Random(f"{n}"), 0) for n in range(4000)]
        within = sum(0.1 <= wait <= 0.4 for wait in waits) / len(waits)
        assert within == pytest.approx(0.9, abs=0.02)
        assert statistics.median(waits) == pytest.approx(0.2, rel=0.05)

    def test_equal_ends_make_it_constant_and_bytes_add_to_it(self):
        latency = Latency(low=0.25, high=0.25, per_byte=1e-3)
        assert latency.sample(random.Random(0), 500) == pytest.approx(0.75)

    def test_the_tail_multiplies_the_wait_of_its_share(self):
        latency = Latency(low=1, high=1, tail=0.1, tail_factor=60)
        waits = [latency.sample(random.Random(f"{n}"), 0) for n in range(2000)]
        assert {round(wait, 6) for wait in waits} == {1, 60}
        assert 140 < sum(wait > 59 for wait in waits) < 260

    def test_low_above_high_is_refused(self):
        with pytest.raises(ValidationError, match="low is above high"):
            Latency(low=2, high=1)

    def test_a_rules_wait_is_its_delay_plus_a_repeatable_draw(self):
        rule = Rule(delay=2, latency=Latency(low=0.1, high=0.4), seed=5)
        assert rule.wait(0, 3, 0) == rule.wait(0, 3, 0) > 2
        assert rule.wait(0, 3, 0) != rule.wait(0, 4, 0)


class TestValidation:
    def test_a_status_alone_is_the_kind_status(self):
        assert Rule(status=503).breakage == "status"
        assert Rule(delay=1).breakage is None

    @pytest.mark.parametrize(
        ("fields", "complaint"),
        [
            ({}, "it does nothing"),
            ({"path": "/a"}, "it does nothing"),
            ({"kind": "status"}, "needs a status"),
            ({"kind": "hang", "status": 503}, "belong to the kind 'status'"),
            ({"kind": "drip", "body": "x"}, "belong to the kind 'status'"),
            ({"status": 503, "times": 1, "probability": 0.5}, "times and probability"),
            ({"status": 503, "times": 1, "sticky": True}, "times and sticky"),
            ({"status": 503, "probability": 1.5}, "less than or equal to 1"),
            ({"status": 503, "after": -1}, "greater than or equal to 0"),
            ({"status": 100}, "greater than or equal to 200"),
            ({"delay": float("nan")}, "finite number"),
            ({"status": 503, "pattern": "["}, "regular expression"),
            ({"status": 503, "headers": {"X Y": "1"}}, "should match pattern"),
        ],
    )
    def test_a_contradiction_is_refused_and_named(self, fields, complaint):
        with pytest.raises(ValidationError, match=complaint):
            Rule(**fields)
