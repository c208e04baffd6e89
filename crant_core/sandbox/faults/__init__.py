"""Latency and faults, on purpose: rules, profiles, the request log."""
