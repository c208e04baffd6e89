"""The sandbox's clock: real time plus an offset that tests may set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time; never goes back on its own."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Return the sandbox's time, UTC, to the millisecond: PyChunkedGraph knows no finer one."""
        moment = datetime.now(UTC) + self._offset
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def set(self, moment: datetime) -> None:
        """Make it `moment` now."""
        self._offset = moment - datetime.now(UTC)

    def advance(self, step: timedelta) -> None:
        """Jump by a step."""
        self._offset += step
