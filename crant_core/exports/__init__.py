"""Static exports of CAVE's tables: typed, read in parts, from any store, whatever their size."""

from __future__ import annotations

from crant_core.exports.client import TableExportClient
from crant_core.exports.export import CloudFileViewExport

__all__ = ["CloudFileViewExport", "TableExportClient"]
