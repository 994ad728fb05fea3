"""Journeys on wheels as phones see them, claims of them, and the check run over both."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from server.claims.roads import RoadSource
from server.claims.services import audit_due, save_draft, submit_claim
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.people.rules import Principal, Role
from tests.factories.desk import Desk
from tests.factories.footprints import Step, nine
from tests.factories.world import ZONE

MPS = 12.0


def drive(*, minutes: float = 60, start: float = 0, until: float | None = None) -> list[Step]:
    """A straight drive at 12 m/s from the post, a fix every half minute, then a stop there.

    `until` cuts off what the phone had sent by that minute after nine.
    """
    every = [k / 2 for k in range(int((minutes + 65) * 2))]
    steps = []
    for minute in every:
        ridden_s = min(max(minute - 20, 0.0), minutes) * 60
        moving = 0 < ridden_s < minutes * 60
        steps.append(Step(start + minute, east_m=ridden_s * MPS, speed_mps=MPS if moving else 0.0))
    return [step for step in steps if until is None or step.minute < until]


def mileage(km: str, *, hours: float = 2, id_: str = "1", start_min: float = 0) -> dict[str, Any]:
    """A line of kilometres that begins at nine."""
    start = nine() + timedelta(minutes=start_min)
    return {
        "id": id_,
        "kind": "mileage",
        "start": start.isoformat(),
        "end": (start + timedelta(hours=hours)).isoformat(),
        "km": km,
    }


def claim_of(*lines: dict[str, Any]) -> dict[str, Any]:
    """A claim at 1.20 a kilometre."""
    return {"currency": "CNY", "rate_per_km": "1.20", "lines": list(lines)}


def hand_in(desk: Desk, name: str, *lines: dict[str, Any]) -> UUID:
    """Write a claim for somebody and hand it in."""
    tenant = desk.alpha
    with desk.transaction() as session:
        claim_id = save_draft(
            session,
            tenant_id=tenant.id,
            zone=ZONE,
            employee_id=tenant.people[name],
            document=claim_of(*lines),
            account_id=tenant.logins[name].account_id,
        )
        submit_claim(
            session,
            desk.clock,
            tenant_id=tenant.id,
            employee_id=tenant.people[name],
            claim_id=claim_id,
            zone=ZONE,
        )
    return claim_id


@contextmanager
def as_engine(desk: Desk) -> Iterator[Session]:
    """A transaction with the engine's rights over all tenants."""
    engine = make_engine(desk.urls.engine, pool_size=1)
    try:
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            yield session
    finally:
        engine.dispose()


def check(desk: Desk, roads: RoadSource | None = None) -> int:
    """Check what is due; returns how many claims were looked at."""
    engine = make_engine(desk.urls.engine, pool_size=1)
    try:
        return audit_due(make_session_factory(engine), desk.clock, roads=roads)
    finally:
        engine.dispose()


def accountant(desk: Desk, login: str = "finance") -> Principal:
    """Somebody of the cast who decides claims of the whole group."""
    tenant = desk.alpha
    who = tenant.logins[login]
    return Principal(
        tenant_id=tenant.id,
        tenant_slug=tenant.slug,
        account_id=who.account_id,
        employee_id=who.employee_id,
        name=login,
        login=login,
        locale="en",
        theme=None,
        zone=ZONE,
        grants=((Role.FINANCE, tenant.units["group"]),),
        epoch=0,
    )
