"""What the JSON routes of the screens answer, as types for the published document.

Times are epoch seconds, coordinates WGS-84 degrees, unknown is null; arrays of one object
have equal length. A test holds each route against its type.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

GeoJson = dict[str, Any]
"""A GeoJSON object, lon before lat."""
Point = tuple[float, float]


class Thresholds(Struct):
    """Ages of the newest fix from which a person is stale, or has no signal."""

    stale_s: float
    no_signal_s: float


class LivePeople(Struct):
    """Everybody in scope, a column a fact; people off duty have no position."""

    id: list[str]
    name: list[str]
    unit: list[str | None]
    post: list[str | None]
    post_id: list[str | None]
    lon: list[float | None]
    lat: list[float | None]
    accuracy_m: list[float | None]
    fixed_at: list[float | None]
    status: list[Literal["on_post", "off_post", "travelling", "stale", "no_signal", "off_duty"]]
    since: list[float | None]
    speed_mps: list[float | None]
    course_deg: list[float | None]
    battery_pct: list[int | None]
    source: list[str | None]
    presence: list[Literal["inside", "outside", "unknown"] | None]
    distance_m: list[float | None]
    finding_id: list[str | None]


class LiveAlert(Struct):
    """An open off-post alert that nobody has judged yet."""

    id: str
    kind: str
    state: str
    employee_id: str
    name: str
    post_id: str | None
    post: str | None
    starts_at: float
    decided_at: float
    distance_m: float | None
    revision: int
    acknowledged: bool
    phone: str | None


class LiveSnapshot(Struct):
    """The live picture; `cursor` is where the stream goes on, null while the feed is down.

    Of very many people only counts come: `many` is true and `people` null then; windows,
    cells and pages have routes of their own.
    """

    as_of: float
    cursor: str | None
    many: bool
    thresholds: Thresholds
    people: LivePeople | None
    counts: dict[str, int]
    rostered: int
    covered: int
    alerts: list[LiveAlert]


class LiveSquares(Struct):
    """People by square of the map, each with the middle of those inside."""

    lon: list[float]
    lat: list[float]
    people: list[int]
    on_post: list[int]
    off_post: list[int]
    travelling: list[int]
    stale: list[int]
    no_signal: list[int]
    off_duty: list[int]


class LiveCells(Struct):
    """Counts of a window."""

    as_of: float
    cells: LiveSquares


class LiveView(Struct):
    """The people in a window; null where there are too many to draw them one by one."""

    as_of: float
    cursor: str | None
    too_many: bool
    people: LivePeople | None


class LivePage(Struct):
    """A page of the list, from the row `from` on."""

    as_of: float
    total: int
    first: int = field(name="from")
    people: LivePeople = field()


class LiveTrail(Struct):
    """The last `span_s` seconds as points of lon, lat and time, oldest first."""

    span_s: int
    points: list[tuple[float, float, float]]


class ReviewWanted(Struct):
    """What somebody says of an alert."""

    action: str
    reason: str


class ReviewDone(Struct):
    """The entry that was made."""

    id: str


class EvidenceFixes(Struct):
    """Fixes about an alert; `proof` marks those the verdict rests on."""

    at: list[float]
    lon: list[float]
    lat: list[float]
    accuracy_m: list[float | None]
    proof: list[bool]


class Evidence(Struct):
    """Where an alert happened; `fence` as it held then."""

    start: float
    end: float
    fence: GeoJson | None
    fixes: EvidenceFixes


class VisitEvidence(Struct):
    """What a visit is judged by; `fence` is the circle about the site's pin."""

    start: float
    end: float
    pin: Point | None
    fence: GeoJson | None
    fixes: EvidenceFixes


class Overlap(Struct):
    """Another post on the same ground; `share` is the part of the new shape, 0 to 1."""

    post_id: str
    name: str
    share: float


class ShapeJudged(Struct):
    """A shape before it is saved; why not when it is not `ok`, otherwise its measures."""

    ok: bool
    code: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    point: list[float] | UnsetType | None = UNSET
    area_m2: float | UnsetType = UNSET
    vertices: int | UnsetType = UNSET
    is_large: bool | UnsetType = UNSET
    centre: Point | UnsetType = UNSET
    shape: GeoJson | UnsetType = UNSET
    overlaps: list[Overlap] | UnsetType = UNSET


class ShapeWanted(Struct):
    """A shape to judge; the post that it would change does not overlap itself."""

    shape: GeoJson
    post_id: str | None = None


class UnitCounts(Struct):
    """People of units with everybody below them, in the order of the tree."""

    id: list[str]
    name: list[str]
    depth: list[int]
    people: list[int]
    on_post: list[int]
    off_post: list[int]
    travelling: list[int]
    stale: list[int]
    no_signal: list[int]


class CellCounts(Struct):
    """People by hexagon; `id` is its H3 index, `ring` its corners, closed."""

    id: list[str]
    centre: list[Point]
    ring: list[list[Point]]
    people: list[int]
    on_post: list[int]
    off_post: list[int]
    travelling: list[int]
    stale: list[int]
    no_signal: list[int]


class OtherCells(Struct):
    """People outside the viewer's units by large hexagon, in multiples of five."""

    id: list[str]
    ring: list[list[Point]]
    people: list[int]


class Others(Struct):
    """Everybody outside the viewer's units, rounded down, at a quarter hour."""

    at: float
    resolution: int
    smallest: int
    people: int
    cells: OtherCells


class Distribution(Struct):
    """People on duty at an instant; `placed` of them are in a hexagon of the answer.

    `provisional` says that the last minutes are still being judged.
    """

    at: float
    on: str
    is_now: bool
    provisional: bool
    resolution: int
    people: int
    placed: int
    statuses: dict[str, int]
    units: UnitCounts
    cells: CellCounts
    others: Others | None


class AreasWanted(Struct):
    """Polygons to count in, at an instant with offset (none: now), of one unit or of all."""

    areas: list[GeoJson]
    at: str | None = None
    unit: str | None = None


class AreaTallies(Struct):
    """People by area, in the order asked."""

    people: list[int]
    on_post: list[int]
    off_post: list[int]
    travelling: list[int]
    stale: list[int]
    no_signal: list[int]


class AreaCounts(Struct):
    """People inside drawn areas at an instant."""

    at: float
    areas: AreaTallies
