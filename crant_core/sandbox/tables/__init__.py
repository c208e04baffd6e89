"""Annotation tables: what they hold, how versions freeze them, and how they are queried."""
