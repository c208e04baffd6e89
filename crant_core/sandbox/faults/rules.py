"""A rule: which requests it meets, how often, how long they wait and how they break."""

from __future__ import annotations

import math
import random
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

Kind = Literal["status", "reset", "truncated_gzip", "hang", "drip", "blank"]

_Seconds = Annotated[float, Field(ge=0)]
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")]
_HeaderValue = Annotated[str, StringConstraints(pattern=r"^[ -~]*$")]
_TWO_SIDED_90_PERCENT = 2 * 1.6449  # standard deviations between the 5th and the 95th percentile
_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Latency(BaseModel):
    """A log-normal waiting time.

    Parameters
    ----------
    low, high : float
        Seconds between which nine of ten requests wait; equal ones make it constant.
    per_byte : float
        Seconds more per byte of the request's body: how a service slows down with the number of ids.
    tail, tail_factor : float
        Which share of requests waits `tail_factor` times as long.
    """

    model_config = _STRICT

    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]
    per_byte: _Seconds = 0
    tail: Annotated[float, Field(ge=0, le=1)] = 0
    tail_factor: Annotated[float, Field(ge=1)] = 60

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self

    def sample(self, chance: random.Random, size: int) -> float:
        """Draw the seconds one request with a body of `size` bytes waits."""
        median = math.sqrt(self.low * self.high)
        sigma = math.log(self.high / self.low) / _TWO_SIDED_90_PERCENT
        wait = median * math.exp(sigma * chance.gauss(0, 1)) + self.per_byte * size
        return wait * self.tail_factor if chance.random() < self.tail else wait


class Rule(BaseModel):
    """What goes wrong, and with which requests.

    Parameters
    ----------
    name : str, optional
        What the log calls it.
    path : str
        A part of the request's path; empty meets every request.
    pattern : str, optional
        A regular expression that must be found in the path too.
    method : str, optional
        The only HTTP method it meets.
    after : int
        The first `after` matching requests pass unharmed.
    times : int, optional
        How many matching requests it then applies to; not together with a probability.
    probability : float
        The chance that it applies to a request.
    burst : int
        How many matching requests in a row share one draw, so that trouble comes in bursts.
    sticky : bool
        Draw once per path, not per request: what is missing stays missing.
    seed : int
        The only source of chance.
    delay, latency
        Seconds to wait before anything else, constant and drawn; the waits of all rules that apply add up.
    kind : str, optional
        `status`: answer `status`, `headers` and `body` (default: a proxy's HTML page), without asking the service.
        `reset`: close the connection after `keep` bytes of the body (default: half). `truncated_gzip`: end the
        compressed body after `keep` bytes (default: half) as if that were all. `hang`: no answer, for `bound` seconds;
        then a proxy's 504. `drip`: the answer, `bytes_per_second` slow. `blank`: `share` of the members of a JSON
        answer are empty, the same ones every time.
    """

    model_config = _STRICT

    name: str | None = None
    path: str = ""
    pattern: re.Pattern[str] | None = None
    method: Annotated[str, StringConstraints(to_upper=True)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=0)] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1
    burst: Annotated[int, Field(ge=1)] = 1
    sticky: bool = False
    seed: int = 0
    delay: _Seconds = 0
    latency: Latency | None = None
    kind: Kind | None = None
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    headers: dict[_HeaderName, _HeaderValue] = Field(default_factory=dict)
    body: JsonValue = None
    keep: Annotated[int, Field(ge=0)] | None = None
    bound: _Seconds = 60
    bytes_per_second: Annotated[float, Field(gt=0)] = 100
    share: Annotated[float, Field(ge=0, le=1)] = 0.5

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        answers = self.status is not None or bool(self.headers) or self.body is not None
        contradictions = {
            "it does nothing: give a kind, a status, a delay or a latency": not (
                self.breakage or self.delay or self.latency
            ),
            "status, headers and body belong to the kind 'status'": answers and self.breakage != "status",
            "the kind 'status' needs a status": self.kind == "status" and self.status is None,
            "times and probability exclude each other": self.times is not None and self.probability < 1,
            "times and sticky exclude each other": self.times is not None and self.sticky,
        }
        problems = [text for text, wrong in contradictions.items() if wrong]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def breakage(self) -> Kind | None:
        """How it breaks a request; None when it only delays. A status alone says it too."""
        return self.kind or ("status" if self.status is not None else None)

    def meets(self, method: str, path: str) -> bool:
        """Whether it is about such requests at all."""
        if self.path not in path or self.method not in {None, method}:
            return False
        return self.pattern is None or self.pattern.search(path) is not None

    def applies(self, index: int, k: int, path: str) -> bool:
        """Decide about the k-th (from 0) request that rule number `index` meets: by seed, index and k alone."""
        k -= self.after
        if k < 0:
            return False
        if self.times is not None:
            return k < self.times
        draw = path if self.sticky else k // self.burst
        return self.probability == 1 or self.chance(index, draw).random() < self.probability

    def wait(self, index: int, k: int, size: int) -> float:
        """Return the seconds the k-th request it meets waits, if it applies; `size` is the body's, in bytes."""
        return self.delay + (self.latency.sample(self.chance(index, f"wait {k}"), size) if self.latency else 0)

    def chance(self, index: int, draw: object) -> random.Random:
        """Return the chance of one draw, the same in every process."""
        return random.Random(f"{self.seed}:{index}:{draw}")  # noqa: S311  repeatable on purpose
