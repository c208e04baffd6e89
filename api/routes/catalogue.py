"""What there is to ask for: kinds, datasets, and who one is."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import IdentityDep, ServicesDep, ViewerDep
from crant_core.jobs.wire import DatasetView, Identity, KindView, Problem
from crant_core.kinds.base import KindSpec
from crant_core.kinds.registry import all_kinds, get_kind

router = APIRouter(prefix="/v1", tags=["catalogue"], responses={"4XX": {"model": Problem}})


@router.get("/kinds")
def list_kinds(viewer: ViewerDep) -> list[KindView]:
    """List the kinds of jobs with the schema of their parameters."""
    return [_kind_view(kind) for kind in all_kinds().values()]


@router.get("/kinds/{kind}")
def describe_kind(viewer: ViewerDep, kind: str) -> KindView:
    """Describe one kind of job."""
    return _kind_view(get_kind(kind))


def _kind_view(kind: KindSpec) -> KindView:
    return KindView(
        name=kind.name,
        title=kind.title,
        code_version=kind.code_version,
        parameters=kind.parameters.model_json_schema(),
        example=kind.example,
    )


@router.get("/datasets")
def list_datasets(services: ServicesDep, viewer: ViewerDep) -> list[DatasetView]:
    """List the datasets jobs can run on."""
    return [DatasetView.model_validate(dataset) for dataset in services.datasets()]


@router.get("/me")
def who_am_i(identity: IdentityDep) -> Identity:
    """Say whose token this is."""
    return Identity(owner=identity.owner, scopes=sorted(identity.scopes))
