"""Claims on the real database: checked, amended by late data, decided once by somebody else."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from server.claims.auditor import Auditor
from server.claims.queries import (
    ClaimDetail,
    ClaimFilter,
    ClaimState,
    ClaimVerdict,
    claims_in_scope,
    get_claim,
    list_claims,
)
from server.claims.services import (
    bring_claim,
    decide_claim,
    discard_draft,
    explain_claim,
    queue_audits,
    save_draft,
    submit_claim,
)
from server.db.engine import make_engine, make_session_factory
from server.errors import Conflict, InvalidInput, NotFound
from server.findings.rules import DayKey
from server.main.engine import slices_beside
from server.people.rules import Action
from server.posts.queries import ExcusalKind
from server.posts.services import excuse
from server.tracking.engine import Engine
from server.tracking.live import LivePublisher
from server.tracking.retention import RetentionReport, forget_past_retention
from tests.factories.desk import DAY, NOON, Desk
from tests.factories.footprints import nine, tread
from tests.factories.journeys import (
    accountant,
    as_engine,
    check,
    claim_of,
    drive,
    hand_in,
    mileage,
)
from tests.factories.world import ZONE


def detail(office: Desk, claim_id: UUID) -> ClaimDetail:
    with office.transaction() as session:
        who = accountant(office)
        scope = claims_in_scope(who, Action.VIEW_CLAIMS, now=office.clock.now())
        return get_claim(session, scope, claim_id)


def decide(
    office: Desk,
    claim_id: UUID,
    decision: ClaimState = ClaimState.REDUCED,
    *,
    login: str = "finance",
    seen: ClaimDetail | None = None,
    reason: str = "more than was driven",
) -> Decimal:
    seen = seen or detail(office, claim_id)
    with office.transaction() as session:
        return decide_claim(
            session,
            office.clock,
            accountant(office, login),
            claim_id=claim_id,
            decision=decision,
            reason=reason,
            seen_version=seen.row.version,
            seen_check=seen.row.check_version,
        )


def rederived(office: Desk, name: str = "employee") -> None:
    """What the engine does after late data came: the day was derived anew."""
    with as_engine(office) as session:
        day = DayKey(office.alpha.id, office.alpha.people[name], DAY)
        queue_audits(session, office.clock, {day: nine()})
    office.clock.advance(timedelta(minutes=1))
    check(office)


def test_an_honest_claim_is_supported_and_a_padded_one_is_over(office: Desk) -> None:
    tread(office, "employee", drive())
    honest = hand_in(office, "employee", mileage("43.2"))
    padded = hand_in(office, "peer", mileage("70.0"))
    tread(office, "peer", drive())
    assert check(office) == 2
    assert check(office) == 0, "what was looked at is not due any more"
    good, bad = detail(office, honest), detail(office, padded)
    assert good.row.verdict is ClaimVerdict.SUPPORTED
    assert good.row.claimed_amount == good.row.suggested_amount == Decimal("51.84")
    assert good.row.at_stake == 0
    assert bad.row.verdict is ClaimVerdict.OVER
    assert bad.row.claimed_amount == Decimal("84.00")
    assert bad.row.suggested_amount is not None
    # The last twenty minutes of the span nobody saw; they have room for some kilometres.
    assert Decimal("51.84") <= bad.row.suggested_amount < Decimal("70.00")
    assert bad.row.at_stake == bad.row.claimed_amount - bad.row.suggested_amount
    (line,) = bad.checks[0].lines
    evidence = line["evidence"]
    assert evidence["rule"] == "claim"
    assert evidence["thresholds"]
    assert evidence["inputs"]["fixes"]["count"] == len(drive())


def test_money_at_stake_sorts_the_list(office: Desk) -> None:
    for name, km in (("employee", "60.0"), ("peer", "90.0"), ("other_team", "43.0")):
        tread(office, name, drive())
        hand_in(office, name, mileage(km))
    check(office)
    with office.transaction() as session:
        scope = claims_in_scope(accountant(office), Action.VIEW_CLAIMS, now=office.clock.now())
        page = list_claims(session, scope, wanted=ClaimFilter())
        over = list_claims(session, scope, wanted=ClaimFilter(verdicts=[ClaimVerdict.OVER]))
    stakes = [row.at_stake for row in page.rows]
    assert stakes == sorted(stakes, key=lambda s: -(s or 0))
    assert page.rows[0].employee_name.startswith("peer")
    assert over.total == 2


def test_the_same_facts_write_no_second_version(office: Desk) -> None:
    tread(office, "employee", drive())
    claim_id = hand_in(office, "employee", mileage("70.0"))
    check(office)
    first = detail(office, claim_id)
    rederived(office)
    again = detail(office, claim_id)
    assert not again.waiting
    assert [c.version for c in again.checks] == [1]
    assert again.checks[0].digest == first.checks[0].digest


def test_late_data_makes_the_next_version_before_the_decision(office: Desk) -> None:
    tread(office, "employee", drive(until=50))
    claim_id = hand_in(office, "employee", mileage("43.2"))
    check(office)
    assert detail(office, claim_id).row.verdict is ClaimVerdict.CANNOT_TELL
    late = drive()[len(drive(until=50)) :]
    tread(office, "employee", late)
    rederived(office)
    found = detail(office, claim_id)
    assert [c.version for c in found.checks] == [2, 1]
    assert found.row.verdict is ClaimVerdict.SUPPORTED
    assert not found.row.amended


def test_the_engine_has_a_claim_checked_again_whose_day_it_derives_anew(
    office: Desk, redis_client: Redis
) -> None:
    office.roster("employee")
    tread(office, "employee", drive(until=50))
    claim_id = hand_in(office, "employee", mileage("43.2"))
    check(office)
    assert not detail(office, claim_id).waiting
    tread(office, "employee", [s for s in drive() if s.minute >= 50])
    with as_engine(office) as session:
        touched = {"t": office.alpha.id, "e": office.alpha.people["employee"], "on": DAY}
        session.execute(text("DELETE FROM touched_days"))
        session.execute(
            text(
                "INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at) "
                "VALUES (:t, :e, :on, :since)"
            ),
            touched | {"since": nine()},
        )
    database = make_engine(office.urls.engine, pool_size=2)
    sessions = make_session_factory(database)
    beside = slices_beside(sessions, office.clock)
    publisher = LivePublisher(redis_client)
    Engine(sessions, office.clock, publisher, on_derived=beside.on_derived).run_until_idle()
    database.dispose()
    assert detail(office, claim_id).waiting
    assert check(office) == 0, "late data comes in bursts: not at once"
    office.clock.advance(timedelta(minutes=1))
    assert check(office) == 1
    assert [c.version for c in detail(office, claim_id).checks] == [2, 1]


def test_late_data_after_the_decision_is_an_amendment_and_never_an_edit(office: Desk) -> None:
    tread(office, "employee", drive(until=95))
    claim_id = hand_in(office, "employee", mileage("70.0"))
    check(office)
    amount = decide(office, claim_id)
    before = detail(office, claim_id)
    tread(office, "employee", [s for s in drive() if s.minute >= 95])
    rederived(office)
    found = detail(office, claim_id)
    assert found.row.amended
    assert found.row.state is ClaimState.REDUCED
    assert found.row.approved_amount == amount == before.row.approved_amount
    assert found.decided_check == 1
    assert found.checks[-1] == before.checks[0], "what the decision saw stays as it was"


def test_of_two_who_decide_at_once_one_wins(office: Desk) -> None:
    tread(office, "employee", drive())
    claim_id = hand_in(office, "employee", mileage("70.0"))
    check(office)
    seen, gate = detail(office, claim_id), Barrier(2)

    def judge(decision: ClaimState) -> str:
        gate.wait(10)
        try:
            decide(office, claim_id, decision, seen=seen)
        except Conflict as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(judge, (ClaimState.APPROVED, ClaimState.RETURNED)))
    assert sorted(said) == ["claim_moved_on", "done"]
    found = detail(office, claim_id)
    winner = (ClaimState.APPROVED, ClaimState.RETURNED)[said.index("done")]
    assert found.row.state is winner
    with office.transaction() as session:
        events = session.scalars(
            text("SELECT detail->>'decision' FROM security_events WHERE kind = 'claim_decided'")
        ).all()
    assert events == [winner.value]


def waiting(office: Desk, count: int) -> None:
    """Wait until so many wait for a lock."""
    engine = make_engine(office.urls.owner, pool_size=1)
    sql, until = text("SELECT count(*) FROM pg_locks WHERE NOT granted"), time.monotonic() + 20
    seen = -1
    while seen != count:
        assert time.monotonic() < until
        with engine.connect() as connection:
            seen = connection.scalar(sql)
    engine.dispose()


def test_two_who_return_claims_of_the_same_days_never_wait_for_each_other(office: Desk) -> None:
    """Returning one has the other checked again, and the other way round."""
    first, second = (hand_in(office, "employee", mileage("43.2")) for _ in range(2))
    check(office)
    seen = {claim: detail(office, claim) for claim in (first, second)}

    def give_back(claim: UUID) -> Decimal:
        return decide(office, claim, ClaimState.RETURNED, seen=seen[claim])

    with ThreadPoolExecutor(2) as pool:
        with as_engine(office) as session:
            lock = text("SELECT FROM travel_claims WHERE id = :id FOR UPDATE")
            session.execute(lock, {"id": second})
            one = pool.submit(give_back, second)
            waiting(office, 1)
            other = pool.submit(give_back, first)
            waiting(office, 2)
        assert one.result(20) == other.result(20) == 0
    assert {detail(office, claim).row.state for claim in seen} == {ClaimState.RETURNED}


def test_a_check_that_cannot_be_saved_keeps_no_other_waiting(office: Desk) -> None:
    bad, good = (hand_in(office, name, mileage("43.2")) for name in ("employee", "peer"))
    owner, database = (
        make_engine(url, pool_size=1) for url in (office.urls.owner, office.urls.engine)
    )
    auditor = Auditor(make_session_factory(database), office.clock)
    try:
        with owner.begin() as connection:
            connection.execute(
                text(
                    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN RAISE EXCEPTION ''refused''; END';"
                    "CREATE TRIGGER refuse BEFORE INSERT ON claim_checks FOR EACH ROW"
                    f" WHEN (NEW.claim_id = '{bad}') EXECUTE FUNCTION refuse()"
                )
            )
        for _ in range(2):
            with suppress(DBAPIError):
                auditor.run_once()
        assert detail(office, good).checks
        assert auditor.run_once() == 0, "it waits before it is tried again"
    finally:
        with owner.begin() as connection:
            connection.execute(text("DROP FUNCTION refuse CASCADE"))
        owner.dispose()
    office.clock.advance(timedelta(minutes=11))
    assert auditor.run_once() == 1
    database.dispose()
    assert detail(office, bad).checks


def test_what_changed_since_the_page_was_read_stops_a_decision(office: Desk) -> None:
    tread(office, "employee", drive())
    claim_id = hand_in(office, "employee", mileage("70.0"))
    with pytest.raises(Conflict, match="not_checked_yet"):
        decide(office, claim_id)
    check(office)
    seen = detail(office, claim_id)
    with office.transaction() as session:
        explain_claim(
            session,
            tenant_id=office.alpha.id,
            employee_id=office.alpha.people["employee"],
            claim_id=claim_id,
            explanation=" a detour round the flood ",
        )
    with pytest.raises(Conflict, match="claim_moved_on"):
        decide(office, claim_id, seen=seen)
    assert detail(office, claim_id).explanation == "a detour round the flood"
    decide(office, claim_id)
    with office.transaction() as session, pytest.raises(Conflict, match="already_decided"):
        explain_claim(
            session,
            tenant_id=office.alpha.id,
            employee_id=office.alpha.people["employee"],
            claim_id=claim_id,
            explanation="too late",
        )


def test_nobody_decides_their_own_claim_not_even_around_the_service(office: Desk) -> None:
    claim_id = hand_in(office, "finance", mileage("5.0"))
    check(office)
    with pytest.raises(Conflict, match="own_claim"):
        decide(office, claim_id)
    own = {"id": claim_id, "me": office.alpha.people["finance"]}
    sql = (
        "UPDATE travel_claims SET state = 'approved', decided_at = now(), decider_id = :me "
        "WHERE id = :id"
    )
    with pytest.raises(IntegrityError, match="other_decides"), office.transaction() as session:
        session.execute(text(sql), own)


def bring(office: Desk, name: str, *, reason: str = "handed in on paper") -> UUID:
    with office.transaction() as session:
        return bring_claim(
            session,
            office.clock,
            accountant(office),
            employee_id=office.alpha.people[name],
            document=claim_of(mileage("70.0")),
            reason=reason,
        )


def test_who_brings_a_claim_says_why_and_neither_reads_its_check_nor_decides_it(
    office: Desk,
) -> None:
    tread(office, "employee", drive())
    with pytest.raises(InvalidInput, match="reason_missing"):
        bring(office, "employee", reason=" ")
    claim_id = bring(office, "employee")
    check(office)
    hidden = detail(office, claim_id)
    assert hidden.checks == []
    assert hidden.row.withheld
    assert (hidden.row.verdict, hidden.row.suggested_amount, hidden.row.at_stake) == (None,) * 3
    assert hidden.brought_reason == "handed in on paper"
    with pytest.raises(Conflict, match="brought_claim"):
        decide(office, claim_id)
    colleague = accountant(office, "admin")
    with office.transaction() as session:
        scope = claims_in_scope(colleague, Action.VIEW_CLAIMS, now=office.clock.now())
        seen = get_claim(session, scope, claim_id)
        assert seen.row.verdict is ClaimVerdict.OVER
        [look] = session.execute(
            text("SELECT purpose, reason FROM access_log WHERE view = 'claim_brought'")
        ).all()
    assert tuple(look) == ("claim_review", "handed in on paper")
    decide(office, claim_id, seen=seen, login="admin")
    assert detail(office, claim_id).row.verdict is ClaimVerdict.OVER, "a payment was decided"


def test_a_claim_that_was_brought_and_returned_never_tells_its_bringer(office: Desk) -> None:
    tread(office, "employee", drive())
    claim_id = bring(office, "employee")
    check(office)
    with office.transaction() as session:
        scope = claims_in_scope(
            accountant(office, "admin"), Action.VIEW_CLAIMS, now=office.clock.now()
        )
        seen = get_claim(session, scope, claim_id)
    decide(office, claim_id, ClaimState.RETURNED, seen=seen, login="admin")
    assert detail(office, claim_id).checks == []


def test_ones_own_claim_may_come_as_a_file_and_needs_no_reason(office: Desk) -> None:
    claim_id = bring(office, "finance", reason="")
    check(office)
    found = detail(office, claim_id)
    assert found.checks
    assert found.brought_by is None


def test_nobody_decides_what_they_brought_not_even_around_the_service(office: Desk) -> None:
    claim_id = bring(office, "employee")
    sql = (
        "UPDATE travel_claims SET state = 'approved', decided_at = now(), decided_by = created_by "
        "WHERE id = :id"
    )
    with pytest.raises(IntegrityError, match="other_brought"), office.transaction() as session:
        session.execute(text(sql), {"id": claim_id})


@pytest.fixture
def upkeep(office: Desk) -> Iterator[Callable[[timedelta], RetentionReport]]:
    """What upkeep does so long after noon of the day."""
    owner = make_engine(office.urls.owner, pool_size=1)

    def run(after: timedelta) -> RetentionReport:
        office.clock.advance(NOON + after - office.clock.now())
        with owner.begin() as connection:
            return forget_past_retention(connection, office.clock)

    yield run
    owner.dispose()


def test_drafts_go_after_ninety_days_and_what_was_handed_in_stays(
    office: Desk, upkeep: Callable[[timedelta], RetentionReport]
) -> None:
    mine: dict[str, Any] = {
        "tenant_id": office.alpha.id,
        "employee_id": office.alpha.people["employee"],
    }
    with office.transaction() as session:
        save_draft(session, zone=ZONE, account_id=None, document=claim_of(mileage("5.0")), **mine)
    kept = hand_in(office, "employee", mileage("5.0"))
    with office.transaction() as session:
        session.execute(text("UPDATE travel_claims SET created_at = :noon"), {"noon": NOON})
    assert upkeep(timedelta(days=90)).claim_drafts == 0
    assert upkeep(timedelta(days=91)).claim_drafts == 1
    assert detail(office, kept).row.state is ClaimState.SUBMITTED


def test_what_positions_showed_goes_after_two_years_and_the_decision_after_ten(
    office: Desk, upkeep: Callable[[timedelta], RetentionReport]
) -> None:
    tread(office, "employee", drive())
    paid, returned = (hand_in(office, name, mileage("43.2")) for name in ("employee", "peer"))
    check(office)
    decide(office, paid, ClaimState.REDUCED)
    decide(office, returned, ClaimState.RETURNED)
    before = detail(office, paid)
    done = upkeep(timedelta(days=730))
    assert (done.claim_checks, done.claims) == (0, 0)
    assert detail(office, paid) == before
    done = upkeep(timedelta(days=732))
    assert (done.claim_checks, done.claims) == (2, 1)
    found = detail(office, paid)
    assert found.checks == []
    assert found.row.verdict is None
    assert found.row.approved_amount == before.row.approved_amount
    assert found.decision_reason == before.decision_reason
    assert upkeep(timedelta(days=3_650)).claims == 0
    assert upkeep(timedelta(days=3_660)).claims == 1


def test_a_reason_is_owed_unless_a_supported_claim_is_approved(office: Desk) -> None:
    tread(office, "employee", drive())
    tread(office, "peer", drive())
    honest = hand_in(office, "employee", mileage("43.2"))
    padded = hand_in(office, "peer", mileage("70.0"))
    check(office)
    for claim_id, decision, owed in (
        (padded, ClaimState.APPROVED, True),
        (honest, ClaimState.RETURNED, True),
        (honest, ClaimState.APPROVED, False),
    ):
        refused = pytest.raises(InvalidInput, match="reason_missing") if owed else nullcontext()
        with refused:
            decide(office, claim_id, decision, reason=" ")


def test_a_span_claimed_twice_goes_to_a_person_with_the_earlier_claim_named(office: Desk) -> None:
    tread(office, "employee", drive())
    first = hand_in(office, "employee", mileage("43.2"))
    office.clock.advance(timedelta(minutes=1))
    second = hand_in(office, "employee", mileage("36.0", start_min=30, hours=1.5))
    check(office)
    assert detail(office, first).row.verdict is ClaimVerdict.SUPPORTED
    found = detail(office, second)
    assert found.row.verdict is ClaimVerdict.CANNOT_TELL
    (line,) = found.checks[0].lines
    assert line["reasons"][0] == "claimed_twice"
    assert line["evidence"]["inputs"]["claimed_twice"] == [str(first)]
    assert found.row.at_stake == found.row.claimed_amount


def test_what_was_claimed_twice_stands_by_itself_once_the_earlier_claim_is_returned(
    office: Desk,
) -> None:
    tread(office, "employee", drive())
    first = hand_in(office, "employee", mileage("43.2"))
    office.clock.advance(timedelta(minutes=1))
    second = hand_in(office, "employee", mileage("43.2"))
    other = hand_in(office, "peer", mileage("43.2"))
    assert check(office) == 3
    decide(office, first, ClaimState.RETURNED)
    assert check(office) == 1
    found = detail(office, second)
    assert found.row.verdict is ClaimVerdict.SUPPORTED
    assert [c.version for c in found.checks] == [2, 1]
    assert len(detail(office, other).checks) == 1


def test_what_is_claimed_of_a_day_on_leave_goes_to_a_person(office: Desk) -> None:
    tread(office, "employee", drive())
    with office.transaction() as session:
        excuse(
            session,
            office.clock,
            tenant_id=office.alpha.id,
            employee_id=office.alpha.people["employee"],
            kind=ExcusalKind.LEAVE,
            starts_at=nine(),
            ends_at=nine() + timedelta(hours=9),
            note="leave",
        )
    claim_id = hand_in(office, "employee", mileage("43.2"))
    check(office)
    (line,) = detail(office, claim_id).checks[0].lines
    assert line["verdict"] == "cannot_tell"
    assert "on_leave" in line["reasons"]


def test_a_draft_is_its_owners_alone_until_it_is_handed_in(office: Desk) -> None:
    tenant = office.alpha
    mine: dict[str, Any] = {"tenant_id": tenant.id, "employee_id": tenant.people["employee"]}
    write: dict[str, Any] = {"zone": ZONE, "account_id": tenant.logins["employee"].account_id}
    with office.transaction() as session:
        claim_id = save_draft(session, document=claim_of(mileage("5.0")), **mine, **write)
    with pytest.raises(NotFound):
        detail(office, claim_id)
    theirs = mine | {"employee_id": tenant.people["peer"]}
    with pytest.raises(NotFound), office.transaction() as session:
        submit_claim(session, office.clock, claim_id=claim_id, zone=ZONE, **theirs)
    with pytest.raises(NotFound), office.transaction() as session:
        discard_draft(session, claim_id=claim_id, **theirs)
    ahead = claim_of(mileage("5.0", start_min=24 * 60))
    with office.transaction() as session:
        save_draft(session, document=ahead, claim_id=claim_id, **mine, **write)
    with pytest.raises(Conflict, match="not_over_yet"), office.transaction() as session:
        submit_claim(session, office.clock, claim_id=claim_id, zone=ZONE, **mine)
    with office.transaction() as session:
        discard_draft(session, claim_id=claim_id, **mine)
        assert session.scalar(text("SELECT count(*) FROM travel_claims")) == 0


def test_a_claim_past_the_retention_of_positions_keeps_its_check(office: Desk) -> None:
    tread(office, "employee", drive())
    claim_id = hand_in(office, "employee", mileage("70.0"))
    check(office)
    office.clock.advance(timedelta(days=40))
    with as_engine(office) as session:
        session.execute(text("UPDATE travel_claims SET due_at = now() - interval '9 years'"))
    assert check(office) == 1
    assert [c.version for c in detail(office, claim_id).checks] == [1]


@pytest.mark.parametrize(
    "broken",
    ["'{}'", "jsonb_set(document, '{lines,0,start}', '\"9999-12-31T23:00:00Z\"')"],
    ids=["no claim", "beyond the calendar"],
)
def test_a_claim_that_cannot_be_read_keeps_no_other_waiting(office: Desk, broken: str) -> None:
    tread(office, "employee", drive())
    bad = hand_in(office, "employee", mileage("70.0"))
    good = hand_in(office, "peer", mileage("40.0"))
    with as_engine(office) as session:
        session.execute(
            text("UPDATE travel_claims SET due_at = due_at - interval '1 hour' WHERE id = :id"),
            {"id": bad},
        )
    superuser = make_engine(office.urls.superuser, pool_size=1)
    with superuser.begin() as connection:
        connection.execute(
            text(f"UPDATE travel_claims SET document = {broken} WHERE id = :id"),
            {"id": bad},
        )
    superuser.dispose()
    assert check(office) == 2
    assert [c.version for c in detail(office, good).checks] == [1]
    assert detail(office, bad).checks == []
    assert check(office) == 0
