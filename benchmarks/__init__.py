"""Measures ours and the peers side by side, in one run, and writes the tables of docs/benchmarks.md."""
