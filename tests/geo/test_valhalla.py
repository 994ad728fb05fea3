"""What is asked of Valhalla, and how answers are read, whoever carries them."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.roads import Matched, Profile, RoadsUnavailable, RoadsVersion
from geo.valhalla import Valhalla

PLACES = [(24.94, 60.17), (24.95, 60.17)]


class Carrier(Valhalla):
    """Answers what it was given and keeps what it was asked."""

    version = RoadsVersion("Valhalla 3.5.1", "1")

    def __init__(self, answer: bytes | None) -> None:
        self.said = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def answer(self, what: str, request: bytes) -> bytes | None:
        self.asked.append((what, json.loads(request)))
        return self.said


def way(carrier: Valhalla) -> Matched | None:
    return carrier.shortest(PLACES, profile=Profile.AUTO)


def encoded(vertices: list[tuple[float, float]]) -> str:
    """The polyline of six decimals, after Google's description."""
    text, before = "", (0, 0)
    for lon, lat in vertices:
        now = (round(lat * 1e6), round(lon * 1e6))
        for new, old in zip(now, before, strict=True):
            value = (new - old) << 1 if new >= old else ~((new - old) << 1)
            while value >= 0x20:
                text += chr((0x20 | (value & 0x1F)) + 63)
                value >>= 5
            text += chr(value + 63)
        before = now
    return text


def trip(vertices: list[tuple[float, float]], km: float) -> dict[str, Any]:
    return {"trip": {"legs": [{"shape": encoded(vertices)}], "summary": {"length": km}}}


def test_a_way_is_read_with_its_length_and_its_line() -> None:
    found = way(Carrier(json.dumps(trip(PLACES, 0.6)).encode()))
    assert found is not None
    assert found.length_m == pytest.approx(600.0)
    assert np.array(found.path) == pytest.approx(np.array(PLACES))


def test_pieces_of_a_broken_match_are_joined() -> None:
    north = [(24.95, 60.18), (24.96, 60.18)]
    answer = trip(PLACES, 0.56) | {"alternates": [trip(north, 0.55)]}
    found = way(Carrier(json.dumps(answer).encode()))
    assert found is not None
    assert found.length_m == pytest.approx(560.0 + 1_114.0 + 550.0, abs=10.0)
    assert len(found.path) == 4


def test_no_way_is_no_way() -> None:
    assert way(Carrier(None)) is None


def test_times_go_there_without_their_date() -> None:
    carrier = Carrier(None)
    times = 1_795_000_000.0 + np.array([0.0, 30.0, 75.5])
    lon, lat = np.array([24.94, 24.945, 24.95]), np.full(3, 60.17)
    assert carrier.match(lon, lat, times, np.full(3, 8.0), profile=Profile.AUTO) is None
    [(what, asked)] = carrier.asked
    assert what == "trace_route"
    assert [point["time"] for point in asked["shape"]] == [0.0, 30.0, 75.5]
    assert asked["directions_type"] == "none"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["trip", "legs", "shape", "summary", "length", "alternates"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_is_answered_is_a_way_or_nobody_answered(said: Any) -> None:
    try:
        found = way(Carrier(json.dumps(said).encode()))
    except RoadsUnavailable:
        return
    assert found is not None
    assert math.isfinite(found.length_m)
    assert found.path


@given(st.text(max_size=30))
def test_whatever_a_shape_is_its_places_are_on_earth(shape: str) -> None:
    answer = {"trip": {"legs": [{"shape": shape}], "summary": {"length": 0.0}}}
    try:
        found = way(Carrier(json.dumps(answer).encode()))
    except RoadsUnavailable:
        return
    assert found is not None
    assert all(abs(lon) <= 180.0 and abs(lat) <= 90.0 for lon, lat in found.path)
