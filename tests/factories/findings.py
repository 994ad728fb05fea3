"""Conclusions as the engine draws them, without an engine."""

from datetime import UTC, datetime, timedelta
from typing import Any
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


def sign_evidence(**signs: dict[str, Any]) -> dict[str, Any]:
    """Evidence of signs as the engine stores it; a mock provider when nothing else is given."""
    told = signs or {"mock": {"weight": 1.0, "from": None, "until": None, "fixes": 12}}
    return {
        "rule": "forgery",
        "algorithm_version": "1",
        "policy_version": "default-1",
        "thresholds": {"mock_share": 1.0, "review_confidence": 0.5},
        "inputs": {"looked_at": 180, "fixes": [], "compared": []},
        "figures": {"score": 1.0, "confidence": 1.0, "duration_s": 1_500.0, "signs": told},
        "reasons": list(told),
        "would_change": [
            {"if": "sign_below", "sign": "mock", "figure": "fixes", "limit": 1, "actual": 12}
        ],
    }
