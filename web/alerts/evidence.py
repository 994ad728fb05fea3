"""The map of an evidence card: the fence as it held, the fixes, how sure each is."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.findings.queries import FindingDetail
from server.tracking.queries import evidence_fixes
from web import formats
from web.cards.drawing import Dot, Sketch, rings_of
from web.cards.reading import Pair
from web.posts.shapes import feature
from web.texts import _


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


def evidence_sketch(shown: dict[str, Any]) -> Sketch:
    """Return the map of a finding for paper, from what `evidence_map` returned."""
    fixes, fence = shown["fixes"], shown["fence"]
    columns = (fixes[name] for name in ("lon", "lat", "accuracy_m", "proof"))
    return Sketch(
        rings=rings_of(fence["geometry"]) if fence else (),
        dots=[Dot(*values) for values in zip(*columns, strict=True)],
    )


def card_facts(found: FindingDetail, zone: str) -> list[Pair]:
    """Return what a finding knows besides its evidence: its fence's name and its life."""
    row, post = found.row, found.evidence.get("inputs", {}).get("post")
    facts = [
        (_("Decided by the fix of"), formats.instant(row.decided_at, zone, seconds=True)),
        (_("Raised"), formats.instant(row.raised_at, zone, seconds=True)),
        (_("Revision"), str(row.revision)),
    ]
    if post:
        name = _("version %(number)s of %(name)s", number=post["version"], name=row.post_name)
        facts.insert(0, (_("Fence"), name))
    return [Pair(*fact) for fact in facts]


def card_subtitle(found: FindingDetail, zone: str) -> str:
    """Return whom and which span a printed card is about."""
    row = found.row
    end = formats.clock_time(row.ends_at, zone) if row.ends_at else _("now")
    offset = formats.gmt_offset(row.starts_at, zone)
    when = f"{formats.instant(row.starts_at, zone)} – {end} ({offset})"
    return " · ".join(filter(None, (row.unit_name, row.post_name, when)))


def _last_known(found: FindingDetail) -> datetime:
    lasted = found.row.duration_s or 0.0
    return max(found.row.decided_at, found.row.starts_at + timedelta(seconds=lasted))


def _fence(post: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    if not post or "shape" not in post:
        return None
    return feature(Geofence.from_geojson(post["shape"]), id_=post["id"], name=name)
