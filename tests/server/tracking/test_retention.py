from datetime import datetime, timedelta

from redis import Redis
from sqlalchemy import text

from server.findings.rules import ReviewAction
from server.findings.services import review_finding
from server.tracking.partitions import look_after_partitions
from server.tracking.retention import RetentionReport, forget_past_retention, is_sealed
from tests.factories.company import DAY, Company
from tests.factories.phones import (
    NINE,
    SIX,
    Phone,
    at_post,
    away,
    derived_rows,
    minutes,
    phone,
    worker,
)

NOTHING = RetentionReport(0, 0, 0, 0, 0, 0, 0, 0)


def a_day(acme: Company, redis: Redis) -> Phone:
    """A day with stops, a trip, an absence with a review, and a transition."""
    who = phone(acme)
    acme.clock.at = SIX + minutes(20)
    who.send(
        [
            *at_post(who, NINE, NINE + minutes(60)),
            *away(who, NINE + minutes(60), NINE + minutes(90)),
            *at_post(who, NINE + minutes(90), SIX),
        ]
    )
    with acme.ingest_transaction() as session:
        session.execute(
            text(
                "INSERT INTO device_events (tenant_id, device_id, at, msg_key, employee_id, kind,"
                " received_at, body, via) VALUES (:tenant, :device, :at, 1, :who, 'transition',"
                """ :at, '{"lat": 31.23, "lon": 121.47}', 'mqtt')"""
            ),
            {
                "tenant": acme.tenant_id,
                "device": who.device_id,
                "who": who.employee_id,
                "at": NINE,
            },
        )
    worker(acme, redis).run_until_idle()
    with acme.engine_transaction() as session:
        finding_id = session.execute(
            text("SELECT id FROM findings WHERE kind = 'off_post'")
        ).scalar_one()
    with acme.transaction() as session:
        review_finding(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            finding_id=finding_id,
            action=ReviewAction.ACKNOWLEDGE,
            reason="was at the bank",
            account_id=who.employee_id,
            account_name="李雷",
        )
    return who


def forget(acme: Company, at: datetime) -> RetentionReport:
    acme.clock.at = at
    with acme.owner.begin() as connection:
        look_after_partitions(connection, acme.clock)
        return forget_past_retention(connection, acme.clock)


def places_kept(acme: Company) -> dict[str, int]:
    """Rows of every table that holds a position of somebody, fixes aside."""
    with acme.engine_transaction() as session:
        return {
            name: int(session.execute(text(f"SELECT count(*) FROM {source}")).scalar_one())
            for name, source in {
                "events": "device_events",
                "last": "last_positions",
                "hours": "whereabouts",
                "stops": "person_days WHERE summary::text LIKE '%\"lon\"%'",
            }.items()
        }


def test_positions_live_thirty_days_wherever_they_are(acme: Company, redis_client: Redis) -> None:
    a_day(acme, redis_client)
    assert places_kept(acme) == {"events": 1, "last": 1, "hours": 9, "stops": 1}
    assert forget(acme, NINE + timedelta(days=30)) == NOTHING
    assert places_kept(acme) == {"events": 1, "last": 1, "hours": 9, "stops": 1}
    done = forget(acme, SIX + timedelta(days=31))
    assert (done.device_events, done.last_positions, done.days_stripped) == (1, 1, 1)
    assert done.whereabouts == 9
    assert places_kept(acme) == {"events": 0, "last": 0, "hours": 0, "stops": 0}
    [day] = derived_rows(acme)["days"]
    assert '"distance_m"' in day[5]
    assert forget(acme, SIX + timedelta(days=31)) == NOTHING


def test_days_live_a_year_and_findings_with_reviews_two(acme: Company, redis_client: Redis) -> None:
    a_day(acme, redis_client)
    forget(acme, NINE + timedelta(days=365))
    assert derived_rows(acme)["presence"]
    done = forget(acme, NINE + timedelta(days=366))
    assert (done.days, done.intervals > 1, done.findings) == (1, True, 0)
    assert derived_rows(acme)["findings"]
    with acme.engine_transaction() as session:
        kept = session.execute(
            text(
                "INSERT INTO finding_revisions SELECT tenant_id, id, 0, 'revised', state,"
                " starts_at, ends_at, decided_at, evidence, raised_at FROM findings"
            )
        )
    assert kept.rowcount >= 1  # type: ignore[attr-defined]
    done = forget(acme, NINE + timedelta(days=731))
    assert (done.findings >= 1, done.reviews) == (True, 1)
    with acme.engine_transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM finding_revisions")) == 0
    assert derived_rows(acme) == {"presence": [], "days": [], "findings": [], "now": []}


def test_a_day_whose_positions_are_gone_is_not_judged_again(
    acme: Company, redis_client: Redis
) -> None:
    who = a_day(acme, redis_client)
    acme.clock.at = SIX + timedelta(days=40)
    forget(acme, acme.clock.at)
    before = derived_rows(acme)
    with acme.engine_transaction() as session:
        assert session.execute(text("SELECT count(*) FROM fixes")).scalar_one() == 0
        session.execute(
            text(
                "INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)"
                " VALUES (:t, :e, :d, :s)"
            ),
            {"t": acme.tenant_id, "e": who.employee_id, "d": DAY, "s": NINE},
        )
    assert worker(acme, redis_client).run_until_idle() == 1
    assert derived_rows(acme) == before


def test_a_day_is_sealed_before_its_first_fix_can_go() -> None:
    midnight_in_kiritimati = NINE.replace(hour=10) - timedelta(days=1)
    assert is_sealed(DAY, midnight_in_kiritimati + timedelta(days=30))
    assert not is_sealed(DAY, NINE + timedelta(days=28))
