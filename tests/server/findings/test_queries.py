from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from server.errors import NotFound
from server.findings.queries import (
    FindingFilter,
    FindingPage,
    FindingSort,
    ReviewState,
    get_finding,
    list_findings,
)
from server.findings.rules import DayKey, FindingKind, FindingState, ReviewAction
from server.findings.services import review_finding, sync_findings
from tests.conftest import StatementCount
from tests.factories.company import DAY, Company
from tests.factories.findings import absence
from tests.factories.scope import everybody, only

Counter = Callable[[Engine], AbstractContextManager[StatementCount]]


@pytest.fixture
def people(acme: Company) -> list[UUID]:
    """Four people with one, two, three and no absences, each longer than the one before."""
    found = [acme.hire(name) for name in ("a", "b", "c", "d")]
    for number, who in enumerate(found[:3], start=1):
        with acme.engine_transaction() as session:
            sync_findings(
                session,
                acme.clock,
                days=[DayKey(acme.tenant_id, who, DAY)],
                drafts=[
                    absence(acme, who, start_min=number + 60 * k, end_min=10 * number + k)
                    for k in range(number)
                ],
            )
    return found


def pages(acme: Company, wanted: FindingFilter) -> FindingPage:
    with acme.transaction() as session:
        return list_findings(session, everybody(), wanted=wanted)


def test_a_list_takes_one_statement(
    acme: Company, people: list[UUID], statement_counter: Counter
) -> None:
    assert people
    with acme.transaction() as session:
        session.execute(text("SELECT 1"))
        with statement_counter(acme.app) as seen:
            page = list_findings(session, everybody(), wanted=FindingFilter())
        assert seen.count == 1
    assert page.total == len(page.rows) == 6
    assert {row.unit_name for row in page.rows} == {"东区"}
    assert {row.post_name for row in page.rows} == {"外滩营业厅"}
    assert {row.review for row in page.rows} == {ReviewState.PENDING}


def test_only_people_in_scope_are_listed(acme: Company, people: list[UUID]) -> None:
    with acme.transaction() as session:
        page = list_findings(session, only(people[0], people[3]), wanted=FindingFilter())
        assert [row.employee_id for row in page.rows] == [people[0]]
        assert list_findings(session, only(), wanted=FindingFilter()).total == 0


@pytest.mark.parametrize("sort", list(FindingSort))
def test_pages_tile_the_list_in_every_order(
    acme: Company, people: list[UUID], sort: FindingSort
) -> None:
    assert people
    whole = pages(acme, FindingFilter(sort=sort)).rows
    parts = [pages(acme, FindingFilter(sort=sort, limit=2, offset=at)) for at in (0, 2, 4)]
    assert [row.id for part in parts for row in part.rows] == [row.id for row in whole]
    assert {part.total for part in parts} == {6}
    keys: dict[FindingSort, list[object]] = {
        FindingSort.NEWEST: [-row.starts_at.timestamp() for row in whole],
        FindingSort.OLDEST: [row.starts_at.timestamp() for row in whole],
        FindingSort.LONGEST: [-(row.duration_s or 0) for row in whole],
        FindingSort.PERSON: [row.employee_name for row in whole],
    }
    assert keys[sort] == sorted(keys[sort])  # type: ignore[type-var]


def test_filters_narrow(acme: Company, people: list[UUID]) -> None:
    def total(wanted: FindingFilter) -> int:
        return pages(acme, wanted).total

    assert total(FindingFilter(employee_id=people[1])) == 2
    assert total(FindingFilter(post_id=acme.post_id)) == 6
    assert total(FindingFilter(post_id=uuid4())) == 0
    assert total(FindingFilter(kinds=(FindingKind.GAP,))) == 0
    assert total(FindingFilter(states=(FindingState.OPEN,))) == 0
    assert total(FindingFilter(first_on=DAY, last_on=DAY)) == 6
    assert total(FindingFilter(first_on=DAY + timedelta(days=1))) == 0
    assert total(FindingFilter(last_on=DAY - timedelta(days=1))) == 0


def test_reviews_can_be_filtered_by(acme: Company, people: list[UUID]) -> None:
    [first] = pages(acme, FindingFilter(employee_id=people[0])).rows
    with acme.transaction() as session:
        review_finding(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            finding_id=first.id,
            action=ReviewAction.ACKNOWLEDGE,
            reason="seen",
            account_id=UUID(int=5),
            account_name="x",
        )
    [seen] = pages(acme, FindingFilter(reviews=(ReviewState.ACKNOWLEDGED,))).rows
    assert (seen.id, seen.review) == (first.id, ReviewState.ACKNOWLEDGED)
    assert pages(acme, FindingFilter(reviews=(ReviewState.PENDING,))).total == 5
    assert pages(acme, FindingFilter(reviews=(ReviewState.FALSE_ALARM,))).total == 0


def test_foreign_and_absent_give_the_same_answer(acme: Company, people: list[UUID]) -> None:
    [mine] = pages(acme, FindingFilter(employee_id=people[0])).rows
    with acme.transaction() as session:
        assert get_finding(session, only(people[0]), mine.id).row == mine
        messages = []
        for scope, wanted in ((only(people[1]), mine.id), (everybody(), uuid4())):
            with pytest.raises(NotFound) as refused:
                get_finding(session, scope, wanted)
            messages.append((refused.value.code, refused.value.detail))
        assert messages[0] == messages[1]


def test_beyond_the_last_page_the_total_is_still_told(acme: Company, people: list[UUID]) -> None:
    assert people
    page = pages(acme, FindingFilter(limit=5, offset=50))
    assert (page.rows, page.total) == ([], 6)
    assert pages(acme, FindingFilter(limit=5, offset=5)).total == 6
