from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_SMALL_PAGES = {"NUMPY_MADVISE_HUGEPAGE": "0"}  #: each is a fault to be counted
_FAULTS = """
import resource, sys
import numpy as np
from worker.memory import keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
def work():
    for _ in range(5):
        [np.ones(1_000_000) for _ in range(12)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    command = [sys.executable, "-c", _FAULTS, how]
    done = subprocess.run(command, env=os.environ | _SMALL_PAGES, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc of another C library")
def test_arrays_use_again_what_others_have_freed() -> None:
    assert _faults("kept") * 20 < _faults("given back")
