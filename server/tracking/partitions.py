"""Weekly partitions of raw facts: made ahead, filled from the default, dropped past retention.

Runs with the owner's rights. A partition covers one ISO week, Monday 00:00 UTC to the
next, and is called ``fixes_y2026_w47``. Rows of a week without a partition lie in
``fixes_default``; they are moved when their partition is made, so nothing is refused
because upkeep did not run.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

from server.clock import Clock
from server.tracking.retention import RAW_RETENTION

WEEKS_BACK, WEEKS_AHEAD = 6, 14
PARTITIONED = ("fixes", "radio_reports")
"""Tables with a partition a week of `fixed_at`."""
_NAME = re.compile(r"[a-z_]+_y(\d{4})_w(\d{2})")


@dataclass(frozen=True, slots=True)
class Week:
    """One ISO week in UTC."""

    starts_on: date

    @classmethod
    def of(cls, at: datetime) -> "Week":
        """Return the week of an aware instant."""
        day = at.astimezone(UTC).date()
        return cls(day - timedelta(days=day.weekday()))

    def table_of(self, parent: str) -> str:
        """Return the name of the partition."""
        year, week, _ = self.starts_on.isocalendar()
        return f"{parent}_y{year}_w{week:02d}"

    @property
    def ends_on(self) -> date:
        """Monday of the next week."""
        return self.starts_on + timedelta(days=7)

    def moved(self, weeks: int) -> "Week":
        """Return the week so many weeks later (earlier when negative)."""
        return Week(self.starts_on + timedelta(weeks=weeks))


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What one run did."""

    created: tuple[str, ...]
    moved_rows: int
    dropped: tuple[str, ...]
    quarantine_deleted: int


def look_after_partitions(connection: Connection, clock: Clock) -> UpkeepReport:
    """Make, fill and drop partitions and delete old quarantine, in the caller's transaction.

    Parameters
    ----------
    connection : the owner's, inside a transaction; a short lock_timeout keeps a run that
        cannot get its locks from stopping ingest behind it.
    clock : decides which weeks are near and what is past retention.

    Returns
    -------
    What was done; a second run at the same instant does nothing.
    """
    now = clock.now()
    keep_from = now - RAW_RETENTION
    created: list[str] = []
    dropped: list[str] = []
    moved = 0
    for parent in PARTITIONED:
        present = _partitions(connection, parent)
        wanted = [Week.of(now).moved(n) for n in range(-WEEKS_BACK, WEEKS_AHEAD + 1)]
        for week in wanted:
            if week.table_of(parent) not in present and not _is_past(week, keep_from):
                moved += _create(connection, parent, week)
                created.append(week.table_of(parent))
        for name, week_of_it in sorted(present.items()):
            if week_of_it is not None and _is_past(week_of_it, keep_from):
                connection.execute(text(f"DROP TABLE {name}"))
                dropped.append(name)
        connection.execute(
            text(f"DELETE FROM {parent}_default WHERE fixed_at < :limit"),  # noqa: S608
            {"limit": keep_from},
        )
    deleted = connection.execute(
        text("DELETE FROM quarantine WHERE received_at < :limit"),
        {"limit": keep_from},
    ).rowcount
    return UpkeepReport(tuple(created), moved, tuple(dropped), deleted)


def _create(connection: Connection, parent: str, week: Week) -> int:
    table = week.table_of(parent)
    bounds = {"low": week.starts_on, "high": week.ends_on}
    span = f"FROM ('{week.starts_on}+00') TO ('{week.ends_on}+00')"
    # Rows of this week in the default partition would make the attachment fail.
    connection.execute(
        text(f"CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    )
    moved = connection.execute(
        text(
            f"WITH strays AS (DELETE FROM {parent}_default WHERE fixed_at >= "  # noqa: S608
            "(:low)::date AT TIME ZONE 'UTC' AND fixed_at < (:high)::date AT TIME ZONE 'UTC' "
            f"RETURNING *) INSERT INTO {table} SELECT * FROM strays"
        ),
        bounds,
    ).rowcount
    connection.execute(text(f"ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES {span}"))
    return moved


def _partitions(connection: Connection, parent: str) -> dict[str, Week | None]:
    names = connection.scalars(
        text(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = CAST(:parent AS regclass)"
        ),
        {"parent": parent},
    )
    return {name: _week_of(name) for name in names}


def _week_of(name: str) -> Week | None:
    match = _NAME.fullmatch(name)
    return Week(date.fromisocalendar(int(match[1]), int(match[2]), 1)) if match else None


def _is_past(week: Week, keep_from: datetime) -> bool:
    end = datetime.combine(week.ends_on, datetime.min.time(), UTC)
    return end <= keep_from
