"""A clean environment for every test: no CRANT_* variables, no tokens, no home of the person who runs them."""

from __future__ import annotations

import os
import tempfile

import hypothesis
import platformdirs

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.sandbox",
    "tests.fixtures.service",
    "tests.fixtures.sharing",
]

hypothesis.settings.register_profile("house", deadline=None)  # machines are busy; no test asserts wall time
hypothesis.settings.load_profile("house")

# Building the sandbox's world takes half a minute: all runs on a machine share it.
_worlds = os.environ.get("CRANT_SANDBOX_CACHE") or str(platformdirs.user_cache_path("crant") / "sandbox")

# Libraries read these when they are imported, so a fixture would come too late.
for name in [name for name in os.environ if name.startswith(("CRANT_", "CELERY_", "FLOWER_", "CLOUD_VOLUME"))]:
    del os.environ[name]
_home = tempfile.TemporaryDirectory(prefix="crant-home-", ignore_cleanup_errors=True)
os.environ |= {
    "HOME": _home.name,
    "MPLBACKEND": "agg",
    "BROWSER": "/bin/true",  # caveclient would open one on a 403
    "TQDM_DISABLE": "1",
    "CRANT_SANDBOX_CACHE": _worlds,
}
