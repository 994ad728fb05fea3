"""What is asked of Valhalla and how its answers are read; who carries both is not its business."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from geo.distance import FloatArray, consecutive_m
from geo.roads import Matched, Profile, RoadsUnavailable, RoadsVersion

LIMITS: Final[Mapping[str, int]] = {"breakage_distance": 20_000, "max_shape": 5_001}
"""Metres and points that Valhalla has to be set up for; with less it gives up earlier."""
_SHAPE_SCALE: Final = 1e-6
_SIGMA_M: Final = (5.0, 50.0)
"""Standard error of a fix is believed between these."""
_NEAR: Final = 4.0
_NEAR_MAX_M: Final = 100.0
"""Roads are looked for within so many standard errors of a fix, but no farther than this."""
_LAID_M: Final = 25.0
"""Fixes nearer to each other than this are laid along the way of the others."""
_DIFFERS_M: Final = 100.0
_DIFFERS_SHARE: Final = 0.1
"""A length and its line that differ by more than both are no answer."""
_LONGEST_SHIFT: Final = 30
"""A coordinate of a shape has fewer bits than this."""


class Valhalla(ABC):
    """A road network that is asked in Valhalla's words.

    Times go there counted from the first fix: Valhalla needs no date, and the way of a person
    without one says less.
    """

    version: RoadsVersion

    @abstractmethod
    def answer(self, what: str, request: bytes) -> bytes | None:
        """Carry a question there.

        Parameters
        ----------
        what : `route` or `trace_route`.
        request : JSON.

        Returns
        -------
        JSON; None when there is no way or no road near.

        Raises
        ------
        RoadsUnavailable : nobody answers.
        """

    def match(
        self,
        lon_deg: FloatArray,
        lat_deg: FloatArray,
        epoch_s: FloatArray,
        accuracy_m: FloatArray,
        *,
        profile: Profile,
    ) -> Matched | None:
        """Return the likeliest way through the fixes (Meili: Newson and Krumm 2009)."""
        if len(lon_deg) < 2:
            return None
        sigma_m = np.clip(accuracy_m, *_SIGMA_M)
        near_m = np.minimum(_NEAR * sigma_m, _NEAR_MAX_M)
        near_m[[0, -1]] = _NEAR_MAX_M  # the ends may be doors
        columns = (lon_deg, lat_deg, epoch_s - epoch_s[0], np.round(sigma_m), np.round(near_m))
        shape = [
            {"lon": lon, "lat": lat, "time": at, "accuracy": int(sigma), "radius": int(near)}
            for lon, lat, at, sigma, near in zip(*(c.tolist() for c in columns), strict=True)
        ]
        return self._ask(
            "trace_route",
            {
                "shape": shape,
                "costing": profile.value,
                "shape_match": "map_snap",
                "trace_options": {
                    "breakage_distance": LIMITS["breakage_distance"],
                    "interpolation_distance": _LAID_M,
                },
            },
        )

    def shortest(
        self,
        places: list[tuple[float, float]],
        *,
        profile: Profile,
        near_m: Sequence[float] = (),
    ) -> Matched | None:
        """Return the shortest way through the places in order; see `geo.roads.Roads`."""
        if len(places) < 2:
            return None
        return self._ask(
            "route",
            {
                "locations": [
                    {
                        "lon": lon,
                        "lat": lat,
                        "type": "break",
                        "radius": round(near),
                        "rank_candidates": near <= 0.0,
                    }
                    for (lon, lat), near in zip(places, near_m or [0.0] * len(places), strict=True)
                ],
                "costing": profile.value,
                "costing_options": {profile.value: {"shortest": True}},
            },
        )

    def _ask(self, what: str, request: Mapping[str, Any]) -> Matched | None:
        # Length and line are all that is read; maneuvers in words are most of an answer.
        answer = self.answer(what, json.dumps({**request, "directions_type": "none"}).encode())
        if answer is None:
            return None  # no road near, or no way: the trace has to do
        try:
            return _read(json.loads(answer))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            pass  # what was answered may tell where somebody was, so it is not passed on
        except RecursionError:
            pass
        raise RoadsUnavailable("nonsense", f"the answer to {what} is none of Valhalla's")


def _read(answer: Mapping[str, Any]) -> Matched:
    """Join the pieces of an answer; raises ValueError and its like when it contradicts itself."""
    pieces = [answer["trip"], *(other["trip"] for other in answer.get("alternates", []))]
    path: list[tuple[float, float]] = []
    length_m = 0.0
    for piece in pieces:
        legs = [_decoded(leg["shape"]) for leg in piece["legs"]]
        vertices = [vertex for leg in legs for vertex in leg]
        if not vertices:
            raise ValueError("a way without a line")
        if path:  # the match broke off and went on elsewhere
            length_m += _length_m([path[-1], vertices[0]])
        # Where several roads may be that of a place, the next leg may begin on another.
        told_m = float(piece["summary"]["length"]) * 1_000.0
        drawn_m = sum(map(_length_m, legs))
        if not math.isfinite(told_m) or not math.isclose(
            told_m, drawn_m, rel_tol=_DIFFERS_SHARE, abs_tol=_DIFFERS_M
        ):
            raise ValueError("a way is not as long as its line")
        length_m += told_m
        path += vertices
    return Matched(max(length_m, 0.0), tuple(path))


def _length_m(vertices: list[tuple[float, float]]) -> float:
    line = np.array(vertices)
    return float(consecutive_m(line[:, 0], line[:, 1]).sum())


def _decoded(shape: str) -> list[tuple[float, float]]:
    """Vertices of an encoded polyline with six decimals: one at least, all of them on Earth."""
    numbers = list(_numbers(shape))
    lat, lon = np.cumsum(numbers[::2]) * _SHAPE_SCALE, np.cumsum(numbers[1::2]) * _SHAPE_SCALE
    if not len(lat) or np.abs(lat).max() > 90.0 or np.abs(lon).max() > 180.0:
        raise ValueError("a shape is not on Earth")
    return list(zip(lon.tolist(), lat.tolist(), strict=True))


def _numbers(shape: str) -> Iterator[int]:
    value = shift = 0
    for character in shape:
        byte = ord(character) - 63
        if not 0 <= byte < 64 or shift > _LONGEST_SHIFT:
            raise ValueError("a shape is no polyline")
        value |= (byte & 0x1F) << shift
        shift += 5
        if byte < 0x20:
            yield ~(value >> 1) if value & 1 else value >> 1
            value = shift = 0
