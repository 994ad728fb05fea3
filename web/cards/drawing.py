"""The map of a printed card: shapes, ways and fixes as SVG in metres, without any tiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from geo.distance import FloatArray, LocalPlane
from web import formats

_WIDTH: Final = 680.0
_HEIGHT: Final = 380.0
_PADDING: Final = 24.0
_LEAST_M: Final = 60.0
"""A map shows at least so many metres across, or noise would fill it."""
_MOST_DOTS: Final = 1_500

LonLat = tuple[float, float]


class Dot(NamedTuple):
    """One fix: degrees, its 68 % radius in metres if known, and whether a verdict rests on it."""

    lon_deg: float
    lat_deg: float
    accuracy_m: float | None
    proof: bool


class Label(NamedTuple):
    """A named place."""

    lon_deg: float
    lat_deg: float
    text: str


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a printed map shows, WGS-84 degrees, longitude first.

    Attributes
    ----------
    rings : closed outlines of fences and places.
    ways : lines that somebody went.
    dots : fixes.
    labels : names of places.
    """

    rings: Sequence[Sequence[LonLat]] = ()
    ways: Sequence[Sequence[LonLat]] = ()
    dots: Sequence[Dot] = ()
    labels: Sequence[Label] = ()


def draw(sketch: Sketch) -> Markup | None:
    """Return a sketch as SVG of fixed size with a scale bar; None when there is nothing on it.

    The same sketch gives the same text. Of very many fixes every k-th is drawn besides those
    a verdict rests on.
    """
    dots = _thinned(sketch.dots)
    every = [p for line in (*sketch.rings, *sketch.ways) for p in line]
    every += [(d.lon_deg, d.lat_deg) for d in dots] + [
        (s.lon_deg, s.lat_deg) for s in sketch.labels
    ]
    if not every:
        return None
    view = _View.over(np.array(every, dtype=np.float64))
    parts = [f'<path class="ring" d="{view.path(ring)}Z"/>' for ring in sketch.rings]
    parts += [f'<path class="way" d="{view.path(way)}"/>' for way in sketch.ways]
    for dot in sorted(dots, key=lambda d: d.proof):
        x, y = view.at((dot.lon_deg, dot.lat_deg))
        kind = "proof" if dot.proof else "fix"
        if dot.accuracy_m is not None and dot.proof:
            radius = _px(dot.accuracy_m * view.px_per_m)
            parts.append(f'<circle class="ring-proof" cx="{x}" cy="{y}" r="{radius}"/>')
        parts.append(f'<circle class="{kind}" cx="{x}" cy="{y}" r="2.2"/>')
    for label in sketch.labels:
        x, y = view.at((label.lon_deg, label.lat_deg))
        parts.append(
            f'<circle class="stop" cx="{x}" cy="{y}" r="4"/>'
            f'<text x="{_px(float(x) + 7)}" y="{_px(float(y) + 4)}">{escape(label.text)}</text>'
        )
    return Markup(  # noqa: S704 - numbers and escaped names
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}"'
        f' width="{_WIDTH:g}" height="{_HEIGHT:g}">'
        f"<style>{_STYLE}</style>"
        f'<rect class="paper" width="{_WIDTH:g}" height="{_HEIGHT:g}"/>'
        f"{''.join(parts)}{view.scale_bar()}</svg>"
    )


def rings_of(geometry: Mapping[str, Any]) -> list[list[LonLat]]:
    """Return the rings of a GeoJSON polygon or several; none of any other geometry."""
    if geometry["type"] == "Polygon":
        return [[(p[0], p[1]) for p in ring] for ring in geometry["coordinates"]]
    if geometry["type"] == "MultiPolygon":
        return [[(p[0], p[1]) for p in ring] for part in geometry["coordinates"] for ring in part]
    return []


_STYLE: Final = (
    ".paper{fill:#f4f4f1;stroke:#d5d5cf}.ring{fill:#0a9396;fill-opacity:.12;stroke:#08696c;"
    "stroke-width:1.5}.way{fill:none;stroke:#1d4ed8;stroke-width:2.4;stroke-linejoin:round}"
    ".fix{fill:#5a626b}.proof{fill:#be3a1e}.ring-proof{fill:#be3a1e;fill-opacity:.07;"
    "stroke:#be3a1e;stroke-opacity:.35;stroke-width:.7}.stop{fill:#0f5c66}"
    "text{font:11px sans-serif;fill:#191c1f}.bar{fill:none;stroke:#191c1f;stroke-width:1.5}"
)


@dataclass(frozen=True, slots=True)
class _View:
    """From degrees to the picture: a plane at its middle, north up, one scale."""

    plane: LocalPlane
    px_per_m: float
    east_m: float
    north_m: float

    @classmethod
    def over(cls, points: FloatArray) -> "_View":
        plane = LocalPlane(*(float(v) for v in (points.min(axis=0) + points.max(axis=0)) / 2))
        east, north = plane.forward(points[:, 0], points[:, 1])
        wide, high = (max(float(np.ptp(m)), _LEAST_M) for m in (east, north))
        scale = min((_WIDTH - 2 * _PADDING) / wide, (_HEIGHT - 2 * _PADDING) / high)
        middles = ((float(m.min()) + float(m.max())) / 2 for m in (east, north))
        return cls(plane, scale, *middles)

    def at(self, point: LonLat) -> tuple[str, str]:
        east, north = self.plane.forward(point[0], point[1])
        x = _WIDTH / 2 + (float(np.ravel(east)[0]) - self.east_m) * self.px_per_m
        y = _HEIGHT / 2 - (float(np.ravel(north)[0]) - self.north_m) * self.px_per_m
        return _px(x), _px(y)

    def path(self, line: Sequence[LonLat]) -> str:
        return "M" + "L".join(" ".join(self.at(point)) for point in line)

    def scale_bar(self) -> str:
        room_m = 160.0 / self.px_per_m
        power = 10.0 ** np.floor(np.log10(room_m))
        length_m = float(max(k for k in (1.0, 2.0, 5.0) if k * power <= room_m) * power)
        left, right = _px(_PADDING), _px(_PADDING + length_m * self.px_per_m)
        low, high, text = _px(_HEIGHT - 14), _px(_HEIGHT - 19), escape(formats.distance(length_m))
        return (
            f'<path class="bar" d="M{left} {high}V{low}H{right}V{high}"/>'
            f'<text x="{_px(float(right) + 6)}" y="{low}">{text}</text>'
        )


def _px(value: float) -> str:
    return f"{value:.1f}"


def _thinned(dots: Sequence[Dot]) -> list[Dot]:
    step = -(-len(dots) // _MOST_DOTS) or 1
    return [dot for k, dot in enumerate(dots) if dot.proof or k % step == 0]
