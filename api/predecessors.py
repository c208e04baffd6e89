"""Jobs that work on another job's skeletons: checked and made to wait for it when they are submitted."""

from __future__ import annotations

from dataclasses import replace

from api.services import Services
from crant_core.errors import InvalidParameters, NotFound
from crant_core.jobs.model import JobState
from crant_core.jobs.repository.jobs import NewJob, Viewer
from crant_core.jobs.tables import JobRow
from crant_core.kinds.registry import all_kinds, get_kind

_HAS_RESULTS = (JobState.SUCCEEDED, JobState.PARTIAL)


def with_skeletons(services: Services, new: NewJob) -> NewJob:
    """Give a job that names another one's skeletons that one's ids if it has none, and let it come after it.

    Raises
    ------
    InvalidParameters
        There is no such job of the same owner, it makes no skeletons, is of another dataset, or came to nothing.
    """
    name = new.parameters.get("skeletons")
    if not isinstance(name, str):
        return new
    other = _checked(services, new, name)
    after = new.after if JobState(other.state).ended else [*new.after, other.id]
    return replace(new, ids=new.ids or services.jobs.input_ids(other), after=after)


def _checked(services: Services, new: NewJob, name: str) -> JobRow:
    try:
        other = services.jobs.get(name, Viewer(owner=new.owner))
    except NotFound as error:
        raise _refused(f"there is no job {name} of yours", name, "list yours with GET /v1/jobs") from error
    if not get_kind(other.kind).makes_skeletons:
        kinds = ", ".join(kind.name for kind in all_kinds().values() if kind.makes_skeletons)
        raise _refused(f"job {name} is of kind {other.kind} and has no skeletons", name, f"name one of {kinds}")
    if other.dataset != new.dataset:
        raise _refused(f"job {name} is of dataset {other.dataset}, not {new.dataset}", name, "use the same dataset")
    state = JobState(other.state)
    if state.ended and state not in _HAS_RESULTS:
        raise _refused(f"job {name} is {state}", name, f"start it again with POST /v1/jobs/{name}/retry")
    return other


def _refused(message: str, value: str, hint: str) -> InvalidParameters:
    error = InvalidParameters(f"params.skeletons: {message}", value=value, hint=hint)
    error.field = "params.skeletons"
    return error
