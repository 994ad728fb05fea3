"""Roads from Valhalla tiles: the one place that speaks to pyvalhalla.

A door like the commands: it reads files and uses a package that not everybody has.
"""

import importlib.util
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from geo.distance import FloatArray, consecutive_m
from geo.errors import GeoError
from geo.roads import Matched, Profile

_SHAPE_SCALE: Final = 1e-6
_MAX_POINTS: Final = 5_000
_GAP_M: Final = 20_000.0
_LAID_M: Final = 25.0
"""Fixes nearer to each other than this are laid along the way of the others."""


class RoadsUnavailable(GeoError):
    """The package is not installed, or the tiles cannot be read."""


class ValhallaRoads:
    """A road network in Valhalla tiles.

    Parameters
    ----------
    tiles : a tar of ``.gph`` tiles, made by ``valhalla_build_tiles``.

    Raises
    ------
    RoadsUnavailable : codes ``no_valhalla`` and ``no_tiles``.
    """

    def __init__(self, tiles: Path) -> None:
        if importlib.util.find_spec("valhalla") is None:
            raise RoadsUnavailable(
                "no_valhalla",
                "roads need the package pyvalhalla (pyvalhalla-weekly before Python 3.12)",
            )
        if not tiles.is_file():
            raise RoadsUnavailable("no_tiles", f"{tiles}: no such file of tiles")
        import valhalla  # noqa: PLC0415  # optional: most installations have no tiles

        with tempfile.TemporaryDirectory() as nowhere:
            config = valhalla.get_config(
                tile_extract=str(tiles.resolve()), tile_dir=nowhere, verbose=False
            )
        config["mjolnir"].pop("tile_dir", None)
        config["mjolnir"]["logging"] = {"type": ""}
        config["meili"]["default"]["breakage_distance"] = _GAP_M
        config["service_limits"]["trace"]["max_shape"] = _MAX_POINTS + 1
        try:
            self._actor = valhalla.Actor(config)
        except RuntimeError as error:
            raise RoadsUnavailable("no_tiles", f"{tiles}: {error}") from None

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
        shape = [
            {"lon": lon, "lat": lat, "time": at}
            for lon, lat, at in zip(
                lon_deg.tolist(), lat_deg.tolist(), epoch_s.tolist(), strict=True
            )
        ]
        accuracy = float(np.clip(np.median(accuracy_m), 5.0, 50.0))
        return self._ask(
            "trace_route",
            {
                "shape": shape,
                "costing": profile.value,
                "shape_match": "map_snap",
                "trace_options": {
                    "search_radius": min(4.0 * accuracy, 100.0),
                    "gps_accuracy": accuracy,
                    "breakage_distance": _GAP_M,
                    "interpolation_distance": _LAID_M,
                },
            },
        )

    def shortest(self, places: list[tuple[float, float]], *, profile: Profile) -> Matched | None:
        """Return the shortest way through the places in order."""
        if len(places) < 2:
            return None
        return self._ask(
            "route",
            {
                "locations": [{"lon": lon, "lat": lat, "type": "break"} for lon, lat in places],
                "costing": profile.value,
                "costing_options": {profile.value: {"shortest": True}},
            },
        )

    def _ask(self, what: str, request: Mapping[str, Any]) -> Matched | None:
        try:
            answer = json.loads(getattr(self._actor, what)(json.dumps(request)))
        except RuntimeError:
            return None  # no road near, or no way: the trace has to do
        pieces = [answer["trip"], *(other["trip"] for other in answer.get("alternates", []))]
        path: list[tuple[float, float]] = []
        length_m = 0.0
        for piece in pieces:
            vertices = [vertex for leg in piece["legs"] for vertex in _decoded(leg["shape"])]
            if path:  # the match broke off and went on elsewhere
                joint = np.array([path[-1], vertices[0]])
                length_m += float(consecutive_m(joint[:, 0], joint[:, 1])[0])
            length_m += piece["summary"]["length"] * 1_000.0
            path += vertices
        return Matched(length_m, tuple(path))


def _decoded(shape: str) -> list[tuple[float, float]]:
    """Vertices of an encoded polyline with six decimals."""
    numbers: list[int] = []
    value = shift = 0
    for character in shape:
        byte = ord(character) - 63
        value |= (byte & 0x1F) << shift
        shift += 5
        if byte < 0x20:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    lat, lon = np.cumsum(numbers[::2]) * _SHAPE_SCALE, np.cumsum(numbers[1::2]) * _SHAPE_SCALE
    return list(zip(lon.tolist(), lat.tolist(), strict=True))
