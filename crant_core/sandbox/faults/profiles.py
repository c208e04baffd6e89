"""Profiles: how CAVE behaves on certain days, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crant_core.sandbox.faults.rules import Rule
from crant_core.sandbox.names import NUCLEI

_QUERY = r"/materialize/.*/query$"
_NOT_THE_BUCKET = r"^/(?!gcs/)"
_JSON_HEADERS = {"Content-Type": "application/json"}

# Which endpoints wait how long: (name, pattern, seconds low and high, seconds per byte of the request's body).
# An id takes 8 bytes in binary and about 20 in JSON.
_LATENCIES = (
    ("roots", r"/roots(_binary)?$|/node/\d+/root$", 0.1, 0.3, 20e-6 / 8),
    ("graph", r"/(leaves|leaves_many|lvl2_graph|children|subgraph)$|/graph/|/lineage_graph_multiple$", 0.3, 3, 0),
    ("query", _QUERY, 0.3, 1, 0),
    ("l2", r"/l2cache/.*/attributes$", 0.2, 0.4, 0.6 / 20_000),
    ("skeleton", r"/get_(cached_)?skeletons?/", 0.2, 0.45, 0),
    ("manifest", r"/manifest/", 0.5, 3, 0),
    ("bucket", r"^/gcs/", 0.03, 0.08, 0),
)
_METADATA = (0.05, 0.15)
_TAIL = {"tail": 0.01, "tail_factor": 60}


@dataclass(frozen=True, slots=True)
class Profile:
    """Rules, and what only the application can carry out.

    Attributes
    ----------
    row_limit : int, optional
        The most rows a query answers.
    edit_every : float, optional
        Seconds between edits that happen by themselves.
    fresh_after : float
        Seconds after an edit at which meshes and L2 features of new nodes appear.
    skeleton_takes : float
        Seconds it takes to make a skeleton that is not cached.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    row_limit: int | None = None
    edit_every: float | None = None
    fresh_after: float = 0.0
    skeleton_takes: float = 0.0


FAST = Profile("fast")


def profile(name: str, seed: int = 0, scale: float = 1) -> Profile:
    """Return a profile.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seed : int
        Its rules' only source of chance.
    scale : float
        By how much its waiting times are multiplied; tests use 0.01.
    """
    if name not in _PROFILES:
        raise ValueError(f"no profile {name!r}: there are {', '.join(NAMES)}")
    return _PROFILES[name](seed, scale)


def _fast(seed: int, scale: float) -> Profile:
    return FAST


def _realistic(seed: int, scale: float) -> Profile:
    rules = [_latency(*row, seed=seed, scale=scale) for row in _LATENCIES]
    others = f"^(?!.*(?:{'|'.join(pattern for _, pattern, *_ in _LATENCIES)}))"
    rules.append(_latency("metadata", others, *_METADATA, 0, seed=seed, scale=scale))
    return Profile("realistic", tuple(rules), fresh_after=30 * scale, skeleton_takes=45 * scale)


def _latency(name: str, pattern: str, low: float, high: float, per_byte: float, *, seed: int, scale: float) -> Rule:
    wait = {"low": low * scale, "high": high * scale, "per_byte": per_byte * scale, **_TAIL}
    return _rule(seed, name=name, pattern=pattern, latency=wait)


def _bad_day(seed: int, scale: float) -> Profile:
    retry_after = {"Retry-After": str(round(2 * scale)), **_JSON_HEADERS}
    too_many = {"message": "Too many requests"}
    rules: tuple[dict[str, Any], ...] = (
        # longer than caveclient's four attempts
        {"name": "burst", "pattern": _NOT_THE_BUCKET, "status": 503, "probability": 0.01, "burst": 6},
        {"name": "cut", "pattern": _NOT_THE_BUCKET, "status": 504, "delay": 20 * scale, "probability": 0.005},
        {"name": "proxy", "status": 502, "probability": 0.01},
        {"name": "patience", "status": 429, "headers": retry_after, "body": too_many, "probability": 0.01},
        {
            "name": "limit",
            "pattern": f"{_QUERY}|/skeletoncache/",
            "status": 429,
            "body": too_many,
            "probability": 0.01,
        },
        {"name": "reset", "kind": "reset", "probability": 0.01},
        {"name": "truncated", "kind": "truncated_gzip", "probability": 0.01},
        {"name": "hang", "kind": "hang", "bound": 600 * scale, "probability": 0.004},
        {"name": "drip", "kind": "drip", "bytes_per_second": 1000 / scale, "probability": 0.005},
    )
    return Profile("bad_day", tuple(_rule(seed, **rule) for rule in rules))


def _truncate(seed: int, scale: float) -> Profile:
    return Profile("truncate", row_limit=1000)


def _auth(seed: int, scale: float) -> Profile:
    challenge = {"WWW-Authenticate": 'Bearer realm="sandbox", error="invalid_token"'}
    terms = {"error": "missing_tos", "data": {"tos_name": "sandbox", "tos_form_url": "http://127.0.0.1:9/tos"}}
    rules: tuple[dict[str, Any], ...] = (
        {
            "name": "revoked",
            "pattern": _NOT_THE_BUCKET,
            "after": 100,
            "status": 401,
            "headers": challenge,
            "body": {"error": "invalid_token"},
        },
        {"name": "forbidden", "path": f"/table/{NUCLEI}/", "status": 403, "body": {"error": "missing_permission"}},
        {"name": "terms", "path": "/skeletoncache/api/v1/", "status": 403, "body": terms},
    )
    return Profile("auth", tuple(_rule(seed, **rule) for rule in rules))


def _half_data(seed: int, scale: float) -> Profile:
    chunk = r"^/gcs/.*/\d+-\d+_\d+-\d+_\d+-\d+$"
    rules: tuple[dict[str, Any], ...] = (
        {"name": "missing chunk", "pattern": chunk, "status": 404, "probability": 0.1, "sticky": True},
        {"name": "forbidden shard", "pattern": r"\.shard$", "status": 403, "probability": 0.1, "sticky": True},
        {"name": "no l2", "pattern": r"/l2cache/.*/attributes$", "kind": "blank", "share": 0.1},
    )
    return Profile("half_data", tuple(_rule(seed, **rule) for rule in rules))


def _expired(seed: int, scale: float) -> Profile:
    gone = {"message": "materialization version has expired", "code": 410}
    rule = _rule(seed, name="expired", pattern=r"/version/\d+/(.*/)?query$", status=410, body=gone)
    return Profile("expired", (rule,))


def _edit_storm(seed: int, scale: float) -> Profile:
    return Profile("edit_storm", edit_every=5 * scale)


def _rule(seed: int, **fields: Any) -> Rule:
    return Rule.model_validate({"seed": seed, **fields})


_PROFILES: dict[str, Callable[[int, float], Profile]] = {
    "fast": _fast,
    "realistic": _realistic,
    "bad_day": _bad_day,
    "truncate": _truncate,
    "auth": _auth,
    "half_data": _half_data,
    "expired": _expired,
    "edit_storm": _edit_storm,
}
NAMES = tuple(_PROFILES)
