"""Reading positions together gives what reading them one by one gives."""

import json
import math
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.wire import WireFix
from ingest.wire.instants import Envelope
from ingest.wire.owntracks import decode
from ingest.wire.plain import read_plain
from server.tracking.columns import FixTable
from server.tracking.records import DutySlot
from tests.factories.bad_input import load

NOW_S = 1_790_000_000.0
ENVELOPE = Envelope(NOW_S, "bench-000001")
PLAIN = {
    "_type": "location",
    "lat": 31.2304,
    "lon": 121.4737,
    "tst": int(NOW_S) - 5,
    "acc": 12,
    "vel": 7,
    "cog": 271,
    "alt": 14,
    "batt": 80,
    "bs": 1,
    "conn": "m",
    "m": 2,
    "t": "t",
    "tid": "ab",
    "BSSID": "aa:bb:cc:dd:ee:ff",
    "SSID": "office",
    "_id": "a1b2c3d4",
    "created_at": int(NOW_S) - 4,
}
SLOT = DutySlot(UUID(int=1), (date(2026, 9, 21),))
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-200, 200),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "p", "u", "w", "cell", "lbs", "guest_NOMAP", "12", "-1", "ü", "a:b", "\\"]
    ),
    st.sampled_from([[], {}, [1], {"a": 1}, [[]], {"lat": 1}]),
    st.integers(-400, 400).map(lambda s: int(NOW_S) + s),
    st.sampled_from([631_152_000, 631_151_999, int(NOW_S) * 1_000, int(NOW_S) - 619_315_200]),
)
NAMES = st.sampled_from([*PLAIN, "mock", "topic", "cells", "src", "username", "vac", "nobody"])


def one_by_one(payload: bytes) -> list[Any] | None:
    """What the careful decoder says, when all of it are fixes; None otherwise."""
    results = decode(payload, ENVELOPE)
    return results if all(type(result) is WireFix for result in results) else None


def together(payloads: list[bytes]) -> tuple[list[list[Any]], list[int]]:
    """Fixes of each message as the wide lane reads them, and the messages it leaves."""
    many = np.full(len(payloads), 1.0)
    plain = read_plain(payloads, received_s=NOW_S * many)
    table = FixTable(plain.rows, plain.raw, [SLOT])
    table.rows["via"] = 1
    found: list[list[Any]] = [[] for _ in payloads]
    records = table.records(np.arange(len(table)))
    for no, record in zip(plain.message_no.tolist(), records, strict=True):
        found[no].append(record)
    return found, [no for no, fixes in enumerate(found) if not fixes]


def check(payloads: list[bytes]) -> int:
    """Compare both ways; return how many messages were read together."""
    found, rest = together(payloads)
    for no, payload in enumerate(payloads):
        if no in rest:
            assert found[no] == []
            continue
        careful = one_by_one(payload)
        assert careful is not None
        assert len(careful) == len(found[no])
        for one, record in zip(careful, found[no], strict=True):
            assert (one.cells, one.wifi, bool(one.dropped)) == ((), (), False)
            assert record.flags == one.flags
            for name in type(record.fix).__struct_fields__:
                assert getattr(record.fix, name) == getattr(one, name), name
    return len(payloads) - len(rest)


@given(st.lists(st.dictionaries(NAMES, ODD, max_size=4), min_size=1, max_size=6))
@example([{"vel": -1}, {"acc": 0}, {"batt": 55.5}, {"cog": 361}, {"t": "ü"}, {"SSID": "x_nomap"}])
@example([{"BSSID": "\\u003a"}, {"_id": ""}, {"_id": 7}, {"tid": [[[[]]]]}, {"bs": True}])
def test_positions_read_together_are_those_read_one_by_one(changes: list[dict[str, Any]]) -> None:
    check([orjson.dumps(PLAIN | change) for change in changes])


@pytest.mark.parametrize("indent", [None, 1])
@given(changes=st.lists(st.dictionaries(NAMES, ODD, max_size=2), min_size=1, max_size=4))
def test_an_array_is_read_as_a_whole_or_left_as_a_whole(
    changes: list[dict[str, Any]], indent: int | None
) -> None:
    members = [PLAIN | change for change in changes]
    check([json.dumps(members, indent=indent).encode(), orjson.dumps(members), orjson.dumps(PLAIN)])


@given(st.integers(0, 200), st.binary(max_size=3))
@example(0, b"\r")
def test_bytes_that_were_broken_on_the_way_are_never_read_otherwise(at: int, junk: bytes) -> None:
    whole = orjson.dumps(PLAIN)
    check([whole[:at] + junk + whole[at:], whole[:at] + junk, whole])


def test_the_corpus_of_bad_input_is_read_the_same() -> None:
    now = datetime.fromtimestamp(NOW_S, UTC)
    assert check([case.payload(now) for case in load("mqtt")]) > 0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b'{"_type":"location","lat":1.5,"lat":2.5,"lon":3.5,"tst":1789999990}',
        b'{"_type":"location","lat":1.5,"lon":3.5,"tst":1789999990,"SSID":"a\\u0000"}',
        b'{"_type":"location","lat":1.5,"lon":3.5,"tst":1789999990,"tid":{"a":{"b":1}}}',
        b'{"_type":"lwt","tst":1789999990}',
        b'{"_type":"location","lat":1.5,"lon":3.5}',
    ],
)
def test_what_is_not_plain_is_left_to_the_careful_decoder(payload: bytes) -> None:
    assert together([payload])[1] == [0]


def test_plain_ones_are_read_beside_others() -> None:
    plain = orjson.dumps(PLAIN)
    found, rest = together([plain, b"{", orjson.dumps([PLAIN, PLAIN | {"_id": "b"}]), plain])
    assert [len(fixes) for fixes in found] == [1, 0, 2, 1]
    assert rest == [1]
    assert not math.isnan(found[0][0].fix.fixed_s)
