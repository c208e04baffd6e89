"""What the routes work with: one of each, made when the application is."""

from __future__ import annotations

from importlib.metadata import version
from threading import BoundedSemaphore

from api.limits import RateLimit
from crant_core.datasets import Dataset, by_name, get_dataset
from crant_core.jobs.artifacts import CloudStore
from crant_core.jobs.database import Database
from crant_core.jobs.repository.control import ControlRepository
from crant_core.jobs.repository.estimates import EstimateRepository
from crant_core.jobs.repository.inputs import InputRepository
from crant_core.jobs.repository.jobs import JobRepository
from crant_core.jobs.repository.listing import ListingRepository
from crant_core.jobs.repository.notifications import NotificationRepository
from crant_core.jobs.repository.overview import OverviewRepository
from crant_core.jobs.repository.pipelines import PipelineRepository
from crant_core.jobs.repository.stored import StoredRepository
from crant_core.jobs.repository.tokens import TokenRepository
from crant_core.jobs.settings import Settings

_UPLOADS = 2  #: uploaded files that are read at one time: that bounds memory, whoever uploads


class Services:
    """The repositories, the artifact store and the datasets of one running API."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.version = version("crant-batch")
        self.database = Database(settings.database_url)
        self.inputs = InputRepository(self.database)
        self.uploads = BoundedSemaphore(_UPLOADS)
        self.jobs = JobRepository(self.database)
        self.listing = ListingRepository(self.database)
        self.overview = OverviewRepository(self.database)
        self.control = ControlRepository(self.database)
        self.estimates = EstimateRepository(self.database)
        self.pipelines = PipelineRepository(self.database)
        self.notifications = NotificationRepository(self.database)
        self.stored = StoredRepository(self.database)
        self.tokens = TokenRepository(self.database)
        self.limits = RateLimit(settings.requests_per_minute)
        self.store = CloudStore(settings.artifacts_url)

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
