"""What the routes work with: one of each, made when the application is."""

from __future__ import annotations

from threading import BoundedSemaphore

from api.cave import CaveLogin
from api.limits import RateLimit
from api.metrics import Metrics
from crant_core.datasets import Dataset, by_name, get_dataset
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.repository.control import ControlRepository
from crant_core.jobs.repository.estimates import EstimateRepository
from crant_core.jobs.repository.firing import FiringRepository
from crant_core.jobs.repository.inputs import InputRepository
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.listing import ListingRepository
from crant_core.jobs.repository.notifications import NotificationRepository
from crant_core.jobs.repository.overview import OverviewRepository
from crant_core.jobs.repository.pipelines import PipelineRepository
from crant_core.jobs.repository.schedules import ScheduleRepository
from crant_core.jobs.repository.stored import StoredRepository
from crant_core.jobs.repository.ticks import TickRepository
from crant_core.jobs.repository.tokens import PREFIX, Identity, TokenRepository
from crant_core.jobs.settings import Settings
from crant_core.release import release

_UPLOADS = 2  #: uploaded files that are read at one time: that bounds memory, whoever uploads


class Services:
    """The repositories, the artifact store and the datasets of one running API."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.version = release()
        self.database = Database(settings.database_url)
        self.inputs = InputRepository(self.database)
        self.uploads = BoundedSemaphore(_UPLOADS)
        self.jobs = JobRepository(self.database)
        self.schedules = ScheduleRepository(self.database)
        self.firing = FiringRepository(self.jobs)
        self.listing = ListingRepository(self.database)
        self.overview = OverviewRepository(self.database)
        self.control = ControlRepository(self.database)
        self.estimates = EstimateRepository(self.database)
        self.pipelines = PipelineRepository(self.database)
        self.notifications = NotificationRepository(self.database)
        self.stored = StoredRepository(self.database)
        self.ticks = TickRepository(self.database)
        self.tokens = TokenRepository(self.database)
        self.cave = (
            CaveLogin(settings.middle_auth_url, settings.middle_auth_scopes) if settings.middle_auth_url else None
        )
        self.limits = RateLimit(settings.requests_per_minute)
        self.store = CloudStore(settings.artifacts_url)
        self.metrics = Metrics(self.database, self.version)

    def identify(self, token: str) -> Identity:
        """Say whose token this is, ours or CAVE's, and count the request.

        Raises
        ------
        TokenInvalid
        AccessDenied
        SourceUnavailable
        RateLimited
        """
        known = self.tokens if self.cave is None or token.startswith(PREFIX) else self.cave
        identity = known.identify(token)
        self.limits.count(identity.token_id)
        return identity

    def dataset(self, name: str) -> Dataset:
        """Find a dataset; raises `UnknownDataset`."""
        return get_dataset(name, self.settings.datasets)

    def datasets(self) -> list[Dataset]:
        """List every dataset once."""
        known = {dataset.name: dataset for dataset in by_name(self.settings.datasets).values()}
        return list(known.values())

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()
