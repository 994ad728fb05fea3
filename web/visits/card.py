"""The map of a visit's card: the pin with its radius, the fixes, which of them prove it."""

from typing import Any

from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.sites.queries import sites_by_id
from server.visits.queries import VisitDetail, visit_fixes
from web.posts.shapes import feature


def visit_map(session: Session, found: VisitDetail, *, tenant_id: int) -> dict[str, Any]:
    """Return what the map of one visit draws.

    Parameters
    ----------
    session : transaction inside the tenant's wall.
    found : a visit the reader may see.

    Returns
    -------
    `start` and `end` of the window (epoch seconds), `pin` and `fence` as the newest verdict
    took them, or as the site is before the first, and `fixes`: arrays of equal length from
    an hour before to an hour after the window, `proof` true for those of the stay.
    """
    row = found.row
    inputs = found.verdicts[0].evidence["inputs"] if found.verdicts else {}
    pin = inputs.get("site") or _as_it_is(session, found, tenant_id=tenant_id)
    columns = visit_fixes(session, row, tenant_id=tenant_id)
    proving = set(inputs.get("fixes", []))
    fence = None if pin is None else Geofence.circle(**pin)
    return {
        "start": row.starts_at.timestamp(),
        "end": row.ends_at.timestamp(),
        "pin": pin and (pin["lon_deg"], pin["lat_deg"]),
        "fence": fence and feature(fence, id_=str(row.site_id), name=row.site_name),
        "fixes": {
            "at": columns.fixed_at,
            "lon": columns.lon,
            "lat": columns.lat,
            "accuracy_m": columns.accuracy_m,
            "proof": [key in proving for key in columns.key],
        },
    }


def _as_it_is(session: Session, found: VisitDetail, *, tenant_id: int) -> dict[str, float] | None:
    site = sites_by_id(session, tenant_id=tenant_id, ids=[found.row.site_id])[found.row.site_id]
    if site.position is None:
        return None
    lon_deg, lat_deg = site.position
    return {"lon_deg": lon_deg, "lat_deg": lat_deg, "radius_m": site.radius_m}
