"""Enrolling many phones from one file: read, check row by row, apply all or nothing."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from server.clock import Clock
from server.crypto import Vault
from server.errors import InvalidInput
from server.people.devices import Ticket, enrol_device, issue_ticket
from server.people.models import Device, DeviceKind, Employee
from server.people.owntracks import BrokerAddress

MAX_ROWS: Final = 500
MAX_BYTES: Final = 512 * 1024
SHEET_LIFE: Final = timedelta(days=7)
"""A printed sheet is handed out over days, not minutes."""
MAX_LABEL: Final = 60

_COLUMNS: Mapping[str, str] = {
    "number": "number",
    "staff_number": "number",
    "employee_number": "number",
    "工号": "number",
    "app": "app",
    "kind": "app",
    "应用": "app",
    "label": "label",
    "device": "label",
    "名称": "label",
    "设备": "label",
}
_APPS: Mapping[str, DeviceKind] = {
    **{kind.value: kind for kind in DeviceKind},
    "owntracks": DeviceKind.OWNTRACKS_ANDROID,
    "android": DeviceKind.OWNTRACKS_ANDROID,
    "ios": DeviceKind.OWNTRACKS_IOS,
    "iphone": DeviceKind.OWNTRACKS_IOS,
}


class RowError(StrEnum):
    """Why a row cannot be applied."""

    NO_NUMBER = "no_number"
    UNKNOWN_NUMBER = "unknown_number"
    """Nobody in reach has it."""
    LEFT = "left"
    UNKNOWN_APP = "unknown_app"
    TWICE = "twice"
    """The same person and app stand in the file before."""
    HAS_ONE = "has_one"
    """The person has an active device with this app."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One line of the file as read, with the line number people see in their editor."""

    line: int
    number: str
    app: str
    label: str


@dataclass(frozen=True, slots=True)
class PlannedPhone:
    """One row with what it means; `error` says why it cannot be applied."""

    line: int
    number: str
    label: str
    kind: DeviceKind | None
    employee_id: UUID | None
    name: str | None
    error: RowError | None


@dataclass(frozen=True, slots=True)
class SheetPhone:
    """One phone that was enrolled, with its one-time link."""

    number: str
    name: str
    label: str
    kind: DeviceKind
    device_id: UUID
    ticket: Ticket


def read_sheet(content: bytes) -> list[SheetRow]:
    """Read a file of staff numbers, apps and labels.

    Parameters
    ----------
    content : CSV in UTF-8 (with or without mark) or GB 18030, separated by comma, semicolon
        or tab; the first line names the columns `number`, `app` and `label` (or 工号, 应用,
        名称); the last two may be missing.

    Raises
    ------
    InvalidInput : too large, not text, without a column of numbers, without a row, or more
        than `MAX_ROWS` rows. The code says which.
    """
    if len(content) > MAX_BYTES:
        raise InvalidInput("sheet_too_large")
    text = _text(content)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error:
        raise InvalidInput("sheet_not_csv") from None
    head = [_COLUMNS.get(name.strip().casefold(), "") for name in (lines[0] if lines else [])]
    if "number" not in head:
        raise InvalidInput("sheet_no_number_column")
    rows = []
    for no, cells in enumerate(lines[1:], start=2):
        found = {name: cell.strip() for name, cell in zip(head, cells, strict=False) if name}
        if any(found.values()):
            rows.append(
                SheetRow(no, found.get("number", ""), found.get("app", ""), found.get("label", ""))
            )
    if not rows:
        raise InvalidInput("sheet_empty")
    if len(rows) > MAX_ROWS:
        raise InvalidInput("sheet_too_long")
    return rows


def plan_phones(
    session: Session,
    rows: Sequence[SheetRow],
    *,
    tenant_id: int,
    scope: Select[UUID],
    today: date,
) -> list[PlannedPhone]:
    """Check every row against the people in reach; writes nothing. Two statements.

    Parameters
    ----------
    session : transaction inside the tenant's wall.
    rows : from `read_sheet`.
    scope : ids of the people whose devices the actor may manage; others do not exist here.
    today : local date; who has left by then gets no phone.

    Returns
    -------
    One plan a row, in order; the file can be applied when no row has an error.
    """
    numbers = sorted({row.number for row in rows if row.number})
    people = {
        person.number: person
        for person in session.scalars(
            select(Employee).where(
                Employee.tenant_id == tenant_id,
                Employee.number.in_(numbers),
                Employee.id.in_(scope),
            )
        )
    }
    held = {
        (employee_id, kind)
        for employee_id, kind in session.execute(
            select(Device.employee_id, Device.kind).where(
                Device.tenant_id == tenant_id,
                Device.revoked_at.is_(None),
                Device.employee_id.in_([person.id for person in people.values()]),
            )
        )
    }
    seen: Counter[tuple[str, DeviceKind | None]] = Counter()
    plans = []
    for row in rows:
        kind = _APPS.get(row.app.casefold()) if row.app else DeviceKind.OWNTRACKS_ANDROID
        person = people.get(row.number)
        seen[row.number, kind] += 1
        plans.append(
            PlannedPhone(
                row.line,
                row.number,
                row.label[:MAX_LABEL],
                kind,
                person.id if person else None,
                person.name if person else None,
                _error(row, kind, person, held=held, times=seen[row.number, kind], today=today),
            )
        )
    return plans


def enrol_phones(
    session: Session,
    clock: Clock,
    plans: Sequence[PlannedPhone],
    *,
    tenant_id: int,
    broker: BrokerAddress,
    vault: Vault,
    labels: Mapping[DeviceKind, str],
    actor_id: UUID | None = None,
) -> list[SheetPhone]:
    """Enrol every planned phone, each with a one-time link, in the caller's transaction.

    Parameters
    ----------
    plans : from `plan_phones` in the same transaction, so that nothing moved since.
    broker, vault : as for `enrol_device`.
    labels : what a phone is called whose row has no label, by app.
    actor_id : who enrols, None for a command.

    Raises
    ------
    InvalidInput : a row has an error; nothing was enrolled.
    """
    bad = {str(plan.line): plan.error.value for plan in plans if plan.error is not None}
    if bad or not plans:
        raise InvalidInput("sheet_has_errors", fields=bad)
    made = []
    for plan in plans:
        assert plan.kind is not None
        assert plan.employee_id is not None
        label = plan.label or labels[plan.kind]
        enrolled = enrol_device(
            session,
            clock,
            tenant_id=tenant_id,
            employee_id=plan.employee_id,
            kind=plan.kind,
            label=label,
            broker=broker,
            vault=vault,
            actor_id=actor_id,
        )
        ticket = issue_ticket(
            session, clock, tenant_id=tenant_id, enrolled=enrolled, vault=vault, life=SHEET_LIFE
        )
        made.append(
            SheetPhone(plan.number, plan.name or "", label, plan.kind, enrolled.device_id, ticket)
        )
    return made


def _error(
    row: SheetRow,
    kind: DeviceKind | None,
    person: Employee | None,
    *,
    held: set[tuple[UUID, DeviceKind]],
    times: int,
    today: date,
) -> RowError | None:
    if not row.number:
        return RowError.NO_NUMBER
    if person is None:
        return RowError.UNKNOWN_NUMBER
    if person.left_on is not None and person.left_on <= today:
        return RowError.LEFT
    if kind is None:
        return RowError.UNKNOWN_APP
    if times > 1:
        return RowError.TWICE
    return RowError.HAS_ONE if (person.id, kind) in held else None


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InvalidInput("sheet_not_text")
