from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.visits.rules import VisitDraft, VisitType, check_draft, differences

NINE = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)


def draft(**changes: Any) -> VisitDraft:
    usual: dict[str, Any] = {
        "employee_id": UUID(int=1),
        "site_id": UUID(int=2),
        "kind": VisitType.COLD,
        "starts_at": NINE,
        "ends_at": NINE + timedelta(hours=2),
    }
    return VisitDraft(**(usual | changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"starts_at": NINE.replace(tzinfo=None)}, "naive_time"),
        ({"ends_at": NINE}, "empty_span"),
        ({"ends_at": NINE + timedelta(hours=24, seconds=1)}, "span_too_long"),
        ({"note": "x" * 301}, "note_too_long"),
    ],
)
def test_what_cannot_be_a_visit_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_draft(draft(**changes))
    assert refusal.value.code == code


def test_a_whole_day_may_be_a_window() -> None:
    check_draft(draft(ends_at=NINE + timedelta(hours=24), note="x" * 300))


def document(verdict: str, lon_deg: float = 24.9, **figures: Any) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "policy_version": "default",
        "figures": figures,
        "inputs": {"site": {"lon_deg": lon_deg, "lat_deg": 60.0, "radius_m": 100.0}},
    }


def test_two_versions_differ_in_verdict_figures_and_pin() -> None:
    before = document("not_observable", dwell_s=0.0, fixes=3, room_s=900.0)
    after = document("verified", 24.8, dwell_s=1_200.0, fixes=3, stay_off_m=4.0)
    assert differences(before, after) == [
        ("verdict", "not_observable", "verified"),
        ("dwell_s", 0.0, 1_200.0),
        ("stay_off_m", None, 4.0),
        ("room_s", 900.0, None),
        ("lon_deg", 24.9, 24.8),
    ]


_figures = st.dictionaries(st.sampled_from(["dwell_s", "fixes", "room_s"]), st.integers(0, 3))


@given(_figures, _figures)
def test_differences_are_none_for_the_same_and_mirrored_the_other_way(
    one: dict[str, int], other: dict[str, int]
) -> None:
    before, after = document("verified", **one), document("verified", **other)
    assert differences(before, before) == []
    forth = {name: (old, new) for name, old, new in differences(before, after)}
    back = {name: (new, old) for name, old, new in differences(after, before)}
    assert forth == back
