"""The map of an evidence card: the fence as it held, the fixes, how sure each is."""

from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy.orm import Session

from geo.fix import FixArray
from geo.geofence import Geofence
from server.findings.queries import FindingDetail
from server.findings.rules import DayKey
from server.tracking.facts import load_fixes
from web.posts.shapes import drawing

_AROUND: Final = timedelta(minutes=5)
"""Fixes this long before and after the span are shown too, so that leaving is seen."""
_MOST: Final = 2_000


def evidence_map(session: Session, found: FindingDetail, *, tenant_id: int) -> dict[str, Any]:
    """Return what the map of one finding draws.

    Parameters
    ----------
    session : transaction inside the tenant's wall.
    found : a finding the reader may see.
    tenant_id : its tenant.

    Returns
    -------
    `fence` (GeoJSON feature or None) and `fixes`: arrays of equal length, times as epoch
    seconds, unknown accuracies as None, `proof` true for those the verdict rests on. At most
    2,000 fixes, all proving ones among them.
    """
    row, inputs = found.row, found.evidence.get("inputs", {})
    until = row.ends_at or _last_known(found)
    key = DayKey(tenant_id, row.employee_id, row.work_on)
    fixes = load_fixes(session, {key: (row.starts_at - _AROUND, until + _AROUND)})[key]
    return {
        "zone_start": row.starts_at.timestamp(),
        "zone_end": until.timestamp(),
        "fence": _fence(inputs.get("post"), row.post_name or ""),
        "fixes": _columns(fixes, set(inputs.get("fixes", []))),
    }


def _last_known(found: FindingDetail) -> datetime:
    lasted = found.row.duration_s or 0.0
    return max(found.row.decided_at, found.row.starts_at + timedelta(seconds=lasted))


def _fence(post: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    if not post or "shape" not in post:
        return None
    fence = Geofence.from_geojson(post["shape"])
    return {
        "type": "Feature",
        "geometry": drawing(fence),
        "properties": {"id": post["id"], "name": name, "label": list(fence.centre)},
    }


def _columns(fixes: FixArray, proving: set[str]) -> dict[str, list[Any]]:
    proof = np.isin(fixes.keys, sorted(proving)) if proving else np.zeros(len(fixes), dtype=bool)
    others = np.flatnonzero(~proof)
    room = max(_MOST - int(proof.sum()), 0)
    if len(others) > room:
        others = others[np.linspace(0, len(others) - 1, room).round().astype(int)]
    index = np.sort(np.concatenate([np.flatnonzero(proof), others]))
    shown = fixes.take(index)
    return {
        "at": shown.epoch_s.tolist(),
        "lon": shown.lon_deg.round(6).tolist(),
        "lat": shown.lat_deg.round(6).tolist(),
        "accuracy_m": [None if np.isnan(a) else round(float(a), 1) for a in shown.accuracy_m],
        "proof": proof[index].tolist(),
    }
