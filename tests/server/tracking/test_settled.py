from datetime import datetime, timedelta

import pytest
from redis import Redis
from sqlalchemy import text

from geo.fix import QualityFlag, Source
from server.findings.rules import DayKey
from server.posts.rules import ExcusalKind
from server.posts.services import excuse
from server.tracking.engine import Engine
from server.tracking.records import FixRecord
from server.tracking.settled import SETTLED_FOR, leave_settled
from tests.factories.company import DAY, Company
from tests.factories.phones import NINE, Phone, at_post, away, minutes, phone, worker

TEN = NINE + minutes(60)
A_BIT = timedelta(seconds=30)


@pytest.fixture
def engine(acme: Company, redis_client: Redis) -> Engine:
    return worker(acme, redis_client)


@pytest.fixture
def who(acme: Company, engine: Engine) -> Phone:
    """Somebody who was seen at the post for an hour, and judged at ten."""
    made = phone(acme)
    made.send(at_post(made, NINE, TEN))
    acme.clock.at = TEN
    engine.run_until_idle()
    return made


def judged_at(acme: Company) -> datetime:
    with acme.engine_transaction() as session:
        row = session.execute(text("SELECT as_of_at FROM presence_now")).one()
    at: datetime = row.as_of_at
    return at


def is_settled(acme: Company, who: Phone, fixes: list[FixRecord]) -> bool:
    acme.clock.at = TEN + minutes(1)
    who.send(fixes)
    day = DayKey(acme.tenant_id, who.employee_id, DAY)
    since = min(datetime.fromtimestamp(f.fix.fixed_s, NINE.tzinfo) for f in fixes)
    with acme.engine_transaction() as session:
        return not leave_settled(session, acme.clock, since={day: since})


def test_a_fix_well_inside_confirms_what_holds(acme: Company, who: Phone) -> None:
    assert is_settled(acme, who, [who.fix(TEN + A_BIT, east_m=20.0)])


@pytest.mark.parametrize(
    "changes",
    [
        {"east_m": 96.0},
        {"east_m": 400.0},
        {"accuracy_m": None},
        {"accuracy_m": 150.0},
        {"source": Source.CELL},
        {"flags": int(QualityFlag.MOCK)},
    ],
)
def test_any_doubt_asks_for_a_judgement(
    acme: Company, who: Phone, changes: dict[str, object]
) -> None:
    doubtful = who.fix(TEN + A_BIT, salt=1, **changes)  # type: ignore[arg-type]
    assert not is_settled(acme, who, [who.fix(TEN + A_BIT), doubtful])


def test_late_data_asks_for_a_judgement(acme: Company, who: Phone) -> None:
    late = who.fix(TEN - A_BIT, salt=1)
    assert not is_settled(acme, who, [late, who.fix(TEN + A_BIT)])


def test_people_expected_nowhere_are_settled_by_any_credible_fix(
    acme: Company, engine: Engine
) -> None:
    rep = phone(acme, post=False)
    rep.send(away(rep, NINE, TEN))
    acme.clock.at = TEN
    engine.run_until_idle()
    assert is_settled(acme, rep, [rep.fix(TEN + A_BIT, east_m=5_000.0)])


def test_who_is_outside_is_judged_with_every_fix(acme: Company, engine: Engine) -> None:
    gone = phone(acme)
    gone.send(away(gone, NINE, TEN))
    acme.clock.at = TEN
    engine.run_until_idle()
    assert not is_settled(acme, gone, [gone.fix(TEN + A_BIT, east_m=10.0)])


def test_the_engine_judges_in_full_every_other_minute(
    acme: Company, engine: Engine, who: Phone
) -> None:
    acme.clock.at = TEN + minutes(1)
    who.send([who.fix(TEN + A_BIT)])
    assert engine.run_until_idle() == 1
    assert judged_at(acme) == TEN
    acme.clock.at = TEN + SETTLED_FOR
    who.send([who.fix(TEN + SETTLED_FOR - A_BIT)])
    assert engine.run_until_idle() == 1
    assert judged_at(acme) == TEN + SETTLED_FOR


def test_a_change_of_duty_is_judged_at_once(acme: Company, engine: Engine, who: Phone) -> None:
    acme.clock.at = TEN + minutes(1)
    who.send([who.fix(TEN + A_BIT)])
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            kind=ExcusalKind.OUTING,
            starts_at=TEN + minutes(30),
            ends_at=TEN + minutes(60),
        )
    engine.run_until_idle()
    assert judged_at(acme) == TEN + minutes(1)
