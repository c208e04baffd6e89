"""Buttons of a job's page. Each does what the API's route of the same name does, and shows the page again."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import RedirectResponse, Response

from api.dashboard.visitors import ChangerDep
from api.deps import ServicesDep, viewer_of
from crant_core.errors import Conflict
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.control import ControlRepository
from crant_core.jobs.tables import JobRow

router = APIRouter(include_in_schema=False)


class Action(StrEnum):
    """What can be done to a job."""

    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    CANCEL = "cancel"


_DO: dict[Action, Callable[[ControlRepository, str], JobRow]] = {
    Action.PAUSE: ControlRepository.pause,
    Action.RESUME: ControlRepository.resume,
    Action.RETRY: ControlRepository.retry,
    Action.CANCEL: ControlRepository.cancel,
}
_GOING_ON = {JobState.WAITING, JobState.PLANNING, JobState.RUNNING, JobState.FINISHING}


def actions_in(state: JobState) -> list[Action]:
    """List what makes sense for a job in a state."""
    if state in _GOING_ON:
        return [Action.PAUSE, Action.CANCEL]
    if state is JobState.PAUSED:
        return [Action.RESUME, Action.CANCEL]
    return [] if state is JobState.SUCCEEDED else [Action.RETRY]


@router.post("/jobs/{job_id}/{action}")
def act(
    services: ServicesDep, changer: ChangerDep, job_id: Annotated[str, Path(max_length=32)], action: Action
) -> Response:
    """Do it. Where it makes no sense any more, because the job went on meanwhile, the page says how the job is now."""
    job = services.jobs.get(job_id, viewer_of(changer))
    try:
        _DO[action](services.control, job.id)
    except Conflict:
        return RedirectResponse(f"/jobs/{job.id}?late={action}", 303)
    return RedirectResponse(f"/jobs/{job.id}", 303)
