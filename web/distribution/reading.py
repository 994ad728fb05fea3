"""From a request to counts: what is asked, of whom, and what of it is told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text
from sqlalchemy.orm import Session

from server.audit.aggregates import record_aggregate_look
from server.audit.services import Purpose
from server.errors import InvalidInput, NotFound
from server.people.policy import local_date, units_in_scope
from server.people.queries import UnitNode, units
from server.people.rules import Action, Principal
from server.tracking import anonymity, hexagons
from server.tracking.distribution import (
    MAX_CELLS,
    Distribution,
    Moment,
    Tally,
    count_people,
    is_kept,
)
from server.tracking.hexagons import Box
from server.tracking.rules import LiveStatus

STATUSES: Final = tuple(s.value for s in LiveStatus if s is not LiveStatus.OFF_DUTY)
AUTO_FINEST: Final = 9
AUTO_MOST: Final = 300
"""Without a wanted size, the smallest hexagons of which there are no more than this."""
MAX_AREAS: Final = 10
MAX_VERTICES: Final = 2_000
_FRESH: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Question:
    """What an address or body asks for; `resolution` None leaves the size to us."""

    moment: Moment
    unit_id: UUID | None
    resolution: int | None
    box: Box | None
    company: bool


@dataclass(frozen=True, slots=True)
class Own:
    """The units whose people the viewer may count exactly, all and those asked for."""

    every: list[UnitNode]
    asked: list[UnitNode]

    @property
    def ids(self) -> list[UUID]:
        """Ids of the units asked for."""
        return [unit.id for unit in self.asked]


def question(values: Mapping[str, str], viewer: Principal, *, now: datetime) -> Question:
    """Read a question.

    Raises
    ------
    InvalidInput : naming the field that cannot be read; `past_retention` and `not_yet` for
        instants of which nothing is known.
    """
    unit = values.get("unit") or None
    try:
        unit_id = UUID(unit) if unit else None
    except ValueError:
        raise NotFound from None
    wanted = values.get("res") or None
    if wanted is not None and not (
        wanted.isascii()
        and wanted.isdigit()
        and hexagons.COARSEST <= int(wanted) <= hexagons.FINEST
    ):
        raise InvalidInput(fields={"res": "out_of_range"})
    box = Box.parse(values["box"]) if values.get("box") else None
    if values.get("box") and box is None:
        raise InvalidInput(fields={"box": "malformed"})
    reach = values.get("reach", "own")
    if reach not in {"own", "company"}:
        raise InvalidInput(fields={"reach": "malformed"})
    return Question(
        moment_of(values.get("at"), viewer, now=now),
        unit_id,
        None if wanted is None else int(wanted),
        box,
        reach == "company",
    )


def moment_of(given: str | None, viewer: Principal, *, now: datetime) -> Moment:
    """Return the instant asked for: nothing, `now` or the running minute is now.

    Raises
    ------
    InvalidInput : not an instant with an offset, to come, or no longer kept.
    """
    if not given or given == "now":
        return Moment(now, local_date(now, viewer.zone), is_now=True)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidInput(fields={"at": "malformed"}) from None
    if at.tzinfo is None:
        raise InvalidInput(fields={"at": "malformed"})
    at = at.astimezone(UTC).replace(second=0, microsecond=0)
    if at > now:
        raise InvalidInput("not_yet", fields={"at": "not_yet"})
    if not is_kept(at, now):
        raise InvalidInput("past_retention", fields={"at": "past_retention"})
    if now - at < _FRESH:
        return Moment(now, local_date(now, viewer.zone), is_now=True)
    return Moment(at, local_date(at, viewer.zone), is_now=False)


def own_units(session: Session, viewer: Principal, unit_id: UUID | None, *, now: datetime) -> Own:
    """Return the viewer's units, and those of them at and below the one asked for.

    Raises
    ------
    NotFound : the unit is not among the viewer's.
    """
    scope = units_in_scope(viewer, Action.VIEW_DISTRIBUTION, now=now)
    every = units(session, viewer, scope, now=now)
    if unit_id is None:
        return Own(every, every)
    below: dict[UUID | None, list[UnitNode]] = {}
    for unit in every:
        below.setdefault(unit.parent_id, []).append(unit)
    chosen = [unit for unit in every if unit.id == unit_id]
    if not chosen:
        raise NotFound
    for unit in chosen:
        chosen.extend(below.get(unit.id, ()))
    return Own(every, chosen)


def counted(session: Session, viewer: Principal, asked: Question, own: Own) -> Distribution:
    """Return the exact counts of the units asked for."""
    auto = asked.resolution is None
    return count_people(
        session,
        asked.moment,
        tenant_id=viewer.tenant_id,
        units=own.ids,
        resolution=AUTO_FINEST if asked.resolution is None else asked.resolution,
        box=asked.box,
        most=AUTO_MOST if auto else MAX_CELLS,
    )


def others(session: Session, viewer: Principal, asked: Question, own: Own) -> dict[str, Any]:
    """Return what is told of everybody outside the viewer's units; see `anonymity`.

    The filters of the question play no part: the same quarter hour gives the same answer.
    """
    mine = {unit.id for unit in own.every}
    every = session.scalars(
        text("SELECT id FROM units WHERE tenant_id = :tenant ORDER BY id"),
        {"tenant": viewer.tenant_id},
    )
    at = anonymity.step_of(asked.moment.at)
    found = count_people(
        session,
        Moment(at, local_date(at, viewer.zone), is_now=False),
        tenant_id=viewer.tenant_id,
        units=[unit_id for unit_id in every if unit_id not in mine],
        resolution=anonymity.RESOLUTION,
        most=2**31,
    )
    cells = {cell: anonymity.told(tally.total()) for cell, tally in found.cells.items()}
    shown = sorted(cell for cell, count in cells.items() if count)
    return {
        "at": at.timestamp(),
        "resolution": anonymity.RESOLUTION,
        "smallest": anonymity.SMALLEST,
        # Of what is shown only: a sum over hidden hexagons would give them away.
        "people": sum(cells.values()),
        "cells": {
            "id": [hexagons.name_of(cell) for cell in shown],
            "ring": [hexagons.ring(cell) for cell in shown],
            "people": [cells[cell] for cell in shown],
        },
    }


def note_look(
    session: Session,
    viewer: Principal,
    asked: Question,
    *,
    people: int,
    view: str,
    now: datetime,
    purpose: Purpose = Purpose.LIVE_SUPERVISION,
) -> None:
    """Write down that counts were read, and of the company where they were."""
    reaches = [(str(asked.unit_id) if asked.unit_id else "own", people)]
    if asked.company:
        reaches.append(("company", 0))
    for reach, count in reaches:
        record_aggregate_look(
            session,
            viewer,
            purpose,
            view,
            now=now,
            about_on=asked.moment.on,
            reach=reach,
            people=count,
        )


def areas_of(body: Any) -> list[BaseGeometry]:  # noqa: ANN401 - JSON may hold anything
    """Return the polygons of a body `{"areas": [GeoJSON polygon, …]}`.

    Raises
    ------
    InvalidInput : none, too many, too detailed, not on Earth or crossing themselves.
    """
    given = body.get("areas") if isinstance(body, dict) else None
    if not isinstance(given, list) or not 0 < len(given) <= MAX_AREAS:
        raise InvalidInput(fields={"areas": "malformed"})
    areas = []
    for number, each in enumerate(given):
        try:
            area = shapely.from_geojson(orjson.dumps(each).decode())
        except (shapely.GEOSException, TypeError, ValueError):
            raise InvalidInput(fields={f"areas.{number}": "malformed"}) from None
        west, south, east, north = area.bounds
        if (
            area.geom_type not in {"Polygon", "MultiPolygon"}
            or area.is_empty
            or not area.is_valid
            or shapely.count_coordinates(area) > MAX_VERTICES
            or not (-180 <= west < east <= 180 and -90 <= south < north <= 90)
        ):
            raise InvalidInput(fields={f"areas.{number}": "malformed"})
        areas.append(area)
    return areas


def columns(tallies: Iterable[Tally]) -> dict[str, list[int]]:
    """Return people, and people by status, as columns."""
    listed = list(tallies)
    return {"people": [tally.total() for tally in listed]} | {
        status: [tally[status] for tally in listed] for status in STATUSES
    }


def statuses(tally: Mapping[str, int]) -> dict[str, int]:
    """Return people by status, none left out."""
    return {status: tally.get(status, 0) for status in STATUSES}
