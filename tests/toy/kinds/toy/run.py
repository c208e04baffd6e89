from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from crant_core.kinds.toy.spec import ToyOptions

from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem


def plan(context: Context, ids: Sequence[int]) -> Iterator[PlannedItem]:
    return (PlannedItem(key=str(number)) for number in ids)


def run(context: Context, key: str) -> ItemResult:
    options = ToyOptions.model_validate(context.parameters)
    if options.log:
        with Path(options.log).open("a") as log:
            log.write(f"{key}\n")
    if int(key) in options.deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    bytearray(options.megabytes * 2**20)
    time.sleep(options.seconds)
    return ItemResult(metrics={"n": int(key) % 7})


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    return []
