"""People with phones who are on duty around now, straight into the database."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from fixtures.stack import DatabaseUrls, Stack
from server.broker.passwords import hash_password
from server.db.types import new_id

HALF_SHIFT = timedelta(hours=10)


@dataclass(frozen=True, slots=True)
class Phone:
    """One device with its secret, and whose it is."""

    tenant_id: int
    employee_id: UUID
    device_id: UUID
    username: str
    secret: str
    on_duty: bool

    @property
    def topic(self) -> str:
        """Where it publishes positions."""
        return f"owntracks/{self.username}/phone"


def plain_url(url: str) -> str:
    """Return a database address as psycopg reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def enlist(
    urls: DatabaseUrls,
    count: int,
    *,
    tenant_id: int = 1,
    off_duty: int = 0,
    around: datetime | None = None,
    prefix: str = "phone",
) -> list[Phone]:
    """Make a tenant of people who are on duty from 10 h before to 10 h after an instant.

    Parameters
    ----------
    count : people; the last `off_duty` of them have no shift.
    around : the instant, now by default.
    """
    now = around or datetime.now(UTC)
    phones = [
        Phone(
            tenant_id,
            new_id(),
            new_id(),
            f"{prefix}-{tenant_id}-{no:05d}",
            secrets.token_urlsafe(12),
            no < count - off_duty,
        )
        for no in range(count)
    ]
    shift_id, unit_id = new_id(), new_id()
    with psycopg.connect(plain_url(urls.owner)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants (id, slug, name, zone) VALUES (%s, %s, 'T', 'UTC')"
            " ON CONFLICT DO NOTHING",
            [tenant_id, f"t{tenant_id}x"],
        )
        cursor.execute(
            "INSERT INTO units (tenant_id, id, kind, name) VALUES (%s, %s, 'group', 'Top')",
            [tenant_id, unit_id],
        )
        cursor.execute(
            "INSERT INTO shifts (tenant_id, id, name, starts, ends)"
            " VALUES (%s, %s, %s, '09:00', '18:00')",
            [tenant_id, shift_id, f"day {shift_id}"],
        )
        cursor.executemany(
            "INSERT INTO employees (tenant_id, id, number, name, hired_on)"
            " VALUES (%s, %s, %s, 'A', '2020-01-01')",
            [(p.tenant_id, p.employee_id, p.username) for p in phones],
        )
        cursor.executemany(
            "INSERT INTO devices (tenant_id, id, employee_id, username, kind, label,"
            " credential_hash, enrolled_at)"
            " VALUES (%s, %s, %s, %s, 'owntracks_android', 'p', %s, %s)",
            [
                (
                    p.tenant_id,
                    p.device_id,
                    p.employee_id,
                    p.username,
                    hash_password(p.secret, secrets.token_bytes(12)),
                    now - timedelta(days=60),
                )
                for p in phones
            ],
        )
        cursor.executemany(
            "INSERT INTO roster_entries (tenant_id, id, employee_id, shift_id, on_date, zone,"
            " starts_at, ends_at) VALUES (%s, %s, %s, %s, %s, 'UTC', %s, %s)",
            [
                (
                    p.tenant_id,
                    new_id(),
                    p.employee_id,
                    shift_id,
                    (now - HALF_SHIFT).date(),
                    now - HALF_SHIFT,
                    now + HALF_SHIFT,
                )
                for p in phones
                if p.on_duty
            ],
        )
    return phones


def admit(stack: Stack, phones: list[Phone]) -> None:
    """Let these phones, and no others, connect to the stack's broker."""
    stack.mosquitto.set_devices({phone.username: phone.secret for phone in phones})
