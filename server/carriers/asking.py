"""Ask a provider: reserve in one transaction, ask without any, settle in another.

A carrier may take half a minute. No connection of the pool and no lock is held meanwhile, and
what was asked is on record before the first byte leaves, whatever comes of it. So these two
functions are doors of their own: they open transactions instead of living in one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from server.carriers.egress import Egress
from server.carriers.rules import CarrierFix, CarrierRefusal, RefusalCode
from server.clock import Clock
from server.crypto import Vault
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Desk:
    """What asking needs; one a process, made by `desk_of`.

    Attributes
    ----------
    sessions : of the role `app` (inside the tenant's wall) or `engine`.
    vault : opens the providers' credentials.
    egress : the only way out, with its guard.
    """

    sessions: sessionmaker[Session]
    clock: Clock
    vault: Vault
    egress: Egress


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to know; `account_id` None for the product itself."""

    name: str
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCell:
    """One radio cell of a report; `radio` gsm, umts, lte, nr or cdma."""

    radio: str
    mcc: int | None
    mnc: int | None
    area: int | None
    cell: int
    signal_dbm: int | None = None
    timing_advance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNetwork:
    """One wireless network of a report."""

    mac: str
    signal_dbm: int | None = None


def desk_of(settings: Settings, sessions: sessionmaker[Session], clock: Clock) -> Desk:
    """Return what asking needs from the settings of a process."""
    return Desk(sessions, clock, Vault(settings.data_key), Egress(settings.carrier_hosts))


def locate_phone(
    desk: Desk, *, tenant_id: int, employee_id: UUID, purpose: str, asker: Asker
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

    Returns
    -------
    A position, or the first reason that speaks about this person, else the last one.
    Opens transactions of its own and may take as long as the providers' total time-outs
    together (20 s each by default); call it outside any transaction.
    """
    del desk, tenant_id, employee_id, purpose, asker
    return CarrierRefusal(RefusalCode.NO_PROVIDER)


def geolocate(
    desk: Desk, *, tenant_id: int, cells: Sequence[SeenCell], networks: Sequence[SeenNetwork] = ()
) -> CarrierFix | CarrierRefusal:
    """Ask the tenant's geolocate services where these cells and networks are.

    A guess from a network address (`ipf`) is a refusal, never a position. Answers, also "not
    found", are kept for `max_age_s` of the provider and name no person.

    Returns
    -------
    A position with `area` set when the service fell back to the area of the cells; or why
    there is none. Opens transactions of its own; call it outside any.
    """
    del desk, tenant_id, cells, networks
    return CarrierRefusal(RefusalCode.NO_PROVIDER)
