"""Ask a provider: book in one transaction, ask without any, settle in another.

A carrier may take half a minute. No connection of the pool and no lock is held meanwhile, and
what was asked is on record before the first byte leaves, whatever comes of it. So these
functions are doors of their own: they open transactions instead of living in one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from server.carriers import reserving, store
from server.carriers.codec.geolocate import SeenCell
from server.carriers.codec.mlp import Located
from server.carriers.codec.shapes import Disc
from server.carriers.desk import Desk
from server.carriers.models import Provider
from server.carriers.options import Options
from server.carriers.providers import LocatesPhones, Refused
from server.carriers.providers.le2 import Le2
from server.carriers.providers.mlp import Mlp
from server.carriers.radio import geolocate
from server.carriers.reserving import Asker, Booked, Subject
from server.carriers.rules import (
    ABOUT_THE_PERSON,
    LOCATES_PHONES,
    CarrierFix,
    CarrierRefusal,
    ProviderKind,
    RefusalCode,
    Withdrawn,
)
from server.db.session import unit_of_work
from server.errors import NotFound

PHONES: dict[ProviderKind, LocatesPhones] = {ProviderKind.MLP: Mlp(), ProviderKind.LE2: Le2()}
_AHEAD = timedelta(minutes=2)
"""A carrier's clock may be this far ahead of ours."""

PlaceCells = Callable[[Sequence[SeenCell]], Disc | None]
"""Finds radio cells in a table; for carriers that name cells only."""


def locate_phone(
    desk: Desk,
    *,
    tenant_id: int,
    employee_id: UUID,
    purpose: str,
    asker: Asker,
    place_cells: PlaceCells | None = None,
) -> CarrierFix | CarrierRefusal:
    """Ask the tenant's carriers where an employee's phone is now.

    Nobody is asked outside duty, without the person's consent on record for this very
    number, beyond a quota, or while the breaker is open. Providers are tried in their order
    until one knows the number. Each request is a row of `carrier_requests` with who asked and
    why. A position from before duty is not kept. The carrier's "not allowed" withdraws the
    consent here too. Does not check that the asker may see the person: the caller has.

    Parameters
    ----------
    desk : parts of the process.
    tenant_id, employee_id : whom to locate; the number is `Employee.phone` as E.164.
    purpose : why, a word of `server.audit.services.Purpose` or of the caller.
    asker : who wants to know.
    place_cells : finds cells where the carrier names nothing else; the tenant's geolocate
        services are asked when it finds none.

    Returns
    -------
    A position, or the first reason that speaks about this person, else the last one.
    Opens transactions of its own and may take as long as the providers' total time-outs
    together (20 s each by default); call it outside any transaction.
    """
    now = desk.clock.now()
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        found = store.providers_of(session, tenant_id=tenant_id, kinds=LOCATES_PHONES)
        if not found:
            return CarrierRefusal(RefusalCode.NO_PROVIDER)
        subject = reserving.subject_of(
            session, tenant_id=tenant_id, employee_id=employee_id, now=now
        )
        providers = [provider.id for provider in found]
    if isinstance(subject, CarrierRefusal):
        return subject
    answer: CarrierFix | CarrierRefusal = CarrierRefusal(RefusalCode.NO_PROVIDER)
    for provider_id in providers:
        answer = _ask_carrier(
            desk, tenant_id, provider_id, subject, purpose=purpose, asker=asker, cells=place_cells
        )
        if isinstance(answer, CarrierFix) or answer.code in ABOUT_THE_PERSON:
            break
    return answer


def _ask_carrier(
    desk: Desk,
    tenant_id: int,
    provider_id: UUID,
    subject: Subject,
    *,
    purpose: str,
    asker: Asker,
    cells: PlaceCells | None,
) -> CarrierFix | CarrierRefusal:
    now = desk.clock.now()
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        try:
            provider = store.provider_of(session, tenant_id=tenant_id, provider_id=provider_id)
        except NotFound:
            return CarrierRefusal(RefusalCode.NO_PROVIDER)
        options = Options.of(provider.kind, provider.options)
        msisdn = reserving.number_at(subject, options)
        if isinstance(msisdn, CarrierRefusal):
            return msisdn
        known = _known(session, provider, subject, options, now)
        if known is not None:
            reserving.note_reuse(
                session, known, subject.employee_id, purpose=purpose, asker=asker, now=now
            )
            return known.fix
        booked = reserving.book(
            session,
            desk.vault,
            tenant_id=tenant_id,
            provider_id=provider_id,
            employee_id=subject.employee_id,
            purpose=purpose,
            asker=asker,
            now=now,
        )
    if isinstance(booked, CarrierRefusal):
        return booked
    said = PHONES[booked.kind].locate(desk.line(booked), msisdn=msisdn)
    if isinstance(said, Located) and said.disc is None:
        said = _placed(desk, tenant_id, said, cells)
    return _settle_carrier(desk, tenant_id, booked, subject, said)


def _known(
    session: Session, provider: Provider, subject: Subject, options: Options, now: datetime
) -> reserving.Known | None:
    """Return an earlier answer of this duty that is still young enough."""
    since_at = max(now - timedelta(seconds=options.max_age_s), subject.window.starts_at)
    row = store.newest_answer(
        session,
        tenant_id=provider.tenant_id,
        employee_id=subject.employee_id,
        provider_id=provider.id,
        since_at=since_at,
    )
    disc = None if row is None else store.place_of(row)
    if row is None or disc is None or row.fixed_at is None:
        return None
    fix = CarrierFix(
        lon_deg=disc.lon_deg,
        lat_deg=disc.lat_deg,
        accuracy_m=disc.accuracy_m,
        fixed_at=row.fixed_at,
        provider=row.provider_name,
        cached=True,
    )
    return reserving.Known(provider.tenant_id, provider.id, fix)


def _placed(
    desk: Desk, tenant_id: int, said: Located, place_cells: PlaceCells | None
) -> Located | Refused:
    """Find the cells that a carrier named instead of a place."""
    cells = [
        SeenCell(radio=c.radio, mcc=c.mcc, mnc=c.mnc, area=c.area, cell=c.cell) for c in said.cells
    ]
    disc = place_cells(cells) if place_cells is not None else None
    if disc is None:
        found = geolocate(desk, tenant_id=tenant_id, cells=cells)
        if isinstance(found, CarrierRefusal):
            return Refused(RefusalCode.CELL_ONLY)
        disc = Disc(found.lon_deg, found.lat_deg, found.accuracy_m)
    return Located(msid=said.msid, fixed_at=said.fixed_at, disc=disc)


def _settle_carrier(
    desk: Desk, tenant_id: int, booked: Booked, subject: Subject, said: Located | Refused
) -> CarrierFix | CarrierRefusal:
    now = desk.clock.now()
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        # Leave may have been granted while the carrier took its time.
        window = reserving.duty_at(
            session, tenant_id=tenant_id, employee_id=subject.employee_id, at=now
        )
        at: datetime | None = None
        if isinstance(said, Located):
            if window is None:
                said = Refused(RefusalCode.OFF_DUTY)
            else:
                checked = _dated(said, booked.options, since_at=window.starts_at, now=now)
                said, at = (said, checked) if isinstance(checked, datetime) else (checked, None)
        refused = said if isinstance(said, Refused) else None
        disc = None if isinstance(said, Refused) else said.disc
        reserving.settle(
            session,
            tenant_id=tenant_id,
            booked=booked,
            code=refused.code if refused else None,
            detail=refused.detail if refused else "",
            number=refused.number if refused else None,
            disc=disc,
            fixed_at=at,
            now=now,
        )
        if refused is not None:
            if refused.code is RefusalCode.CONSENT_WITHDRAWN:
                reserving.withdraw(
                    session,
                    tenant_id=tenant_id,
                    employee_id=subject.employee_id,
                    how=Withdrawn.CARRIER,
                    now=now,
                )
            return CarrierRefusal(refused.code, refused.detail, booked.provider)
    assert disc is not None
    assert at is not None
    return CarrierFix(
        lon_deg=disc.lon_deg,
        lat_deg=disc.lat_deg,
        accuracy_m=disc.accuracy_m,
        fixed_at=at,
        provider=booked.provider,
    )


def _dated(
    said: Located, options: Options, *, since_at: datetime, now: datetime
) -> datetime | Refused:
    """Return the instant of a position; refuse one from before duty or from ahead.

    A carrier that tells no time was asked for at most `max_age_s`: its answer counts when
    even the oldest such position is of this duty.
    """
    oldest = now - timedelta(seconds=options.max_age_s)
    if said.fixed_at is None:
        return now if oldest >= since_at else Refused(RefusalCode.OLD_ANSWER, "without a time")
    if said.fixed_at > now + _AHEAD:
        return Refused(RefusalCode.BAD_ANSWER, "time: the position is from the future")
    if said.fixed_at < since_at:
        return Refused(RefusalCode.OLD_ANSWER, "from before duty")
    return min(said.fixed_at, now)
