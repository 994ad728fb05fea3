"""Signs of forgery in the database: found when a day is over, shown from a threshold on."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from redis import Redis
from sqlalchemy import Engine as Database
from sqlalchemy import text

from fixtures.stack import DatabaseUrls
from geo.distance import LocalPlane
from geo.fix import QualityFlag
from ingest.wire import WireFix
from server.findings.queries import FindingFilter, get_finding, list_findings
from server.findings.rules import FindingKind, FindingState
from server.people.rules import UnitKind
from server.people.services import add_unit
from server.posts.rules import ExcusalKind
from server.posts.services import excuse
from server.tracking import facts as facts_module
from server.tracking import signs as signs_module
from server.tracking.crosscheck import check_positions
from server.tracking.engine import Engine
from server.tracking.records import FixRecord
from server.tracking.signs_worker import SignsWorker
from tests.conftest import StatementCount
from tests.factories.company import DAY, LAT_DEG, LON_DEG, Company, company
from tests.factories.heard import Phone as Heard
from tests.factories.heard import hear, learn_by_hand, lte
from tests.factories.phones import NINE, SIX, Phone, instants, minutes, phone, worker
from tests.factories.scope import everybody

Counter = Callable[[Database], AbstractContextManager[StatementCount]]
PLANE = LocalPlane(LON_DEG, LAT_DEG)
YESTERDAY = DAY - timedelta(days=1)
A_DAY = timedelta(days=1)


@pytest.fixture
def engine(acme: Company, redis_client: Redis) -> Engine:
    return worker(acme, redis_client)


def at(who: Phone, when: datetime, east_m: float, north_m: float, **changes: Any) -> FixRecord:
    record = who.fix(when, **changes)
    lon, lat = PLANE.inverse(east_m, north_m)
    return placed(record, float(lon[0]), float(lat[0]))


def placed(record: FixRecord, lon_deg: float, lat_deg: float) -> FixRecord:
    assert isinstance(record.fix, WireFix)
    return msgspec.structs.replace(
        record, fix=msgspec.structs.replace(record.fix, lon_deg=lon_deg, lat_deg=lat_deg)
    )


def wandering(
    who: Phone, *, seed: int, own: int = 0, on: date = DAY, speed_m: float = 0.0
) -> list[FixRecord]:
    """A shift of fixes every other minute or so whose errors forget slowly."""
    dice, shake = random.Random(seed), random.Random(own)
    east = north = 0.0
    fixes = []
    when = NINE + (on - DAY)
    while when < SIX + (on - DAY):
        east, north = (0.8 * v + dice.gauss(0.0, 5.0) for v in (east, north))
        way = speed_m * (when - NINE - (on - DAY)).total_seconds()
        fixes.append(
            at(
                who,
                when,
                way + east + (shake.gauss(0.0, 0.5) if own else 0.0),
                north + (shake.gauss(0.0, 0.5) if own else 0.0),
            )
        )
        when += timedelta(seconds=dice.choice(range(60, 180)))
    return fixes


def mocked(who: Phone) -> list[FixRecord]:
    """A shift with an hour from a mock provider, from the third hour on."""
    since, until = ((NINE + minutes(m)).timestamp() for m in (120, 180))
    return [
        msgspec.structs.replace(r, flags=int(QualityFlag.MOCK))
        if since <= r.fix.fixed_s < until
        else r
        for r in wandering(who, seed=int(who.device_id))
    ]


def rostered_before(acme: Company, who: Phone, on: date) -> Phone:
    entry = acme.roster(who.employee_id, on_date=on)
    return Phone(acme, who.employee_id, who.device_id, entry, on)


def end_day(acme: Company, engine: Engine, on: date = DAY) -> None:
    acme.clock.at = max(acme.clock.at, SIX + (on - DAY) + minutes(1))
    engine.queue_due()
    engine.queue_begun()
    engine.run_until_idle()


def judge(acme: Company) -> int:
    done = 0
    watch = SignsWorker(acme.sessions(acme.engine), acme.clock)
    while batch := watch.run_once():
        done += batch
    return done


def findings(acme: Company, *states: FindingState) -> list[Any]:
    wanted = FindingFilter(
        kinds=(FindingKind.SIGNS,), states=states or (FindingState.CLOSED,), limit=500
    )
    with acme.transaction() as session:
        return list_findings(session, everybody(), wanted=wanted).rows


def stored(acme: Company) -> dict[UUID, tuple[float, dict[str, Any] | None]]:
    with acme.engine_transaction() as session:
        rows = session.execute(text("SELECT employee_id, score, evidence FROM day_signs"))
        return {who: (score, evidence) for who, score, evidence in rows}


def test_a_day_is_looked_at_when_it_is_over(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    acme.clock.at = NINE + minutes(300)
    who.send(mocked(who))
    engine.run_until_idle()
    assert (judge(acme), findings(acme)) == (0, [])
    end_day(acme, engine)
    assert judge(acme) == 1
    [found] = findings(acme)
    assert NINE + minutes(120) <= found.starts_at < NINE + minutes(123)
    assert NINE + minutes(177) < found.ends_at < NINE + minutes(180)
    assert found.decided_at == SIX
    assert found.confidence == 1.0
    with acme.transaction() as session:
        card = get_finding(session, everybody(), found.id).evidence
    assert card["rule"] == "forgery"
    assert card["reasons"] == ["mock"]
    assert card["figures"]["signs"]["mock"]["fixes"] > 25
    assert card["would_change"][0]["sign"] == "mock"
    assert card["algorithm_version"]
    assert card["policy_version"]
    assert (judge(acme), len(findings(acme))) == (0, 1)


def test_an_honest_day_leaves_a_fingerprint_and_nothing_else(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    acme.clock.at = SIX
    who.send(wandering(who, seed=1))
    end_day(acme, engine)
    assert judge(acme) == 1
    assert findings(acme, *FindingState) == []
    assert stored(acme) == {who.employee_id: (0.0, None)}


def test_below_the_threshold_nothing_is_shown(acme: Company, engine: Engine) -> None:
    who = phone(acme, post=False)
    acme.clock.at = SIX
    drawn = [at(who, when, 30.0 * no, 0.0) for no, when in enumerate(instants(NINE, SIX, 60.0))]
    who.send(drawn)
    end_day(acme, engine)
    judge(acme)
    [(score, evidence)] = stored(acme).values()
    assert 0.0 < score < 0.5
    assert evidence is not None
    assert evidence["reasons"] == ["smooth"]
    assert findings(acme, *FindingState) == []


def test_a_colleagues_older_day_is_found_again(acme: Company, engine: Engine) -> None:
    honest = phone(acme, name="赵敏")
    before = rostered_before(acme, honest, YESTERDAY)
    who = phone(acme)
    older = wandering(before, seed=2, on=YESTERDAY)
    before.send(older)
    end_day(acme, engine, YESTERDAY)
    judge(acme)
    copied = [
        placed(
            who.fix(datetime.fromtimestamp(r.fix.fixed_s, NINE.tzinfo) + A_DAY),
            r.fix.lon_deg,
            r.fix.lat_deg,
        )
        for r in older
    ]
    acme.clock.at = SIX
    who.send(copied)
    honest.send(wandering(honest, seed=3))
    end_day(acme, engine)
    judge(acme)
    [found] = findings(acme)
    assert found.employee_id == who.employee_id
    with acme.transaction() as session:
        card = get_finding(session, everybody(), found.id).evidence
    assert card["reasons"] == ["replay"]
    replay = card["figures"]["signs"]["replay"]
    assert replay["day"] == f"{honest.employee_id}/{YESTERDAY.isoformat()}"
    assert (replay["same_share"], replay["shift_s"]) == (1.0, 86_400.0)


@pytest.mark.parametrize("first", [0, 1])
def test_two_phones_in_one_pocket_are_found_whichever_day_ends_first(
    acme: Company, engine: Engine, first: int
) -> None:
    pair = [phone(acme, name="赵敏"), phone(acme)]
    mate = phone(acme, name="孙丽")
    acme.clock.at = SIX
    mate.send(wandering(mate, seed=8))
    end_day(acme, engine)
    judge(acme)
    for who in (pair[first], pair[1 - first]):
        who.send(wandering(who, seed=5, own=10 + pair.index(who)))
        engine.run_until_idle()
        judge(acme)
    found = {row.employee_id for row in findings(acme)}
    assert found == {who.employee_id for who in pair}
    evidence = {who: card for who, (_, card) in stored(acme).items() if card is not None}
    for who, other in zip(pair, reversed(pair), strict=True):
        twin = evidence[who.employee_id]["figures"]["signs"]["twin"]
        assert twin["other"] == f"{other.employee_id}/{DAY.isoformat()}"
        assert twin["odds"] >= 10_000


def test_at_a_post_of_many_people_of_the_same_unit_are_compared_first(
    acme: Company, engine: Engine
) -> None:
    for _ in range(45):
        acme.roster(acme.hire())
    with acme.transaction() as session:
        team = add_unit(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            parent_id=acme.branch_id,
            kind=UnitKind.TEAM,
            name="一班",
        ).id
    who = [acme.hire(unit_id=team) for _ in range(2)]
    pair = [Phone(acme, one, acme.give_phone(one), acme.roster(one), DAY) for one in who]
    acme.clock.at = SIX
    for number, one in enumerate(pair):
        fixes = wandering(one, seed=5, own=10 + number)
        # Without a rhythm in common nothing but the hexagons leads from one to the other.
        one.send([record for no, record in enumerate(fixes) if (no + 2 * number) % 5])
    end_day(acme, engine)
    judge(acme)
    assert {row.employee_id for row in findings(acme)} == set(who)


def test_what_leave_takes_back_is_retracted(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    acme.clock.at = SIX
    who.send(mocked(who))
    end_day(acme, engine)
    judge(acme)
    assert len(findings(acme)) == 1
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=who.employee_id,
            kind=ExcusalKind.LEAVE,
            starts_at=NINE - minutes(60),
            ends_at=SIX + minutes(60),
            note="病假",
        )
    engine.run_until_idle()
    judge(acme)
    assert findings(acme) == []
    assert len(findings(acme, FindingState.RETRACTED)) == 1
    assert stored(acme) == {}


def test_cells_that_are_compared_later_are_looked_at_again(acme: Company, engine: Engine) -> None:
    who = phone(acme)
    learn_by_hand(acme, 1, lon=LON_DEG, lat=LAT_DEG)
    acme.clock.at = SIX
    who.send(wandering(who, seed=6))
    end_day(acme, engine)
    judge(acme)
    assert findings(acme) == []
    for no in range(5):
        hear(
            acme,
            Heard(who.employee_id, who.device_id),
            NINE + minutes(200 + no),
            [lte(1)],
            lon=LON_DEG + 2,
            lat=LAT_DEG,
        )
    with acme.engine_transaction() as session:
        check_positions(session, acme.clock)
    judge(acme)
    [found] = findings(acme)
    with acme.transaction() as session:
        card = get_finding(session, everybody(), found.id).evidence
    cells = card["figures"]["signs"]["cell_mismatch"]
    assert (cells["impossible"], cells["checked"]) == (5, 5)
    assert cells["farthest_m"] > 100_000


def test_tenants_share_no_fingerprint(
    acme: Company, database: DatabaseUrls, engine: Engine
) -> None:
    with company(database, slug="beta") as beta:
        for each in (acme, beta):
            who = phone(each)
            each.clock.at = SIX
            who.send(wandering(who, seed=4))
            end_day(each, engine)
        acme.clock.at = beta.clock.at
        engine.run_until_idle()
        judge(acme)
        with acme.engine_transaction() as session:
            marks = session.scalars(text("SELECT fingerprint FROM day_signs")).all()
        assert len(marks) == 2
        assert not set(marks[0]) & set(marks[1])
        assert findings(acme, *FindingState) == findings(beta, *FindingState) == []


def test_statements_do_not_grow_with_days(
    acme: Company, engine: Engine, statement_counter: Counter
) -> None:
    def looked_at(count: int) -> int:
        for who in [phone(acme) for _ in range(count)]:
            # One pocket for all of them: each day is worth comparing with the others.
            who.send(wandering(who, seed=5, own=int(who.device_id)))
        engine.run_until_idle()
        watch = SignsWorker(acme.sessions(acme.engine), acme.clock)
        with statement_counter(acme.engine) as counted:
            watch.run_once()
        judge(acme)
        return counted.count

    acme.clock.at = SIX + minutes(1)
    looked_at(1)
    one, four = looked_at(1), looked_at(4)
    assert four == one <= 25


def test_a_day_that_cannot_be_looked_at_keeps_no_other_from_it(
    acme: Company, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = phone(acme, name="赵敏"), phone(acme)
    acme.clock.at = SIX
    for who in (bad, good):
        who.send(mocked(who))
    real = facts_module.load_facts

    def fail(session: Any, days: Any) -> Any:
        if any(day.employee_id == bad.employee_id for day in days):
            message = "unreadable"
            raise ValueError(message)
        return real(session, days)

    monkeypatch.setattr(signs_module, "load_facts", fail)
    end_day(acme, engine)
    judge(acme)
    assert {row.employee_id for row in findings(acme)} == {good.employee_id}
    monkeypatch.undo()
    judge(acme)
    assert len(findings(acme)) == 2
