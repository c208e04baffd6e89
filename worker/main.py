"""What `celery -A worker.main` loads, for workers, beat and Flower alike."""

from crant_core.jobs.settings import Settings
from worker.app import create_celery

app = create_celery(Settings())  # read from the environment
