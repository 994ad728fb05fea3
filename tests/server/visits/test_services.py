import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from geo.verdict import canonical_json
from server.errors import Conflict, InvalidInput, NotFound
from server.findings.queries import FindingFilter, list_findings
from server.findings.rules import DayKey, FindingKind, FindingState
from server.main.engine import slices_beside
from server.posts.queries import ExcusalKind, PolicyKind, excusals_between
from server.posts.services import set_policy
from server.sites.queries import sites_by_id
from server.sites.services import change_sites
from server.tracking.engine import Engine
from server.tracking.live import LivePublisher
from server.tracking.retention import forget_past_retention
from server.visits.rules import VisitType
from server.visits.services import (
    accept_pin,
    cancel_visit,
    dismiss_pin,
    queue_visits,
    verify_due,
)
from server.visits.store import RoundKey, load_visit, rounds_due
from tests.factories.calls import call, east_of_post, plan, site, verdicts, verifier
from tests.factories.company import Company
from tests.factories.phones import (
    NINE,
    SIX,
    Phone,
    at_post,
    away,
    forget_everything_derived,
    minutes,
    phone,
)
from tests.factories.scope import everybody

TEN = NINE + minutes(60)
NOON = NINE + minutes(180)


def engine_of(acme: Company, redis: Redis) -> Engine:
    sessions = acme.sessions(acme.engine)
    beside = slices_beside(sessions, acme.clock)
    return Engine(sessions, acme.clock, LivePublisher(redis), on_derived=beside.on_derived)


def excusals(acme: Company, who: Phone) -> list[Any]:
    with acme.transaction() as session:
        return excusals_between(
            session,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            start_at=NINE - timedelta(days=1),
            end_at=SIX + timedelta(days=1),
        )


def settle(acme: Company, engine: Engine, *, rounds: int = 4) -> None:
    """Let engine and verifier go on until nothing is due."""
    for _ in range(rounds):
        engine.run_until_idle()
        acme.clock.at += minutes(3)
        while verifier(acme).run_once():
            continue


def test_a_visit_is_verified_by_itself_when_its_window_is_over(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme, post=False), engine_of(acme, redis_client)
    visit = plan(acme, who.employee_id, site(acme), TEN, NOON)
    who.send([*at_post(who, NINE, TEN), *call(who, TEN + minutes(5), TEN + minutes(35))])
    who.send(at_post(who, TEN + minutes(40), NOON + minutes(10)))
    acme.clock.at = NOON
    engine.run_until_idle()
    assert verifier(acme).run_once() == 0
    acme.clock.at = NOON + minutes(3)
    assert verifier(acme).run_once() == 1
    assert verifier(acme).run_once() == 0
    [(version, verdict, digest, evidence)] = verdicts(acme, visit)
    assert (version, verdict) == (1, "verified")
    assert digest == hashlib.sha256(canonical_json(evidence, sort_keys=True)).hexdigest()
    assert evidence["inputs"]["visit"]["id"] == str(visit)
    assert len(evidence["inputs"]["fixes"]) >= 25
    assert evidence["figures"]["dwell_s"] == pytest.approx(1_800, abs=120)
    assert {item["if"] for item in evidence["would_change"]} == {"stay_below_s", "reach_below_m"}
    assert "lon" not in json.dumps(evidence["figures"])


def test_late_data_makes_another_version_and_the_same_facts_make_none(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme, post=False), engine_of(acme, redis_client)
    visit = plan(acme, who.employee_id, site(acme), TEN, NOON)
    who.send([*at_post(who, NINE, TEN), *at_post(who, TEN + minutes(40), NOON + minutes(10))])
    acme.clock.at = NOON
    settle(acme, engine)
    assert [row.verdict for row in verdicts(acme, visit)] == ["not_observable"]
    who.send(call(who, TEN + minutes(5), TEN + minutes(35)))
    settle(acme, engine)
    found = verdicts(acme, visit)
    assert [(row.version, row.verdict) for row in found] == [(1, "not_observable"), (2, "verified")]
    # The same message again, and a day derived once more, change nothing.
    who.send(call(who, TEN + minutes(5), TEN + minutes(35)))
    with acme.engine_transaction() as session:
        session.execute(
            text(
                "INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)"
                " VALUES (:t, :e, :d, :s)"
            ),
            {"t": acme.tenant_id, "e": who.employee_id, "d": who.work_on, "s": NINE},
        )
    settle(acme, engine)
    assert verdicts(acme, visit) == found


def test_facts_of_long_after_a_visit_do_not_have_it_judged_again(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme, post=False), engine_of(acme, redis_client)
    plan(acme, who.employee_id, site(acme), NINE, TEN)
    acme.clock.at = NOON
    settle(acme, engine)
    who.send(at_post(who, NOON + minutes(5), NOON + minutes(20)))
    acme.clock.at = NOON + minutes(30)
    engine.run_until_idle()
    with acme.engine_transaction() as session:
        assert (
            session.scalar(text("SELECT count(*) FROM planned_visits WHERE due_at IS NOT NULL"))
            == 0
        )


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), parts=st.integers(1, 5))
def test_any_order_of_arrival_ends_in_the_same_newest_verdict(
    acme: Company, redis_client: Redis, seed: int, parts: int
) -> None:
    dice = random.Random(seed)
    forget_everything_derived(acme)
    with acme.owner.begin() as connection:
        for table in ("pin_proposals", "visit_verdicts", "planned_visits", "excusals", "sites"):
            connection.execute(text(f"DELETE FROM {table}"))
    acme.clock.at = NINE - minutes(60)
    who, engine = phone(acme), engine_of(acme, redis_client)
    first = plan(acme, who.employee_id, site(acme, number="A"), TEN, NOON)
    second = plan(acme, who.employee_id, site(acme, number="B", east_m=2_080), TEN, NOON)
    day = [
        *at_post(who, NINE, TEN),
        *call(who, TEN + minutes(5), TEN + minutes(35)),
        *at_post(who, TEN + minutes(40), NOON + minutes(30)),
    ]
    dice.shuffle(day)
    acme.clock.at = NOON + minutes(5)
    for part in range(parts):
        who.send([*day[part::parts], *day[:2]])
        if dice.random() < 0.7:
            engine.run_until_idle()
        acme.clock.at += minutes(dice.choice([1, 4]))
        verifier(acme).run_once()
    settle(acme, engine)
    newest = {visit: verdicts(acme, visit)[-1] for visit in (first, second)}
    assert newest[first].verdict == "verified"
    assert newest[second].verdict == "passed_by"
    assert newest[second].evidence["reasons"] == ["stay_counts_for_another"]
    said = {
        name: (row.evidence["figures"], row.evidence["inputs"]["fixes"])
        for name, row in zip("AB", newest.values(), strict=True)
    }
    expected = _EXPECTED.setdefault("said", said)
    assert said == expected


_EXPECTED: dict[str, Any] = {}


def test_an_assigned_visit_excuses_its_window_and_a_cancelled_one_nothing(acme: Company) -> None:
    who = phone(acme)
    visit = plan(acme, who.employee_id, site(acme), TEN, NOON)
    [excusal] = excusals(acme, who)
    assert (excusal.kind, excusal.starts_at, excusal.ends_at) == (ExcusalKind.VISIT, TEN, NOON)
    with acme.transaction() as session:
        cancel_visit(session, acme.clock, tenant_id=acme.tenant_id, visit_id=visit)
    assert excusals(acme, who) == []
    acme.clock.at = NOON + minutes(10)
    assert verifier(acme).run_once() == 0
    with acme.transaction() as session, pytest.raises(Conflict, match="already_cancelled"):
        cancel_visit(session, acme.clock, tenant_id=acme.tenant_id, visit_id=visit)


def test_a_visit_cancelled_under_judgement_excuses_nothing(acme: Company) -> None:
    who = phone(acme)
    place = site(acme)
    visit = plan(acme, who.employee_id, place, TEN, TEN + minutes(20))
    other = plan(acme, who.employee_id, place, NOON, NOON + minutes(20))
    acme.clock.at = NOON + minutes(60)
    with acme.engine_transaction() as session:
        session.execute(
            text("UPDATE planned_visits SET due_at = NULL WHERE id = :id"), {"id": visit}
        )
    with acme.transaction() as session:
        cancel_visit(session, acme.clock, tenant_id=acme.tenant_id, visit_id=visit)
        assert verifier(acme).run_once() == 0, "it passes over what somebody changes"
    assert verifier(acme).run_once() == 1
    assert verdicts(acme, visit) == []
    assert len(verdicts(acme, other)) == 1
    assert [row.starts_at for row in excusals(acme, who)] == [NOON]


def off_posts(acme: Company) -> list[FindingState]:
    with acme.transaction() as session:
        wanted = FindingFilter(kinds=(FindingKind.OFF_POST,), states=tuple(FindingState))
        return [row.state for row in list_findings(session, everybody(), wanted=wanted).rows]


def test_a_verified_visit_takes_back_the_absence_that_it_explains(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme), engine_of(acme, redis_client)
    # Planned for eleven to noon; the person went at ten already and came back at one.
    eleven = TEN + minutes(60)
    visit = plan(acme, who.employee_id, site(acme), eleven, NOON)
    acme.clock.at = TEN
    who.send(at_post(who, NINE, TEN))
    engine.run_until_idle()
    who.send(call(who, TEN + minutes(5), NOON + minutes(60)))
    acme.clock.at = NOON
    engine.run_until_idle()
    assert FindingState.RETRACTED not in off_posts(acme)
    assert len(off_posts(acme)) >= 1
    who.send(at_post(who, NOON + minutes(65), NOON + minutes(90)))
    acme.clock.at = NOON + minutes(90)
    settle(acme, engine)
    assert [row.verdict for row in verdicts(acme, visit)][-1] == "verified"
    assert set(off_posts(acme)) == {FindingState.RETRACTED}
    spans = [(e.starts_at, e.ends_at) for e in excusals(acme, who)]
    assert len(spans) == 2
    assert min(start for start, _ in spans) <= TEN + minutes(5)


def test_who_was_nowhere_near_the_customer_stays_off_post_outside_the_window(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme), engine_of(acme, redis_client)
    visit = plan(acme, who.employee_id, site(acme), TEN + minutes(60), NOON)
    who.send([*at_post(who, NINE, TEN), *away(who, TEN, NOON + minutes(60), east_m=900)])
    acme.clock.at = NOON + minutes(60)
    settle(acme, engine)
    assert [row.verdict for row in verdicts(acme, visit)] == ["not_visited"]
    assert len(excusals(acme, who)) == 1
    assert FindingState.RETRACTED not in off_posts(acme)
    assert off_posts(acme) != []


def test_a_stay_freed_by_a_cancelled_visit_counts_for_the_other(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme, post=False), engine_of(acme, redis_client)
    near = plan(acme, who.employee_id, site(acme, number="A"), TEN, NOON)
    far = plan(acme, who.employee_id, site(acme, number="B", east_m=2_060), TEN, NOON)
    who.send([*at_post(who, NINE, TEN), *call(who, TEN + minutes(5), TEN + minutes(35))])
    who.send(at_post(who, TEN + minutes(40), NOON + minutes(10)))
    acme.clock.at = NOON + minutes(10)
    settle(acme, engine)
    assert verdicts(acme, far)[-1].verdict == "passed_by"
    with acme.transaction() as session:
        cancel_visit(session, acme.clock, tenant_id=acme.tenant_id, visit_id=near)
    settle(acme, engine)
    assert verdicts(acme, far)[-1].verdict == "verified"


def test_thresholds_are_those_of_the_tenant_when_the_window_began(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme, post=False), engine_of(acme, redis_client)
    with acme.transaction() as session:
        set_policy(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            kind=PolicyKind.VISIT,
            params={"regular_s": 3_600},
        )
    visit = plan(acme, who.employee_id, site(acme), TEN, NOON)
    who.send([*at_post(who, NINE, TEN), *call(who, TEN + minutes(5), TEN + minutes(35))])
    who.send(at_post(who, TEN + minutes(40), NOON + minutes(10)))
    acme.clock.at = NOON + minutes(10)
    settle(acme, engine)
    [found] = verdicts(acme, visit)
    assert found.verdict == "passed_by"
    assert found.evidence["policy_version"] == "visit:1"


def three_calls_beside_the_pin(acme: Company, engine: Engine) -> tuple[Any, list[Any]]:
    place = site(acme, east_m=1_800.0)
    visits = []
    for n, name in enumerate("abc"):
        who = phone(acme, name=name, post=False)
        visits.append(plan(acme, who.employee_id, place, TEN, NOON))
        off_m = 2_000.0 + 8 * n
        who.send([*at_post(who, NINE, TEN), *at_post(who, TEN + minutes(40), NOON + minutes(10))])
        who.send(call(who, TEN + minutes(5), TEN + minutes(35), east_m=off_m))
    acme.clock.at = NOON + minutes(10)
    settle(acme, engine)
    return place, visits


def proposals(acme: Company) -> list[Any]:
    with acme.engine_transaction() as session:
        return list(
            session.execute(
                text("SELECT id, state, evidence FROM pin_proposals ORDER BY proposed_at, id")
            )
        )


def test_three_people_beside_a_pin_propose_to_move_it_and_accepting_judges_them_again(
    acme: Company, redis_client: Redis
) -> None:
    engine = engine_of(acme, redis_client)
    place, visits = three_calls_beside_the_pin(acme, engine)
    assert {verdicts(acme, visit)[-1].verdict for visit in visits} <= {"not_visited", "passed_by"}
    [(proposal_id, state, evidence)] = proposals(acme)
    assert state == "open"
    assert evidence["figures"]["people"] == 3
    assert evidence["figures"]["off_m"] == pytest.approx(208, abs=15)
    with acme.transaction() as session:
        moved = accept_pin(session, acme.clock, tenant_id=acme.tenant_id, proposal_id=proposal_id)
    assert moved == 3
    settle(acme, engine)
    assert {verdicts(acme, visit)[-1].verdict for visit in visits} == {"verified"}
    assert len(verdicts(acme, visits[0])) == 2
    with acme.transaction() as session:
        facts = sites_by_id(session, tenant_id=acme.tenant_id, ids=[place])[place]
        assert facts.position is not None
        assert facts.position[0] == pytest.approx(east_of_post(2_008)[0], abs=1e-4)
        with pytest.raises(Conflict, match="already_decided"):
            accept_pin(session, acme.clock, tenant_id=acme.tenant_id, proposal_id=proposal_id)
    assert [row.state for row in proposals(acme)] == ["accepted"]


def test_what_was_dismissed_is_not_proposed_again(acme: Company, redis_client: Redis) -> None:
    engine = engine_of(acme, redis_client)
    place, _visits = three_calls_beside_the_pin(acme, engine)
    [(proposal_id, *_rest)] = proposals(acme)
    with acme.transaction() as session:
        dismiss_pin(session, acme.clock, tenant_id=acme.tenant_id, proposal_id=proposal_id)
    acme.clock.at = NINE - minutes(30)
    who = phone(acme, name="d", post=False)
    plan(acme, who.employee_id, place, TEN, NOON)
    who.send([*at_post(who, NINE, TEN), *call(who, TEN + minutes(5), TEN + minutes(35))])
    acme.clock.at = NOON + minutes(10)
    settle(acme, engine)
    assert [row.state for row in proposals(acme)] == ["dismissed"]


@pytest.mark.parametrize(
    ("state", "kept"), [("open", 30), ("withdrawn", 30), ("accepted", 30), ("dismissed", 365)]
)
def test_a_proposal_goes_when_nobody_needs_it(
    acme: Company, redis_client: Redis, state: str, kept: int
) -> None:
    three_calls_beside_the_pin(acme, engine_of(acme, redis_client))
    made_at = acme.clock.at
    with acme.engine_transaction() as session:
        session.execute(
            text(
                "UPDATE pin_proposals SET proposed_at = :at, state = :state,"
                " decided_at = CASE WHEN :state = 'open' THEN NULL ELSE CAST(:at AS timestamptz)"
                " END"
            ),
            {"at": made_at, "state": state},
        )
    for days, gone in ((kept, 0), (kept + 1, 1)):
        acme.clock.at = made_at + timedelta(days=days)
        with acme.owner.begin() as connection:
            assert forget_past_retention(connection, acme.clock).pin_proposals == gone
    assert proposals(acme) == []


def test_a_customer_who_moves_makes_no_past_visit_wrong(acme: Company, redis_client: Redis) -> None:
    who, engine = phone(acme, post=False), engine_of(acme, redis_client)
    place = site(acme)
    visit = plan(acme, who.employee_id, place, TEN, NOON)
    who.send([*at_post(who, NINE, TEN), *call(who, TEN + minutes(5), TEN + minutes(35))])
    acme.clock.at = NOON + minutes(10)
    settle(acme, engine)
    assert verdicts(acme, visit)[-1].verdict == "verified"
    with acme.transaction() as session:
        facts = sites_by_id(session, tenant_id=acme.tenant_id, ids=[place])[place]
        change_sites(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            sites={place: replace(facts, position=east_of_post(50_000))},
        )
    who.send(at_post(who, TEN + minutes(40), NOON + minutes(10)))
    settle(acme, engine)
    assert {row.verdict for row in verdicts(acme, visit)} == {"verified"}


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ((NOON, TEN), "empty_span"),
        ((TEN, TEN + timedelta(hours=25)), "span_too_long"),
        ((TEN - timedelta(days=40), NOON - timedelta(days=40)), "visit_too_old"),
    ],
)
def test_what_cannot_be_a_visit_is_refused(acme: Company, span: Any, code: str) -> None:
    who = phone(acme)
    with pytest.raises(InvalidInput) as refusal:
        plan(acme, who.employee_id, site(acme), *span)
    assert refusal.value.code == code
    with acme.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM planned_visits")) == 0
        assert session.scalar(text("SELECT count(*) FROM excusals")) == 0


def test_nobody_is_sent_to_a_site_that_is_closed_or_nowhere(acme: Company) -> None:
    who, place = phone(acme), site(acme)
    with acme.owner.begin() as connection:
        connection.execute(text("UPDATE sites SET position = NULL"))
    with pytest.raises(Conflict) as refusal:
        plan(acme, who.employee_id, place, TEN, NOON)
    assert refusal.value.code == "site_without_position"
    with acme.owner.begin() as connection:
        connection.execute(text("UPDATE sites SET active = false"))
    with pytest.raises(Conflict) as refusal:
        plan(acme, who.employee_id, place, TEN, NOON)
    assert refusal.value.code == "site_closed"
    with pytest.raises(NotFound):
        plan(acme, who.employee_id, who.employee_id, TEN, NOON)


def test_a_batch_loads_fixes_once_whatever_the_number_of_people(
    acme: Company,
    statement_counter: Callable[[Any], AbstractContextManager[Any]],
) -> None:
    place, counts = site(acme), []
    for size in (2, 6):
        acme.clock.at = NINE - minutes(60)
        for _ in range(size):
            who = phone(acme, post=False)
            plan(acme, who.employee_id, place, TEN, NOON, kind=VisitType.COLD)
            who.send(away(who, TEN, TEN + minutes(30), east_m=900))
        acme.clock.at = NOON + minutes(10)
        with statement_counter(acme.engine) as counted:
            assert verifier(acme).run_once() == size
        counts.append(counted.count)
    assert counts[0] == counts[1]
    assert counts[0] <= 14


def test_workers_share_the_work_and_judge_nothing_twice(acme: Company) -> None:
    place = site(acme)
    visits = []
    for _ in range(6):
        who = phone(acme, post=False)
        visits.append(plan(acme, who.employee_id, place, TEN, NOON))
    acme.clock.at = NOON + minutes(10)
    done: list[int] = []

    def work() -> None:
        while count := verifier_of_two(acme):
            done.append(count)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    while verifier(acme).run_once():
        continue
    assert [len(verdicts(acme, visit)) for visit in visits] == [1] * 6


def verifier_of_two(acme: Company) -> int:
    with acme.engine_transaction() as session:
        return verify_due(session, acme.clock, limit=2)


def test_the_thread_judges_and_ends(acme: Company) -> None:
    who = phone(acme, post=False)
    visit = plan(acme, who.employee_id, site(acme), TEN, NOON)
    acme.clock.at = NOON + minutes(10)
    thread = verifier(acme)
    thread.start()
    deadline = time.monotonic() + 20
    while not verdicts(acme, visit) and time.monotonic() < deadline:
        time.sleep(0.05)
    thread.stop()
    assert not thread.is_alive()
    assert [row.verdict for row in verdicts(acme, visit)] == ["not_observable"]


def test_a_verdict_that_cannot_be_saved_keeps_no_other_waiting(acme: Company) -> None:
    place, visits = site(acme), []
    for _ in range(3):
        who = phone(acme, post=False)
        visits.append(plan(acme, who.employee_id, place, TEN, NOON))
    bad, *good = visits
    acme.clock.at = NOON + minutes(10)
    with acme.owner.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN RAISE EXCEPTION ''refused''; END';"
                "CREATE TRIGGER refuse BEFORE INSERT ON visit_verdicts FOR EACH ROW"
                f" WHEN (NEW.visit_id = '{bad}') EXECUTE FUNCTION refuse()"
            )
        )
    judge = verifier(acme)
    assert judge.run_once() == 2
    assert [len(verdicts(acme, visit)) for visit in good] == [1, 1]
    assert judge.run_once() == 0, "it waits before it is tried again"
    with acme.owner.begin() as connection:
        connection.execute(text("DROP TRIGGER refuse ON visit_verdicts"))
    acme.clock.advance(timedelta(seconds=10))
    assert judge.run_once() == 1
    assert len(verdicts(acme, bad)) == 1


class Rival:
    """Somebody who locks in a thread of their own while a test goes on."""

    def __init__(self, acme: Company, work: Callable[[Any], object]) -> None:
        self.error: Exception | None = None

        def run() -> None:
            try:
                with acme.engine_transaction() as session:
                    work(session)
            except DBAPIError as error:
                self.error = error

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def blocked(self, acme: Company) -> bool:
        """Wait until it waits for a lock, or is through; tell which."""
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while self.thread.is_alive():
            with acme.owner.connect() as connection:
                if connection.scalar(waits):
                    return True
        return False

    def join(self) -> None:
        self.thread.join(20)
        assert not self.thread.is_alive()
        assert self.error is None


def two_of_a_round(acme: Company) -> tuple[Phone, Any, Any]:
    """Two judged visits of one person and date, the first by id and by place in the table first."""
    who = phone(acme)
    place = site(acme)
    first = plan(acme, who.employee_id, place, TEN, TEN + minutes(20))
    second = plan(acme, who.employee_id, place, NOON, NOON + minutes(20))
    acme.clock.at = NOON + minutes(60)
    assert verifier(acme).run_once() == 2
    return who, first, second


def queue_day(acme: Company, who: Phone, session: Any) -> None:
    """What the engine does in the transaction that derives a day."""
    queue_visits(session, acme.clock, {DayKey(acme.tenant_id, who.employee_id, NINE.date()): NINE})


def test_a_judge_and_the_engine_never_wait_for_each_other(acme: Company) -> None:
    """The judge has the second visit of a round, the engine the first and wants the second."""
    who, _first, second = two_of_a_round(acme)
    with acme.engine_transaction() as session:
        session.execute(
            text("UPDATE planned_visits SET due_at = :now WHERE id = :id"),
            {"now": acme.clock.at, "id": second},
        )
    with acme.engine_transaction() as judge:
        judge.execute(text("SELECT FROM planned_visits WHERE id = :id FOR UPDATE"), {"id": second})
        engine = Rival(acme, lambda session: queue_day(acme, who, session))
        assert engine.blocked(acme)
        assert verify_due(judge, acme.clock) == 0, "a round that somebody changes is left to later"
    engine.join()
    acme.clock.at += minutes(3)
    assert verifier(acme).run_once() == 2


def test_who_cancels_and_the_engine_lock_a_round_in_one_order(acme: Company) -> None:
    who, _first, second = two_of_a_round(acme)
    with acme.transaction() as session:
        visit = load_visit(session, tenant_id=acme.tenant_id, visit_id=second)
        engine = Rival(acme, lambda session: queue_day(acme, who, session))
        assert engine.blocked(acme)
        key = RoundKey(acme.tenant_id, visit.employee_id, visit.on_date)
        rounds_due(session, [key], at=acme.clock.at)
    engine.join()


def test_a_second_write_that_fails_leaves_nothing(acme: Company) -> None:
    who = phone(acme)
    place = site(acme)
    with pytest.raises(NotFound):
        plan(acme, place, place, TEN, NOON)
    with acme.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM planned_visits")) == 0
    assert excusals(acme, who) == []


def test_places_go_with_positions_and_visits_after_two_years(
    acme: Company, redis_client: Redis
) -> None:
    who, engine = phone(acme, post=False), engine_of(acme, redis_client)
    visit = plan(acme, who.employee_id, site(acme), TEN, NOON)
    who.send([*at_post(who, NINE, TEN), *call(who, TEN + minutes(5), TEN + minutes(35))])
    acme.clock.at = NOON + minutes(10)
    settle(acme, engine)
    before = verdicts(acme, visit)
    count = text("SELECT count(*), count(place) FROM visit_verdicts")
    with acme.engine_transaction() as session:
        assert tuple(session.execute(count).one()) == (1, 1)
    acme.clock.at = NOON + timedelta(days=40)
    with acme.owner.begin() as connection:
        assert forget_past_retention(connection, acme.clock).visit_places == 1
    with acme.engine_transaction() as session:
        assert tuple(session.execute(count).one()) == (1, 0)
    # A day without positions is not judged again: nothing known is not nothing done.
    with acme.owner.begin() as connection:
        connection.execute(text("UPDATE planned_visits SET due_at = now() - interval '1 day'"))
    verifier(acme).run_once()
    assert verdicts(acme, visit) == before
    acme.clock.at = NOON + timedelta(days=800)
    with acme.owner.begin() as connection:
        assert forget_past_retention(connection, acme.clock).visits == 1
    assert verdicts(acme, visit) == []
