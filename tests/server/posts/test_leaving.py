from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from geo.fix import to_epoch_s
from ingest.duty import DutyIndex
from server.errors import NotFound
from server.people.services import create_account, cut_off_leavers
from server.posts.services import let_go
from server.tracking.records import DeviceRef
from tests.factories.company import DAY, Company
from tests.factories.phones import NINE, minutes, phone


def leave(acme: Company, employee_id: UUID, on: date) -> None:
    with acme.transaction() as session:
        let_go(session, acme.clock, tenant_id=acme.tenant_id, employee_id=employee_id, left_on=on)


def access(acme: Company, employee_id: UUID) -> tuple[int, int]:
    """How many phones and accounts of a person still work."""
    with acme.transaction() as session:
        row = session.execute(
            text(
                "SELECT (SELECT count(*) FROM devices WHERE employee_id = :who"
                " AND revoked_at IS NULL), (SELECT count(*) FROM accounts"
                " WHERE employee_id = :who AND active)"
            ),
            {"who": employee_id},
        ).one()
        return row[0], row[1]


def give_account(acme: Company, employee_id: UUID) -> None:
    with acme.transaction() as session:
        create_account(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            login="leaver",
            name="王芳",
            password="quiet-harbour-42",
            employee_id=employee_id,
        )


def test_who_leaves_is_off_duty_in_a_warm_cache_of_ingest(acme: Company) -> None:
    who = phone(acme)
    acme.clock.at = NINE + minutes(30)
    device, now_s = (
        DeviceRef(acme.tenant_id, who.device_id, who.employee_id),
        to_epoch_s(acme.clock.at),
    )
    index = DutyIndex()

    def on_duty() -> bool:
        with acme.ingest_transaction() as session:
            index.refresh(session, {device: (now_s, now_s)})
        return index.timetable(device).slot_at(now_s) is not None

    assert on_duty()
    leave(acme, who.employee_id, DAY)
    assert not on_duty()


def test_who_leaves_loses_phone_and_account_and_the_day_is_judged_again(acme: Company) -> None:
    who, other = phone(acme), phone(acme, name="stays")
    give_account(acme, who.employee_id)
    acme.clock.at = NINE + minutes(30)
    with acme.engine_transaction() as session:
        session.execute(text("DELETE FROM touched_days"))
    leave(acme, who.employee_id, DAY)
    assert access(acme, who.employee_id) == (0, 0)
    assert access(acme, other.employee_id) == (1, 0)
    with acme.engine_transaction() as session:
        rows = session.execute(text("SELECT employee_id, work_on FROM touched_days")).all()
    assert [tuple(row) for row in rows] == [(who.employee_id, DAY)]


def test_who_will_leave_keeps_access_until_the_day(acme: Company) -> None:
    who = phone(acme)
    give_account(acme, who.employee_id)
    leave(acme, who.employee_id, DAY + timedelta(days=2))
    assert access(acme, who.employee_id) == (1, 1)
    acme.clock.at = NINE + timedelta(days=2)
    with acme.transaction() as session:
        assert cut_off_leavers(session, acme.clock, tenant_id=acme.tenant_id) == 2
        assert cut_off_leavers(session, acme.clock, tenant_id=acme.tenant_id) == 0
    assert access(acme, who.employee_id) == (0, 0)


def test_nobody_lets_strangers_go(acme: Company) -> None:
    with pytest.raises(NotFound):
        leave(acme, UUID(int=9), DAY)
