"""Conclusions as the engine draws them, without an engine."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from server.findings.rules import DayKey, FindingDraft, FindingKind
from tests.factories.company import DAY, Company

TEN = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


def absence(
    acme: Company, employee_id: UUID, *, start_min: int = 0, end_min: int | None = 15
) -> FindingDraft:
    """An absence from the company's post that began so many minutes after ten."""
    start = TEN + timedelta(minutes=start_min)
    return FindingDraft(
        day=DayKey(acme.tenant_id, employee_id, DAY),
        kind=FindingKind.OFF_POST,
        roster_entry_id=UUID(int=2),
        post_id=acme.post_id,
        starts_at=start,
        ends_at=None if end_min is None else start + timedelta(minutes=end_min),
        decided_at=start + timedelta(minutes=10),
        evidence={"figures": {"duration_s": 60.0 * (end_min or 10), "max_distance_m": 300.0}},
    )
