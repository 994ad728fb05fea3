from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from server.findings.rules import (
    ChangeKind,
    DayKey,
    FindingDraft,
    FindingKind,
    FindingState,
    Standing,
    plan_changes,
)

DAY = DayKey(1, UUID(int=1), date(2026, 11, 18))
TEN = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


def draft(start_min: int = 0, end_min: int | None = 15, *, margin: float = 90.0) -> FindingDraft:
    start = TEN + timedelta(minutes=start_min)
    return FindingDraft(
        day=DAY,
        kind=FindingKind.OFF_POST,
        roster_entry_id=UUID(int=2),
        post_id=UUID(int=3),
        starts_at=start,
        ends_at=None if end_min is None else start + timedelta(minutes=end_min),
        decided_at=start + timedelta(minutes=10),
        evidence={"figures": {"margin_m": margin}},
    )


def standing(said: FindingDraft, *, state: FindingState | None = None) -> Standing:
    return Standing(
        id=said.id,
        day=said.day,
        kind=said.kind,
        state=state or said.state,
        roster_entry_id=said.roster_entry_id,
        post_id=said.post_id,
        starts_at=said.starts_at,
        ends_at=said.ends_at,
        decided_at=said.decided_at,
        revision=1,
        evidence=said.evidence,
    )


def kinds(before: list[Standing], after: list[FindingDraft]) -> list[ChangeKind | None]:
    return [change.kind for change in plan_changes(before, after)]


def test_what_is_new_is_raised() -> None:
    assert kinds([], [draft()]) == [ChangeKind.RAISED]


def test_what_agrees_is_left_alone() -> None:
    assert kinds([standing(draft())], [draft()]) == []


def test_what_ended_is_closed_and_may_open_again() -> None:
    assert kinds([standing(draft(end_min=None))], [draft()]) == [ChangeKind.CLOSED]
    assert kinds([standing(draft())], [draft(end_min=None)]) == [ChangeKind.REOPENED]


def test_another_end_is_a_revision_and_more_evidence_is_none() -> None:
    assert kinds([standing(draft(end_min=15))], [draft(end_min=20)]) == [ChangeKind.REVISED]
    assert kinds([standing(draft())], [draft(margin=10.0)]) == [None]


def test_what_facts_no_longer_say_is_retracted_once() -> None:
    assert kinds([standing(draft())], []) == [ChangeKind.RETRACTED]
    assert kinds([standing(draft(), state=FindingState.RETRACTED)], []) == []


def test_what_was_retracted_comes_back_under_its_id() -> None:
    [change] = plan_changes([standing(draft(), state=FindingState.RETRACTED)], [draft()])
    assert change.kind is ChangeKind.RAISED
    assert change.standing is not None
    assert change.id == draft().id


def test_the_id_follows_from_whom_what_and_since_when() -> None:
    said = draft()
    assert draft(end_min=99, margin=1.0).id == said.id
    others = [
        draft(start_min=1),
        replace(said, kind=FindingKind.GAP),
        replace(said, roster_entry_id=UUID(int=9)),
        replace(said, day=DAY._replace(employee_id=UUID(int=9))),
        replace(said, day=DAY._replace(tenant_id=2)),
    ]
    assert len({said.id, *(other.id for other in others)}) == 6


drafts = st.lists(
    st.builds(draft, st.integers(0, 20), st.none() | st.integers(1, 20)),
    max_size=6,
    unique_by=lambda d: d.id,
)


@given(before=drafts, after=drafts)
def test_writing_the_plan_leaves_nothing_to_plan(
    before: list[FindingDraft], after: list[FindingDraft]
) -> None:
    rows = {said.id: standing(said) for said in before}
    for change in plan_changes(rows.values(), after):
        rows[change.id] = (
            standing(change.draft)
            if change.draft is not None
            else replace(rows[change.id], state=FindingState.RETRACTED)
        )
    assert plan_changes(rows.values(), after) == []
    alive = [row for row in rows.values() if row.state is not FindingState.RETRACTED]
    assert contents(alive) == contents(after)
    assert len(rows) <= len(before) + len(after)


def contents(found: Iterable[Standing | FindingDraft]) -> list[tuple[object, ...]]:
    """What findings say, without the ids and revisions that are history."""
    return sorted(
        (said.starts_at, said.ends_at or TEN.replace(year=9999), said.state, said.decided_at)
        for said in found
    )


def test_a_span_that_moves_stays_the_same_finding() -> None:
    before = standing(draft(0, 15))
    [change] = plan_changes([before], [draft(-3, 20)])
    assert (change.kind, change.id) == (ChangeKind.REVISED, before.id)
    [closed] = plan_changes([standing(draft(0, None))], [draft(2, 20)])
    assert (closed.kind, closed.id) == (ChangeKind.CLOSED, before.id)


def test_what_overlaps_nothing_is_new_even_when_its_id_was_given_away() -> None:
    moved = replace(standing(draft(0, 15)), starts_at=TEN + timedelta(minutes=30), ends_at=None)
    moved = replace(moved, state=FindingState.OPEN)
    changes = plan_changes([moved], [draft(0, 15), draft(31, 20)])
    assert {c.kind for c in changes} == {ChangeKind.RAISED, ChangeKind.CLOSED}
    assert len({c.id for c in changes}) == 2
    assert next(c for c in changes if c.kind is ChangeKind.CLOSED).id == moved.id


def test_of_a_split_finding_the_larger_part_keeps_the_id() -> None:
    before = standing(draft(0, 60))
    changes = plan_changes([before], [draft(1, 10), draft(20, 40)])
    assert {c.kind: c.draft and c.draft.starts_at for c in changes} == {
        ChangeKind.REVISED: TEN + timedelta(minutes=20),
        ChangeKind.RAISED: TEN + timedelta(minutes=1),
    }
