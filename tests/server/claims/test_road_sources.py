"""Roads behind an address: what is taken for an answer, and what for nobody there."""

import json
import time
from typing import Any

import pytest

from geo.roads import Profile, RoadsUnavailable
from server.claims.roads import ServiceRoads
from tests.factories import carrier_server as moods
from tests.factories.carrier_server import CarrierServer, Handler, Mood
from tests.factories.valhalla import HELSINKI, STATUS, ValhallaProcess, asking


def way(shape: str = "_p~iF~ps|U", length: Any = 0.0, **trip: Any) -> bytes:
    legs = [{"shape": shape}]
    return json.dumps({"trip": {"legs": legs, "summary": {"length": length}, **trip}}).encode()


NONSENSE: dict[str, Mood] = {
    "a page": moods.says(b"<html>", "text/html"),
    "no JSON": moods.says(b"{", "application/json"),
    "a list": moods.says(b"[1]", "application/json"),
    "nothing": moods.says(b"", "application/json"),
    "deep": moods.says(b"[" * 200_000, "application/json"),
    "no trip": moods.says(b"{}", "application/json"),
    "no legs": moods.says(way(legs=[]), "application/json"),
    "an empty shape": moods.says(way(""), "application/json"),
    "half a vertex": moods.says(way("_p~iF"), "application/json"),
    "no polyline": moods.says(way("\x00\x01"), "application/json"),
    "an endless number": moods.says(way("~" * 400_000), "application/json"),
    "off Earth": moods.says(way("~~~~~~@~~~~~~@"), "application/json"),
    "longer than its line": moods.says(way(length=500.0), "application/json"),
    "negative": moods.says(way(length=-500.0), "application/json"),
    "not a number": moods.says(way(length=float("nan")), "application/json"),
    "a text for a length": moods.says(way(length="long"), "application/json"),
    "out of order": moods.says(b"boom", "text/plain", status=500),
    "refused": moods.says(b'{"error_code":106}', "application/json", status=400),
    "elsewhere": moods.says(b"", "text/plain", status=302, Location="http://127.0.0.1:1/"),
    "drips": moods.drips,
    "sleeps": moods.sleeps,
    "hangs up": moods.hangs_up,
    "cut off": moods.cuts_off,
    "never ends": moods.never_ends,
    "much": moods.promises_much,
    "no HTTP": moods.is_no_http,
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_no_answer_and_stops_the_asking(between: CarrierServer, what: str) -> None:
    def mood(handler: Handler) -> None:
        if handler.path == "/status":
            handler.answer(STATUS, "application/json")
        else:
            NONSENSE[what](handler)

    between.mood = mood
    source = asking(between, rest_s=60.0)
    with pytest.raises(RoadsUnavailable) as away, source.roads() as roads:
        roads.shortest(HELSINKI, profile=Profile.AUTO)
    assert "24.94" not in str(away.value), "no place in what is logged"
    asked = len(between.asked)
    with pytest.raises(RoadsUnavailable, match="a moment ago"), source.roads():
        pytest.fail("it rests")
    assert len(between.asked) == asked == 2


@pytest.mark.parametrize(
    "status",
    [
        b"{}",
        b"[]",
        b'{"version":"3.5.1"}',
        b'{"version":"","tileset_last_modified":1}',
        b'{"version":"3\\u00005","tileset_last_modified":1}',
        b'{"version":"3\\ud8005","tileset_last_modified":1}',
        b'{"version":"3.5.1","tileset_last_modified":true}',
        b'{"version":"3.5.1","tileset_last_modified":99999999999999999}',
        b'{"version":"' + b"x" * 5_000 + b'","tileset_last_modified":1}',
    ],
)
def test_what_is_no_valhalla_with_tiles_is_not_asked(between: CarrierServer, status: bytes) -> None:
    between.mood = moods.says(status, "application/json")
    with pytest.raises(RoadsUnavailable), asking(between).roads():
        pytest.fail("it has no roads")


def test_all_questions_together_have_an_end(between: CarrierServer) -> None:
    def mood(handler: Handler) -> None:
        known = handler.path == "/status"
        handler.answer(STATUS if known else way(), "application/json")

    between.mood = mood

    def ask_on() -> None:
        with asking(between, at_most_s=0.5).roads() as roads:
            for _ in range(100_000):
                roads.shortest(HELSINKI, profile=Profile.AUTO)

    begun = time.monotonic()
    with pytest.raises(RoadsUnavailable) as away:
        ask_on()
    assert away.value.code in {"slow", "timeout"}
    assert time.monotonic() - begun < 3.0


def test_no_way_is_an_answer_of_the_service_too(service: ValhallaProcess) -> None:
    with ServiceRoads(service.url).roads() as roads:
        assert roads.shortest([(10.0, 0.0), (10.1, 0.0)], profile=Profile.AUTO) is None
        assert roads.shortest(HELSINKI, profile=Profile.AUTO) is not None
