from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import ProgrammingError

from server.errors import Conflict, InvalidInput, NotFound, OutpostError
from server.findings.queries import (
    FindingFilter,
    findings_of_person,
    get_finding,
    list_findings,
)
from server.findings.rules import (
    ChangeKind,
    DayKey,
    FindingDraft,
    FindingState,
    ReviewAction,
)
from server.findings.services import MAX_REASON, FindingChange, review_finding, sync_findings
from tests.factories.company import DAY, Company
from tests.factories.findings import TEN, absence
from tests.factories.scope import everybody, only


def sync(acme: Company, *drafts: FindingDraft, employee_id: UUID) -> list[FindingChange]:
    with acme.engine_transaction() as session:
        return sync_findings(
            session,
            acme.clock,
            days=[DayKey(acme.tenant_id, employee_id, DAY)],
            drafts=drafts,
        ).changes


def review(acme: Company, finding_id: UUID, action: ReviewAction, **changes: Any) -> UUID:
    values: dict[str, Any] = {
        "tenant_id": acme.tenant_id,
        "finding_id": finding_id,
        "action": action,
        "reason": "was at the bank",
        "account_id": UUID(int=5),
        "account_name": "李雷",
    }
    with acme.transaction() as session:
        return review_finding(session, acme.clock, **(values | changes))


def test_a_finding_lives_and_keeps_the_times_of_its_life(acme: Company) -> None:
    who = acme.hire()
    acme.clock.at = TEN + timedelta(minutes=10)
    [raised] = sync(acme, absence(acme, who, end_min=None), employee_id=who)
    assert (raised.change, raised.state, raised.revision) == (
        ChangeKind.RAISED,
        FindingState.OPEN,
        1,
    )
    acme.clock.at = TEN + timedelta(minutes=16)
    [closed] = sync(acme, absence(acme, who), employee_id=who)
    assert (closed.change, closed.id, closed.revision) == (ChangeKind.CLOSED, raised.id, 2)
    assert sync(acme, absence(acme, who), employee_id=who) == []
    acme.clock.at = TEN + timedelta(minutes=30)
    [gone] = sync(acme, employee_id=who)
    assert (gone.change, gone.state) == (ChangeKind.RETRACTED, FindingState.RETRACTED)
    with acme.transaction() as session:
        found = get_finding(session, everybody(), raised.id)
    assert found.row.raised_at == TEN + timedelta(minutes=10)
    assert found.retracted_at == TEN + timedelta(minutes=30)
    [again] = sync(acme, absence(acme, who), employee_id=who)
    assert (again.change, again.id, again.state) == (
        ChangeKind.RAISED,
        raised.id,
        FindingState.CLOSED,
    )


def test_an_absence_whose_start_moved_keeps_its_reviews(acme: Company) -> None:
    who = acme.hire()
    [old] = sync(acme, absence(acme, who, end_min=None), employee_id=who)
    review(acme, old.id, ReviewAction.ACKNOWLEDGE)
    moved = absence(acme, who, start_min=-2, end_min=None)
    [change] = sync(acme, moved, employee_id=who)
    assert (change.change, change.id, change.revision) == (ChangeKind.REVISED, old.id, 2)
    assert change.starts_at == moved.starts_at
    assert sync(acme, moved, employee_id=who) == []
    with acme.transaction() as session:
        found = get_finding(session, everybody(), old.id)
        total = list_findings(session, everybody(), wanted=FindingFilter()).total
    assert (found.row.starts_at, found.row.review, total) == (moved.starts_at, "acknowledged", 1)


def test_late_data_makes_a_new_version_and_the_old_one_is_kept(acme: Company) -> None:
    who = acme.hire()
    acme.clock.at = TEN + timedelta(minutes=20)
    [raised] = sync(acme, absence(acme, who), employee_id=who)
    acme.clock.at = TEN + timedelta(hours=6)
    sync(acme, absence(acme, who, start_min=-4), employee_id=who)
    with acme.transaction() as session:
        found = get_finding(session, everybody(), raised.id)
        [same] = findings_of_person(session, who)
    assert same == found
    first, second = found.versions
    assert (first.revision, first.change, first.at) == (
        1,
        ChangeKind.RAISED,
        TEN + timedelta(minutes=20),
    )
    assert (second.revision, second.change, second.at) == (
        2,
        ChangeKind.REVISED,
        TEN + timedelta(hours=6),
    )
    assert {(d.name, d.before, d.after) for d in second.differences} == {
        ("starts_at", TEN, TEN - timedelta(minutes=4)),
        ("ends_at", TEN + timedelta(minutes=15), TEN + timedelta(minutes=11)),
    }


def test_a_version_is_not_kept_when_the_change_is_not(acme: Company) -> None:
    who = acme.hire()
    [raised] = sync(acme, absence(acme, who), employee_id=who)

    def interrupted() -> None:
        with acme.engine_transaction() as session:
            day = DayKey(acme.tenant_id, who, DAY)
            moved = absence(acme, who, start_min=-4)
            sync_findings(session, acme.clock, days=[day], drafts=[moved])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    with acme.transaction() as session:
        found = get_finding(session, everybody(), raised.id)
    assert [v.revision for v in found.versions] == [1]


def test_under_another_assignment_a_new_finding_replaces_the_one_before(acme: Company) -> None:
    who = acme.hire()
    [old] = sync(acme, absence(acme, who), employee_id=who)
    changes = sync(acme, replace(absence(acme, who), roster_entry_id=UUID(int=9)), employee_id=who)
    assert {c.change for c in changes} == {ChangeKind.RAISED, ChangeKind.RETRACTED}
    assert {c.replaces for c in changes} == {old.id, None}


def test_other_days_and_people_are_left_alone(acme: Company) -> None:
    who, other = acme.hire(), acme.hire()
    sync(acme, absence(acme, who), employee_id=who)
    assert sync(acme, employee_id=other) == []
    with acme.transaction() as session:
        assert list_findings(session, everybody(), wanted=FindingFilter()).total == 1


def test_people_have_their_say_once(acme: Company) -> None:
    who = acme.hire()
    [raised] = sync(acme, absence(acme, who), employee_id=who)
    review(acme, raised.id, ReviewAction.ACKNOWLEDGE)
    with pytest.raises(Conflict) as refused:
        review(acme, raised.id, ReviewAction.ACKNOWLEDGE)
    assert refused.value.code == "already_reviewed"
    review(acme, raised.id, ReviewAction.NOTE, reason=" called him ")
    review(acme, raised.id, ReviewAction.NOTE, reason="called him again")
    review(acme, raised.id, ReviewAction.FALSE_ALARM)
    with acme.transaction() as session:
        found = get_finding(session, everybody(), raised.id)
    assert [r.action for r in found.reviews] == ["acknowledge", "note", "note", "false_alarm"]
    assert found.reviews[1].reason == "called him"
    assert found.row.review == "false_alarm"


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"reason": "   "}, InvalidInput, "reason_missing"),
        ({"reason": "x" * (MAX_REASON + 1)}, InvalidInput, "reason_too_long"),
        ({"finding_id": uuid4()}, NotFound, "finding_not_found"),
        ({"tenant_id": 999_999}, NotFound, "finding_not_found"),
        ({"scope": only()}, NotFound, "finding_not_found"),
    ],
)
def test_a_review_that_cannot_be_is_refused(
    acme: Company, changes: dict[str, Any], error: type[OutpostError], code: str
) -> None:
    who = acme.hire()
    [raised] = sync(acme, absence(acme, who), employee_id=who)
    with pytest.raises(error) as refused:
        review(acme, changes.pop("finding_id", raised.id), ReviewAction.ACKNOWLEDGE, **changes)
    assert refused.value.code == code


def test_a_retracted_finding_takes_notes_only(acme: Company) -> None:
    who = acme.hire()
    [raised] = sync(acme, absence(acme, who), employee_id=who)
    sync(acme, employee_id=who)
    review(acme, raised.id, ReviewAction.NOTE)
    with pytest.raises(Conflict) as refused:
        review(acme, raised.id, ReviewAction.ACKNOWLEDGE)
    assert refused.value.code == "finding_retracted"


def test_of_two_people_who_press_at_once_one_is_told(acme: Company) -> None:
    who = acme.hire()
    [raised] = sync(acme, absence(acme, who), employee_id=who)
    outcomes: list[str] = []

    def press() -> None:
        try:
            review(acme, raised.id, ReviewAction.ACKNOWLEDGE)
            outcomes.append("done")
        except Conflict as refused:
            outcomes.append(refused.code)

    threads = [Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_reviewed"] * 3 + ["done"]


def test_the_web_role_cannot_write_findings(acme: Company) -> None:
    who = acme.hire()
    with pytest.raises(ProgrammingError), acme.transaction() as session:
        sync_findings(
            session,
            acme.clock,
            days=[DayKey(acme.tenant_id, who, DAY)],
            drafts=[absence(acme, who)],
        )
