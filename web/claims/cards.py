"""A claim as cards and as a map: one card a line, and the way where it may be seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from geo.claims import MileageLine, NightLine, PerDiemLine, TransportLine
from geo.fix import FixArray
from geo.geofence import Geofence
from geo.whereabouts import Place
from server.claims.queries import CheckView, ClaimDetail
from server.claims.rules import read_facts, span_of
from server.tracking.queries import to_columns
from web import formats
from web.cards.drawing import Dot, Label, Sketch
from web.cards.printing import Sheet
from web.cards.reading import Card, Pair, read_card
from web.claims import words
from web.posts.shapes import drawing
from web.texts import _

_MAX_POINTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCard:
    """One line of a claim as the audit page and the print show it.

    Attributes
    ----------
    title : kind and when.
    checked : the check's document of the line, None before the first check.
    card : its evidence in words, None with it.
    """

    id: str
    kind: str
    title: str
    amount: Decimal
    claimed: str
    feasible: str
    observed: str
    checked: dict[str, Any] | None
    card: Card | None


def line_cards(claim: ClaimDetail, check: CheckView | None, *, zone: str) -> list[LineCard]:
    """Return the lines of a claim in its order, with what one of its checks says of them."""
    facts = read_facts(claim.document, zone=zone)
    told = {line["id"]: line for line in check.lines} if check else {}
    cards = []
    for line in facts.claim.lines:
        kind, checked = _kind(line), told.get(line.id)
        low, high = (checked[name] if checked else None for name in ("low", "high"))
        claimed = checked["claimed"] if checked else None
        if isinstance(line, MileageLine):
            claimed = str(line.km)
        cards.append(
            LineCard(
                id=line.id,
                kind=kind,
                title=f"{words.KINDS[kind]} · {_when(line, zone)}",
                amount=facts.amounts[line.id],
                claimed=_count(kind, claimed),
                feasible="—" if high is None else f"{low} – {_count(kind, high)}",
                observed=_count(kind, checked["observed"] if checked else None),
                checked=checked,
                card=read_card(checked["evidence"], zone=zone) if checked else None,
            )
        )
    return cards


def sheets(cards: list[LineCard], claim: ClaimDetail) -> Iterator[Sheet]:
    """Return the printed cards of a claim's lines."""
    currency = claim.row.currency
    for line in cards:
        if line.card is not None and line.checked is not None:
            facts = [
                Pair(_("Claimed"), line.claimed),
                Pair(_("Feasible"), line.feasible),
                Pair(_("Observed"), line.observed),
                Pair(_("Amount claimed"), f"{line.amount} {currency}"),
                Pair(_("Amount suggested"), f"{line.checked['suggested_amount']} {currency}"),
            ]
            yield Sheet(line.title, line.card, facts)


def claim_sketch(claim: ClaimDetail, fixes: FixArray | None, *, zone: str) -> Sketch:
    """Return the map for paper: claimed places, and the fixes for those who may see them."""
    places = _places(claim, zone)
    shown = to_columns(fixes, max_points=_MAX_POINTS) if fixes is not None else None
    dots = (
        [Dot(lon, lat, None, proof=False) for lon, lat in zip(shown.lon, shown.lat, strict=True)]
        if shown
        else []
    )
    return Sketch(dots=dots, labels=[Label(p.lon_deg, p.lat_deg, p.name) for p in places])


def claim_map(claim: ClaimDetail, fixes: FixArray, *, zone: str) -> dict[str, Any]:
    """Return what the map of a claim draws; as `web.alerts.evidence.evidence_map`."""
    span = read_facts(claim.document, zone=zone).span
    columns = to_columns(fixes, max_points=_MAX_POINTS)
    return {
        "start": span.start.timestamp(),
        "end": span.end.timestamp(),
        "fence": _stops(_places(claim, zone)),
        "fixes": {
            "at": columns.fixed_at,
            "lon": columns.lon,
            "lat": columns.lat,
            "accuracy_m": columns.accuracy_m,
            "proof": [True] * len(columns.key),
        },
    }


def travelled(claim: ClaimDetail, fixes: FixArray, *, zone: str) -> FixArray:
    """Keep the fixes of the kilometres and rides that are claimed, and no other hour."""
    spans = [
        span_of(line)
        for line in read_facts(claim.document, zone=zone).claim.lines
        if isinstance(line, MileageLine | TransportLine)
    ]
    keep = np.zeros(len(fixes), dtype=np.bool_)
    for span in spans:
        start, end = span.start.timestamp(), span.end.timestamp()
        keep |= (fixes.epoch_s >= start) & (fixes.epoch_s < end)
    return fixes.take(keep)


def _places(claim: ClaimDetail, zone: str) -> list[Place]:
    found: list[Place] = []
    for line in read_facts(claim.document, zone=zone).claim.lines:
        if isinstance(line, MileageLine):
            found += line.stops
        elif isinstance(line, TransportLine):
            found += (line.origin, line.destination)
    return found


def _stops(places: list[Place]) -> dict[str, Any] | None:
    if not places:
        return None
    rings = [
        drawing(
            Geofence.from_geojson(
                {
                    "type": "Point",
                    "coordinates": [place.lon_deg, place.lat_deg],
                    "radius_m": min(place.radius_m, 5_000.0),
                }
            )
        )["coordinates"]
        for place in places
    ]
    return {
        "type": "Feature",
        "geometry": {"type": "MultiPolygon", "coordinates": rings},
        "properties": {
            "id": "stops",
            "name": _("Claimed stops"),
            "label": [places[0].lon_deg, places[0].lat_deg],
        },
    }


def _kind(line: object) -> str:
    if isinstance(line, MileageLine):
        return "mileage"
    if isinstance(line, NightLine):
        return "night"
    return "per_diem" if isinstance(line, PerDiemLine) else "transport"


def _when(line: MileageLine | NightLine | PerDiemLine | TransportLine, zone: str) -> str:
    if isinstance(line, NightLine):
        return f"{formats.day(line.on)} {line.place.name}".strip()
    if isinstance(line, PerDiemLine):
        return f"{line.first_on} – {line.last_on} {line.place.name}".strip()
    return f"{formats.instant(line.span.start, zone)} – {formats.clock_time(line.span.end, zone)}"


def _count(kind: str, number: str | None) -> str:
    if number is None:
        return "—"
    return f"{number} km" if kind == "mileage" else str(number)
