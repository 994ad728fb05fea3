"""Commands that wait for phones, for the process that publishes them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, delete, select, update
from sqlalchemy.orm import Session

from server.db.tables import devices
from server.tracking.live_map import duty_now
from server.tracking.locate_models import LocateRequest, PhoneCommand
from server.tracking.locate_rules import OPEN_STATES, LocateState, PhoneAction

_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WaitingCommand:
    """A command to publish, and for how long it still makes sense."""

    tenant_id: int
    id: UUID
    request_id: UUID
    username: str
    action: PhoneAction
    expires_s: int


def waiting_commands(session: Session, *, now: datetime, limit: int = 50) -> list[WaitingCommand]:
    """Take the commands that may go out now, locked until the transaction ends.

    A command whose time is over, whose device is revoked or whose person is off duty by now
    is left alone; what waits for it gives up by itself.

    Parameters
    ----------
    session : of the engine's role, all tenants.
    now : aware instant.
    limit : at most so many, oldest first.
    """
    rows = session.execute(
        select(PhoneCommand, devices.c.username, LocateRequest.employee_id)
        .join(
            devices,
            and_(
                devices.c.tenant_id == PhoneCommand.tenant_id,
                devices.c.id == PhoneCommand.device_id,
            ),
        )
        .join(
            LocateRequest,
            and_(
                LocateRequest.tenant_id == PhoneCommand.tenant_id,
                LocateRequest.id == PhoneCommand.request_id,
            ),
        )
        .where(
            PhoneCommand.published_at.is_(None),
            PhoneCommand.expires_at > now,
            devices.c.revoked_at.is_(None),
            LocateRequest.state.in_(sorted(OPEN_STATES)),
        )
        .order_by(PhoneCommand.created_at)
        .limit(limit)
        .with_for_update(of=PhoneCommand, skip_locked=True)
    ).all()
    return [
        WaitingCommand(
            command.tenant_id,
            command.id,
            command.request_id,
            username,
            command.action,
            max(1, int((command.expires_at - now).total_seconds())),
        )
        for command, username, employee_id in rows
        if duty_now(session, tenant_id=command.tenant_id, employee_id=employee_id, now=now)
    ]


def note_published(session: Session, commands: list[WaitingCommand], *, now: datetime) -> None:
    """Note that the broker has these commands; their requests are sent then."""
    for command in commands:
        session.execute(
            update(PhoneCommand)
            .where(PhoneCommand.tenant_id == command.tenant_id, PhoneCommand.id == command.id)
            .values(published_at=now)
        )
        session.execute(
            update(LocateRequest)
            .where(
                LocateRequest.tenant_id == command.tenant_id,
                LocateRequest.id == command.request_id,
                LocateRequest.state == LocateState.ASKED,
            )
            .values(state=LocateState.SENT, sent_at=now)
        )


def forget_old_commands(session: Session, *, now: datetime) -> int:
    """Delete commands that nobody will publish any more; returns how many."""
    gone = session.execute(delete(PhoneCommand).where(PhoneCommand.expires_at < now - _KEPT))
    return int(getattr(gone, "rowcount", 0))
