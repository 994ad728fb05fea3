"""Ask geolocate services where cells and networks are; they are nobody's in the question."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime, timedelta
from uuid import UUID

from server.carriers import reserving, store
from server.carriers.codec.geolocate import SeenCell, SeenNetwork
from server.carriers.codec.shapes import Disc
from server.carriers.desk import Desk
from server.carriers.options import Options
from server.carriers.providers import RadioPlace, Refused
from server.carriers.providers.geolocate import Geolocate
from server.carriers.reserving import Asker, Booked
from server.carriers.rules import CarrierFix, CarrierRefusal, ProviderKind, RefusalCode
from server.db.session import unit_of_work
from server.errors import NotFound

RADIO = Geolocate()
_RESOLVER = Asker("outpost")


def geolocate(
    desk: Desk, *, tenant_id: int, cells: Sequence[SeenCell], networks: Sequence[SeenNetwork] = ()
) -> CarrierFix | CarrierRefusal:
    """Ask the tenant's geolocate services where these cells and networks are.

    A guess from a network address (`ipf`) is a refusal, never a position. Answers, also "not
    found", are kept for `max_age_s` of the provider and name no person.

    Returns
    -------
    A position with `area` set when the service fell back to the area of the cells, and
    `fixed_at` the instant of asking; or why there is none. Opens transactions of its own;
    call it outside any.
    """
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        found = store.providers_of(session, tenant_id=tenant_id, kinds=[ProviderKind.GEOLOCATE])
        providers = [provider.id for provider in found]
    answer: CarrierFix | CarrierRefusal = CarrierRefusal(RefusalCode.NO_PROVIDER)
    for provider_id in providers:
        answer = _ask_service(desk, tenant_id, provider_id, cells, networks)
        if isinstance(answer, CarrierFix):
            break
    return answer


def _ask_service(
    desk: Desk,
    tenant_id: int,
    provider_id: UUID,
    cells: Sequence[SeenCell],
    networks: Sequence[SeenNetwork],
) -> CarrierFix | CarrierRefusal:
    now, digest = desk.clock.now(), digest_of(cells, networks)
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        try:
            provider = store.provider_of(session, tenant_id=tenant_id, provider_id=provider_id)
        except NotFound:
            return CarrierRefusal(RefusalCode.NO_PROVIDER)
        max_age = timedelta(seconds=Options.of(provider.kind, provider.options).max_age_s)
        known = store.radio_answer(
            session,
            tenant_id=tenant_id,
            provider_id=provider_id,
            digest=digest,
            since_at=now - max_age,
        )
        if known is not None:
            return _fix(store.place_of(known), provider.name, now, area=known.area, cached=True)
        booked = reserving.book(
            session,
            desk.vault,
            tenant_id=tenant_id,
            provider_id=provider_id,
            employee_id=None,
            purpose="resolve_cells",
            asker=_RESOLVER,
            now=now,
        )
    if isinstance(booked, CarrierRefusal):
        return booked
    said = RADIO.place(desk.line(booked), cells=cells, networks=networks)
    return settle_service(desk, tenant_id, booked, said, digest=digest)


def settle_service(
    desk: Desk, tenant_id: int, booked: Booked, said: RadioPlace | Refused, *, digest: bytes | None
) -> CarrierFix | CarrierRefusal:
    """Write what a geolocate service said, and keep it for the same question (`digest`)."""
    now = desk.clock.now()
    refused = said if isinstance(said, Refused) else None
    disc = None if isinstance(said, Refused) else said.disc
    area = isinstance(said, RadioPlace) and said.area
    with unit_of_work(desk.sessions, tenant_id=tenant_id) as session:
        reserving.settle(
            session,
            tenant_id=tenant_id,
            booked=booked,
            code=refused.code if refused else None,
            detail=refused.detail if refused else "",
            now=now,
        )
        if digest is not None and (refused is None or refused.code is RefusalCode.NOT_FOUND):
            store.keep_radio_answer(
                session,
                tenant_id=tenant_id,
                provider_id=booked.provider_id,
                digest=digest,
                at=now,
                disc=disc,
                area=area,
            )
    if refused is not None:
        return CarrierRefusal(refused.code, refused.detail, booked.provider)
    return _fix(disc, booked.provider, now, area=area)


def _fix(
    disc: Disc | None, provider: str, at: datetime, *, area: bool, cached: bool = False
) -> CarrierFix | CarrierRefusal:
    if disc is None:
        return CarrierRefusal(RefusalCode.NOT_FOUND, provider=provider)
    return CarrierFix(
        lon_deg=disc.lon_deg,
        lat_deg=disc.lat_deg,
        accuracy_m=disc.accuracy_m,
        fixed_at=at,
        provider=provider,
        area=area,
        cached=cached,
    )


def digest_of(cells: Sequence[SeenCell], networks: Sequence[SeenNetwork]) -> bytes:
    """Return 32 bytes that are the same for the same cells and networks in any order.

    Signals count: a service weighs by them. Ages do not.
    """
    named = sorted(repr(astuple(cell)[:-1]) for cell in cells)
    named += sorted(repr(astuple(network)) for network in networks)
    return hashlib.sha256("\n".join(named).encode()).digest()
