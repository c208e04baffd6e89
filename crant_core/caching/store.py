"""What can never change, kept on disk by id: for all processes of a person, across restarts, up to a size.

It is SQLite and not `diskcache`, which takes one id at a time (here they come by the hundred thousand) and would
unpickle what it finds.

What is kept here can always be asked for again. So trouble with the file never fails a call: a damaged file is deleted
and begun anew, and where the folder is full, locked or not writable, nothing is kept; both are logged.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from crant_core.errors import InvalidInput
from crant_core.settings import library_settings
from crant_core.sources.watching import watcher

FILE = "ids-1.sqlite3"  #: within the cache folder; the number is that of its format
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    space TEXT NOT NULL, id INTEGER NOT NULL, used INTEGER NOT NULL, value BLOB NOT NULL, UNIQUE (space, id)
);
CREATE INDEX IF NOT EXISTS kept_used ON kept (used);
"""
_BUSY_SECONDS = 60
_AT_ONCE = 10_000  # ids per statement; SQLite allows 32,766
_DAY = 86_400
_AFTER_CLEANING = 0.8  # of the limit
_MEGABYTE = 2**20
_SIZES = ("page_count", "freelist_count", "page_size")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_log = logging.getLogger(__name__)
T = TypeVar("T")


class IdStore:
    """Values by id, in spaces; safe for many threads and processes of one machine.

    Values are bytes and are never interpreted here. When the file outgrows its limit, those not used for longest go.

    Parameters
    ----------
    path : Path
        Made, with its folder, when first needed.
    most_bytes : int
        Size of the file.
    """

    def __init__(self, path: Path, most_bytes: int = 1024 * _MEGABYTE) -> None:
        self.path = path
        self.most_bytes = most_bytes
        self._mine = threading.local()
        self._told = False

    def get(self, space: str, ids: Collection[int]) -> dict[int, bytes]:
        """Return what is kept about ids; what is not kept is not in the answer."""
        wanted = [int(id_) for id_ in ids]
        found: dict[int, bytes] = {}
        if wanted and self.path.exists():
            found = self._carefully(lambda: self._get(space, wanted), found)
        _count(len(found), len(set(wanted)))
        return found

    def put(self, space: str, values: Mapping[int, bytes]) -> None:
        """Keep values about ids, instead of those kept before."""
        today = _today()
        rows = [(space, int(id_), today, value) for id_, value in values.items()]
        if rows:
            self._carefully(lambda: self._put(rows), None)

    def clear(self) -> None:
        """Forget everything."""
        if self.path.exists():
            self._carefully(self._clear, None)

    @property
    def size(self) -> int:
        """Bytes that are in use in the file."""
        return self._carefully(self._size, 0)

    def _get(self, space: str, wanted: list[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        with self._connection() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                found |= _some(connection, space, wanted[start : start + _AT_ONCE])
        return found

    def _put(self, rows: list[tuple[str, int, int, bytes]]) -> None:
        with self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO kept (space, id, used, value) VALUES (?, ?, ?, ?)", rows)
        if self._size() > self.most_bytes:
            self._clean()

    def _clear(self) -> None:
        with self._connection() as connection:
            connection.execute("DELETE FROM kept")
        self._shrink()

    def _size(self) -> int:
        with self._connection() as connection:
            pages, free, page = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _SIZES)
        return int((pages - free) * page)

    def _clean(self) -> None:
        while self._size() > self.most_bytes * _AFTER_CLEANING:
            with self._connection() as connection:
                gone = connection.execute(
                    "DELETE FROM kept WHERE rowid IN (SELECT rowid FROM kept ORDER BY used, rowid LIMIT 1 + "
                    "(SELECT count(*) FROM kept) / 10)"
                )
            if not gone.rowcount:
                break
        self._shrink()

    def _shrink(self) -> None:
        with self._connection() as connection:
            connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")  # every step of it

    def _carefully(self, work: Callable[[], T], otherwise: T) -> T:
        """Do something with the file; with a damaged one, begin anew once, and without a usable one, do nothing."""
        for attempt in range(2):
            try:
                return work()
            except (sqlite3.DatabaseError, OSError) as error:
                if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
                    raise  # a bug of ours
                damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
                self._tell(error, damaged)
                if attempt or not damaged:
                    break
                self._begin_anew()
        return otherwise

    def _tell(self, error: Exception, damaged: bool) -> None:
        level = logging.WARNING if damaged or not self._told else logging.DEBUG  # a folder stays as it is
        _log.log(level, "%s: %s; %s", self.path, error, "beginning anew" if damaged else "going on without it")
        self._told = True

    def _begin_anew(self) -> None:
        opened = getattr(self._mine, "file", None)
        self._forget_connection()
        if opened is None or opened == _identity(self.path):  # another process may have begun anew already
            for ending in ("-wal", "-shm", ""):  # what goes with a file before the file
                self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    def _forget_connection(self) -> None:
        connection = getattr(self._mine, "connection", None)
        if connection is not None:
            connection.close()
        self._mine.connection = None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """One connection per thread and process; what is done within is done whole or not at all."""
        mine = getattr(self._mine, "connection", None)
        if mine is None or self._mine.process != os.getpid():
            self._mine.inherited = mine  # closing it in a fork would disturb the parent's
            mine = self._mine.connection = self._open()
            self._mine.process = os.getpid()
        with mine:
            yield mine

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._mine.file = None
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        try:
            self._mine.file = _identity(self.path)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before the first table
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # a power cut costs the last answers, not the file
            with connection:
                connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _some(connection: sqlite3.Connection, space: str, ids: list[int]) -> dict[int, bytes]:
    marks = ",".join("?" * len(ids))
    query = f"SELECT id, used, value FROM kept WHERE space = ? AND id IN ({marks})"  # noqa: S608 - question marks only
    found = connection.execute(query, (space, *ids))
    rows, today = found.fetchall(), _today()
    old = [(today, space, id_) for id_, used, _ in rows if used != today]
    connection.executemany("UPDATE kept SET used = ? WHERE space = ? AND id = ?", old)
    return {id_: value for id_, _, value in rows}


def _count(found: int, wanted: int) -> None:
    for is_found, times in ((True, found), (False, wanted - found)):
        if times:
            watcher().looked_up("ids", found=is_found, times=times)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _today() -> int:
    return int(time.time()) // _DAY


_stores: dict[tuple[Path, int], IdStore] = {}
_stores_lock = threading.Lock()


def id_store() -> IdStore:
    """Return the store that the settings `CRANT_CACHE_FOLDER` and `CRANT_CACHE_MEGABYTES` describe.

    Raises
    ------
    InvalidInput
        The folder is said to be in a home that there is not.
    """
    settings = library_settings()
    path, most = _folder(settings.cache_folder) / FILE, settings.cache_megabytes * _MEGABYTE
    with _stores_lock:
        return _stores.setdefault((path, most), IdStore(path, most))


def clear_store() -> None:
    """Forget all that is kept on disk, for all processes."""
    id_store().clear()


def _folder(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InvalidInput(f"{path}: {error}", value=str(path), hint="set CRANT_CACHE_FOLDER to a folder") from error
