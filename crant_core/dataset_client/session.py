"""What every part of a dataset's client stands on: the connection, and the version and time that it looks at."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from operator import index
from typing import TYPE_CHECKING, Any

from crant_core import times
from crant_core.access import source_of
from crant_core.caching.memory import Cache
from crant_core.datasets import Dataset
from crant_core.errors import InvalidInput, VersionNotFound, WrongType
from crant_core.times import At, TimeBase, When

if TYPE_CHECKING:
    from crant_core.sources.cave import CaveSource

_sources = Cache(32)  # of caveclients that people brought, by what tells them apart


class Session:
    """A connection to one datastack, made when it is first needed, and the time it looks at.

    Parameters
    ----------
    dataset : Dataset
    given : CAVEclient or None
        The caller's own; it is used as it is, and what is set here is set on it.
    version : int or None
        To begin with; None: the latest.
    """

    datastack_name: str
    server_address: str

    def __init__(self, dataset: Dataset, given: Any, version: int | None) -> None:
        self.datastack_name, self.server_address = dataset.datastack, dataset.server
        self._described = dataset
        self._cave: Any = None
        self._given = given
        self._first_version = version
        self._lock = threading.RLock()
        self._opened: CaveSource | None = None

    @property
    def cave(self) -> Any:
        """The CAVEclient of this client; what you set on it, such as `version`, holds for this client, and only here.

        Raises
        ------
        SourceTokenMissing
        SourceError
        VersionNotFound
            The `materialization_version` of this client does not exist.

        Notes
        -----
        Endpoint: `GET /info/api/v2/datastack/full/{datastack}`, once.
        """
        with self._lock:
            if self._cave is None:
                cave = self._source.new_client() if self._given is None else self._given
                if self._first_version is not None:
                    self._assign(cave, self._first_version)
                self._cave = cave
            return self._cave

    @property
    def tables(self) -> Any:
        """The query factories of caveclient: `client.tables.nucleus_detection_v0(id=[1]).query()`."""
        return self._factories("tables")

    @property
    def views(self) -> Any:
        """The query factories of caveclient for views."""
        return self._factories("views")

    @property
    def version(self) -> int:
        """The materialization version that is looked at; set it to look at another one.

        Setting it leaves live questions live, unless `fix_mat_timestamp` was called: then their time moves along.

        Raises
        ------
        VersionNotFound
            It is a ValueError too. Expired versions can be set.
        SourceError
        """
        cave = self.cave
        try:
            with self._asking():
                return int(cave.materialize.version)
        except ValueError as error:  # caveclient's maximum of nothing
            raise VersionNotFound(f"{self.datastack_name} has no materialization version") from error

    @version.setter
    def version(self, value: int) -> None:
        self._assign(self.cave, value)

    def fix_mat_timestamp(self, version: int | None = None) -> None:
        """Look at the time of one version in every question from now on, those to the segmentation too.

        Parameters
        ----------
        version : int, optional
            Left out, the current one of this client.

        Raises
        ------
        VersionNotFound
        SourceError
        """
        wanted = self.version if version is None else version
        self._assign(self.cave, wanted, fixed=True)

    def unfix_mat_timestamp(self) -> None:
        """Look at the present again in questions to the segmentation."""
        self.cave.version = None

    @staticmethod
    def now() -> datetime:
        """Return the present, aware, in UTC."""
        return datetime.now(UTC)

    def version_timestamp(self, version: int | None = None) -> datetime:
        """Return the time that a version shows.

        Parameters
        ----------
        version : int, optional
            Left out, the current one of this client; expired ones are known too.

        Returns
        -------
        datetime
            Aware, UTC, to the microsecond.

        Raises
        ------
        VersionNotFound
        SourceError

        Notes
        -----
        Endpoint: `GET /materialize/api/v3/datastack/{datastack}/version/{version}`; nothing is asked if the time is
        fixed to that version.
        """
        number = self.version if version is None else _number(version)
        fixed = self._fixed()
        if fixed is not None and fixed.version == number:
            return fixed.timestamp
        return self._source.resolve_time(At(f"mat_{number}", version=number)).timestamp

    def most_recent_materialization_version(self) -> int:
        """Return the latest version that can be queried.

        Raises
        ------
        VersionNotFound
            There is none.
        SourceError

        Notes
        -----
        Endpoint: `GET /materialize/api/v3/datastack/{datastack}/versions`.
        """
        found = self._source.resolve_time(At("mat", latest_version=True)).version
        if found is None:
            raise VersionNotFound(f"{self.datastack_name} has no materialization version")
        return found

    @property
    def _source(self) -> CaveSource:
        """Where this library asks in bulk: with the same token, guarded, and apart from `cave`."""
        with self._lock:
            if self._opened is None:
                self._opened = source_of(self._described) if self._given is None else _source_like(self._given)
            return self._opened

    def _time(self, timestamp: When = None) -> TimeBase:
        """Return the time of a question: the one given, else the fixed one, else now."""
        if timestamp is not None:
            return times.resolve(self._source, timestamp)
        return self._fixed() or TimeBase("live", self.now())

    def _fixed(self) -> TimeBase | None:
        """Return the time that all questions are fixed to; what the caller set on `cave` counts too."""
        cave = self.cave
        if cave.timestamp is None:
            return None
        return TimeBase(f"mat_{cave.version}", cave.timestamp.astimezone(UTC), cave.version)

    def _assign(self, cave: Any, version: int, *, fixed: bool = False) -> None:
        number = _number(version)
        target = cave if fixed or cave.version is not None else cave.materialize
        try:
            with self._asking():
                target.version = number
        except ValueError as error:
            message = f"{self.datastack_name} has no materialization version {number}"
            hint = "client.cave.materialize.get_versions(expired=True) lists all"
            raise VersionNotFound(message, value=number, hint=hint) from error

    def _factories(self, kind: str) -> Any:
        from crant_core.sources import caches  # heavy with what it empties

        cave = self.cave
        caches.switch((self.server_address, self.datastack_name, cave.auth.token))
        with self._asking():
            return getattr(cave.materialize, kind)

    def _asking(self) -> Any:
        from crant_core.sources.chunkedgraph_requests import asking  # heavy: numpy

        return asking(self.server_address)


def check_client(client: Any) -> None:
    """Refuse what is no caveclient, nor one of this library's.

    Raises
    ------
    WrongType
    """
    if client is not None and not (hasattr(client, "datastack_name") and hasattr(client, "server_address")):
        hint = "give a CAVEclient or a DatasetClient"
        raise WrongType(f"{type(client).__name__} is no client", value=str(type(client)), hint=hint)


def describe(datastack: str, server: str) -> Dataset:
    """Describe a datastack of which only its name and its server are known."""
    name = re.sub(r"[^a-z0-9_]", "_", datastack.lower())
    unit = (1.0, 1.0, 1.0)  # not known, and not used: `viewer_resolution` asks the info service
    return Dataset(name=name, datastack=datastack, server=server.rstrip("/"), viewer_resolution=unit)


def _source_like(cave: Any) -> CaveSource:
    from crant_core.sources.cave import CaveSource  # heavy: caveclient and cloud-volume

    dataset, token = describe(cave.datastack_name, cave.server_address), cave.auth.token
    found: CaveSource = _sources.get_or_make((dataset, token), lambda: CaveSource(dataset, token))
    return found


def _number(version: Any) -> int:
    if isinstance(version, bool) or not hasattr(version, "__index__"):
        raise InvalidInput(f"{version!r} is no version", value=version, hint="versions are whole numbers")
    return index(version)
