"""What a worker of the tests loads: the service's, with one more kind."""

import tests.toy  # noqa: F401 - before the kinds are listed
from worker.main import app

__all__ = ["app"]
