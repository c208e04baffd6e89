"""Ids in forms: pasted, in a file of any format that the API reads, or kept from the check before.

A list that is longer than a request's may be is stored, and the form names it; so it is sent once.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from api.dashboard.forms import Filled, ids_in, parameters_from
from api.idlists import Format, Ids, read_ids
from api.parameters import INPUT
from api.services import Services
from crant_core.errors import InvalidInput, NotFound
from crant_core.ids import pack, unpack
from crant_core.kinds.base import MAX_INLINE_IDS, KindSpec

IDS, FILE = "ids", "ids_file"
_MULTIPART = "multipart/form-data"
_LONGEST = 8 << 20  #: bytes of all that is no file, as it is kept in memory
_TOO_LONG = f"what was filled in is larger than {_LONGEST} bytes; give the ids as a file"
_BEGINNINGS = {b"PAR1": Format.PARQUET, b"ARRO": Format.ARROW, b"\xff\xff\xff\xff": Format.ARROW}
_ARCHIVE = b"PK\x03\x04"
_LINES = (".ndjson", ".jsonl")


@dataclass(frozen=True)
class Sent:
    """What came with a form: its fields, and the files of ids."""

    fields: dict[str, list[str]]
    files: list[UploadFile]


@dataclass(frozen=True)
class Kept:
    """A list of ids that the form names instead of showing it."""

    id: str
    count: int


class _Form(MultiPartParser):
    """Streams files to the disk, as its parent does, and keeps no more of the rest in memory than is sound."""

    _kept = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._kept += end - start
            if self._kept > _LONGEST:
                raise HTTPException(413, _TOO_LONG)
        super().on_part_data(data, start, end)


async def read_form(request: Request) -> AsyncIterator[Sent]:
    """Read what was filled in; files wait on the disk until the answer is made."""
    is_ours = request.headers.get("content-type", "").partition(";")[0].strip().lower() == _MULTIPART
    if not is_ours:
        raise HTTPException(415, f"forms are sent as {_MULTIPART}")
    try:
        form = await _Form(request.headers, request.stream(), max_part_size=_LONGEST).parse()
    except MultiPartException as error:
        raise HTTPException(400, f"the form cannot be read: {error.message}") from error
    try:
        fields: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value)
        files = [one for one in form.getlist(FILE) if isinstance(one, UploadFile) and one.filename]
        yield Sent(fields, files)
    finally:
        await form.close()


SentDep = Annotated[Sent, Depends(read_form)]


def settled(services: Services, sent: Sent) -> dict[str, list[str]]:
    """Put all ids of a form into one place: where people see them, or, if they are too many, into a stored list.

    Raises
    ------
    InvalidInput
        A file is not what it seems to be, or something is no id.
    TooManyIds
    """
    pasted = [word for text in sent.fields.get(IDS, ()) for word in ids_in(text)]
    if not sent.files and len(pasted) <= MAX_INLINE_IDS:
        return _with(sent, pasted, sent.fields.get(INPUT, []) if not pasted else [])
    with services.uploads:
        data = _packed(services, pasted, sent.files)
        if len(data) // 8 > MAX_INLINE_IDS:
            return _with(sent, [], [services.inputs.store(data)])
        return _with(sent, [str(one) for one in unpack(data)], [])


def _with(sent: Sent, ids: list[str], name: list[str]) -> dict[str, list[str]]:
    return {**sent.fields, IDS: ["\n".join(ids)] if ids else [], INPUT: name}


def _packed(services: Services, pasted: list[str], files: list[UploadFile]) -> bytes:
    ids = Ids(services.settings.upload_ids)
    for word in pasted:
        ids.add(word)
    for file in files:
        ids.extend(memoryview(_read(file, services.settings.upload_ids)))
    return pack(ids.found)


def _read(file: UploadFile, most: int) -> bytes:
    with tempfile.NamedTemporaryFile(prefix="crant-input-") as copy:
        shutil.copyfileobj(file.file, copy)
        copy.flush()
        copy.seek(0)
        return read_ids(Path(copy.name), _format_of(copy.read(4), file.filename or ""), column=None, most=most)


def _format_of(beginning: bytes, name: str) -> Format:
    """Say what a file is by how it begins; only lines of JSON and of CSV are told apart by the name."""
    if beginning == _ARCHIVE:
        hint = "save it as CSV, one id in a row, or as Parquet"
        raise InvalidInput(f"{name!r} is a spreadsheet or an archive", value=name, hint=hint)
    return _BEGINNINGS.get(beginning, Format.NDJSON if name.lower().endswith(_LINES) else Format.CSV)


def parameters_with_ids(kind: KindSpec, filled: Filled) -> dict[str, Any]:
    """Read parameters with the ids, or with the name of the list that has them.

    Raises
    ------
    InvalidInput
    """
    params = parameters_from(kind, filled)
    names = filled.get(INPUT)
    return params if not names else {name: value for name, value in params.items() if name != IDS} | {INPUT: names[0]}


def kept_list(services: Services, filled: Filled | None) -> Kept | None:
    """Describe the list that a form names, if there is one."""
    name = ((filled or {}).get(INPUT) or [""])[0]
    try:
        return Kept(name, services.inputs.count(name)) if name else None
    except NotFound:
        return None
