from __future__ import annotations

import ctypes
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from crant_core.kinds.chaos.spec import ChaosOptions, content, duration

from crant_core.errors import MeshNotFound
from crant_core.kinds.base import Context, DoneItem, File, ItemResult, PlannedItem


def plan(context: Context, ids: Sequence[int]) -> Iterator[PlannedItem]:
    return (PlannedItem(key=str(number)) for number in ids)


def run(context: Context, key: str) -> ItemResult:
    options = ChaosOptions.model_validate(context.parameters)
    _misbehave(options, int(key))
    if options.asks:
        context.source.is_latest([int(key)], datetime.now(UTC))
    time.sleep(duration(key, options.salt, options.seconds))
    data = content(key, options.salt, options.size)
    file = File(name=f"{key}.bin", media_type="application/octet-stream", data=data)
    return ItemResult(metrics={"bytes": len(data)}, files=[file])


def finish(context: Context, items: Iterable[DoneItem]) -> list[File]:
    lines = (f"{item.key} {hashlib.sha256(context.read(name)).hexdigest()}\n" for item in items for name in item.files)
    return [File(name="sums.txt", media_type="text/plain", data="".join(lines).encode())]


def _misbehave(options: ChaosOptions, key: int) -> None:
    if key in options.bad:
        raise MeshNotFound(f"no mesh for {key}")
    ways: dict[Callable[[], None], list[int]] = {
        _eat: options.hungry,
        _crash: options.segfaulting,
        _never_end: options.endless,
        _be_deaf: options.deaf,
    }
    for misbehave, keys in ways.items():
        if key in keys:
            misbehave()


def _eat() -> None:
    eaten = []
    while True:
        eaten.append(bytearray(50_000_000))


def _crash() -> None:
    ctypes.string_at(0)


def _never_end() -> None:
    while True:
        time.sleep(0.1)


def _be_deaf() -> None:
    while True:
        with suppress(Exception):
            time.sleep(0.1)
