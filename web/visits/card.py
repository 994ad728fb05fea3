"""A visit's card: its map on screen and on paper, and what the page knows besides."""

from typing import Any

from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.sites.queries import sites_by_id
from server.visits.queries import VisitDetail, visit_fixes
from web import formats
from web.cards.drawing import Dot, Label, Sketch, rings_of
from web.cards.reading import Pair
from web.posts.shapes import feature
from web.texts import _
from web.visits import words


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


def visit_sketch(shown: dict[str, Any], name: str) -> Sketch:
    """Return the map of a visit for paper, from what `visit_map` returned."""
    fixes, fence, pin = shown["fixes"], shown["fence"], shown["pin"]
    columns = (fixes[name] for name in ("lon", "lat", "accuracy_m", "proof"))
    return Sketch(
        rings=rings_of(fence["geometry"]) if fence else (),
        dots=[Dot(*values) for values in zip(*columns, strict=True)],
        labels=[Label(pin[0], pin[1], name)] if pin else (),
    )


def card_facts(found: VisitDetail, zone: str) -> list[Pair]:
    """Return what a visit knows besides its evidence: its kind, site, version and date."""
    row = found.row
    facts = [
        (_("Type"), str(words.TYPES[row.kind])),
        (_("Site"), f"{row.site_name} · {row.site_number}"),
        (_("Version of the verdict"), str(row.version)),
    ]
    if row.decided_at is not None:
        facts.append((_("Decided"), formats.instant(row.decided_at, zone, seconds=True)))
    return [Pair(*fact) for fact in facts]


def card_subtitle(found: VisitDetail, zone: str) -> str:
    """Return whom, where and which window a printed card is about."""
    row = found.row
    end, offset = formats.clock_time(row.ends_at, zone), formats.gmt_offset(row.starts_at, zone)
    when = f"{formats.instant(row.starts_at, zone)} – {end} ({offset})"
    return " · ".join(filter(None, (row.unit_name, row.site_name, when)))


def _as_it_is(session: Session, found: VisitDetail, *, tenant_id: int) -> dict[str, float] | None:
    site = sites_by_id(session, tenant_id=tenant_id, ids=[found.row.site_id])[found.row.site_id]
    if site.position is None:
        return None
    lon_deg, lat_deg = site.position
    return {"lon_deg": lon_deg, "lat_deg": lat_deg, "radius_m": site.radius_m}
