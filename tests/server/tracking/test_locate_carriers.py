"""A question that the carrier answers, through a real carrier's server."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from server.carriers.services import ProviderKind
from server.db.geometry import point_sql
from server.tracking.live_map import duty_now, live_map
from server.tracking.locate import ask_where
from server.tracking.locate_carriers import carrier_asker
from server.tracking.locate_queries import LocateView, newest_question
from server.tracking.locate_rules import AnsweredBy, LocatePurpose, LocateState
from server.tracking.locator import Locator
from server.tracking.told_places import show_told_place
from tests.factories.asker import Asker, asker
from tests.factories.carrier_server import carrier_server, seen
from tests.factories.company import Company
from tests.factories.scope import everybody
from tests.server.carriers.conftest import NOON, Carriers

PHONE = "8613800138000"
HERE = seen(time="20261118115930", off="+0800", x="31 13 49.44N", y="121 28 25.32E")


@pytest.fixture
def carriers(acme: Company) -> Iterator[Carriers]:
    acme.clock.at = NOON
    with carrier_server() as server:
        yield Carriers(acme, server, engine_role=True)


def ask_and_wait(carriers: Carriers, person: UUID, lead: Asker | None = None) -> LocateView:
    """Ask somebody who has no phone that takes questions, and let the locator look."""
    acme = carriers.acme
    lead = lead or asker(acme)
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


def shown_on_the_map(acme: Company, person: UUID) -> dict[str, Any]:
    with acme.transaction() as session:
        found = live_map(session, everybody(), now=acme.clock.now())
    row = found.people["id"].index(str(person))
    return {name: column[row] for name, column in found.people.items()}


def test_somebody_without_any_app_stands_on_the_map_with_source_age_and_accuracy(
    carriers: Carriers,
) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = HERE
    acme, person = carriers.acme, carriers.person()
    assert shown_on_the_map(acme, person)["lon"] is None
    lead = asker(acme)
    ask_and_wait(carriers, person, lead)
    seen_now = shown_on_the_map(acme, person)
    assert (seen_now["source"], seen_now["accuracy_m"]) == ("lbs", 300.0)
    assert seen_now["fixed_at"] == (NOON - timedelta(seconds=30)).timestamp()
    assert (seen_now["presence"], seen_now["finding_id"]) in {(None, None), ("unknown", None)}
    # It is no fix: nothing that judges anybody reads it, and no track rests on it.
    assert carriers.rows("SELECT count(*) FROM fixes") == [(0,)]
    # Asked again while the carrier is silent, what it told is what is known.
    carriers.server.phones[PHONE] = 202
    acme.clock.advance(timedelta(minutes=10))
    found = ask_and_wait(carriers, person, lead)
    assert found.answered_by is AnsweredBy.LAST_KNOWN
    assert found.answer is not None
    assert found.answer.source == "lbs"


@pytest.mark.parametrize(("age_min", "stays"), [(10, True), (20, False)])
def test_a_finer_position_of_the_last_minutes_is_not_covered_by_a_carrier(
    carriers: Carriers, age_min: float, *, stays: bool
) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = HERE
    acme, person = carriers.acme, carriers.person()
    with acme.engine_transaction() as session:
        session.execute(
            text(
                "INSERT INTO last_positions (tenant_id, employee_id, device_id, fixed_at,"
                " received_at, msg_key, position, accuracy_m, source) VALUES (:tenant, :person,"
                f" :person, :at, :at, 1, {point_sql('121.4', '31.2')}, 9, 'gps')"
            ),
            {
                "tenant": acme.tenant_id,
                "person": person,
                "at": NOON - timedelta(minutes=age_min),
            },
        )
    found = ask_and_wait(carriers, person)
    assert found.answered_by is AnsweredBy.CARRIER, "the asker hears it whatever is shown"
    assert shown_on_the_map(acme, person)["source"] == ("gps" if stays else "lbs")


def test_what_was_measured_outside_the_duty_is_not_shown(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    acme, person = carriers.acme, carriers.person()
    with acme.engine_transaction() as session:
        duty = duty_now(session, tenant_id=acme.tenant_id, employee_id=person, now=acme.clock.now())
        assert duty is not None
        for at in (duty.starts_at - timedelta(seconds=1), duty.ends_at):
            told = show_told_place(
                session,
                tenant_id=acme.tenant_id,
                employee_id=person,
                lon_deg=121.4,
                lat_deg=31.2,
                accuracy_m=300.0,
                fixed_at=at,
                duty=duty,
                now=acme.clock.now(),
            )
            assert told is None
    assert shown_on_the_map(acme, person)["lon"] is None
