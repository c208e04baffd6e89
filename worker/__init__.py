"""The Celery application: takes hints from the broker, claims units in the database, does them."""
