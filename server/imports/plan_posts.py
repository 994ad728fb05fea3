"""Planning of posts, by unit and name; a circle or areas as GeoJSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from geo.errors import GeofenceError
from geo.geofence import Geofence
from server.errors import InvalidInput
from server.imports.cells import BadCell, Value, line_of, number_of, text_of
from server.imports.places import Places, geometry_text
from server.imports.planning import Planned, Problem, Reader, Task, planned, shown
from server.imports.table import Row
from server.imports.unit_paths import UnitBook
from server.people.staff import units_of_tenant
from server.posts.queries import PostView, list_posts
from server.posts.rules import zone_of
from server.posts.services import create_post, rename_post, reshape_post

_NAME = partial(line_of, longest=120)
_ADDRESS = partial(line_of, longest=300)
_MOST_TEXT: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class _Act:
    """What is to be done about one post; None where a fact is left alone."""

    post_id: UUID | None
    name: str
    unit_id: UUID
    address: str | None
    zone: str
    shape: dict[str, Any] | None
    grace_s: int | None
    buffer_m: float | None
    reshapes: bool


class PostPlanner:
    """Adds posts, gives them new shapes from now on and new addresses."""

    batch = 500

    def __init__(self, task: Task) -> None:
        self._task = task
        allowed = set(task.session.scalars(task.units))
        self._book = UnitBook(units_of_tenant(task.session, tenant_id=task.tenant_id), allowed)
        self._places = Places.of(task)
        posts = list_posts(task.session, task.units, at=task.clock.now(), with_closed=True)
        self._posts = {(post.unit_id, post.name): post for post in posts}
        self._seen: dict[tuple[UUID, str], int] = {}

    def plan(self, rows: Sequence[Row]) -> list[Planned]:
        """Plan a batch; no statement."""
        return [self._plan(Reader(row)) for row in rows]

    def apply(self, planned: Sequence[Planned]) -> None:
        """Do a batch."""
        task = self._task
        for act in (p.act for p in planned if p.act is not None):
            if act.post_id is None:
                create_post(
                    task.session,
                    task.clock,
                    tenant_id=task.tenant_id,
                    unit_id=act.unit_id,
                    name=act.name,
                    zone=act.zone,
                    shape=act.shape,
                    address=act.address,
                    grace_s=act.grace_s,
                    buffer_m=act.buffer_m,
                    actor_id=task.actor_id,
                )
                continue
            if act.reshapes:
                reshape_post(
                    task.session,
                    task.clock,
                    tenant_id=task.tenant_id,
                    post_id=act.post_id,
                    shape=act.shape,
                    grace_s=act.grace_s,
                    buffer_m=act.buffer_m,
                    actor_id=task.actor_id,
                )
            rename_post(
                task.session,
                tenant_id=task.tenant_id,
                post_id=act.post_id,
                name=act.name,
                address=act.address,
            )

    def _plan(self, reader: Reader) -> Planned:
        raw = reader.raw("name")
        unit = reader.need("unit", self._book.read)
        if unit is not None and isinstance(raw, str) and (unit, raw) in self._posts:
            name: str | None = raw
        else:
            name = reader.need("name", _NAME)
        label = shown(name)
        if name is None or unit is None:
            return reader.refused(label)
        first = self._seen.setdefault((unit, name), reader.row.no)
        if first != reader.row.no:
            reader.refuse("name", "twice_in_file", row=str(first))
        post = self._posts.get((unit, name))
        if post is not None and post.closed_on is not None:
            reader.refuse("name", "post_closed", text=post.closed_on.isoformat())
        fence = self._fence(reader, post)
        act = self._act(reader, post, name, unit, fence)
        if reader.problems or act is None:
            return reader.refused(label)
        changes = self._changes(post, act, fence)
        return planned(reader.row, label, changes, act=act, new=post is None)

    def _fence(self, reader: Reader, post: PostView | None) -> Geofence | None:
        """Return the shape a row gives, None when it gives none or a bad one."""
        text = None
        if reader.has("geometry"):
            whole = geometry_text(reader.row)
            text = reader.read("geometry", lambda _cell: text_of(whole, longest=_MOST_TEXT))
            if text is None:
                return None
        radius = reader.read("radius_m", _metres)
        present = None if post is None or post.shape is None else post.shape
        if radius is None and present is not None:
            radius = present.get("radius_m")
        if text is not None:
            shape = reader.read("geometry", lambda _cell: self._places.shape(text))
            if shape is not None and shape.get("type") == "Point":
                shape = {**shape, "radius_m": shape.get("radius_m", radius)}
            return None if shape is None else _judged(reader, shape, "geometry")
        position = self._places.position(reader)
        if position is None:
            if post is None and not reader.problems:
                reader.refuse("lon", "shape_missing")
            if present is None or present.get("type") != "Point" or not reader.has("radius_m"):
                return None
            position = tuple(present["coordinates"])
        shape = {"type": "Point", "coordinates": list(position), "radius_m": radius}
        return _judged(reader, shape, "radius_m")

    def _act(
        self,
        reader: Reader,
        post: PostView | None,
        name: str,
        unit: UUID,
        fence: Geofence | None,
    ) -> _Act | None:
        zone = reader.read("zone", _zone)
        if post is not None and zone not in {None, post.zone}:
            reader.refuse("zone", "zone_fixed", text=post.zone)
        minutes = reader.read("grace_min", _ranged(0, 1_440, "bad_grace"))
        buffer_m = reader.read("buffer_m", _ranged(0, 10_000, "bad_buffer"))
        present = None if post is None else post.address
        address = present
        if not reader.keeps("address", present):
            address = reader.read("address", _ADDRESS) or present
        shape = None if post is None else post.shape
        grace_s = None if minutes is None else round(minutes * 60)
        if grace_s is None and post is not None:
            grace_s = post.grace_s
        if buffer_m is None and post is not None:
            buffer_m = post.buffer_m
        shape_changes = fence is not None and not _is_same(fence, shape)
        reshapes = post is not None and (
            shape_changes or grace_s != post.grace_s or buffer_m != post.buffer_m
        )
        if reshapes and shape is None and fence is None:
            reader.refuse("lon", "shape_missing")
        return _Act(
            post_id=None if post is None else post.id,
            name=name,
            unit_id=unit,
            address=address,
            zone=zone or (post.zone if post else self._task.zone),
            shape=fence.to_geojson() if fence is not None and shape_changes else shape,
            grace_s=grace_s,
            buffer_m=buffer_m,
            reshapes=reshapes,
        )

    def _changes(
        self, post: PostView | None, act: _Act, fence: Geofence | None
    ) -> list[tuple[str, str, str]]:
        after = {
            "name": act.name,
            "unit": self._book.path(act.unit_id),
            "address": shown(act.address),
            "zone": act.zone,
            "geometry": _sketch(act.shape),
            "grace_min": shown(_minutes(act.grace_s)),
            "buffer_m": shown(act.buffer_m),
        }
        before = {"zone": self._task.zone}
        if post is not None:
            before = {
                **after,
                "address": shown(post.address),
                "geometry": _sketch(post.shape),
                "grace_min": shown(_minutes(post.grace_s)),
                "buffer_m": shown(post.buffer_m),
            }
            if fence is not None and not _is_same(fence, post.shape):
                # Two shapes may look alike in a sketch and yet differ.
                after["geometry"] += " *" if after["geometry"] == before["geometry"] else ""
        return [(k, before.get(k, ""), v) for k, v in after.items() if before.get(k, "") != v]


def _minutes(seconds: int | None) -> float | None:
    return None if seconds is None else seconds / 60


def _judged(reader: Reader, shape: dict[str, Any], column: str) -> Geofence | None:
    try:
        return Geofence.from_geojson(shape)
    except GeofenceError as error:
        params = {}
        if error.point is not None:
            params = {"lon": f"{error.point[0]:.6f}", "lat": f"{error.point[1]:.6f}"}
        reader.problems.append(Problem(column, error.code, params))
        return None


def _is_same(fence: Geofence, present: dict[str, Any] | None) -> bool:
    if present is None:
        return False
    if fence.to_geojson() == present:
        return True
    other = Geofence.from_geojson(present)
    if fence.radius_m is not None or other.radius_m is not None:
        return False
    return bool(fence.geometry.normalize().equals(other.geometry.normalize()))


def _sketch(shape: dict[str, Any] | None) -> str:
    if shape is None:
        return ""
    if shape["type"] == "Point":
        lon, lat = shape["coordinates"]
        return f"{lon:.6f}, {lat:.6f} ± {shape['radius_m']:g} m"
    fence = Geofence.from_geojson(shape)
    lon, lat = fence.centre
    return f"{lon:.6f}, {lat:.6f} · {fence.area_m2:,.0f} m²"


def _metres(value: Value) -> float | None:
    if isinstance(value, str):
        value = value.strip().removesuffix("m").removesuffix("米").strip() or None
    return number_of(value)


def _zone(value: Value) -> str | None:
    text = line_of(value, longest=60)
    if text is not None:
        try:
            zone_of(text)
        except InvalidInput:
            raise BadCell("unknown_zone", text=text) from None
    return text


def _ranged(low: float, high: float, code: str) -> Callable[[Value], float | None]:
    def read(value: Value) -> float | None:
        number = number_of(value)
        if number is not None and not low <= number <= high:
            raise BadCell(code, text=f"{number:g}")
        return number

    return read
