"""Page, JSON and exports of the distribution of people."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import orjson
from flask import Blueprint, Response, render_template, request

from server.audit.services import Purpose
from server.errors import InvalidInput
from server.http.context import now, principal, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import local_date
from server.people.rules import Action
from server.tracking import hexagons
from server.tracking.distribution import Distribution, count_in_areas, rolled_up
from server.tracking.retention import RAW_RETENTION
from web import answers
from web.choices import tree_of, unit_choices
from web.distribution import reading
from web.distribution.reading import Own
from web.tables import csv_response

blueprint = Blueprint("distribution", __name__, template_folder="templates")

_QUERY: dict[str, dict[str, Any]] = {
    "at": {"type": "string", "format": "date-time", "description": "with offset; none is now"},
    "unit": {"type": "string", "format": "uuid"},
    "res": {"type": "integer", "minimum": hexagons.COARSEST, "maximum": hexagons.FINEST},
    "box": {"type": "string", "description": "west,south,east,north"},
    "reach": {"type": "string", "enum": ["own", "company"]},
}
_PROVISIONAL = timedelta(minutes=10)


@blueprint.get("/distribution")
@policy(Action.VIEW_DISTRIBUTION)
def page() -> str:
    """Show list, map and time; the page fetches its own counts."""
    viewer, at = principal(), now()
    with transaction() as session:
        own = reading.own_units(session, viewer, None, now=at)
    today = local_date(at, viewer.zone)
    return render_template(
        "distribution/page.html",
        units=unit_choices(own.every),
        today=today,
        earliest=local_date(at - RAW_RETENTION, viewer.zone) + timedelta(days=1),
        statuses=reading.STATUSES,
    )


@blueprint.get("/api/distribution/counts")
@policy(Action.VIEW_DISTRIBUTION)
@describe(
    "People on duty by unit and by hexagon, now or at a minute of the past",
    query=_QUERY,
    answer=answers.Distribution,
    errors=(400, 404),
)
def counts() -> dict[str, Any]:
    """Return counts of the viewer's units; of others only what `anonymity` lets out."""
    viewer, at = principal(), now()
    asked = reading.question(request.args, viewer, now=at)
    with transaction() as session:
        own = reading.own_units(session, viewer, asked.unit_id, now=at)
        found = reading.counted(session, viewer, asked, own)
        outside = reading.others(session, viewer, asked, own) if asked.company else None
        reading.note_look(session, viewer, asked, people=found.people, view="distribution", now=at)
    moment = asked.moment
    return {
        "at": moment.at.timestamp(),
        "on": moment.on.isoformat(),
        "is_now": moment.is_now,
        "provisional": at - moment.at < _PROVISIONAL,
        "resolution": found.resolution,
        "people": found.people,
        "placed": found.placed,
        "statuses": reading.statuses(sum(found.units.values(), Counter())),
        "units": _units(found, own),
        "cells": _cells(found),
        "others": outside,
    }


@blueprint.post("/api/distribution/areas")
@policy(Action.VIEW_DISTRIBUTION)
@describe(
    "People on duty inside drawn areas, of the viewer's own units only",
    body=answers.AreasWanted,
    answer=answers.AreaCounts,
    errors=(400, 404, 422),
)
def areas() -> dict[str, Any]:
    """Count people in areas; these come in the body, so that no log keeps them."""
    viewer, at = principal(), now()
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise InvalidInput(fields={"areas": "malformed"})
    values = {name: body[name] for name in ("at", "unit") if isinstance(body.get(name), str)}
    asked = reading.question(values, viewer, now=at)
    drawn = reading.areas_of(body)
    with transaction() as session:
        own = reading.own_units(session, viewer, asked.unit_id, now=at)
        tallies = count_in_areas(
            session, asked.moment, tenant_id=viewer.tenant_id, units=own.ids, areas=drawn
        )
        people = sum(tally.total() for tally in tallies)
        reading.note_look(session, viewer, asked, people=people, view="distribution_areas", now=at)
    return {"at": asked.moment.at.timestamp(), "areas": reading.columns(tallies)}


@blueprint.get("/distribution/export")
@policy(Action.VIEW_DISTRIBUTION)
def export() -> Response:
    """Return the counts of one instant as CSV (units or hexagons) or GeoJSON (hexagons)."""
    viewer, at = principal(), now()
    asked = reading.question(request.args, viewer, now=at)
    what = request.args.get("what", "hexagons")
    if what not in {"hexagons", "units"}:
        raise InvalidInput(fields={"what": "malformed"})
    with transaction() as session:
        own = reading.own_units(session, viewer, asked.unit_id, now=at)
        found = reading.counted(session, viewer, asked, own)
        reading.note_look(
            session,
            viewer,
            asked,
            people=found.people,
            view="distribution_export",
            now=at,
            purpose=Purpose.EXPORT,
        )
    stamp = asked.moment.at.astimezone(UTC).strftime("%Y%m%dT%H%MZ")
    if request.args.get("format") == "geojson":
        return _geojson(found, f"distribution-{stamp}")
    if what == "units":
        header = ("unit", "people", *reading.STATUSES)
        return csv_response(f"units-{stamp}", header, _unit_lines(found, own))
    header = ("h3", "lon", "lat", "people", *reading.STATUSES)
    return csv_response(f"hexagons-{stamp}", header, _hexagon_lines(found))


def _units(found: Distribution, own: Own) -> dict[str, Any]:
    sums = rolled_up(found.units, {unit.id: unit.parent_id for unit in own.asked})
    ordered = tree_of(own.asked)
    return {
        "id": [str(unit.id) for unit, _ in ordered],
        "name": [unit.name for unit, _ in ordered],
        "depth": [depth for _, depth in ordered],
        **reading.columns(sums[unit.id] for unit, _ in ordered),
    }


def _cells(found: Distribution) -> dict[str, Any]:
    ordered = sorted(found.cells)
    return {
        "id": [hexagons.name_of(cell) for cell in ordered],
        "centre": [hexagons.centre(cell) for cell in ordered],
        "ring": [hexagons.ring(cell) for cell in ordered],
        **reading.columns(found.cells[cell] for cell in ordered),
    }


def _unit_lines(found: Distribution, own: Own) -> Iterator[tuple[object, ...]]:
    sums = rolled_up(found.units, {unit.id: unit.parent_id for unit in own.asked})
    for unit, depth in tree_of(own.asked):
        tally = sums[unit.id]
        yield ("  " * depth + unit.name, tally.total(), *reading.statuses(tally).values())


def _hexagon_lines(found: Distribution) -> Iterator[tuple[object, ...]]:
    for cell in sorted(found.cells):
        tally = found.cells[cell]
        yield (
            hexagons.name_of(cell),
            *hexagons.centre(cell),
            tally.total(),
            *reading.statuses(tally).values(),
        )


def _geojson(found: Distribution, name: str) -> Response:
    features = [
        {
            "type": "Feature",
            "id": hexagons.name_of(cell),
            "properties": {
                "people": found.cells[cell].total(),
                **reading.statuses(found.cells[cell]),
            },
            "geometry": {"type": "Polygon", "coordinates": [hexagons.ring(cell)]},
        }
        for cell in sorted(found.cells)
    ]
    body = orjson.dumps({"type": "FeatureCollection", "features": features})
    response = Response(body, mimetype="application/geo+json")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.geojson")
    response.headers["Cache-Control"] = "no-store"
    return response
