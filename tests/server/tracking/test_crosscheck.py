"""Positions against the cells heard beside them, in the database."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text

from server.tracking.crosscheck import check_positions, look_again
from tests.factories.company import LAT_DEG, LON_DEG, Company
from tests.factories.heard import hear, learn_by_hand, lte, phone_of_somebody


def verdicts(acme: Company) -> dict[int, tuple[str | None, dict[str, Any] | None]]:
    with acme.transaction() as session:
        rows = session.execute(text('SELECT msg_key, "check", check_detail FROM radio_reports'))
        return {key: (verdict, detail) for key, verdict, detail in rows}


def check(acme: Company, **options: Any) -> int:
    with acme.engine_transaction() as session:
        return check_positions(session, acme.clock, **options)


def test_each_position_gets_the_verdict_of_its_cells(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    learn_by_hand(acme, 1, lon=LON_DEG, lat=LAT_DEG)
    now = acme.clock.now()
    here = hear(acme, phone, now, [lte(1, serving=True)], lon=LON_DEG, lat=LAT_DEG)
    off = hear(acme, phone, now + timedelta(seconds=9), [lte(1)], lon=LON_DEG + 0.05, lat=LAT_DEG)
    far = hear(acme, phone, now + timedelta(seconds=19), [lte(1)], lon=LON_DEG + 2, lat=LAT_DEG)
    lost = hear(acme, phone, now + timedelta(seconds=29), [lte(7)], lon=LON_DEG, lat=LAT_DEG)
    assert check(acme) == 4
    found = verdicts(acme)
    assert {key: verdict for key, (verdict, _) in found.items()} == {
        here: "plausible", off: "strained", far: "impossible", lost: None
    }  # fmt: skip
    detail = found[far][1]
    assert detail is not None
    assert detail["distance_m"] > 150_000
    assert detail["margin_m"] > 150_000
    assert detail["cells"][0]["cell"] == 1
    assert detail["rule"] == "gps_cells-1"
    unknown = found[lost][1]
    assert unknown is not None
    assert unknown["unknown_cells"] == 1


def test_the_fix_stays_as_it_was(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    learn_by_hand(acme, 1, lon=LON_DEG, lat=LAT_DEG)
    hear(acme, phone, acme.clock.now(), [lte(1)], lon=LON_DEG + 3, lat=LAT_DEG)
    everything = text("SELECT * FROM fixes")
    with acme.transaction() as session:
        before = session.execute(everything).all()
    check(acme)
    with acme.transaction() as session:
        assert session.execute(everything).all() == before


def test_what_no_satellite_measured_is_not_compared(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    learn_by_hand(acme, 1, lon=LON_DEG, lat=LAT_DEG)
    key = hear(acme, phone, acme.clock.now(), [lte(1)], lon=LON_DEG + 3, lat=LAT_DEG, source="cell")
    assert check(acme) == 1
    assert verdicts(acme)[key] == (None, {"reason": "no_measured_position"})


def test_every_report_is_looked_at_once_newest_first(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    keys = [
        hear(acme, phone, acme.clock.now() + timedelta(seconds=i), [lte(1)], lon=0.5, lat=0.5)
        for i in range(5)
    ]
    assert check(acme, limit=2) == 2
    done = [key for key, (_, detail) in verdicts(acme).items() if detail is not None]
    assert sorted(done) == keys[-2:]
    assert (check(acme, limit=3), check(acme)) == (3, 0)


def test_two_workers_share_the_reports(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    for i in range(4):
        hear(acme, phone, acme.clock.now() + timedelta(seconds=i), [lte(1)], lon=0.5, lat=0.5)
    with acme.engine_transaction() as one, acme.engine_transaction() as two:
        assert check_positions(one, acme.clock, limit=3) == 3
        assert check_positions(two, acme.clock, limit=3) == 1


def test_a_batch_costs_three_statements_whatever_its_size(
    acme: Company, statement_counter: Callable[[Engine], AbstractContextManager[Any]]
) -> None:
    phone = phone_of_somebody(acme)
    for i in range(20):
        hear(acme, phone, acme.clock.now() + timedelta(seconds=i), [lte(i + 1)], lon=1, lat=1)
    with statement_counter(acme.engine) as seen:
        check(acme)
    assert seen.count == 3


def test_reports_wait_again_once_their_cells_become_known(acme: Company) -> None:
    phone = phone_of_somebody(acme)
    key = hear(acme, phone, acme.clock.now(), [lte(1)], lon=LON_DEG, lat=LAT_DEG)
    check(acme)
    with acme.engine_transaction() as session:
        assert look_again(session, tenant_id=acme.tenant_id, now=acme.clock.now()) == 0
    acme.clock.advance(timedelta(hours=1))
    learn_by_hand(acme, 1, lon=LON_DEG, lat=LAT_DEG)
    with acme.engine_transaction() as session:
        assert look_again(session, tenant_id=acme.tenant_id, now=acme.clock.now()) == 1
    check(acme)
    assert verdicts(acme)[key][0] == "plausible"
