"""Which instants decide whether a payload may be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.quarantine import instants_told
from ingest.wire import Reason, Rejection

NOW_S = 1_790_000_000.0
_LATER = int(NOW_S) + 121


def _told(payload: bytes, reason: Reason = Reason.JSON, at_s: float | None = None) -> list[float]:
    return list(instants_told(Rejection(reason, "", at_s), payload, NOW_S))


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b'{"tst":1789999990,"lat":31.2', [1789999990.0]),
        (b'{"tst": "1789999990.5" , "lat":1}', [1789999990.5]),
        (b'[{"tst":1789999990,"lat":1},{"tst":1789999991}]', [1789999990.0, 1789999991.0]),
    ],
)
def test_every_time_in_the_bytes_counts(payload: bytes, told: list[float]) -> None:
    assert _told(payload) == told


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b'{"lat":31.2}',
        b'{"tst":1789999990,"lat":1},{"lat":2}',
        b'{"tst":178999',
        b'{"tst":null,"lat":1}',
        b'{"tst":1789999990000,"lat":1}',
        b'{"tst":"2026-09-21T14:13:20+00:00","lat":1}',
        b'{"tst":1789999990,"\\u0074st":5,"lat":1}',
        b'[{"tst":1789999990,"lat":1},{"_type":"encrypted","data":"abc"}]',
        b'{"_type":"waypoint","tst":1789999990,"lat":91}',
        '{"tst":1789999990,"lat":1}'.encode("utf-16"),
        b'{"tst":%d,"lat":1}' % _LATER,
        b'{"tst":0,"lat":1}',
    ],
)
def test_bytes_whose_times_cannot_be_told_are_never_kept(payload: bytes) -> None:
    assert _told(payload) == []


@pytest.mark.parametrize("reason", [Reason.CRYPTO, Reason.DEVICE, Reason.TOPIC, Reason.TST_FUTURE])
def test_some_are_never_kept_whatever_they_say(reason: Reason) -> None:
    assert _told(b'{"tst":1789999990,"lat":1}', reason, NOW_S) == []


def test_a_decoded_instant_is_taken_unless_it_cannot_be_true() -> None:
    assert _told(b'{"tst":1789999990000,"lat":1}', Reason.TST_UNIT, 1789999990.0) == [1789999990.0]
    assert _told(b'{"tst":5}', Reason.TST_PAST, 5.0) == []


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_around_an_early_time_hide_it(before: bytes, after: bytes) -> None:
    early = 1_700_000_000.0
    told = _told(before + b',"tst":1700000000,"lat":31.777,' + after)
    assert not told or early in told
