"""What the positions of a phone refer to: stated at enrolment, or later when it turns out."""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo.crs import Datum
from server.audit.services import record_security_event
from server.errors import NotFound
from server.people.models import Device

_NOTIFY = text("SELECT pg_notify('devices', :username)")


def set_datum(
    session: Session,
    *,
    tenant_id: int,
    device_id: UUID,
    datum: Datum,
    actor_id: UUID | None = None,
) -> None:
    """State the datum of a device; ingest converts what it sends from the next batch on.

    What was stored before stays as it is. The caller has checked that the actor may manage
    devices of this person. Audited as a security event; repeating it changes nothing.

    Raises
    ------
    NotFound : no such device in this tenant.
    """
    device = session.scalar(
        select(Device)
        .where(Device.tenant_id == tenant_id, Device.id == device_id)
        .with_for_update()
    )
    if device is None:
        raise NotFound
    if device.datum is datum:
        return
    device.datum = datum
    session.flush()
    session.execute(_NOTIFY, {"username": device.username})
    record_security_event(
        session,
        tenant_id=tenant_id,
        actor_id=actor_id,
        kind="device_datum",
        subject=str(device_id),
        detail={"datum": datum.value},
    )
