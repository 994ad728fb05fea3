"""Fields, units and the published vectors of OwnTracks."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.fix import QualityFlag
from ingest.wire import DeviceEvent, EventKind, Ignored, Reason, Rejection, WireFix
from ingest.wire.instants import Envelope
from ingest.wire.owntracks import decode, message_key
from ingest.wire.sealed import seal

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "data" / "protocols"
NOW_S = 1_790_000_000.0


LIVE = Envelope(received_s=NOW_S)


def one(message: object, envelope: Envelope = LIVE) -> Any:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    (result,) = decode(payload, envelope)
    return result


def location(**changes: object) -> dict[str, object]:
    return {"_type": "location", "lat": 31.5, "lon": 121.5, "tst": int(NOW_S)} | changes


@pytest.fixture
def vectors() -> Path:
    if not VECTORS.is_dir():
        pytest.skip("the reference vectors are not beside this checkout")
    return VECTORS


@pytest.mark.data
def test_published_locations(vectors: Path) -> None:
    published = json.loads((vectors / "owntracks.json").read_text(encoding="utf-8"))
    assert published["location"]
    for vector in published["location"]:
        fix, expect = one(vector["body"], Envelope()), vector["expect"]
        assert isinstance(fix, WireFix)
        assert fix.fixed_s == expect["t_epoch_s"]
        assert (fix.lat_deg, fix.lon_deg) == (expect["lat"], expect["lon"])
        assert fix.accuracy_m == expect["accuracy_m"]
        assert fix.speed_mps == pytest.approx(expect["speed_mps"], abs=1e-4)
        assert fix.course_deg == expect["bearing_deg"]
        assert fix.battery_pct == expect["battery_pct"]
        assert fix.trigger == expect["trigger"]


@pytest.mark.data
def test_published_other_messages(vectors: Path) -> None:
    published = json.loads((vectors / "owntracks.json").read_text(encoding="utf-8"))
    transition, cleared, command, vehicle = (v["body"] for v in published["other"][:4])
    entered = one(transition, Envelope())
    assert isinstance(entered, DeviceEvent)
    assert (entered.kind, entered.body["event"], entered.body["fence"]) == (
        EventKind.TRANSITION,
        "leave",
        "Post A",
    )
    assert decode(cleared.encode(), Envelope()) == [Ignored.EMPTY]
    assert one(command, Envelope()).reason is Reason.FORBIDDEN
    (cell,) = one(vehicle, Envelope()).cells
    assert (cell.mcc, cell.mnc, cell.area, cell.cell) == (232, 1, 20301, 26426)


@pytest.mark.data
def test_published_encrypted_messages(vectors: Path) -> None:
    published = json.loads((vectors / "owntracks_encrypted.json").read_text(encoding="utf-8"))
    assert published["vectors"]
    for vector in published["vectors"]:
        (plain,) = decode(vector["plaintext"].encode(), Envelope())
        opened = one(vector["message"], Envelope(secret=vector["secret"]))
        assert isinstance(plain, (WireFix, DeviceEvent))
        assert type(opened) is type(plain)
        assert opened.key == plain.key
        wrong = one(vector["message"], Envelope(secret="another"))
        assert wrong.reason is Reason.CRYPTO
        data = vector["message"]["data"]
        altered = data[:60] + ("A" if data[60] != "A" else "B") + data[61:]
        tampered = one({"_type": "encrypted", "data": altered}, Envelope(secret=vector["secret"]))
        assert tampered.reason is Reason.CRYPTO


def test_sealing_is_undone_by_decoding() -> None:
    sealed = seal(json.dumps(location(acc=7)).encode(), "密钥 of a phone", bytes(24))
    message = {"_type": "encrypted", "data": base64.b64encode(sealed).decode()}
    fix = one(message, Envelope(received_s=NOW_S, secret="密钥 of a phone"))
    assert (fix.accuracy_m, fix.key) == (7, message_key(location(acc=7)))


def test_encryption_inside_encryption_is_refused() -> None:
    inner = base64.b64encode(seal(b'{"_type":"encrypted","data":"x"}', "s", bytes(24))).decode()
    assert one({"_type": "encrypted", "data": inner}, Envelope(secret="s")).reason is Reason.SHAPE


def test_unknown_is_none_and_never_zero() -> None:
    fix = one(location())
    assert (fix.accuracy_m, fix.altitude_m, fix.speed_mps, fix.course_deg) == (None,) * 4
    assert (fix.battery_pct, fix.mock, fix.trigger, fix.sent_s) == (None,) * 4
    assert one(location(acc=0)).accuracy_m is None
    assert one(location(vel=-1, batt=-1)).battery_pct is None
    assert one(location(vel=0)).speed_mps == 0.0


def test_a_ping_is_marked_and_mocks_too() -> None:
    assert QualityFlag(one(location(t="p")).flags) & QualityFlag.PING
    assert QualityFlag(one(location(mock=True)).flags) & QualityFlag.MOCK


@pytest.mark.parametrize(
    ("tst", "reason"),
    [
        (NOW_S + 120, None),
        (NOW_S + 121, Reason.TST_FUTURE),
        (NOW_S * 1000, Reason.TST_UNIT),
        (NOW_S - 619_315_200, Reason.GPS_ROLLOVER),
        (NOW_S - 619_315_200 + 8 * 86_400, Reason.TST_PAST),
        (NOW_S - 86_401, Reason.TST_PAST),
        (NOW_S - 86_399, None),
    ],
)
def test_times(tst: float, reason: Reason | None) -> None:
    result = one(location(tst=int(tst)), Envelope(received_s=NOW_S, enrolled_s=NOW_S))
    assert (result.reason if isinstance(result, Rejection) else None) is reason


def test_the_key_does_not_depend_on_the_door_or_on_order_of_members() -> None:
    plain = location(acc=5)
    backwards = dict(reversed(list(plain.items())))
    over_http = plain | {"topic": "owntracks/u/d"}
    assert message_key(plain) == message_key(backwards) == message_key(over_http)
    assert message_key(plain) != message_key(plain | {"acc": 6})
    assert message_key(plain | {"_id": "a"}) == message_key({"_id": "a"})


def test_a_status_holds_known_settings_and_no_place() -> None:
    place: dict[str, object] = {"lat": 31.777123, "lon": 121.5, "ssid": "home"}
    android = {"hib": 1, "bo": 0, "wifi": 31.777123, "loc": 31_777_123} | place
    told = one({"_type": "status", "android": android} | place)
    assert told.body == {"platform": "android", "hib": 1, "bo": 0}
    ios = {"version": "18.1.0/3", "locale": "31.777123", "deviceModel": "x" * 61} | place
    told = one({"_type": "status", "iOS": ios | {"locationManagerAuthorizationStatus": "always"}})
    assert told.body == {
        "platform": "ios",
        "version": "18.1.0/3",
        "locationManagerAuthorizationStatus": "always",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = ["lat", "lon", "tst", "acc", "vel", "cog", "alt", "batt", "t", "m", "bs", "conn", "mock"]
FIELDS += [
    "topic",
    "cells",
    "lac",
    "cid",
    "event",
    "desc",
    "waypoints",
    "data",
    "_id",
    "created_at",
]
TYPES = ["location", "transition", "waypoint", "waypoints", "status", "lwt", "steps", "beacon"]
TYPES += ["encrypted", "card", "cmd"]


@given(
    kind=st.sampled_from(TYPES),
    members=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=10),
)
def test_no_content_makes_the_decoder_raise(kind: str, members: dict[str, object]) -> None:
    message = {"_type": kind, "lat": 31.5, "lon": 121.5, "tst": int(NOW_S)} | members
    results = decode(json.dumps(message).encode(), Envelope(NOW_S, "phone-1", "secret", NOW_S))
    assert results
    for result in results:
        if isinstance(result, WireFix):
            assert -90 <= result.lat_deg <= 90
            assert -180 <= result.lon_deg <= 180
            assert result.accuracy_m is None or result.accuracy_m > 0


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_raise(payload: bytes) -> None:
    assert decode(payload, Envelope(NOW_S, "phone-1", "secret", NOW_S))


@pytest.mark.parametrize(
    ("ahead_s", "hint"),
    [
        (8 * 3600, "UTC+8 "),
        (8 * 3600 - 120, "UTC+8 "),
        (3600 + 120, "UTC+1 "),
        (14 * 3600, "UTC+14 "),
        (8 * 3600 + 121, None),
        (15 * 3600, None),
        (121, None),
    ],
)
def test_whole_hours_ahead_are_refused_with_a_guess_for_people(
    ahead_s: int, hint: str | None
) -> None:
    refused = one(location(tst=int(NOW_S) + ahead_s))
    assert (refused.reason, refused.at_s) == (Reason.TST_FUTURE, None)
    assert (hint in refused.detail) if hint else ("UTC" not in refused.detail)
