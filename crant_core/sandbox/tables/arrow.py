"""How a frame travels: Arrow as caveclient reads it, or JSON, with the headers that say what it is."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import pandas as pd
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "data.arrow"


def answer(
    request: Request,
    frame: pd.DataFrame,
    *,
    names: dict[str, dict[str, str]],
    resolution: Iterable[float] | None,
    warnings: Iterable[str] = (),
) -> Response:
    """Answer with a frame in the form the request asks for, gzip'd only if it accepts gzip.

    Parameters
    ----------
    frame : DataFrame
        With nullable types; they survive the journey.
    names : dict
        Table to column to what the frame calls it.
    resolution : three floats, optional
        Units of the positions, nm.
    """
    response = _encoded(request, frame)
    for step in resolution or ():
        response.headers.append("dataframe_resolution", str(float(step)))
    response.headers["column_names"] = one_line(str(names))
    for warning in warnings:
        response.headers.append("Warning", one_line(warning))
    return response


def stream(frame: pd.DataFrame, compression: str | None) -> bytes:
    """Encode a frame as an Arrow IPC stream of one record batch; `compression` is zstd, lz4 or None."""
    batch = pa.RecordBatch.from_pandas(frame)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def wants(request: Request, argument: str, *, default: bool) -> bool:
    """Read a yes-or-no argument of the query string."""
    text = request.query_params.get(argument)
    return default if text is None else text.lower() in {"true", "1"}


def _encoded(request: Request, frame: pd.DataFrame) -> Response:
    accepted = request.headers.get("accept-encoding", "").lower()
    if wants(request, "return_pyarrow", default=True):
        response = Response(stream(frame, _compression(request, accepted)), headers={"Content-Type": MEDIA_TYPE})
    else:
        response = Response(frame.to_json(orient="records"), media_type="application/json")
    return _zipped(response) if "gzip" in accepted else response


def _compression(request: Request, accepted: str) -> str | None:
    if not wants(request, "ipc_compress", default=True):
        return None
    return next((name for name in ("lz4", "zstd") if name in accepted), None)


def _zipped(response: Response) -> Response:
    body = gzip.compress(bytes(response.body), compresslevel=1)
    media_type = response.headers["Content-Type"]
    return Response(body, headers={"Content-Type": media_type, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"})


def one_line(text: str) -> str:
    """Return what of a text a header can hold: Latin-1, no line ends; a table owner's notice may be anything."""
    return text.replace("\n", " ").encode("latin-1", "backslashreplace").decode("latin-1")
