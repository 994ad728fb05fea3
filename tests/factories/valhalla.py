"""Valhalla's own service on tiles of the packaged extract, and a drive along its roads."""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import valhalla

from fixtures.stack.ports import LOOPBACK, free_port
from geo.distance import FloatArray, LocalPlane
from geo.roads import Profile, Roads
from geo.valhalla import LIMITS
from server.carriers.egress import Limits
from server.claims.roads import ServiceRoads
from tests.factories.carrier_server import CarrierServer
from tests.factories.desk import LAT_DEG, LON_DEG
from tests.factories.footprints import Step

_PROGRAM = Path(valhalla.__file__).parent / "bin" / "valhalla_service"
_ROUND = ((0, 0), (600, 600), (-300, -600), (300, 600), (600, -300), (0, 0))
"""Metres east and north of the post, all of them in the middle of the town."""
_STAY_S = 900.0
QUICK = Limits(connect_s=2.0, read_s=1.0, total_s=1.5, max_bytes=500_000)
STATUS = b'{"version":"3.5.1","tileset_last_modified":1795988102}'
HELSINKI = [(24.9415, 60.1712), (24.9480, 60.1760)]


@dataclass(slots=True)
class ValhallaProcess:
    """A service that runs until it is killed."""

    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def valhalla_service(tiles: Path, folder: Path) -> Iterator[ValhallaProcess]:
    """Run the service, set up as the compose file does; `folder` is for its notes."""
    port = free_port()
    config = valhalla.get_config(tile_extract=str(tiles), tile_dir=str(folder), verbose=False)
    config["mjolnir"].pop("tile_dir", None)
    config["meili"]["default"]["breakage_distance"] = LIMITS["breakage_distance"]
    config["httpd"]["service"] |= {
        "listen": f"tcp://{LOOPBACK}:{port}",
        "loopback": f"ipc://{folder}/loopback",
        "interrupt": f"ipc://{folder}/interrupt",
    }
    settings = folder / "service.json"
    settings.write_text(json.dumps(config), encoding="utf-8")
    process = subprocess.Popen(
        [str(_PROGRAM), str(settings), "1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    service = ValhallaProcess(f"http://{LOOPBACK}:{port}", process)
    try:
        _await(service.url)
        yield service
    finally:
        service.kill()


def _await(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urlopen(f"{url}/status", timeout=2) as answer:
                answer.read()
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def town_drive(
    roads: Roads, *, every_s: float = 20.0, mps: float = 7.0
) -> tuple[list[Step], float]:
    """A round along roads from the post and back, with a quarter of an hour at each place.

    Returns
    -------
    Its fixes and its length in metres.
    """
    plane = LocalPlane(LON_DEG, LAT_DEG)
    ways = [_way(roads, plane, corners) for corners in pairwise(_ROUND)]
    at_s, spots = [0.0, _STAY_S], [ways[0][0], ways[0][0]]
    for way in ways:
        pace_s = np.hypot(*np.diff(way, axis=0).T) / mps
        at_s += [at_s[-1] + s for s in np.cumsum(pace_s).tolist()]
        spots += list(way[1:])
        at_s.append(at_s[-1] + _STAY_S)
        spots.append(way[-1])
    x, y = np.array(spots).T
    noise = np.random.default_rng(7)
    steps = []
    for second in np.arange(0.0, at_s[-1], every_s).tolist():
        # Back through the scale of `tread`.
        place = np.array([[np.interp(second, at_s, x)], [np.interp(second, at_s, y)]])
        lon_deg, lat_deg = plane.inverse(*(place + noise.normal(0.0, 3.0, (2, 1))))
        east_m = float(lon_deg[0] - LON_DEG) * 55_400.0
        north_m = float(lat_deg[0] - LAT_DEG) * 111_400.0
        steps.append(Step(second / 60.0, east_m=east_m, north_m=north_m, speed_mps=None))
    return steps, float(np.hypot(np.diff(x), np.diff(y)).sum())


def _way(roads: Roads, plane: LocalPlane, corners: Sequence[tuple[float, float]]) -> FloatArray:
    """Vertices of a way, ``(n, 2)`` metres."""
    lon, lat = plane.inverse(*np.array(corners, dtype=float).T)
    way = roads.shortest(list(zip(lon.tolist(), lat.tolist(), strict=True)), profile=Profile.AUTO)
    assert way is not None
    return np.column_stack(plane.forward(*np.array(way.path).T))


def asking(server: CarrierServer, **options: Any) -> ServiceRoads:
    """Roads of a server that stands in Valhalla's place, with little patience."""
    return ServiceRoads(server.url(""), limits=QUICK, **options)
