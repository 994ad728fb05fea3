"""How well the core does on real data; floors a little below what is reached today."""

import csv
import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from fixtures.accuracy import reference
from fixtures.accuracy.shortest import shortest_ways
from geo.fix import FixArray, to_epoch_s
from geo.gaps import Window
from geo.geofence import Geofence
from geo.policy import PresencePolicy, TrackPolicy
from geo.presence import crossings, detect_presence
from geo.trajectory import Stop, reconstruct_day

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def loggers(reference_data: Path) -> dict[str, FixArray]:
    return reference.loggers(reference_data)


def test_campus_gates_are_crossed_when_they_were(reference_data: Path) -> None:
    events = reference.fence_events(reference_data)
    assert (events["found"], events["of"]) == (33, 33)
    assert events["extra_share"] <= 0.03


def test_presence_of_loggers_tells_the_same_day_by_day(
    reference_data: Path, loggers: dict[str, FixArray]
) -> None:
    campus = json.loads((reference_data / "geolife" / "tsinghua_campus_wgs84.geojson").read_text())
    fence = Geofence.from_geojson(campus)
    policy, day = PresencePolicy(), timedelta(days=1)
    for fixes in loggers.values():
        first = fixes.fixed_at(0).replace(hour=18, minute=0, second=0) - day
        last = fixes.fixed_at(len(fixes) - 1)
        starts = [first + n * day for n in range((last - first) // day + 1)]
        apart = [Window(start, start + day) for start in starts]
        whole = Window(apart[0].start, apart[-1].end)
        told = [
            crossings(detect_presence(fixes, fence, windows, policy=policy, as_of=whole.end))
            for windows in (apart, [whole])
        ]
        assert told[0] == told[1]


def test_agreed_stops_are_found(reference_data: Path) -> None:
    answer = reference.agreed_stops(reference_data)
    assert answer["of"] == 69
    assert answer["found"] >= 66


def test_silent_stays_are_inferred(loggers: dict[str, FixArray]) -> None:
    stops = [
        segment
        for fixes in loggers.values()
        for segment in reconstruct_day(fixes, policy=TrackPolicy()).segments
        if isinstance(segment, Stop)
    ]
    nights = [stop for stop in stops if stop.end - stop.start > timedelta(hours=7)]
    assert len(nights) >= 15
    assert all(stop.inferred_s > 5 * 3_600 for stop in nights)


def test_reviewed_trips_of_phones_are_told(reference_data: Path) -> None:
    answer = reference.phone_trips(reference_data)
    assert answer["of"] == 14
    assert answer["found"] >= 12


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
    assert float(np.median(errors)) <= 0.015
    assert float(np.quantile(errors, 0.9)) < 0.04
    assert float(np.quantile(errors, 0.95)) <= 0.08
    assert within >= 0.8 * len(drives)


def test_shortest_ways_are_as_long_as_published(reference_data: Path, tmp_path: Path) -> None:
    answer = shortest_ways(reference_data, tmp_path)
    assert answer["shenzhen"]["all_roads"]["alike"] == 15
    haidian = answer["haidian"]["all_roads"]
    assert haidian["alike"] + haidian["shorter"] == 15
    assert answer["haidian"]["drive_network"]["alike"] >= 14
