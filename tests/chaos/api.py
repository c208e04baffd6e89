"""The API with one more kind."""

import tests.chaos  # noqa: F401 - before the kinds are listed
from api.main import create_app

__all__ = ["create_app"]
