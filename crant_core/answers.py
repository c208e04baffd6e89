"""What the service answers where it cannot do what was asked: come back later, or errors of ours."""

from __future__ import annotations

import time
from typing import Any

import httpx

from crant_core.errors import CrantError
from crant_core.jobs.wire import Problem

_PATIENCE = 300.0  #: seconds that one request waits for its turn at most
_SOON = 1.0  #: seconds, where nobody says how long
_wait = time.sleep


class PatientClient(httpx.Client):
    """Comes back when it is told to (429), so that thousands of files can be fetched from a service with a limit."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, again and again while there were too many; the last refusal is returned."""
        waited = 0.0
        while True:
            response = super().send(request, **options)
            seconds = _seconds_to_wait(response)
            if seconds is None or waited + seconds > _PATIENCE:
                return response
            response.close()
            _wait(seconds)
            waited += seconds


def _seconds_to_wait(response: httpx.Response) -> float | None:
    """Return how long to wait before the same is asked again; nothing if it cannot be."""
    is_over = response.status_code != httpx.codes.TOO_MANY_REQUESTS
    if is_over or not isinstance(response.request.stream, httpx.ByteStream):
        return None
    told = response.headers.get("retry-after", "")
    return max(float(told), _SOON) if told.isdecimal() else _SOON


class ServiceProblem(CrantError):
    """The service refused the request.

    Attributes
    ----------
    problem : Problem
        What the service said, with its stable `code`.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.code = problem.code  # type: ignore[misc] # the service's code, not this class's
        super().__init__(problem.detail, value=problem.value, hint=problem.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling."""
        return ServiceProblem, (self.problem,)


class ServiceUnreachable(CrantError):
    """No service answers at this address."""

    code = "service_unreachable"
    retryable = True


def check(response: httpx.Response) -> None:
    """Raise what the service complained of.

    Raises
    ------
    ServiceProblem
    """
    if response.is_success:
        return
    if "application/problem+json" in response.headers.get("content-type", ""):
        raise ServiceProblem(Problem.model_validate_json(response.content))
    problem = Problem(
        type="about:blank",
        title=response.reason_phrase,
        status=response.status_code,
        code="unexpected_answer",
        detail=f"{response.request.url} answered {response.status_code} {response.reason_phrase}",
    )
    raise ServiceProblem(problem)


def unreachable(http: httpx.Client, error: Exception) -> ServiceUnreachable:
    """Say that nobody answers."""
    hint = "is it running? start it with `crant up`"
    return ServiceUnreachable(f"no answer from {http.base_url}: {error}", hint=hint)
