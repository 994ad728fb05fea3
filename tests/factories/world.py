"""Two twin tenants and a third: the people, accounts and devices that tests share.

Tenants `alpha` and `beta` are twins (same names, same staff numbers); `gamma` has one
person. Each twin is one group with branches north and south; north has teams n1 and n2,
south has team s1. Every text that names a unit or person of a branch carries that
branch's canary, so that a test can look for it where it must not be. `mover`, without an
account, went from north to south on `MOVED_ON` and bears the tenant's name only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from server.clock import Clock, ManualClock
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.db.types import new_id
from server.people import services
from server.people.devices import EnrolledDevice
from server.people.models import DeviceKind, Role, UnitKind
from server.people.owntracks import BrokerAddress
from server.posts.services import assign_shift, create_shift

PASSWORD = "quiet-harbour-42"
HIRED_ON = date(2026, 1, 5)
MOVED_ON = date(2026, 11, 18)
"""From this date on `mover`, hired in n1 of north, belongs to s1 of south."""
VAULT = Vault(bytes(range(32)))
BROKER = BrokerAddress("127.0.0.1", 8883, tls=False, site_url="https://outpost.example")
ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Login:
    """One account of the world."""

    sign_in_name: str
    account_id: UUID
    employee_id: UUID | None
    password: str = PASSWORD


@dataclass(slots=True)
class TenantWorld:
    """What one tenant of the world holds."""

    id: int
    slug: str
    units: dict[str, UUID] = field(default_factory=dict)
    """group, north, south, n1, n2, s1."""
    people: dict[str, UUID] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)
    devices: dict[str, EnrolledDevice] = field(default_factory=dict)

    def canary(self, branch: str) -> str:
        """Return the text that marks everything of a branch."""
        return f"{self.slug.upper()}-{branch.upper()}-CANARY"


@dataclass(slots=True)
class World:
    """The tenants by slug."""

    tenants: dict[str, TenantWorld]
    clock: Clock

    @property
    def alpha(self) -> TenantWorld:
        """The tenant most tests use."""
        return self.tenants["alpha"]

    @property
    def beta(self) -> TenantWorld:
        """Its twin."""
        return self.tenants["beta"]


# name, unit the person belongs to, role and the unit it is granted on
_CAST: tuple[tuple[str, str, Role | None, str | None], ...] = (
    ("employee", "n1", None, None),
    ("peer", "n1", None, None),
    ("other_team", "n2", None, None),
    ("other_branch", "s1", None, None),
    ("manager_n1", "n1", Role.MANAGER, "n1"),
    ("manager_n2", "n2", Role.MANAGER, "n2"),
    ("supervisor_north", "north", Role.SUPERVISOR, "north"),
    ("supervisor_south", "south", Role.SUPERVISOR, "south"),
    ("supervisor_group", "group", Role.SUPERVISOR, "group"),
    ("finance", "group", Role.FINANCE, "group"),
    ("hr", "group", Role.HR, "group"),
    ("admin", "group", Role.ADMIN, "group"),
    ("auditor", "group", Role.AUDITOR, "group"),
    ("leaver", "north", Role.MANAGER, "north"),
)
_BRANCH_OF = {"n1": "north", "n2": "north", "north": "north", "s1": "south", "south": "south"}


def build_world(urls: DatabaseUrls, clock: Clock | None = None) -> World:
    """Fill an empty, migrated database.

    Parameters
    ----------
    urls : addresses of the database; tenants are made with the owner's role, everything
        else with the app's, as in the product.
    clock : decides when grants begin; accounts can sign in at once.
    """
    clock = clock or ManualClock()
    owner = make_engine(urls.owner, pool_size=1)
    app = make_engine(urls.app, pool_size=1)
    world = World({}, clock)
    try:
        for slug in ("alpha", "beta", "gamma"):
            with unit_of_work(make_session_factory(owner), tenant_id=None) as session:
                made = services.create_tenant(
                    session, clock, slug=slug, name=f"{slug} company", zone=ZONE, locale="en"
                )
            world.tenants[slug] = TenantWorld(made.id, slug)
            _populate(make_session_factory(app), clock, world.tenants[slug])
    finally:
        owner.dispose()
        app.dispose()
    return world


def put_on_duty(
    factory: sessionmaker[Session],
    tenant: TenantWorld,
    names: Iterable[str],
    *,
    starts_at: datetime,
    hours: int = 8,
) -> list[UUID]:
    """Put people of a tenant on a shift that begins at an instant, at no post in particular.

    Returns
    -------
    The roster entries, in the order of the names.
    """
    starts = starts_at.astimezone(ZoneInfo(ZONE)).replace(second=0, microsecond=0)
    clock = ManualClock(starts_at)
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        shift_id = create_shift(
            session,
            tenant_id=tenant.id,
            name=f"shift {new_id()}",
            starts=starts.time(),
            ends=(starts + timedelta(hours=hours)).time(),
        )
        return [
            assign_shift(
                session,
                clock,
                tenant_id=tenant.id,
                employee_id=tenant.people[name],
                shift_id=shift_id,
                on_date=starts.date(),
                zone=ZONE,
            )
            for name in names
        ]


def _populate(factory: sessionmaker[Session], clock: Clock, tenant: TenantWorld) -> None:
    with unit_of_work(factory, tenant_id=tenant.id) as session:
        tenant.units["group"] = services.top_unit(session, tenant_id=tenant.id).id
        if tenant.slug == "gamma":
            _hire(session, clock, tenant, "employee", "group")
            return
        for name, parent, kind in (
            ("north", "group", UnitKind.BRANCH),
            ("south", "group", UnitKind.BRANCH),
            ("n1", "north", UnitKind.TEAM),
            ("n2", "north", UnitKind.TEAM),
            ("s1", "south", UnitKind.TEAM),
        ):
            tenant.units[name] = services.add_unit(
                session,
                clock,
                tenant_id=tenant.id,
                parent_id=tenant.units[parent],
                kind=kind,
                name=f"{name} {tenant.canary(_BRANCH_OF[name])}",
            ).id
        for name, unit, role, on in _CAST:
            _hire(session, clock, tenant, name, unit)
            _open_account(session, clock, tenant, name)
            if role is not None and on is not None:
                services.grant_role(
                    session,
                    clock,
                    tenant_id=tenant.id,
                    account_id=tenant.logins[name].account_id,
                    role=role,
                    unit_id=tenant.units[on],
                )
        services.end_employment(
            session,
            clock,
            tenant_id=tenant.id,
            employee_id=tenant.people["leaver"],
            left_on=date(2026, 3, 1),
        )
        _hire(session, clock, tenant, "mover", "n1")
        services.move_employee(
            session,
            clock,
            tenant_id=tenant.id,
            employee_id=tenant.people["mover"],
            unit_id=tenant.units["s1"],
            from_on=MOVED_ON,
        )
        for name in ("employee", "peer", "other_team", "other_branch", "mover"):
            tenant.devices[name] = services.enrol_device(
                session,
                clock,
                tenant_id=tenant.id,
                employee_id=tenant.people[name],
                kind=DeviceKind.OWNTRACKS_ANDROID,
                label=f"phone of {name} {_mark(tenant, name)}",
                broker=BROKER,
                vault=VAULT,
            )


def _hire(session: Session, clock: Clock, tenant: TenantWorld, name: str, unit: str) -> None:
    marked = unit in _BRANCH_OF and name != "mover"
    mark = tenant.canary(_BRANCH_OF[unit]) if marked else tenant.slug
    tenant.people[name] = services.hire_employee(
        session,
        clock,
        tenant_id=tenant.id,
        number=f"E{len(tenant.people) + 1:03d}",
        name=f"{name} {mark}",
        unit_id=tenant.units[unit],
        hired_on=HIRED_ON,
    ).id


def _open_account(session: Session, clock: Clock, tenant: TenantWorld, name: str) -> None:
    account = services.create_account(
        session,
        clock,
        tenant_id=tenant.id,
        login=name,
        name=name,
        password=PASSWORD,
        employee_id=tenant.people[name],
    )
    tenant.logins[name] = Login(f"{name}@{tenant.slug}", account.id, tenant.people[name])


def _mark(tenant: TenantWorld, name: str) -> str:
    if name == "mover":
        return tenant.slug
    unit = next(unit for cast, unit, _role, _on in _CAST if cast == name)
    return tenant.canary(_BRANCH_OF[unit])
