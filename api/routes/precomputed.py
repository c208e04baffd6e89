"""A job's skeletons as a source of Neuroglancer's, and the link that shows them.

Neuroglancer cannot send our tokens. So the job's part of an address may be `JOB~KEY`: the key is random, one job's
alone, and lets read its skeletons and nothing else. With a token, `JOB` is enough.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from api import fresh, skeletons
from api.deps import ServicesDep, get_bearer, get_identity, viewer_for_reading
from api.services import Services
from crant_core.datasets import Dataset
from crant_core.errors import NotFound
from crant_core.ids import parse_id
from crant_core.jobs.model import JobState
from crant_core.jobs.tables import JobRow
from crant_core.jobs.wire import Problem

router = APIRouter(prefix="/precomputed/jobs", tags=["skeletons"], responses={"4XX": {"model": Problem}})

_INFO = "precomputed.info.json"
_SHOWN = 100  #: neurons that a link shows at once
_WEEK = 7 * 86400


def get_shared_job(
    request: Request,
    services: ServicesDep,
    bearer: Annotated[str | None, Depends(get_bearer)],
    ref: Annotated[str, Path(max_length=80, description="JOB~KEY, or JOB with a token")],
) -> JobRow:
    """Return the job in the path, if the key is its own or the caller may see it."""
    job_id, tilde, key = ref.partition("~")
    if tilde:
        return services.jobs.shared(job_id, key)
    return services.jobs.get(job_id, viewer_for_reading(services, get_identity(request, services, bearer)))


SharedJobDep = Annotated[JobRow, Depends(get_shared_job)]


@router.get("/{ref}/neuroglancer", status_code=307, response_class=RedirectResponse)
def open_neuroglancer(request: Request, services: ServicesDep, job: SharedJobDep) -> Response:
    """Go to Neuroglancer with the job's skeletons in the dataset's scene; the first hundred are shown."""
    base = (services.settings.public_url or str(request.base_url)).rstrip("/")
    keys = services.jobs.done_keys(job.id, _SHOWN)
    source = f"precomputed://{base}/precomputed/jobs/{job.id}~{job.share_key}"
    return RedirectResponse(_link(services.dataset(job.dataset), source, job, keys), 307)


def _link(dataset: Dataset, source: str, job: JobRow, keys: list[str]) -> str:
    """Make a link to the dataset's scene; layers whose source only CAVE knows are left out, as it is not asked here."""
    from crant_core.neuroglancer import construct_scene, scene_to_url

    known = {"image": dataset.image_source is not None, "segmentation": dataset.segmentation_source is not None}
    scene = construct_scene(**known, layout="3d", dataset=dataset)
    layer = {"type": "segmentation", "source": source, "name": job.label or f"{job.kind} {job.id}", "segments": keys}
    scene["layers"].append({**layer, "skeletonRendering": {"mode3d": "lines_and_points"}})
    scene["selectedLayer"] = {"visible": True, "layer": layer["name"]}
    return scene_to_url(scene, base_neuroglancer=True, dataset=dataset)


@router.head("/{ref}/info", include_in_schema=False)
@router.get("/{ref}/info", response_class=JSONResponse)
def get_info(request: Request, services: ServicesDep, job: SharedJobDep) -> Response:
    """Describe the skeletons."""
    return fresh.file(request, _info(services, job), "application/json")


@router.head("/{ref}/volume/info", include_in_schema=False)
@router.get("/{ref}/volume/info", response_class=JSONResponse)
def get_volume_info(services: ServicesDep, job: SharedJobDep) -> Response:
    """Describe a volume of one voxel that has these skeletons: what `CloudVolume(…/volume)` starts from."""
    resolution = [int(nm) if nm == int(nm) else nm for nm in services.dataset(job.dataset).viewer_resolution]
    one = {"chunk_sizes": [[1, 1, 1]], "size": [1, 1, 1], "voxel_offset": [0, 0, 0], "encoding": "raw"}
    scales = [{**one, "key": "none", "resolution": resolution}]
    described = {"data_type": "uint64", "num_channels": 1, "type": "segmentation", "scales": scales}
    return JSONResponse(described | {"@type": "neuroglancer_multiscale_volume", "skeletons": "skeletons"})


@router.head("/{ref}/volume/skeletons/info", include_in_schema=False)
@router.get("/{ref}/volume/skeletons/info", response_class=JSONResponse)
def get_info_of_volume(request: Request, services: ServicesDep, job: SharedJobDep) -> Response:
    """Describe the skeletons of that volume."""
    return get_info(request, services, job)


@router.head("/{ref}/volume/skeletons/{root}", include_in_schema=False)
@router.get("/{ref}/volume/skeletons/{root}", response_class=Response)
def get_skeleton_of_volume(request: Request, services: ServicesDep, job: SharedJobDep, root: str) -> Response:
    """Give one skeleton of that volume."""
    return get_skeleton(request, services, job, root)


@router.head("/{ref}/{root}", include_in_schema=False)
@router.get("/{ref}/{root}", response_class=Response)
def get_skeleton(request: Request, services: ServicesDep, job: SharedJobDep, root: str) -> Response:
    """Give one skeleton: positions and radii in nm, little-endian; what is stored as SWC only is rewritten."""
    name = str(parse_id(root))
    artifact = services.jobs.first_artifact(job.id, skeletons.names_of(name))
    if artifact is None:
        raise NotFound(f"job {job.id} has no skeleton of {name}", value=name, hint=f"see /v1/jobs/{job.id}/items")
    data = skeletons.precomputed(services.store, artifact)
    return fresh.file(request, data, "application/octet-stream", seconds=_WEEK if JobState(job.state).ended else 0)


def _info(services: Services, job: JobRow) -> bytes:
    """Return what the job stored, or the same made now for a job that runs, or whose skeletons are SWC only."""
    stored = services.jobs.first_artifact(job.id, [_INFO])
    if stored is not None:
        return services.store.get(stored.sha256)
    if not skeletons.makes_skeletons(job.parameters):
        raise NotFound(f"job {job.id} makes no skeletons that can be shown", value=job.id)
    timestamp = job.timestamp.isoformat() if job.timestamp else None
    known = {"kind": job.kind, "code_version": job.code_version, "dataset": job.dataset}
    return skeletons.info({**known, "timestamp": timestamp, "materialization_version": job.version})
