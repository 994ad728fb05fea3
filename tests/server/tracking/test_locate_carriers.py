"""A question that the carrier answers, through a real carrier's server."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from server.carriers.services import ProviderKind
from server.tracking.locate import ask_where
from server.tracking.locate_carriers import carrier_asker
from server.tracking.locate_queries import LocateView, newest_question
from server.tracking.locate_rules import AnsweredBy, LocatePurpose, LocateState
from server.tracking.locator import Locator
from tests.factories.asker import asker
from tests.factories.carrier_server import carrier_server, seen
from tests.factories.company import Company
from tests.server.carriers.conftest import NOON, Carriers

PHONE = "8613800138000"
HERE = seen(time="20261118115930", off="+0800", x="31 13 49.44N", y="121 28 25.32E")


@pytest.fixture
def carriers(acme: Company) -> Iterator[Carriers]:
    acme.clock.at = NOON
    with carrier_server() as server:
        yield Carriers(acme, server, engine_role=True)


def ask_and_wait(carriers: Carriers, person: UUID) -> LocateView:
    """Ask somebody who has no phone that takes questions, and let the locator look."""
    acme = carriers.acme
    lead = asker(acme)
    with acme.transaction() as session:
        ask_where(
            session,
            acme.clock,
            asker=lead,
            employee_id=person,
            purpose=LocatePurpose.SAFETY,
        )
    acme.clock.advance(timedelta(seconds=1))
    locator = Locator(
        acme.sessions(acme.engine), acme.clock, ask_carrier=carrier_asker(carriers.desk)
    )
    locator.run_once()
    with acme.transaction() as session:
        found = newest_question(
            session,
            tenant_id=acme.tenant_id,
            employee_id=person,
            asker_id=lead.account_id,
        )
    assert found is not None
    return found


def test_the_carrier_answers_with_its_circle(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = HERE
    found = ask_and_wait(carriers, carriers.person())
    assert found.answered_by is AnsweredBy.CARRIER
    assert found.answer is not None
    assert (found.answer.source, found.answer.accuracy_m) == ("lbs", 300.0)
    assert found.answer.lat_deg == pytest.approx(31.2304, abs=1e-6)
    ((purpose, actor),) = carriers.rows("SELECT purpose, actor_name FROM carrier_requests")
    assert (purpose, actor) == ("safety", "Lead")


def test_consent_withdrawn_at_the_carrier_is_told_as_that(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = 202
    found = ask_and_wait(carriers, carriers.person())
    assert found.state is LocateState.UNANSWERED
    assert ("carrier", "refused", "consent_withdrawn") in [
        (s.what, s.outcome, s.detail) for s in found.steps
    ]


def test_without_consent_the_carrier_is_not_asked(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    found = ask_and_wait(carriers, carriers.person(consent=False))
    assert carriers.server.asked == []
    assert ("carrier", "refused", "no_consent") in [
        (s.what, s.outcome, s.detail) for s in found.steps
    ]
