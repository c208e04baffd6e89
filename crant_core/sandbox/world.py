"""What exists in the sandbox and since when: fixed, so that every run gives the same answers.

The neurons are the five hemibrain projection neurons (Scheffer et al. 2020) in the navis package, by body id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from crant_core.sandbox.layout import N_LAYERS, encode_id

DATASTACK = "crant_demo"
ALIGNED_VOLUME = "crant_demo_volume"
TABLE = "crant_demo_x1"


@dataclass(frozen=True, slots=True)
class Neuron:
    """One neuron: which navis example it is, and when proofreading created its root."""

    body_id: int
    created: datetime

    @property
    def root_id(self) -> int:
        """Layer 8, chunk (0, 0, 0), and the body id as segment."""
        return encode_id(N_LAYERS, (0, 0, 0), self.body_id)


@dataclass(frozen=True, slots=True)
class Version:
    """One materialization version."""

    number: int
    timestamp: datetime
    expires: datetime


NEURONS = (
    Neuron(722817260, datetime(2025, 1, 10, 9, 15, 0, 250000, tzinfo=UTC)),
    Neuron(754534424, datetime(2025, 1, 17, 14, 3, 27, 125000, tzinfo=UTC)),
    # Younger than version 1: what is a root now need not be one at the time a job asks about.
    Neuron(754538881, datetime(2025, 9, 2, 16, 40, 5, 500000, tzinfo=UTC)),
    Neuron(1734350788, datetime(2025, 2, 3, 11, 58, 44, 750000, tzinfo=UTC)),
    Neuron(1734350908, datetime(2025, 3, 21, 8, 30, 12, 375000, tzinfo=UTC)),
)
ROOT_IDS = tuple(neuron.root_id for neuron in NEURONS)

_EXPIRY = datetime(2125, 1, 1, tzinfo=UTC)
VERSIONS = (
    Version(1, datetime(2025, 6, 1, 8, 10, 0, 123456, tzinfo=UTC), _EXPIRY),
    Version(2, datetime(2026, 1, 15, 8, 10, 0, 654321, tzinfo=UTC), _EXPIRY),
)
