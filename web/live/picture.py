"""The live picture in the shapes that the page, its table and its CSV need."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.findings.queries import (
    FindingFilter,
    FindingRow,
    FindingState,
    ReviewState,
    list_findings,
)
from server.people.policy import employees_in_scope
from server.people.queries import people
from server.people.rules import Action, Principal
from server.posts.queries import PostView
from server.tracking.queries import FixColumns, LiveMap
from web.posts.shapes import drawing
from web.tables import TableState

SEVERITY: Final = ("off_post", "no_signal", "stale", "travelling", "on_post", "off_duty")
SORTS: Final = frozenset(
    {"name", "unit", "post", "status", "fixed", "source", "accuracy", "battery"}
)
CSV_HEADER: Final = (
    *("name", "unit", "post", "status", "fixed_at", "source", "accuracy_m", "battery_pct"),
)
MAX_ALERTS: Final = 100
TRAIL_S: Final = 1800


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line of the table; holds no coordinates."""

    id: str
    name: str
    unit: str | None
    post: str | None
    status: str
    fixed_at: datetime | None
    source: str | None
    accuracy_m: float | None
    battery_pct: int | None


def as_json(live: LiveMap) -> dict[str, Any]:
    """Return a live map for the browser; ids as text, instants as epoch seconds."""
    return {
        "as_of": live.as_of.timestamp(),
        "thresholds": asdict(live.thresholds),
        "people": live.people,
        "counts": live.counts,
        "rostered": live.rostered,
        "covered": live.covered,
    }


def seen(live: LiveMap) -> list[UUID]:
    """Return whose position a live map shows; the others were not looked at."""
    return placed(live.people)


def placed(columns: Mapping[str, list[Any]]) -> list[UUID]:
    """Return the people of live columns whose position is in them."""
    return [
        UUID(person_id)
        for person_id, lon in zip(columns["id"], columns["lon"], strict=True)
        if lon is not None
    ]


def open_alerts(session: Session, viewer: Principal, *, now: datetime) -> list[dict[str, Any]]:
    """Return the off-post alerts nobody has judged yet, oldest first, with a number to call."""
    scope = employees_in_scope(viewer, Action.VIEW_FINDINGS, now=now)
    wanted = FindingFilter(
        states=(FindingState.OPEN,), reviews=(ReviewState.PENDING,), limit=MAX_ALERTS
    )
    found = list_findings(session, scope, wanted=wanted).rows
    phones: Mapping[UUID, str | None] = {}
    if found:
        (employee_id,) = scope.selected_columns
        concerned = scope.where(employee_id.in_({row.employee_id for row in found}))
        phones = {p.id: p.phone for p in people(session, viewer, concerned, now=now)}
    oldest_first = sorted(found, key=lambda row: (row.starts_at, row.id))
    return [_alert(row, phones.get(row.employee_id)) for row in oldest_first]


def trail_as_json(fixes: FixColumns) -> dict[str, Any]:
    """Return a trail as points of lon, lat (degrees) and epoch seconds, oldest first."""
    points = zip(fixes.lon, fixes.lat, fixes.fixed_at, strict=True)
    return {"span_s": TRAIL_S, "points": [list(point) for point in points]}


def fences(posts: Iterable[PostView]) -> dict[str, Any]:
    """Return the areas of posts as GeoJSON, each with the place of its name."""
    features = []
    for post in posts:
        if post.shape is None:
            continue
        fence = Geofence.from_geojson(post.shape)
        area = drawing(fence)
        lon_deg, _lat_deg = fence.centre
        features.append(
            {
                "type": "Feature",
                "id": str(post.id),
                "properties": {"name": post.name, "label": [lon_deg, _northmost(area)]},
                "geometry": area,
            }
        )
    return {"type": "FeatureCollection", "features": features}


def rows(live: LiveMap, table: TableState) -> list[PersonRow]:
    """Return the people of a live map as the address filters and orders them."""
    found = rows_of(live.people)
    status = table.filters.get("status")
    chosen = [
        row
        for row in found
        if (status is None or row.status == status) and table.q.casefold() in _text(row)
    ]
    # Sorting keeps the order of names among equals, which the query gives.
    return sorted(
        chosen, key=lambda row: _sort_value(row, table.sort_key), reverse=table.descending
    )


def rows_of(columns: Mapping[str, list[Any]]) -> list[PersonRow]:
    """Return live columns as lines, in their order."""
    return [
        PersonRow(
            id=columns["id"][i],
            name=columns["name"][i],
            unit=columns["unit"][i],
            post=columns["post"][i],
            status=columns["status"][i],
            fixed_at=_instant(columns["fixed_at"][i]),
            source=columns["source"][i],
            accuracy_m=columns["accuracy_m"][i],
            battery_pct=columns["battery_pct"][i],
        )
        for i in range(len(columns["id"]))
    ]


def csv_row(row: PersonRow) -> tuple[object, ...]:
    """Return one line of the CSV, in the order of `CSV_HEADER`."""
    fixed_at = row.fixed_at.isoformat() if row.fixed_at else None
    return (
        *(row.name, row.unit, row.post, row.status),
        *(fixed_at, row.source, row.accuracy_m, row.battery_pct),
    )


def _alert(row: FindingRow, phone: str | None) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "kind": row.kind.value,
        "state": row.state.value,
        "employee_id": str(row.employee_id),
        "name": row.employee_name,
        "post_id": str(row.post_id) if row.post_id else None,
        "post": row.post_name,
        "starts_at": row.starts_at.timestamp(),
        "decided_at": row.decided_at.timestamp(),
        "distance_m": row.distance_m,
        "revision": row.revision,
        "acknowledged": False,
        "phone": phone,
    }


def _northmost(area: Mapping[str, Any]) -> float:
    parts = area["coordinates"] if area["type"] == "MultiPolygon" else [area["coordinates"]]
    return max(float(lat) for part in parts for lon, lat in part[0])


def _instant(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC)


def _text(row: PersonRow) -> str:
    return " ".join(filter(None, (row.name, row.unit, row.post))).casefold()


def _sort_value(row: PersonRow, key: str) -> tuple[bool, Any]:
    values = {
        "name": row.name,
        "unit": row.unit,
        "post": row.post,
        "status": SEVERITY.index(row.status),
        "fixed": row.fixed_at,
        "source": row.source,
        "accuracy": row.accuracy_m,
        "battery": row.battery_pct,
    }
    value = values[key]
    return (value is None, 0 if value is None else value)
