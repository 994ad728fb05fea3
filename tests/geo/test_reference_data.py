"""How well the core does on real data; floors a little below what is reached today."""

import csv
import gzip
import json
import re
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from geo.fix import FixArray, to_epoch_s
from geo.gaps import Window
from geo.geofence import Geofence
from geo.policy import PresencePolicy, TrackPolicy
from geo.presence import State, detect_presence
from geo.trajectory import Stop, reconstruct_day

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def loggers(reference_data: Path) -> dict[str, FixArray]:
    rows: dict[str, list[tuple[float, float, float]]] = {}
    with gzip.open(reference_data / "geolife" / "points.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            at = to_epoch_s(datetime.fromisoformat(row["t"]))
            rows.setdefault(row["user_id"], []).append((at, float(row["lon"]), float(row["lat"])))
    return {
        user: FixArray.from_arrays(
            epoch_s=[r[0] for r in points],
            lon_deg=[r[1] for r in points],
            lat_deg=[r[2] for r in points],
        )
        for user, points in rows.items()
    }


def crossings(fixes: FixArray, fence: Geofence) -> list[tuple[datetime, str]]:
    window = Window(fixes.fixed_at(0), fixes.fixed_at(len(fixes) - 1) + timedelta(seconds=1))
    presence = detect_presence(fixes, fence, [window], policy=PresencePolicy(), as_of=window.end)
    known = [i for i in presence.intervals if i.state is not State.UNKNOWN]
    found = [(known[0].start, known[0].state)]
    found += [
        (after.start, after.state)
        for before, after in pairwise(known)
        if before.state is not after.state
    ]
    return [(at, "enter" if state is State.INSIDE else "leave") for at, state in found]


def test_campus_gates_are_crossed_when_they_were(
    reference_data: Path, loggers: dict[str, FixArray]
) -> None:
    folder = reference_data / "geolife"
    campus = json.loads((folder / "tsinghua_campus_wgs84.geojson").read_text())
    fence = Geofence.from_geojson(campus)
    with (folder / "tsinghua_fence_events.csv").open() as lines:
        events = list(csv.DictReader(lines))
    mine = {user: crossings(fixes, fence) for user, fixes in loggers.items()}
    hits = 0
    for event in events:
        at = datetime.fromisoformat(event["t_utc"])
        near = [
            c
            for c in mine[event["user"]]
            if c[1] == event["event"] and abs(c[0] - at) <= timedelta(minutes=3)
        ]
        hits += bool(near)
        if near:
            mine[event["user"]].remove(near[0])
    assert hits >= 32
    assert len(events) == 33


def test_agreed_stops_are_found(reference_data: Path, loggers: dict[str, FixArray]) -> None:
    stops = {
        user: [
            s for s in reconstruct_day(fixes, policy=TrackPolicy()).segments if isinstance(s, Stop)
        ]
        for user, fixes in loggers.items()
    }
    with (reference_data / "geolife" / "stops_consensus.csv").open() as lines:
        truth = list(csv.DictReader(lines))
    found = 0
    for row in truth:
        start, end = (datetime.fromisoformat(row[k]) for k in ("core_start", "core_end"))
        overlaps = [
            (min(s.end, end) - max(s.start, start)) / (max(s.end, end) - min(s.start, start))
            for s in stops[row["user"]]
        ]
        found += max(overlaps) >= 0.5
    assert len(truth) == 69
    assert found >= 58


def test_lengths_of_real_drives(reference_data: Path) -> None:
    folder = reference_data / "car_tracks"
    points: dict[str, list[list[float]]] = {}
    with (folder / "points.csv").open() as lines:
        for row in csv.DictReader(lines):
            lon, lat = (float(v) for v in re.findall(r"-?\d+\.\d+", row["geometry"]))
            at = to_epoch_s(datetime.fromisoformat(row["time"]))
            points.setdefault(row["id"], []).append([at, lon, lat])
    errors, within = [], 0
    with (folder / "expected_lengths.csv").open() as lines:
        drives = [r for r in csv.DictReader(lines) if r["clean"] == "1"]
    for drive in drives:
        at, lon, lat = np.array(points[drive["track_id"]]).T
        fixes = FixArray.from_arrays(epoch_s=at, lon_deg=lon, lat_deg=lat)
        distance = reconstruct_day(fixes, policy=TrackPolicy()).distance
        true = float(drive["ground_truth_m"])
        errors.append(abs(distance.mid_m / true - 1.0))
        within += distance.low_m <= true <= distance.high_m
    assert float(np.median(errors)) < 0.015
    assert float(np.quantile(errors, 0.9)) < 0.04
    assert within >= 0.8 * len(drives)
