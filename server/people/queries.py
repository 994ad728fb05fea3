"""Reading of the organisation: lists for screens, look-ups for commands."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from server.db.collation import by_name
from server.errors import NotFound
from server.people.models import (
    Account,
    Device,
    DeviceKind,
    Employee,
    Grant,
    Membership,
    Role,
    Tenant,
    Unit,
    UnitKind,
)
from server.people.policy import EmployeeView, local_date
from server.people.rules import Principal


@dataclass(frozen=True, slots=True)
class TenantView:
    """A tenant as everybody may know it."""

    id: int
    slug: str
    name: str
    zone: str
    locale: str


@dataclass(frozen=True, slots=True)
class UnitNode:
    """One unit with how many people belong to it (not below it) today."""

    id: UUID
    parent_id: UUID | None
    kind: UnitKind
    name: str
    people: int


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device without any secret or position."""

    id: UUID
    username: str
    label: str
    kind: DeviceKind
    employee_id: UUID
    employee_number: str
    employee_name: str
    enrolled_at: datetime
    revoked_at: datetime | None
    encrypted: bool


@dataclass(frozen=True, slots=True)
class GrantView:
    """A role in force."""

    id: UUID
    role: Role
    unit_id: UUID
    unit_name: str
    from_at: datetime


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account with its grants in force."""

    id: UUID
    login: str
    name: str
    active: bool
    employee_id: UUID | None
    grants: tuple[GrantView, ...]


def tenant_by_slug(session: Session, slug: str) -> TenantView | None:
    """Return the tenant with this slug; needs no wall."""
    row = session.scalar(select(Tenant).where(Tenant.slug == slug))
    if row is None:
        return None
    return TenantView(row.id, row.slug, row.name, row.zone, row.locale)


def tenants(session: Session) -> list[TenantView]:
    """Return all tenants, for services that serve all of them."""
    rows = session.scalars(select(Tenant).order_by(Tenant.id))
    return [TenantView(row.id, row.slug, row.name, row.zone, row.locale) for row in rows]


def employee_by_number(session: Session, *, tenant_id: int, number: str) -> UUID:
    """Return the employee with a staff number.

    Raises
    ------
    NotFound : nobody has it.
    """
    found = session.scalar(
        select(Employee.id).where(Employee.tenant_id == tenant_id, Employee.number == number)
    )
    if found is None:
        raise NotFound(None, f"nobody has the staff number {number}")
    return found


def account_by_login(session: Session, *, tenant_id: int, login: str) -> UUID:
    """Return the account with a login.

    Raises
    ------
    NotFound : there is none.
    """
    found = session.scalar(
        select(Account.id).where(Account.tenant_id == tenant_id, Account.login == login)
    )
    if found is None:
        raise NotFound(None, f"there is no account {login}")
    return found


def ranks_of_names(session: Session, scope: Select[UUID]) -> dict[UUID, int]:
    """Return the place of each person of a scope in the order of names, from 0."""
    query = select(Employee.id).where(Employee.id.in_(scope))
    found = session.scalars(query.order_by(by_name(Employee.name), Employee.number))
    return {id_: rank for rank, id_ in enumerate(found)}


def people(
    session: Session,
    principal: Principal,
    scope: Select[UUID],
    *,
    now: datetime,
    search: str | None = None,
    unit_id: UUID | None = None,
    limit: int = 500,
) -> list[EmployeeView]:
    """Return the people of a scope with their unit of today, by name.

    Parameters
    ----------
    session : transaction inside the principal's wall.
    principal : decides tenant and zone.
    scope : from `policy.employees_in_scope`.
    now : aware instant.
    search : part of the name or the beginning of the staff number.
    unit_id : only people directly in this unit.
    limit : at most so many.
    """
    today = local_date(now, principal.zone)
    query = (
        select(Employee, Membership.unit_id, Unit.name.label("unit_name"))
        .outerjoin(Membership, _membership_today(today))
        .outerjoin(Unit, and_(Unit.tenant_id == Employee.tenant_id, Unit.id == Membership.unit_id))
        .where(Employee.tenant_id == principal.tenant_id, Employee.id.in_(scope))
        .order_by(by_name(Employee.name), Employee.number)
        .limit(limit)
    )
    if search:
        query = query.where(
            or_(
                Employee.name.icontains(search, autoescape=True),
                Employee.number.istartswith(search, autoescape=True),
            )
        )
    if unit_id is not None:
        query = query.where(Membership.unit_id == unit_id)
    return [
        EmployeeView(
            id=person.id,
            number=person.number,
            name=person.name,
            title=person.title,
            phone=person.phone,
            unit_id=unit,
            unit_name=unit_name,
            hired_on=person.hired_on,
            left_on=person.left_on,
        )
        for person, unit, unit_name in session.execute(query)
    ]


def everybody(tenant_id: int) -> Select[UUID]:
    """Return the ids of all people of a tenant as a scope, for commands of the operator."""
    return select(Employee.id).where(Employee.tenant_id == tenant_id)


def units(
    session: Session, principal: Principal, scope: Select[UUID], *, now: datetime
) -> list[UnitNode]:
    """Return the units of a scope with the number of people in each, parents first."""
    today = local_date(now, principal.zone)
    count = (
        select(Membership.unit_id, func.count().label("people"))
        .where(Membership.tenant_id == principal.tenant_id, Membership.during_on.contains(today))
        .group_by(Membership.unit_id)
        .subquery()
    )
    rows = session.execute(
        select(Unit, func.coalesce(count.c.people, 0))
        .outerjoin(count, count.c.unit_id == Unit.id)
        .where(Unit.tenant_id == principal.tenant_id, Unit.id.in_(scope))
        .order_by(Unit.position, Unit.created_at, Unit.id)
    )
    return [UnitNode(u.id, u.parent_id, u.kind, u.name, people) for u, people in rows]


def devices_of(
    session: Session, *, tenant_id: int, scope: Select[UUID], employee_id: UUID | None = None
) -> list[DeviceView]:
    """Return the devices of the people of a scope, active ones first, then by name."""
    query = _devices(tenant_id).where(Device.employee_id.in_(scope))
    if employee_id is not None:
        query = query.where(Device.employee_id == employee_id)
    return [_device_view(device, person) for device, person in session.execute(query)]


def all_devices(session: Session, *, tenant_id: int) -> list[DeviceView]:
    """Return all devices of a tenant, for commands."""
    return [_device_view(device, person) for device, person in session.execute(_devices(tenant_id))]


def device_in_scope(
    session: Session, *, tenant_id: int, scope: Select[UUID], device_id: UUID
) -> DeviceView:
    """Return one device of a person of a scope.

    Raises
    ------
    NotFound : there is none, or its owner is outside the scope.
    """
    query = _devices(tenant_id).where(Device.id == device_id, Device.employee_id.in_(scope))
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound
    return _device_view(row[0], row[1])


def accounts(
    session: Session, *, tenant_id: int, scope: Select[UUID], now: datetime
) -> list[AccountView]:
    """Return the accounts of the people of a scope with their roles, by login."""
    held = list(
        session.scalars(
            select(Account)
            .where(Account.tenant_id == tenant_id, Account.employee_id.in_(scope))
            .order_by(Account.login)
        )
    )
    rows = session.execute(
        select(Grant, Unit.name)
        .join(Unit, and_(Unit.tenant_id == Grant.tenant_id, Unit.id == Grant.unit_id))
        .where(
            Grant.tenant_id == tenant_id,
            Grant.account_id.in_([account.id for account in held]),
            Grant.from_at <= now,
            or_(Grant.until_at.is_(None), Grant.until_at > now),
        )
        .order_by(Grant.role, Grant.from_at)
    ).all()
    grants: dict[UUID, list[GrantView]] = {}
    for grant, unit_name in rows:
        view = GrantView(grant.id, grant.role, grant.unit_id, unit_name, grant.from_at)
        grants.setdefault(grant.account_id, []).append(view)
    return [
        AccountView(a.id, a.login, a.name, a.active, a.employee_id, tuple(grants.get(a.id, ())))
        for a in held
    ]


def _membership_today(today: date) -> ColumnElement[bool]:
    return and_(
        Membership.tenant_id == Employee.tenant_id,
        Membership.employee_id == Employee.id,
        Membership.during_on.contains(today),
    )


def _devices(tenant_id: int) -> Select[Device, Employee]:
    return (
        select(Device, Employee)
        .join(
            Employee,
            and_(Employee.tenant_id == Device.tenant_id, Employee.id == Device.employee_id),
        )
        .where(Device.tenant_id == tenant_id)
        .order_by(Device.revoked_at.is_not(None), Employee.name, Device.enrolled_at)
    )


def _device_view(device: Device, person: Employee) -> DeviceView:
    return DeviceView(
        id=device.id,
        username=device.username,
        label=device.label,
        kind=device.kind,
        employee_id=device.employee_id,
        employee_number=person.number,
        employee_name=person.name,
        enrolled_at=device.enrolled_at,
        revoked_at=device.revoked_at,
        encrypted=device.encryption_secret is not None,
    )
