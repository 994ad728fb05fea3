"""Where a carrier says somebody is, as that person's last position: shown, and never a fact.

It is no fix. Nothing that the engine judges reads last positions, so a carrier's circle can
put nobody off their post, and no track, visit or claim rests on it; what was asked and
answered is on record with the question (`locate_requests`, `carrier_requests`).
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.fix import QualityFlag, Source
from server.db.geometry import point_sql
from server.posts.queries import DutyWindow
from server.tracking.live import LiveEvent, position_event
from server.tracking.placing import BETTER_FOR
from server.tracking.records import NIL
from server.tracking.store import INTO_LAST_POSITIONS, NEWER_ONLY

# A finer position of the last minutes stays the one that is shown, as for cells.
_SHOW: Final = text(
    f"""
    {INTO_LAST_POSITIONS}
    VALUES (:tenant_id, :employee_id, :device_id, :fixed_at, :now, 0,
        {point_sql(":lon_deg", ":lat_deg")}, :accuracy_m, NULL, NULL, NULL, :source, :flags,
        :entry_id)
    {NEWER_ONLY} AND (
        coalesce(excluded.accuracy_m, 'Infinity') <= coalesce(p.accuracy_m, 'Infinity')
        OR excluded.fixed_at - p.fixed_at > :better_for)
    RETURNING p.employee_id
    """  # constants
)


def show_told_place(
    session: Session,
    *,
    tenant_id: int,
    employee_id: UUID,
    lon_deg: float,
    lat_deg: float,
    accuracy_m: float | None,
    fixed_at: datetime,
    duty: DutyWindow,
    now: datetime,
) -> LiveEvent | None:
    """Make a carrier's answer a person's last position, in the caller's transaction.

    Parameters
    ----------
    session : of the engine's role.
    lon_deg, lat_deg : WGS-84; `accuracy_m` a radius of 95 %, None when the carrier tells none.
    fixed_at : when the carrier measured; outside of the duty nothing is shown.
    duty : the one that is on now.

    Returns
    -------
    What to publish after the commit; None when something newer, or finer and not older than
    15 minutes, stays.
    """
    if not duty.starts_at <= fixed_at < duty.ends_at:
        return None
    shown = session.scalar(
        _SHOW,
        {
            "tenant_id": tenant_id,
            "employee_id": employee_id,
            "device_id": NIL,
            "fixed_at": fixed_at,
            "now": now,
            "lon_deg": lon_deg,
            "lat_deg": lat_deg,
            "accuracy_m": accuracy_m,
            "source": Source.LBS.value,
            "flags": int(QualityFlag.NO_ACCURACY if accuracy_m is None else QualityFlag.NONE),
            "entry_id": duty.roster_entry_id,
            "better_for": BETTER_FOR,
        },
    )
    if shown is None:
        return None
    return position_event(
        tenant_id=tenant_id,
        employee_id=employee_id,
        lon_deg=lon_deg,
        lat_deg=lat_deg,
        accuracy_m=accuracy_m,
        fixed_at=fixed_at,
        speed_mps=None,
        course_deg=None,
        battery_pct=None,
        source=Source.LBS.value,
    )
