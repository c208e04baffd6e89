"""Exported tables to Parquet."""
