"""Stores of objects over cloud-files: how long they are asked, and what they raise.

cloud-files makes up to seven attempts at whatever went wrong, each of which is up to five of boto3's. That is minutes
for a bucket that does not exist, and half an hour for an endpoint that hangs.
"""

from __future__ import annotations

import os

import boto3.exceptions  # type: ignore[import-untyped]
import botocore.exceptions  # type: ignore[import-untyped]
import google.api_core.exceptions
import google.auth.exceptions
import tenacity
from cloudfiles import interfaces
from cloudfiles.exceptions import IntegrityError

from crant_core.sources.failures import is_transient
from crant_core.sources.transport import is_enough

#: What stores and their clients raise.
BUCKET_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    boto3.exceptions.Boto3Error,
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.ClientError,
    google.api_core.exceptions.GoogleAPIError,
    google.auth.exceptions.GoogleAuthError,
    IntegrityError,
)
_REPEATED = ("put_file", "get_file", "head", "size", "delete_file", "delete_files")
_NEVER = (botocore.exceptions.NoCredentialsError, botocore.exceptions.ParamValidationError)


def bound_buckets() -> None:
    """Bound all requests of cloud-files to buckets in this process; doing it again changes nothing."""
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")  # within each of cloud-files' attempts
    again = tenacity.retry_if_exception(may_pass)
    for interface in (interfaces.S3Interface, interfaces.GoogleCloudStorageInterface):
        for name in _REPEATED:
            rules = getattr(getattr(interface, name), "retry", None)
            if rules is not None:
                rules.stop, rules.retry = is_enough, again
    waiting = tenacity.wait_random_exponential(0.5, 60.0)
    interfaces.retry = tenacity.retry(reraise=True, stop=is_enough, wait=waiting, retry=again)  # of listings, later


def may_pass(error: BaseException) -> bool:
    """Say whether the same request to a bucket, repeated at once, may succeed."""
    if isinstance(error, botocore.exceptions.ClientError):
        return is_transient(int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)))
    if isinstance(error, google.api_core.exceptions.GoogleAPICallError) and error.code is not None:
        return is_transient(int(error.code))
    return isinstance(error, Exception) and not isinstance(error, _NEVER)
