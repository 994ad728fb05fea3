"""All that tracking holds of one person, for that person; public through `queries`."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from server.db.geometry import lat_of, lon_of
from server.findings.rules import DayKey
from server.posts.rules import day_bounds
from server.tracking.days import FixColumns, to_columns
from server.tracking.distribution_models import WhereaboutsRow
from server.tracking.facts import load_fixes
from server.tracking.locate_models import LocateRequest
from server.tracking.models import DayRow, DeviceEventRow, LastPosition, PresenceRow
from server.tracking.radio_models import RadioReport
from server.tracking.retention import RAW_RETENTION

_EVERY_FIX: Final = 10_000_000
# A week of fixes goes when its last day is past retention.
_LONGEST: Final = RAW_RETENTION + timedelta(days=8)
_INTERNAL: Final = {"tenant_id", "employee_id", "position", "raw", "asker_id"}


def fixes_of_person(
    session: Session, *, tenant_id: int, employee_id: UUID, today: date, zone: str
) -> dict[date, FixColumns]:
    """Return every stored fix of a person by local date, also where leave closed it later.

    Days without a fix are missing. One statement.
    """
    dates = [today - timedelta(days=n) for n in range(_LONGEST.days, -2, -1)]
    spans = {DayKey(tenant_id, employee_id, on): day_bounds(on, zone) for on in dates}
    found = load_fixes(session, spans)
    return {
        key.work_on: to_columns(series, max_points=_EVERY_FIX)
        for key, series in found.items()
        if len(series)
    }


def records_of_person(
    session: Session, *, tenant_id: int, employee_id: UUID
) -> dict[str, list[dict[str, Any]]]:
    """Return the other rows about a person, oldest first, as plain values. A statement each.

    Returns
    -------
    `device_events`, `radio_reports` (cells and access points heard), `presence`, `days`
    (outlines with stops and trips), `last_position`, `whereabouts` (by the minute, as counts
    of people are made from), `locate_requests` (who asked where the person was, and why).
    """
    orders = {
        "device_events": (DeviceEventRow, DeviceEventRow.at),
        "radio_reports": (RadioReport, RadioReport.fixed_at),
        "presence": (PresenceRow, PresenceRow.starts_at),
        "days": (DayRow, DayRow.work_on),
        "last_position": (LastPosition, LastPosition.fixed_at),
        "whereabouts": (WhereaboutsRow, WhereaboutsRow.hour_at),
        "locate_requests": (LocateRequest, LocateRequest.asked_at),
    }
    found = {}
    for name, (model, order) in orders.items():
        table = model.__table__
        columns: list[ColumnElement[Any]] = [c for c in table.c if c.name not in _INTERNAL]
        if "position" in table.c:
            place = table.c.position
            columns += [lon_of(place).label("lon"), lat_of(place).label("lat")]
        query = (
            select(*columns)
            .where(table.c.tenant_id == tenant_id, table.c.employee_id == employee_id)
            .order_by(order)
        )
        found[name] = [_plain(row) for row in session.execute(query).mappings()]
    return found


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
