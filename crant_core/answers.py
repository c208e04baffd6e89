"""What the service answers where it cannot do what was asked, as errors of ours."""

from __future__ import annotations

from typing import Any

import httpx

from crant_core.errors import CrantError
from crant_core.jobs.wire import Problem


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
