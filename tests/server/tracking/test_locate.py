"""Asking where somebody is: duty, limits, what is written, and how questions end."""

import time
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from geo.fix import QualityFlag, Source
from server.audit.queries import looks_at
from server.errors import InvalidInput, NotFound, TooManyRequests
from server.people.services import revoke_device
from server.posts.queries import PolicyKind
from server.posts.services import set_policy
from server.tracking.locate import COMMANDS_CHANNEL, Question, ask_where
from server.tracking.locate_outbox import (
    forget_old_commands,
    note_published,
    waiting_commands,
)
from server.tracking.locate_queries import LocateView, question, questions_about
from server.tracking.locate_rules import (
    AnsweredBy,
    LocateLimits,
    LocatePurpose,
    LocateState,
    Refusal,
)
from server.tracking.locate_settling import CarrierQuestion, CarrierSays, Place, settle_question
from server.tracking.locator import Locator
from server.tracking.retention import forget_past_retention
from tests.factories.asker import Asker, asker
from tests.factories.company import Company
from tests.factories.phones import NINE, SIX, Phone, minutes, phone

SECOND = timedelta(seconds=1)
NOON = NINE + timedelta(hours=3)


def ask(
    company: Company,
    who: Asker,
    whom: UUID,
    *,
    purpose: LocatePurpose = LocatePurpose.DISPATCH,
    reason: str = "",
    limits: LocateLimits | None = None,
) -> Question:
    with company.transaction() as session:
        return ask_where(
            session,
            company.clock,
            asker=who,
            employee_id=whom,
            purpose=purpose,
            reason=reason,
            limits=limits,
        )


def seen(company: Company, who: Asker, asked: Question) -> LocateView:
    with company.transaction() as session:
        return question(
            session,
            tenant_id=company.tenant_id,
            request_id=asked.request_id,
            asker_id=who.account_id,
        )


def settle(company: Company, ask_carrier: object = None) -> int:
    locator = Locator(
        company.sessions(company.engine),
        company.clock,
        ask_carrier=ask_carrier,  # type: ignore[arg-type]
    )
    return locator.look()


def publish(company: Company) -> list[str]:
    """What the sender of commands does, without a broker."""
    with company.engine_transaction() as session:
        commands = waiting_commands(session, now=company.clock.now())
        note_published(session, commands, now=company.clock.now())
    return [command.username for command in commands]


@pytest.fixture
def worker(acme: Company) -> Phone:
    made = phone(acme)
    acme.clock.at = NOON
    return made


def test_a_question_reaches_the_phone_and_its_answer_the_asker(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)
    asked = ask(acme, lead, worker.employee_id, purpose=LocatePurpose.SAFETY, reason="  no  call ")
    assert asked.refusal is None
    assert seen(acme, lead, asked).state is LocateState.ASKED
    assert len(publish(acme)) == 1
    assert publish(acme) == []
    settle(acme)
    assert seen(acme, lead, asked).state is LocateState.SENT
    acme.clock.advance(8 * SECOND)
    worker.send([worker.fix(NOON + 5 * SECOND, east_m=40.0, late=2 * SECOND)])
    settle(acme)
    found = seen(acme, lead, asked)
    assert (found.state, found.answered_by) == (LocateState.ANSWERED, AnsweredBy.PHONE)
    assert found.fixed_at == NOON + 5 * SECOND
    assert found.answer is not None
    assert found.answer.accuracy_m == 8.0
    assert [(s.what, s.outcome) for s in found.steps] == [("phone", "answered")]
    assert (found.purpose, found.reason) == (LocatePurpose.SAFETY, "no call")
    assert settle(acme) == 0


def test_a_question_that_cannot_be_settled_stops_neither_others_nor_the_thread(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)
    other = phone(acme)
    bad, good = (ask(acme, lead, who.employee_id) for who in (worker, other))
    publish(acme)
    acme.clock.advance(8 * SECOND)
    for who in (worker, other):
        who.send([who.fix(NOON + 5 * SECOND, late=2 * SECOND)])
    with acme.owner.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN RAISE EXCEPTION ''refused''; END';"
                "CREATE TRIGGER refuse BEFORE UPDATE ON locate_requests FOR EACH ROW"
                f" WHEN (NEW.id = '{bad.request_id}') EXECUTE FUNCTION refuse()"
            )
        )
    thread = Locator(acme.sessions(acme.engine), acme.clock)
    thread.start()
    try:
        until = time.monotonic() + 20
        while seen(acme, lead, good).state is not LocateState.ANSWERED and time.monotonic() < until:
            time.sleep(0.05)
        assert seen(acme, lead, good).state is LocateState.ANSWERED
        assert seen(acme, lead, bad).state is not LocateState.ANSWERED
        assert thread.is_alive()
    finally:
        thread.stop()


def test_what_was_sent_before_the_question_is_no_answer(acme: Company, worker: Phone) -> None:
    lead = asker(acme)
    worker.send([worker.fix(NOON - minutes(2))])
    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(5 * SECOND)
    # A ping has the time of now and the place of before.
    worker.send(
        [
            worker.fix(NOON + 3 * SECOND, flags=int(QualityFlag.PING)),
            worker.fix(NOON - minutes(1), late=minutes(1) + 4 * SECOND),
        ]
    )
    settle(acme)
    assert seen(acme, lead, asked).state is LocateState.ASKED


def test_silence_falls_back_to_the_last_known_with_its_age(acme: Company, worker: Phone) -> None:
    lead = asker(acme)
    worker.send([worker.fix(NOON - minutes(7), east_m=30.0)])
    asked = ask(acme, lead, worker.employee_id)
    publish(acme)
    acme.clock.advance(59 * SECOND)
    settle(acme)
    assert seen(acme, lead, asked).state is LocateState.SENT
    acme.clock.advance(SECOND)
    settle(acme)
    found = seen(acme, lead, asked)
    assert (found.state, found.answered_by) == (LocateState.ANSWERED, AnsweredBy.LAST_KNOWN)
    assert found.fixed_at == NOON - minutes(7)
    assert [(s.what, s.outcome) for s in found.steps] == [
        ("phone", "no_answer"),
        ("carrier", "not_set_up"),
        ("last_known", "answered"),
    ]


def test_a_newer_position_from_cells_comes_before_an_older_one_from_satellites(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)
    worker.send([worker.fix(NOON - minutes(40))])
    worker.send([worker.fix(NOON - minutes(4), source=Source.CELL, accuracy_m=900.0)])
    with acme.engine_transaction() as session:
        # As when the position of the cell came late and the other is the newest kept.
        session.execute(
            text("UPDATE last_positions SET fixed_at = :at, source = 'gps'"),
            {"at": NOON - minutes(40)},
        )
    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(minutes(1))
    settle(acme)
    found = seen(acme, lead, asked)
    assert found.answered_by is AnsweredBy.CELL
    assert found.answer is not None
    assert (found.answer.source, found.answer.accuracy_m) == ("cell", 900.0)


def test_the_carrier_is_asked_after_the_phone_and_before_what_is_old(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)
    worker.send([worker.fix(NOON - minutes(7))])
    calls: list[UUID] = []

    def carrier(question: CarrierQuestion) -> CarrierSays:
        calls.append(question.employee_id)
        return CarrierSays(
            Place(
                lon_deg=121.5,
                lat_deg=31.2,
                accuracy_m=650.0,
                fixed_at=acme.clock.now(),
                source="lbs",
            )
        )

    asked = ask(acme, lead, worker.employee_id)
    settle(acme, carrier)
    assert calls == []
    acme.clock.advance(minutes(1))
    settle(acme, carrier)
    settle(acme, carrier)
    assert calls == [worker.employee_id]
    found = seen(acme, lead, asked)
    assert found.answered_by is AnsweredBy.CARRIER
    assert found.answer is not None
    assert (found.answer.lon_deg, found.answer.source) == (121.5, "lbs")


def test_a_carrier_that_refuses_says_why_and_the_chain_goes_on(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)
    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(minutes(1))
    settle(acme, lambda _question: CarrierSays(refusal="consent_withdrawn"))
    found = seen(acme, lead, asked)
    assert (found.state, found.refusal) == (LocateState.UNANSWERED, Refusal.NOTHING_KNOWN)
    assert ("carrier", "refused", "consent_withdrawn") in [
        (s.what, s.outcome, s.detail) for s in found.steps
    ]
    assert found.answer is None


def test_a_phone_that_answers_while_the_carrier_is_asked_comes_first(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)

    def carrier(_question: CarrierQuestion) -> CarrierSays:
        assert seen(acme, lead, asked).state is LocateState.CARRIER
        worker.send([worker.fix(NOON + minutes(1), late=SECOND)])
        return CarrierSays(refusal="absent")

    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(minutes(1))
    settle(acme, carrier)
    assert seen(acme, lead, asked).answered_by is AnsweredBy.PHONE


def test_a_worker_that_dies_over_a_carrier_leaves_a_question_that_ends(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)
    worker.send([worker.fix(NOON - minutes(7))])
    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(minutes(1))
    with acme.engine_transaction() as session:
        claimed = settle_question(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            request_id=asked.request_id,
            carriers=True,
        )
    assert claimed is not None
    settle(acme, lambda _question: pytest.fail("asked twice"))
    assert seen(acme, lead, asked).state is LocateState.CARRIER
    acme.clock.advance(minutes(1))
    settle(acme, lambda _question: pytest.fail("asked twice"))
    found = seen(acme, lead, asked)
    assert found.answered_by is AnsweredBy.LAST_KNOWN
    assert ("carrier", "no_answer") in [(s.what, s.outcome) for s in found.steps]


def test_a_carrier_that_breaks_is_a_carrier_that_does_not_know(
    acme: Company, worker: Phone
) -> None:
    def carrier(_question: CarrierQuestion) -> CarrierSays:
        raise OSError("number 13800138000 is not for logs")

    lead = asker(acme)
    worker.send([worker.fix(NOON - minutes(7))])
    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(minutes(1))
    settle(acme, carrier)
    assert seen(acme, lead, asked).answered_by is AnsweredBy.LAST_KNOWN


def test_outside_duty_nobody_can_ask_and_the_attempt_is_kept(acme: Company) -> None:
    lead, worker = asker(acme), phone(acme)
    acme.clock.at = SIX + minutes(1)
    worker.send([worker.fix(SIX - minutes(1))])
    asked = ask(acme, lead, worker.employee_id)
    assert asked.refusal is Refusal.OFF_DUTY
    found = seen(acme, lead, asked)
    assert (found.state, found.refusal, found.answer) == (LocateState.REFUSED, "off_duty", None)
    assert publish(acme) == []
    with acme.transaction() as session:
        assert looks_at(session, worker.employee_id, tenant_id=acme.tenant_id) == []
        kinds = session.scalars(text("SELECT kind FROM security_events")).all()
    assert "locate_refused" in kinds


def test_a_question_dies_with_the_duty_and_with_it_its_command(acme: Company) -> None:
    lead, worker = asker(acme), phone(acme)
    acme.clock.at = SIX - 20 * SECOND
    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(20 * SECOND)
    assert publish(acme) == []
    worker.send([worker.fix(SIX - SECOND, late=2 * SECOND)])
    settle(acme)
    found = seen(acme, lead, asked)
    assert (found.state, found.refusal) == (LocateState.REFUSED, Refusal.DUTY_ENDED)
    assert found.answer is None


def test_a_person_without_such_a_phone_is_not_waited_for(acme: Company, worker: Phone) -> None:
    lead = asker(acme)
    with acme.transaction() as session:
        revoke_device(session, acme.clock, tenant_id=acme.tenant_id, device_id=worker.device_id)
    asked = ask(acme, lead, worker.employee_id)
    assert publish(acme) == []
    settle(acme)
    first = seen(acme, lead, asked).steps[0]
    assert (first.what, first.outcome) == ("phone", "no_phone")
    assert seen(acme, lead, asked).state is LocateState.UNANSWERED


def test_a_revoked_phone_gets_no_command(acme: Company, worker: Phone) -> None:
    ask(acme, asker(acme), worker.employee_id)
    with acme.transaction() as session:
        revoke_device(session, acme.clock, tenant_id=acme.tenant_id, device_id=worker.device_id)
    assert publish(acme) == []


def test_a_command_too_old_to_matter_stays_and_is_forgotten(acme: Company, worker: Phone) -> None:
    ask(acme, asker(acme), worker.employee_id)
    acme.clock.advance(minutes(2))
    assert publish(acme) == []
    with acme.engine_transaction() as session:
        assert forget_old_commands(session, now=acme.clock.now()) == 0
        assert forget_old_commands(session, now=acme.clock.now() + timedelta(days=2)) == 1


def test_asking_too_often_is_refused_with_the_time_to_wait(acme: Company, worker: Phone) -> None:
    lead, other = asker(acme), asker(acme, "second")
    limits = LocateLimits(again_s=60.0, person_per_hour=3)
    ask(acme, lead, worker.employee_id, limits=limits)
    acme.clock.advance(20 * SECOND)
    with pytest.raises(TooManyRequests) as refused:
        ask(acme, lead, worker.employee_id, limits=limits)
    assert refused.value.retry_after_s == 41
    ask(acme, other, worker.employee_id, limits=limits)
    acme.clock.advance(40 * SECOND)
    ask(acme, lead, worker.employee_id, limits=limits)
    acme.clock.advance(minutes(2))
    with pytest.raises(TooManyRequests):
        ask(acme, other, worker.employee_id, limits=limits)


def test_a_tenant_sets_how_long_is_waited_and_how_often_may_be_asked(
    acme: Company, worker: Phone
) -> None:
    lead, other = asker(acme), asker(acme, "second")
    with acme.transaction() as session:
        set_policy(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            kind=PolicyKind.DUTY,
            params={"ask_phone_s": 20, "asked_per_hour": 1},
        )
    asked = ask(acme, lead, worker.employee_id)
    assert seen(acme, lead, asked).due_at == NOON + 20 * SECOND
    with pytest.raises(TooManyRequests):
        ask(acme, other, worker.employee_id)


def test_other_needs_words(acme: Company, worker: Phone) -> None:
    lead = asker(acme)
    with pytest.raises(InvalidInput):
        ask(acme, lead, worker.employee_id, purpose=LocatePurpose.OTHER, reason="  ")
    ask(acme, lead, worker.employee_id, purpose=LocatePurpose.OTHER, reason="lost keys")


def test_the_person_reads_who_asked_and_why_every_time(acme: Company, worker: Phone) -> None:
    lead = asker(acme)
    for _ in range(2):
        ask(acme, lead, worker.employee_id, purpose=LocatePurpose.CUSTOMER)
        acme.clock.advance(minutes(3))
    with acme.transaction() as session:
        looks = looks_at(session, worker.employee_id, tenant_id=acme.tenant_id)
        about = questions_about(
            session,
            tenant_id=acme.tenant_id,
            employee_id=worker.employee_id,
            since_at=NOON - minutes(1),
        )
    assert [(look.actor_name, look.view, look.reason) for look in looks] == [
        ("Lead", "locate", "customer")
    ] * 2
    assert [view.asker_name for view in about] == ["Lead", "Lead"]


def test_somebody_elses_question_does_not_exist(acme: Company, worker: Phone) -> None:
    asked = ask(acme, asker(acme), worker.employee_id)
    with pytest.raises(NotFound):
        seen(acme, asker(acme, "second"), asked)


def test_the_sender_of_commands_hears_of_it_at_commit(acme: Company, worker: Phone) -> None:
    url = acme.urls.engine.replace("postgresql+psycopg", "postgresql")
    lead = asker(acme)
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute(f"LISTEN {COMMANDS_CHANNEL}".encode())
        ask(acme, lead, worker.employee_id)
        heard = [n.payload for n in listener.notifies(timeout=5, stop_after=1)]
    assert heard == [str(worker.device_id)]


def test_the_place_that_answered_goes_with_the_positions_of_its_time(
    acme: Company, worker: Phone
) -> None:
    lead = asker(acme)
    worker.send([worker.fix(NOON - minutes(7))])
    asked = ask(acme, lead, worker.employee_id)
    acme.clock.advance(minutes(1))
    settle(acme)
    assert seen(acme, lead, asked).answer is not None
    for days, answers, questions in ((29, 0, 0), (31, 1, 0), (31, 0, 0), (731, 0, 1)):
        acme.clock.at = NOON + timedelta(days=days)
        with acme.owner.begin() as connection:
            report = forget_past_retention(connection, acme.clock)
        assert (report.answers, report.questions) == (answers, questions), days
