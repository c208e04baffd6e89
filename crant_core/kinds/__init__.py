"""Kinds of jobs, one folder each: see `base`."""
