"""The HTTP API and the dashboard. It talks to the database and the artifact store, never to the broker."""
