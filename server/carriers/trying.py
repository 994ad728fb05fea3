"""Test calls: does a provider answer, and what does it say; no position comes out of them."""

import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.carriers import reserving, store
from server.carriers.asking import PHONES
from server.carriers.codec.geolocate import SeenCell
from server.carriers.desk import Desk
from server.carriers.numbers import normalised
from server.carriers.options import Options
from server.carriers.providers import Refused
from server.carriers.radio import RADIO, settle_service
from server.carriers.reserving import Asker, Booked
from server.carriers.rules import CarrierRefusal, ProviderKind, RefusalCode
from server.db import tables
from server.db.session import unit_of_work
from server.errors import InvalidInput

# A cell of a published file, in Beijing; that a service does not know it is an answer too.
_SAMPLE = SeenCell(radio="gsm", mcc=460, mnc=0, area=4282, cell=1374)


@dataclass(frozen=True, slots=True)
class CallReport:
    """What a test call came to; `code` None is a position, which is not kept."""

    code: RefusalCode | None
    detail: str
    took_s: float
    accuracy_m: float | None = None


def try_provider(desk: Desk, *, tenant_id: int, provider_id: UUID, asker: Asker) -> CallReport:
    """Ask a provider once, whatever its breaker and quotas say; counted and on record.

    A carrier is asked about the number set for tests, which must be nobody's in the company.
    Opens transactions of its own.

    Raises
    ------
    InvalidInput : `no_test_number`, `bad_number` or `number_of_employee`.
    NotFound : no such provider in this tenant.
    """
    msisdn = ""
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        provider = store.provider_of(session, tenant_id=tenant_id, provider_id=provider_id)
        if provider.kind is not ProviderKind.GEOLOCATE:
            options = Options.of(provider.kind, provider.options)
            msisdn = _test_number(session, tenant_id, options)
        booked = reserving.book(
            session,
            desk.vault,
            tenant_id=tenant_id,
            provider_id=provider_id,
            employee_id=None,
            purpose="test",
            asker=asker,
            now=desk.clock.now(),
            free=True,
        )
    assert isinstance(booked, Booked)
    began = time.monotonic()
    if booked.kind is ProviderKind.GEOLOCATE:
        placed = RADIO.place(desk.line(booked), cells=[_SAMPLE], networks=())
        took_s = time.monotonic() - began
        said = settle_service(desk, tenant_id, booked, placed, digest=None)
        if isinstance(said, CarrierRefusal):
            return CallReport(said.code, said.detail, took_s)
        return CallReport(None, "", took_s, said.accuracy_m)
    located = PHONES[booked.kind].locate(desk.line(booked), msisdn=msisdn)
    took_s = time.monotonic() - began
    refused = located if isinstance(located, Refused) else None
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        reserving.settle(
            session,
            tenant_id=tenant_id,
            booked=booked,
            code=refused.code if refused else None,
            detail=refused.detail if refused else "",
            number=refused.number if refused else None,
            now=desk.clock.now(),
        )
    if isinstance(located, Refused):
        return CallReport(located.code, located.detail, took_s)
    return CallReport(None, "", took_s, located.disc.accuracy_m if located.disc else None)


def _test_number(session: Session, tenant_id: int, options: Options) -> str:
    if not options.test_number:
        raise InvalidInput("no_test_number", "no number is set for test calls")
    msisdn = normalised(options.test_number, country_code=options.country_code)
    if msisdn is None:
        raise InvalidInput("bad_number", "the number for test calls is no mobile number")
    people = tables.employees
    # The last digits narrow; writing styles are compared in full below.
    alike = session.scalars(
        select(people.c.phone).where(
            people.c.tenant_id == tenant_id,
            func.right(func.regexp_replace(people.c.phone, r"\D", "", "g"), 7) == msisdn[-7:],
        )
    )
    for phone in alike:
        if normalised(phone, country_code=options.country_code) == msisdn:
            raise InvalidInput("number_of_employee", "the test number belongs to an employee")
    return msisdn
