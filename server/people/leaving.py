"""Access of people who have left: gone on the day they leave, whoever remembered to say so."""

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session

from server.clock import Clock
from server.people.accounts import set_active
from server.people.devices import revoke_device
from server.people.models import Account, Device, Employee, Tenant
from server.people.policy import local_date


def cut_off_leavers(session: Session, clock: Clock, *, tenant_id: int | None = None) -> int:
    """Revoke the phones and switch off the accounts of everybody who has left.

    Repeating it changes nothing. Upkeep calls it daily for those whose last day was set
    ahead; `server.posts.services.let_go` calls it at once.

    Parameters
    ----------
    tenant_id : only this tenant; all of them, with the owner's rights, when left out.

    Returns
    -------
    How many phones and accounts lost their access.
    """
    tenants = select(Tenant)
    if tenant_id is not None:
        tenants = tenants.where(Tenant.id == tenant_id)
    gone: ColumnElement[bool] = or_(
        false(),
        *(
            and_(
                Employee.tenant_id == tenant.id,
                Employee.left_on <= local_date(clock.now(), tenant.zone),
            )
            for tenant in session.scalars(tenants)
        ),
    )
    people = select(Employee.tenant_id, Employee.id).where(gone).subquery()
    devices = session.execute(
        select(Device.tenant_id, Device.id)
        .join(
            people, and_(people.c.tenant_id == Device.tenant_id, people.c.id == Device.employee_id)
        )
        .where(Device.revoked_at.is_(None))
    ).all()
    accounts = session.execute(
        select(Account.tenant_id, Account.id)
        .join(
            people,
            and_(people.c.tenant_id == Account.tenant_id, people.c.id == Account.employee_id),
        )
        .where(Account.active)
    ).all()
    for of_tenant, device_id in devices:
        revoke_device(session, clock, tenant_id=of_tenant, device_id=device_id)
    for of_tenant, account_id in accounts:
        set_active(session, clock, tenant_id=of_tenant, account_id=account_id, active=False)
    return len(devices) + len(accounts)
