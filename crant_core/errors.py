"""Every error this project raises on purpose.

CrantError
├── InvalidInput                    the caller must change something
│   ├── DifferentNeuropils, FilteringError, InvalidId, InvalidTime
│   ├── InvalidParameters, NeverTogether, OutOfBounds, TooDense
│   └── TooManyIds, UnknownDataset, UnknownKind, WrongType
├── NotFound                        the thing asked for does not exist
│   ├── ExportNotFound
│   ├── MeshNotFound
│   ├── NoMatchesError
│   ├── NotARoot
│   ├── SkeletonNotMade
│   ├── TableNotFound
│   └── VersionNotFound
├── Conflict                        it exists, but not in a state that allows this
│   ├── IdempotencyMismatch
│   ├── LeaseLost
│   ├── NameTaken
│   └── WrongState
├── AccessDenied                    the service does not accept the caller's token
│   ├── TokenMissing
│   └── TokenInvalid
├── RateLimited                     too many requests with one token (retryable)
├── SourceError                     CAVE or a bucket refused
│   ├── DataMissing                 the bucket lacks a piece (retryable: fresh edits are meshed with a delay)
│   ├── ExportBroken                an exported table is not what its header file says
│   ├── ExportPending               its header file is there, its data is not yet (retryable)
│   ├── Incomplete                  a table came in parts that are not a whole (retryable)
│   ├── SourceTokenMissing
│   ├── SourceUnavailable           (retryable)
│   └── Truncated                   the server cut the answer short
├── StoreUnavailable                the artifact store cannot be written or read (retryable)
├── DatabaseUnavailable             the jobs database does not answer (retryable)
├── SkeletonError                   a mesh from which no skeleton can be made
│   └── IdMismatch                  a skeleton that leads out of its neuron
├── NotInstalled                    a package or program that this needs is not there
├── NeedsMemory                     more memory than this process may use (retryable: where there is more)
├── WorkerLost                      the process died (retryable)
├── Quarantined                     every process that worked on this item alone died
├── DeadlineExceeded                the job was not done in time
├── DependencyFailed                a job that this one comes after did not succeed
├── TimeLimit                       the work took longer than its kind allows
├── Internal                        a bug of ours
└── StackError                      a part of the embedded stack did not start

Each class has a stable `code` (part of the API: never rename one), says whether the same call may succeed later
(`retryable`), and takes a `hint`: what the caller can do. The default message is the class docstring's first line.
"""

from __future__ import annotations

import copyreg
from typing import Any, ClassVar


class CrantError(Exception):
    """Something in the batch service went wrong.

    Parameters
    ----------
    message : str, optional
        What was wrong; the class docstring's first line if left out.
    value : object, optional
        The offending value.
    hint : str, optional
        What the caller can do about it.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None, *, value: Any = None, hint: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or self.code).strip().splitlines()[0]
        self.value, self.hint = value, hint
        self.field: str | None = None  # of a request, as whoever reads that may fill in
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self), self.message), vars(self)  # type: ignore[attr-defined]


class InvalidInput(CrantError, ValueError):
    """The input cannot be used."""

    code = "invalid_input"


class DifferentNeuropils(InvalidInput):
    """Counts of different neuropils do not add up."""

    code = "different_neuropils"


class FilteringError(InvalidInput):
    """The filter cannot be used."""

    code = "filtering_error"


class InvalidId(InvalidInput):
    """The value is not a 64-bit id."""

    code = "invalid_id"


class InvalidTime(InvalidInput):
    """The value names no point in time."""

    code = "invalid_time"


class InvalidParameters(InvalidInput):
    """The parameters do not fit this kind of job."""

    code = "invalid_parameters"


class NeverTogether(InvalidInput):
    """The roots never existed at one time."""

    code = "never_together"


class OutOfBounds(InvalidInput):
    """The box is not inside the volume."""

    code = "out_of_bounds"


class TooDense(InvalidInput):
    """The matrix has too many cells to be written out with its zeros."""

    code = "too_dense"


class TooManyIds(InvalidInput):
    """There are more ids than one request may carry."""

    code = "too_many_ids"


class UnknownDataset(InvalidInput):
    """No dataset has this name."""

    code = "unknown_dataset"


class UnknownKind(InvalidInput):
    """No kind of job has this name."""

    code = "unknown_kind"


class WrongType(InvalidInput, TypeError):
    """The thing is of a type that cannot be used here."""

    code = "wrong_type"


class NotFound(CrantError, LookupError):
    """There is no such thing."""

    code = "not_found"


class ExportNotFound(NotFound, ValueError):
    """There is no such exported table."""

    code = "export_not_found"


class MeshNotFound(NotFound):
    """The source has no mesh for this root id."""

    code = "mesh_not_found"


class NoMatchesError(NotFound, ValueError):
    """Nothing fits what was asked for."""

    code = "no_matches"


class NotARoot(NotFound):
    """The id is not a root id of this dataset."""

    code = "not_a_root"


class SkeletonNotMade(NotFound):
    """There is no skeleton, because making it failed."""

    code = "skeleton_not_made"


class TableNotFound(NotFound, ValueError):
    """The dataset has no such table."""

    code = "table_not_found"


class VersionNotFound(NotFound, ValueError):
    """The dataset has no such materialization version."""

    code = "version_not_found"


class Conflict(CrantError):
    """The thing is not in a state that allows this."""

    code = "conflict"


class IdempotencyMismatch(Conflict):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_mismatch"


class LeaseLost(Conflict):
    """Another worker holds this unit now; the result was discarded."""

    code = "lease_lost"


class NameTaken(Conflict):
    """Something of this name exists already."""

    code = "name_taken"


class WrongState(Conflict):
    """The job is not in a state in which this makes sense."""

    code = "wrong_state"


class AccessDenied(CrantError, PermissionError):
    """The token does not allow this."""

    code = "access_denied"


class TokenMissing(AccessDenied):
    """The request carries no token."""

    code = "token_missing"


class TokenInvalid(AccessDenied):
    """The token is unknown, expired or revoked."""

    code = "token_invalid"


class RateLimited(CrantError):
    """Too many requests with this token."""

    code = "rate_limited"
    retryable = True


class SourceError(CrantError):
    """The data source refused the request."""

    code = "source_error"


class DataMissing(SourceError):
    """The bucket does not have, or does not show, a piece of what was asked for."""

    code = "data_missing"
    retryable = True


class ExportBroken(SourceError):
    """The exported table is not what its header file says."""

    code = "export_broken"


class ExportPending(SourceError):
    """The export has its header file, but no data yet."""

    code = "export_pending"
    retryable = True


class Incomplete(SourceError):
    """The parts that came are not the whole."""

    code = "incomplete"
    retryable = True


class SourceTokenMissing(SourceError, ValueError):
    """There is no CAVE token for this server."""

    code = "source_token_missing"


class SourceUnavailable(SourceError):
    """The data source did not answer."""

    code = "source_unavailable"
    retryable = True
    retry_after: float | None = None  #: seconds for which the server wants to be left alone, if it said so


class Truncated(SourceError):
    """The server cut its answer at a row limit."""

    code = "truncated"


class StoreUnavailable(CrantError):
    """The artifact store cannot be written or read."""

    code = "store_unavailable"
    retryable = True


class DatabaseUnavailable(CrantError):
    """The jobs database does not answer."""

    code = "database_unavailable"
    retryable = True


class SkeletonError(CrantError):
    """No skeleton can be made from this mesh."""

    code = "skeleton_error"


class IdMismatch(SkeletonError):
    """Too many nodes of the skeleton lie in another neuron, or in none."""

    code = "id_mismatch"


class NotInstalled(CrantError, ImportError):
    """A package or program that this needs is not installed."""

    code = "not_installed"


class NeedsMemory(CrantError):
    """More memory is needed than the process may use."""

    code = "needs_memory"
    retryable = True


class WorkerLost(CrantError):
    """The worker process died while it ran this unit."""

    code = "worker_lost"
    retryable = True


class Quarantined(CrantError):
    """Every process that worked on this item alone died."""

    code = "quarantined"


class DeadlineExceeded(CrantError):
    """The job was not done before its deadline."""

    code = "deadline_exceeded"


class DependencyFailed(CrantError):
    """A job that this one comes after did not succeed."""

    code = "dependency_failed"


class TimeLimit(CrantError):
    """The work took longer than its kind allows."""

    code = "time_limit"


class Internal(CrantError):
    """An error of the service itself."""

    code = "internal"


class StackError(CrantError):
    """A part of the embedded stack did not start."""

    code = "stack_error"
