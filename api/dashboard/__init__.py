"""The dashboard: pages rendered on the server over the same repositories as the API. It only reads."""
