"""`python -m tests.chaos`, or `make chaos`: every fault at full length, then random schedules; writes docs/faults.md.

`make chaos SEED=17` runs that one schedule again, and writes nothing.
"""

from __future__ import annotations

import argparse
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import tests.chaos  # noqa: F401 - before the kinds are listed
from tests.chaos import page, schedules
from tests.chaos.faults import FAULTS, Seen, try_on
from tests.chaos.faults.base import BOTH
from tests.chaos.faults.cave import offline_cave
from tests.chaos.faults.store import may_mount, small_disk
from tests.chaos.nursery import Nursery
from tests.chaos.stand import Stand, standing


def main() -> int:
    """Run what was asked for, and return 1 if something was lost, doubled or torn, or hung."""
    asked = _arguments()
    nursery = Nursery()
    try:
        if asked.seed is not None:
            return _schedules(nursery, [asked.seed], 1, write=False)
        failed = _faults(nursery, asked.faults) if asked.faults else 0
        return failed + _schedules(nursery, range(asked.first, asked.first + asked.schedules), asked.stands, write=True)
    finally:
        nursery.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this schedule only")
    parser.add_argument("--faults", nargs="*", default=list(FAULTS), choices=list(FAULTS), help="all if left out")
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--first", type=int, default=1, help="seed of the first schedule")
    parser.add_argument("--stands", type=int, default=3, help="services that are started side by side")
    return parser.parse_args()


def _faults(nursery: Nursery, names: Sequence[str]) -> int:
    seen, failed = [], 0
    for database in BOTH:
        with standing(nursery, database) as stand, offline_cave(stand) if _need_cave(names) else nullcontext():
            for name in names:
                if database in FAULTS[name].databases:
                    found = _tried(stand, database, name)
                    seen += [found] if found else []
                    failed += found is None
                    page.write_faults(seen)
    return failed


def _need_cave(names: Sequence[str]) -> bool:
    return any(name.startswith("cave") for name in names)


def _tried(stand: Stand, database: str, name: str) -> Seen | None:
    try:
        seen = try_on(stand, database, FAULTS[name], whole=True)
    except Exception:  # noqa: BLE001 - the others are tried as well
        print(f"FAILED {name} on {database}\n{traceback.format_exc()}", flush=True)
        stand.kill_workers()
        return None
    print(
        f"{name} on {database}: went on after {seen.recovered:.1f} s, {seen.took:.0f} s in all, {seen.verdict}",
        flush=True,
    )
    return seen


def _schedules(nursery: Nursery, seeds: Sequence[int], stands: int, *, write: bool) -> int:
    if not seeds:
        return 0
    lines = [_Line(nursery, database, write=write) for database in _databases(seeds, stands)]
    for seed in seeds:
        drawn = schedules.draw(seed)
        fitting = [line for line in lines if line.database == drawn.database]
        fitting[seed // 2 % len(fitting)].waiting.append(drawn)
    book = _Book(len(seeds), write=write)
    with ThreadPoolExecutor(len(lines)) as pool:
        for done in [pool.submit(line.run, book) for line in lines]:
            done.result()
    return book.failed


def _databases(seeds: Sequence[int], stands: int) -> list[str]:
    used = [name for name in schedules.DATABASES if any(schedules.draw(seed).database == name for seed in seeds)]
    return [used[number % len(used)] for number in range(max(stands, len(used)))]


class _Line:
    """One stand after the other, and the schedules that are run on them."""

    def __init__(self, nursery: Nursery, database: str, *, write: bool) -> None:
        self.nursery, self.database = nursery, database
        self.waiting: list[schedules.Schedule] = []

    def run(self, book: _Book) -> None:
        """Run all; after a failure on a new stand."""
        while self.waiting:
            with self._stand() as stand:
                while self.waiting and book.tries(stand, self.waiting.pop(0)):
                    pass

    @contextmanager
    def _stand(self) -> Iterator[Stand]:
        with (
            standing(self.nursery, self.database) as stand,
            small_disk(stand, megabytes=1024) if may_mount() else nullcontext(),
        ):
            yield stand


class _Book:
    """What came of schedules."""

    def __init__(self, count: int, *, write: bool) -> None:
        self.count, self.write = count, write
        self.survived: list[schedules.Survived] = []
        self.failed, self.began = 0, time.monotonic()
        self.lock = threading.Lock()

    def tries(self, stand: Stand, schedule: schedules.Schedule) -> bool:
        """Run a schedule, and say whether it went well."""
        print(schedule, flush=True)
        try:
            survived = schedules.run(stand, schedule)
        except Exception:  # noqa: BLE001 - the others are run as well
            with self.lock:
                self.failed += 1
            print(f"FAILED, again with: make chaos SEED={schedule.seed}\n{traceback.format_exc()}", flush=True)
            return False
        with self.lock:
            self._note(survived)
        return True

    def _note(self, survived: schedules.Survived) -> None:
        self.survived.append(survived)
        done = f"{len(self.survived)} of {self.count}, {self.failed} failed"
        print(f"seed {survived.schedule.seed}: {survived.took:.0f} s, {survived.verdict} ({done})", flush=True)
        if self.write and (len(self.survived) % 10 == 0 or len(self.survived) == self.count):
            words = f"; {self.failed} of {self.failed + len(self.survived)} failed" if self.failed else ""
            page.write_schedules(self.survived, (time.monotonic() - self.began) / 60, words)


if __name__ == "__main__":
    raise SystemExit(main())
