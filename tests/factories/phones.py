"""Phones whose fixes are recorded as ingest records them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from redis import Redis
from sqlalchemy import text

from geo.distance import destination
from geo.fix import Source
from ingest.wire import WireFix
from server.tracking.engine import Engine
from server.tracking.live import LivePublisher
from server.tracking.models import Via
from server.tracking.recording import record_fixes
from server.tracking.records import Batch, DeviceRef, DutySlot, FixRecord
from tests.factories.company import DAY, LAT_DEG, LON_DEG, Company

NINE = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)
SIX = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)


ONE_MINUTE = timedelta(minutes=1)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@dataclass(frozen=True, slots=True)
class Phone:
    """A person on the roster with a device."""

    company: Company
    employee_id: UUID
    device_id: UUID
    entry_id: UUID
    work_on: date

    def fix(
        self,
        at: datetime,
        *,
        east_m: float = 0.0,
        accuracy_m: float | None = 8.0,
        source: Source = Source.GPS,
        battery_pct: int | None = 80,
        flags: int = 0,
        late: timedelta = timedelta(),
        salt: int = 0,
    ) -> FixRecord:
        """A fix `east_m` east of the post's centre, received `late` after it was measured."""
        lon, lat = destination(
            lon_deg=LON_DEG, lat_deg=LAT_DEG, azimuth_deg=90.0, distance_m=east_m
        )
        fixed_s = at.timestamp()
        return FixRecord(
            device_no=0,
            fix=WireFix(
                fixed_s=fixed_s,
                lon_deg=lon,
                lat_deg=lat,
                key=int(fixed_s) * 1_000 + salt,
                raw=b"{}",
                accuracy_m=accuracy_m,
                battery_pct=battery_pct,
                source=source,
            ),
            received_s=(at + late).timestamp(),
            flags=flags,
            slot=DutySlot(self.entry_id, (self.work_on,)),
            via=Via.MQTT,
        )

    def send(self, fixes: Iterable[FixRecord]) -> int:
        """Record fixes in one transaction; returns how many were new."""
        device = DeviceRef(self.company.tenant_id, self.device_id, self.employee_id)
        with self.company.ingest_transaction() as session:
            return record_fixes(session, Batch(devices=[device], fixes=list(fixes))).stored


def phone(company: Company, *, name: str = "王芳", post: bool = True) -> Phone:
    """A new person on today's day shift with a phone."""
    employee_id = company.hire(name)
    return Phone(
        company,
        employee_id,
        company.give_phone(employee_id),
        company.roster(employee_id, post=post),
        DAY,
    )


def at_post(who: Phone, first: datetime, last: datetime, every_s: float = 60.0) -> list[FixRecord]:
    """Fixes near the centre of the post over `[first, last)`."""
    return [who.fix(at, east_m=15.0) for at in instants(first, last, every_s)]


def away(
    who: Phone, first: datetime, last: datetime, *, east_m: float = 400.0, every_s: float = 60.0
) -> list[FixRecord]:
    """Fixes well outside the post over `[first, last)`."""
    return [who.fix(at, east_m=east_m) for at in instants(first, last, every_s)]


def instants(first: datetime, last: datetime, every_s: float) -> list[datetime]:
    """Instants from first, every so many seconds, before last."""
    count = int((last - first).total_seconds() // every_s)
    found = [first + timedelta(seconds=every_s * no) for no in range(count + 1)]
    return [at for at in found if at < last]


def worker(company: Company, redis: Redis) -> Engine:
    """One worker of the engine on the company's clock."""
    return Engine(company.sessions(company.engine), company.clock, LivePublisher(redis))


def live_through(
    company: Company, engine: Engine, sendings: Sequence[tuple[Phone, FixRecord]]
) -> None:
    """Send fixes one by one at the time they are measured, deriving after each."""
    for who, record in sorted(sendings, key=lambda pair: pair[1].fix.fixed_s):
        until(company, engine, datetime.fromtimestamp(record.fix.fixed_s, UTC))
        who.send([record])
        engine.run_until_idle()


def until(company: Company, engine: Engine, at: datetime, step: timedelta = ONE_MINUTE) -> None:
    """Let time pass, with the engine's timers running."""
    while company.clock.at < at:
        company.clock.at = min(company.clock.at + step, at)
        engine.queue_due()
        engine.queue_begun()
        engine.run_until_idle()


def derived_rows(company: Company, *, with_retracted: bool = False) -> dict[str, Any]:
    """Everything derived, without instants of computation: what must not depend on order.

    Findings are compared by what they say. Their ids, revisions and reviews are history and
    may depend on order, and so may those that were retracted on the way.
    """
    statements = {
        "presence": """SELECT employee_id, work_on, roster_entry_id, starts_at, ends_at, state,
            inferred, cause, probability FROM presence_intervals ORDER BY 1, 2, 3, 4""",
        "days": """SELECT employee_id, work_on, as_of_at, algorithm_version, policy::text,
            summary::text FROM person_days ORDER BY 1, 2""",
        "findings": f"""SELECT kind, state, employee_id, roster_entry_id, post_id, work_on,
            starts_at, ends_at, decided_at, evidence::text FROM findings
            {"" if with_retracted else "WHERE state <> 'retracted'"}
            ORDER BY employee_id, kind, starts_at, state""",
        "now": """SELECT p.employee_id, p.roster_entry_id, p.post_id, p.state, p.since_at,
            p.distance_m, f.kind, f.starts_at FROM presence_now p
            LEFT JOIN findings f ON f.tenant_id = p.tenant_id AND f.id = p.finding_id
            ORDER BY 1""",
    }
    with company.engine_transaction() as session:
        return {
            name: [tuple(row) for row in session.execute(text(statement))]
            for name, statement in statements.items()
        }


def forget_everything_derived(company: Company) -> None:
    """Empty the derived tables and the queue, as before the first fix."""
    with company.owner.begin() as connection:
        for name in (
            "reviews",
            "findings",
            "presence_intervals",
            "person_days",
            "presence_now",
            "touched_days",
            "last_positions",
            "fixes",
        ):
            connection.execute(text(f"DELETE FROM {name}"))
