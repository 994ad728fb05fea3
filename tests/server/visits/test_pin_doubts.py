from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import false, text

from server.visits.models import PlannedVisit
from server.visits.pin_doubts import PinFinding, pin_doubts
from server.visits.services import dismiss_pin, verify_due
from tests.factories.calls import call, plan, site
from tests.factories.company import Company
from tests.factories.phones import NINE, at_post, minutes, phone

TEN = NINE + minutes(60)
NOON = NINE + minutes(180)
PIN_M = 1_800.0


def calls(acme: Company, *off_m: float) -> tuple[UUID, list[UUID], list[UUID]]:
    """Judged visits of one site, of a person each, so far beside its pin: site, visits, people."""
    place, visits, people = site(acme, east_m=PIN_M), [], []
    for n, off in enumerate(off_m):
        who = phone(acme, name=f"p{n}", post=False)
        people.append(who.employee_id)
        visits.append(plan(acme, who.employee_id, place, TEN, NOON))
        who.send([*at_post(who, NINE, TEN), *at_post(who, TEN + minutes(40), NOON + minutes(10))])
        who.send(call(who, TEN + minutes(5), TEN + minutes(35), east_m=PIN_M + off))
    acme.clock.at = NOON + minutes(10)
    with acme.engine_transaction() as session:
        while verify_due(session, acme.clock):
            continue
    return place, visits, people


def doubts(acme: Company, place: UUID, reach: Any = None) -> dict[UUID, Any]:
    with acme.transaction() as session:
        return dict(
            pin_doubts(
                session,
                reach,
                tenant_id=acme.tenant_id,
                site_ids=[place],
                now=acme.clock.now(),
            )
        )


def test_one_who_is_elsewhere_while_others_are_at_the_pin_is_a_question(acme: Company) -> None:
    place, visits, _people = calls(acme, 0, 15, 330)
    [(visit, doubt)] = doubts(acme, place).items()
    assert visit == visits[2]
    assert doubt.finding is PinFinding.WRONG_PERSON
    assert doubt.off_m == pytest.approx(330, abs=15)
    assert (doubt.agreeing, doubt.people) == (2, 3)


def test_stays_that_the_asker_may_not_see_are_not_counted(acme: Company) -> None:
    place, visits, people = calls(acme, 0, 15, 330)
    own = PlannedVisit.employee_id == people[2]
    assert doubts(acme, place, own) == {}
    assert doubts(acme, place, false()) == {}
    both = PlannedVisit.employee_id.in_(people)
    assert set(doubts(acme, place, both)) == {visits[2]}


def test_a_pin_in_doubt_is_told_while_its_proposal_is_open(acme: Company) -> None:
    place, visits, _people = calls(acme, 200, 208, 216)
    found = doubts(acme, place)
    assert set(found) == set(visits)
    assert {doubt.finding for doubt in found.values()} == {PinFinding.WRONG_PIN}
    assert {(doubt.agreeing, doubt.people) for doubt in found.values()} == {(3, 3)}
    with acme.transaction() as session:
        proposal_id = session.execute(text("SELECT id FROM pin_proposals")).scalar_one()
        dismiss_pin(session, acme.clock, tenant_id=acme.tenant_id, proposal_id=proposal_id)
    assert doubts(acme, place) == {}
