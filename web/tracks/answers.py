"""What the JSON routes of playback answer; see `web.answers`."""

from typing import Literal

from msgspec import Struct

from web.answers import GeoJson, Point


class Person(Struct):
    """Whose day it is."""

    id: str
    name: str


class Distance(Struct):
    """Metres travelled: surely at least, most likely, at most."""

    low: float
    mid: float
    high: float


class PresenceSpan(Struct):
    """What the fixes show of a span of duty; `cause` explains a silence.

    `probability` of the state, 0 to 1; null where nobody looked.
    """

    state: Literal["inside", "outside", "unknown"]
    start: float
    end: float
    inferred: bool
    cause: str | None
    probability: float | None


class StopSegment(Struct, tag_field="kind", tag="stop"):
    """A stay; `post` names the post it was at."""

    start: float
    end: float
    lon: float
    lat: float
    radius_m: float
    observed_s: float
    inferred_s: float
    fixes: int
    post: str | None


class TripSegment(Struct, tag_field="kind", tag="trip"):
    """A way between two places."""

    start: float
    end: float
    distance_m: Distance
    fixes: int


class GapSegment(Struct, tag_field="kind", tag="gap"):
    """A silence and what is known of its cause."""

    start: float
    end: float
    cause: str


class DayFinding(Struct):
    """An absence or a gap that became a finding."""

    id: str
    kind: str
    state: str
    start: float
    end: float | None
    distance_m: float | None


class DayFixes(Struct):
    """Fixes of a day; `total` is above their number when they were thinned evenly.

    `cells` is what the cells heard with a fix said of it, `beyond_cells_m` how far it lies
    beyond their reach; None where nothing was compared.
    """

    at: list[float]
    lon: list[float]
    lat: list[float]
    accuracy_m: list[float | None]
    speed_mps: list[float | None]
    battery_pct: list[float | None]
    source: list[str]
    flags: list[list[str]]
    cells: list[Literal["plausible", "strained", "impossible"] | None]
    beyond_cells_m: list[float | None]
    total: int


class WorstCell(Struct):
    """The fix that cells contradict most: how far its cell is, reaches, and falls short."""

    at: float
    verdict: Literal["strained", "impossible"]
    distance_m: float | None
    radius_m: float | None
    margin_m: float | None


class DayCells(Struct):
    """Fixes of the day by what the cells heard beside them said."""

    plausible: int
    strained: int
    impossible: int
    worst: WorstCell | None


class PersonDay(Struct):
    """One person's day for the player, on one axis from `start` to `end`."""

    person: Person
    day: str
    zone: str
    start: float
    end: float
    as_of: float | None
    final: bool
    duty: list[Point]
    presence: list[PresenceSpan]
    segments: list[StopSegment | TripSegment | GapSegment]
    findings: list[DayFinding]
    posts: GeoJson
    distance_m: Distance | None
    coverage: float | None
    cells: DayCells | None
    fixes: DayFixes
