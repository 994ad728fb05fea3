"""The map of an evidence card: the fence as it held, the fixes, how sure each is."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.findings.queries import FindingDetail
from server.tracking.queries import evidence_fixes
from web.posts.shapes import feature


def evidence_map(session: Session, found: FindingDetail) -> dict[str, Any]:
    """Return what the map of one finding draws.

    Parameters
    ----------
    session : transaction inside the tenant's wall.
    found : a finding the reader may see.

    Returns
    -------
    `start` and `end` of the span, `fence` (GeoJSON feature or None) and `fixes`: arrays of
    equal length with those shortly before and after the span too, times as epoch seconds,
    unknown accuracies None, `proof` true for those the verdict rests on.
    """
    row, inputs = found.row, found.evidence.get("inputs", {})
    until = row.ends_at or _last_known(found)
    columns = evidence_fixes(
        session,
        row.employee_id,
        row.work_on,
        start_at=row.starts_at,
        end_at=until,
        around=timedelta(minutes=5),
    )
    proving = set(inputs.get("fixes", []))
    return {
        "start": row.starts_at.timestamp(),
        "end": until.timestamp(),
        "fence": _fence(inputs.get("post"), row.post_name or ""),
        "fixes": {
            "at": columns.fixed_at,
            "lon": columns.lon,
            "lat": columns.lat,
            "accuracy_m": columns.accuracy_m,
            "proof": [key in proving for key in columns.key],
        },
    }


def _last_known(found: FindingDetail) -> datetime:
    lasted = found.row.duration_s or 0.0
    return max(found.row.decided_at, found.row.starts_at + timedelta(seconds=lasted))


def _fence(post: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    if not post or "shape" not in post:
        return None
    return feature(Geofence.from_geojson(post["shape"]), id_=post["id"], name=name)
