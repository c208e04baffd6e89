"""A job as an RO-Crate 1.1 in a zip, made while it is sent: files first, then what they are.

The names in the zip are made harmless: whatever a file is called, it is unpacked below `files/`.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from api.services import Services
from api.tables import Format, Sink, table_of, written
from crant_core.errors import NotFound
from crant_core.jobs.tables import ArtifactRow, JobRow

METADATA = "ro-crate-metadata.json"
ITEMS = "items.csv"
_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
_PACKED = ("parquet", "png", "zip", "gzip", "jpeg")  #: parts of media types that do not get smaller
_PIECE = 2**20
_PAGE = 1000
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def harmless(name: str) -> str:
    """Return a name that stays in its folder on every system, and is an address as it stands.

    What is no letter, digit or one of `-_.=+@,` is written as `~XX`, so different names stay different.
    """
    safe = quote(name, safe="=+@,").replace("~", "%7E").replace("%", "~")
    return safe if safe.strip(".") else safe.replace(".", "~2E") or "~"


def zipped(services: Services, job: JobRow) -> Iterator[bytes]:
    """Write the zip, piece by piece.

    Raises
    ------
    NotFound
        A file is damaged or gone. The zip breaks off then, so that nobody takes it for whole.
    """
    sink = Sink()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told, zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for artifact in _artifacts(services, job):
            name = f"files/{harmless(artifact.name)}"
            yield from _member(archive, sink, name, _bytes(services, artifact), artifact.media_type)
            told.write(json.dumps(_file(artifact, name)) + "\n")
        yield from _member(archive, sink, ITEMS, written(table_of(services, job), Format.CSV), "text/csv")
        yield from _member(archive, sink, METADATA, _metadata(services, job, told), "application/json")
        archive.close()
        yield sink.taken()


def _member(
    archive: zipfile.ZipFile, sink: Sink, name: str, parts: Iterator[bytes], media_type: str
) -> Iterator[bytes]:
    info = zipfile.ZipInfo(name, _FIRST_DAY)
    packed = any(word in media_type for word in _PACKED)
    info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as member:
        for part in parts:
            member.write(part)
            if data := sink.taken():
                yield data
    yield sink.taken()


def _artifacts(services: Services, job: JobRow) -> Iterator[ArtifactRow]:
    after = 0
    while page := services.jobs.artifacts(job.id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def _bytes(services: Services, artifact: ArtifactRow) -> Iterator[bytes]:
    path = services.store.local_path(artifact.sha256)
    if path is None:
        yield services.store.get(artifact.sha256)
        return
    yield from _checked(path, artifact)


def _checked(path: Path, artifact: ArtifactRow) -> Iterator[bytes]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != artifact.sha256:
        raise NotFound(f"the artifact store has no sound file {artifact.sha256}", value=artifact.name)


def _file(artifact: ArtifactRow, name: str) -> dict[str, Any]:
    return {
        "@id": name,
        "@type": "File",
        "name": artifact.name,
        "encodingFormat": artifact.media_type,
        "contentSize": str(artifact.size),
        "sha256": artifact.sha256,
        "dateCreated": _time(artifact.created_at),
        "description": "; ".join(f"{key}: {value}" for key, value in artifact.meta.items()),
    }


def _metadata(services: Services, job: JobRow, told: IO[str]) -> Iterator[bytes]:
    """Write the crate's description; the files' are copied from what was told of them, so memory stays small."""
    yield f'{{"@context": {json.dumps(_CONTEXT)}, "@graph": [\n'.encode()
    for entity in _about(services, job):
        yield (json.dumps(entity) + ",\n").encode()
    yield (
        json.dumps(_root(services, job)).removesuffix("}").encode()
        + b', "hasPart": [{"@id": "'
        + ITEMS.encode()
        + b'"}'
    )
    for line in _again(told):
        yield b", " + json.dumps({"@id": json.loads(line)["@id"]}).encode()
    yield b"]}"
    for line in _again(told):
        yield b",\n" + line.rstrip("\n").encode()
    yield b"\n]}\n"


def _again(told: IO[str]) -> Iterator[str]:
    told.seek(0)
    yield from told


def _about(services: Services, job: JobRow) -> Iterator[dict[str, Any]]:
    me, software = f"#owner-{quote(job.owner, safe='')}", "#crant-batch"
    about = {"@id": "./"}
    standard = {"@id": "https://w3id.org/ro/crate/1.1"}
    yield {"@id": METADATA, "@type": "CreativeWork", "about": about, "conformsTo": standard}
    yield {"@id": me, "@type": "Person", "name": job.owner}
    yield {"@id": software, "@type": "SoftwareApplication", "name": "crant-batch", "softwareVersion": services.version}
    what = {"@id": ITEMS, "@type": "File", "name": "items", "encodingFormat": "text/csv"}
    yield {**what, "description": "One row for each item of the job: what became of it, and its numbers"}
    made = {"@id": f"#job-{job.id}", "@type": "CreateAction", "name": f"{job.kind} {job.id}", "agent": {"@id": me}}
    times = {"startTime": job.started_at, "endTime": job.finished_at}
    known = {name: _time(value) for name, value in times.items() if value is not None}
    yield {**made, "instrument": {"@id": software}, "result": about, "description": _parameters(job), **known}


def _root(services: Services, job: JobRow) -> dict[str, Any]:
    title = job.label or f"{job.kind} {job.id}"
    told = f"{job.kind} of {job.total:,} items of {job.dataset}, {job.succeeded:,} succeeded, {job.failed:,} failed"
    when = f" at {_time(job.timestamp)}" if job.timestamp else ""
    licence = "Not stated: it is that of the dataset and of its owners"
    fixed = {"@id": "./", "@type": "Dataset", "name": title, "description": f"{told}{when}; job {job.state}"}
    published = _time(job.finished_at or services.database.now())
    return {**fixed, "identifier": job.id, "datePublished": published, "license": licence}


def _parameters(job: JobRow) -> str:
    given = {"code_version": job.code_version, "at": job.at, "input_sha256": job.input_id, **job.parameters}
    return json.dumps(given, sort_keys=True)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
