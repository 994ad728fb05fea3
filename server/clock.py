"""The one source of "now"; everything that needs the time takes a Clock."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that tells the current instant."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        return datetime.now(UTC)


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until told to move; for tests and replays."""

    at: datetime = field(default_factory=lambda: datetime(2026, 11, 18, 1, 0, tzinfo=UTC))

    def now(self) -> datetime:
        """Return the instant the clock was set to."""
        return self.at

    def advance(self, delta: timedelta) -> None:
        """Move the clock forward (or back) by `delta`."""
        self.at += delta
