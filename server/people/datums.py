"""What the positions of a phone refer to: stated at enrolment, or later when it turns out.

A phone may speak one datum from its satellites and another from a network service, so a
statement is one datum for everything and others for single sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo.crs import Datum
from geo.fix import Source
from server.audit.services import record_security_event
from server.clock import Clock
from server.errors import NotFound
from server.people.models import Device

_NOTIFY = text("SELECT pg_notify('devices', :username)")
EVENT = "device_datum"
"""Kind of the security event; its details are the statement, `before` the one it replaces."""


@dataclass(frozen=True, slots=True)
class DatumStatement:
    """What a device's positions refer to.

    Attributes
    ----------
    datum : of every source that is not named.
    sources : datums of single sources; none is the same as `datum`.
    stated_at : when somebody said so; None since enrolment.
    """

    datum: Datum
    sources: Mapping[Source, Datum] = field(default_factory=dict)
    stated_at: datetime | None = None

    def of(self, source: Source) -> Datum:
        """Return the datum of one source."""
        return self.sources.get(source, self.datum)

    def words(self) -> dict[str, str]:
        """Return the statement as an audit entry keeps it."""
        named = {source.value: datum.value for source, datum in sorted(self.sources.items())}
        return {"datum": self.datum.value, **named}


def datum_statement(session: Session, *, tenant_id: int, device_id: UUID) -> DatumStatement:
    """Return what is stated of a device.

    Raises
    ------
    NotFound : no such device in this tenant.
    """
    return _statement(_device(session, tenant_id, device_id))


def set_datum(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    device_id: UUID,
    datum: Datum,
    sources: Mapping[Source, Datum] | None = None,
    actor_id: UUID | None = None,
) -> bool:
    """State the datum of a device; ingest converts what it sends from the next batch on.

    The statement replaces the one before as a whole: a source that is not named follows
    `datum`. What was stored before stays as it is. The caller has checked that the actor may
    manage devices of this person. Audited as a security event; repeating it changes nothing.

    Returns
    -------
    Whether anything changed.

    Raises
    ------
    NotFound : no such device in this tenant.
    """
    device = _device(session, tenant_id, device_id, lock=True)
    before = _statement(device)
    apart = {source: other for source, other in (sources or {}).items() if other is not datum}
    stated = DatumStatement(datum, apart, clock.now())
    if stated.words() == before.words():
        return False
    device.datum = datum
    device.source_datums = {source.value: other.value for source, other in apart.items()}
    device.datum_stated_at = stated.stated_at
    session.flush()
    session.execute(_NOTIFY, {"username": device.username})
    record_security_event(
        session,
        tenant_id=tenant_id,
        actor_id=actor_id,
        kind=EVENT,
        subject=str(device_id),
        detail={**stated.words(), "before": before.words()},
    )
    return True


def _device(session: Session, tenant_id: int, device_id: UUID, *, lock: bool = False) -> Device:
    query = select(Device).where(Device.tenant_id == tenant_id, Device.id == device_id)
    device = session.scalar(query.with_for_update() if lock else query)
    if device is None:
        raise NotFound
    return device


def _statement(device: Device) -> DatumStatement:
    sources = {Source(name): Datum(value) for name, value in device.source_datums.items()}
    return DatumStatement(device.datum, sources, device.datum_stated_at)
