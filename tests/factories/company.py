"""A small company in a fresh database, made through the real services."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from itertools import count
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from server.clock import ManualClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.db.types import new_id
from server.people.models import UnitKind
from server.people.services import add_unit, create_tenant, hire_employee
from server.posts.services import assign_shift, create_post, create_shift

ZONE = "Asia/Shanghai"
DAY = date(2026, 11, 18)
LON_DEG, LAT_DEG = 121.4737, 31.2304
_numbers = count(1)


@dataclass(slots=True)
class Company:
    """One tenant with a branch, a post (circle of 100 m) and a day shift 09:00 to 18:00."""

    urls: DatabaseUrls
    clock: ManualClock
    app: Engine
    engine: Engine
    ingest: Engine
    owner: Engine
    tenant_id: int = 0
    branch_id: UUID = field(default_factory=new_id)
    post_id: UUID = field(default_factory=new_id)
    shift_id: UUID = field(default_factory=new_id)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction as the web process runs it, inside the tenant's wall."""
        with unit_of_work(self.sessions(self.app), tenant_id=self.tenant_id) as session:
            yield session

    @contextmanager
    def engine_transaction(self) -> Iterator[Session]:
        """One transaction with the engine's rights, over all tenants."""
        with unit_of_work(self.sessions(self.engine), tenant_id=None) as session:
            yield session

    @contextmanager
    def ingest_transaction(self) -> Iterator[Session]:
        """One transaction with the rights of ingest, over all tenants."""
        with unit_of_work(self.sessions(self.ingest), tenant_id=None) as session:
            yield session

    def sessions(self, engine: Engine) -> sessionmaker[Session]:
        """Session factory of one role."""
        return make_session_factory(engine)

    def hire(self, name: str = "王芳", *, unit_id: UUID | None = None) -> UUID:
        """Return a new person of the branch."""
        with self.transaction() as session:
            return hire_employee(
                session,
                self.clock,
                tenant_id=self.tenant_id,
                number=f"E{next(_numbers):05d}",
                name=name,
                unit_id=unit_id or self.branch_id,
                hired_on=date(2020, 1, 1),
            ).id

    def give_phone(self, employee_id: UUID) -> UUID:
        """Return a device of a person; its credential is not usable."""
        device_id = new_id()
        with self.transaction() as session:
            session.execute(
                text(
                    "INSERT INTO devices (tenant_id, id, employee_id, username, kind, label,"
                    " credential_hash, enrolled_at) VALUES"
                    " (:tenant, :id, :employee, :username, 'owntracks_android', 'phone', '', :at)"
                ),
                {
                    "tenant": self.tenant_id,
                    "id": device_id,
                    "employee": employee_id,
                    "username": f"phone-{next(_numbers):06d}",
                    "at": datetime(2026, 1, 1, tzinfo=UTC),
                },
            )
        return device_id

    def roster(
        self,
        employee_id: UUID,
        *,
        on_date: date = DAY,
        post: bool = True,
        shift_id: UUID | None = None,
    ) -> UUID:
        """Return a new roster entry at the company's post, or nowhere in particular."""
        with self.transaction() as session:
            return assign_shift(
                session,
                self.clock,
                tenant_id=self.tenant_id,
                employee_id=employee_id,
                shift_id=shift_id or self.shift_id,
                on_date=on_date,
                post_id=self.post_id if post else None,
                zone=ZONE,
            )


@contextmanager
def company(urls: DatabaseUrls, *, slug: str = "acme") -> Iterator[Company]:
    """A company in an empty database; engines are closed at the end.

    Its clock stands at 08:00 on `DAY` in Shanghai.
    """
    clock = ManualClock(datetime(2026, 11, 18, 0, 0, tzinfo=UTC))
    app, engine, ingest, owner = (
        make_engine(url) for url in (urls.app, urls.engine, urls.ingest, urls.owner)
    )
    made = Company(urls, clock, app, engine, ingest, owner)
    try:
        with unit_of_work(made.sessions(made.owner), tenant_id=None) as session:
            tenant = create_tenant(session, clock, slug=slug, name="Acme", zone=ZONE)
            made.tenant_id = tenant.id
            top_id = session.execute(
                text("SELECT id FROM units WHERE tenant_id = :tenant"), {"tenant": tenant.id}
            ).scalar_one()
        with made.transaction() as session:
            made.branch_id = add_unit(
                session,
                clock,
                tenant_id=made.tenant_id,
                parent_id=top_id,
                kind=UnitKind.BRANCH,
                name="东区",
            ).id
            made.post_id = create_post(
                session,
                clock,
                tenant_id=made.tenant_id,
                unit_id=made.branch_id,
                name="外滩营业厅",
                zone=ZONE,
                shape={"type": "Point", "coordinates": [LON_DEG, LAT_DEG], "radius_m": 100},
            )
            made.shift_id = create_shift(
                session, tenant_id=made.tenant_id, name="日班", starts=time(9), ends=time(18)
            )
        yield made
    finally:
        for opened in (app, engine, ingest, owner):
            opened.dispose()
