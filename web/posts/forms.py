"""What the post form sends: text fields to values, each wrong field with its code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from server.errors import InvalidInput

MAX_SHAPE_CHARS = 600_000


@dataclass(slots=True)
class PostForm:
    """The form as typed, so that a refused one is shown again unchanged."""

    name: str = ""
    unit_id: str = ""
    address: str = ""
    zone: str = ""
    kind: str = "circle"
    lon: str = ""
    lat: str = ""
    radius_m: str = "100"
    geometry: str = ""
    grace_min: str = ""
    buffer_m: str = ""
    valid_from: str = ""
    version: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_request(cls, data: Mapping[str, str]) -> "PostForm":
        """Take over the fields of a request; unknown ones fall away."""
        form = cls()
        for name in cls.__dataclass_fields__:
            if name != "errors" and name in data:
                setattr(form, name, data[name].strip()[:MAX_SHAPE_CHARS])
        return form

    def shape(self) -> object:
        """Return the shape as GeoJSON, a circle as a Point with `radius_m`.

        Raises
        ------
        InvalidInput : `bad_number`, `not_geojson`, `empty`.
        """
        if self.kind == "circle":
            if not self.lon and not self.lat:
                raise InvalidInput("empty", fields={"shape": "empty"})
            lon, lat = self._number("lon"), self._number("lat")
            return {
                "type": "Point",
                "coordinates": [lon, lat],
                "radius_m": self._number("radius_m"),
            }
        return read_geojson(self.geometry)

    def unit(self) -> UUID:
        """Return the chosen unit.

        Raises
        ------
        InvalidInput : `unit_missing`.
        """
        try:
            return UUID(self.unit_id)
        except ValueError:
            raise InvalidInput("unit_missing", fields={"unit_id": "unit_missing"}) from None

    def grace_s(self) -> int | None:
        """Return the grace in seconds, None when left to the policy; typed in minutes."""
        if not self.grace_min:
            return None
        return round(self._number("grace_min", code="bad_grace") * 60)

    def buffer(self) -> float | None:
        """Return the buffer in metres, None when left to the policy."""
        return self._number("buffer_m", code="bad_buffer") if self.buffer_m else None

    def valid_from_at(self, zone: str) -> datetime | None:
        """Return the instant from which a new shape holds, None for now.

        Typed as wall-clock time of the post.
        """
        if not self.valid_from:
            return None
        try:
            wall = datetime.fromisoformat(self.valid_from)
        except ValueError:
            raise InvalidInput("bad_number", fields={"valid_from": "bad_number"}) from None
        return wall.replace(tzinfo=ZoneInfo(zone)) if wall.tzinfo is None else wall

    def _number(self, name: str, *, code: str = "bad_number") -> float:
        try:
            value = float(getattr(self, name))
        except ValueError:
            value = float("nan")
        if not isfinite(value):
            raise InvalidInput(code, fields={name: code})
        return value


def read_geojson(text: str) -> Any:  # noqa: ANN401 - any JSON; the geofence reader judges it
    """Return parsed JSON of a shape.

    Raises
    ------
    InvalidInput : `empty`, `not_geojson`.
    """
    if not text:
        raise InvalidInput("empty", fields={"shape": "empty"})
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput("not_geojson", fields={"shape": "not_geojson"}) from None
