"""Whatever is done to a message of any client: a reason, never a guess, never an error."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_identity import Radio, check_identity
from ingest.wire import Cell, DeviceEvent, Ignored, RadioScan, Rejection, WireFix
from ingest.wire.formats import BY_NAME
from ingest.wire.instants import Envelope
from tests.factories.clients import FORMATS, Spoilt, encoded, message, reader_of, spoilt

AT = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
ENVELOPE = Envelope(AT.timestamp() + 5, "tracker-7", None, AT.timestamp() - 90 * 86_400)
SPOILT = [(reader_of(name), case) for name in FORMATS for case in spoilt(name, AT)]
_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["NaN", "1e999", "-", "460", "2147483647", "=1+1", "\u202e"]),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.mark.parametrize("name", FORMATS)
def test_a_good_message_is_a_fix(name: str) -> None:
    (fix,) = BY_NAME[reader_of(name)].decode(encoded(name, message(name, AT)), ENVELOPE)
    assert isinstance(fix, WireFix)
    assert (fix.lon_deg, fix.lat_deg, fix.fixed_s) == (121.47, 31.23, AT.timestamp())
    assert fix.cells == () or fix.cells[0].mcc == 460


@pytest.mark.parametrize(("reader", "case"), SPOILT, ids=[case.name for _, case in SPOILT])
def test_a_spoilt_message_has_its_reason(reader: str, case: Spoilt) -> None:
    results = BY_NAME[reader].decode(case.payload, ENVELOPE)
    assert [getattr(result, "reason", result) for result in results] == [case.reason]
    assert all(isinstance(r, Rejection) and "31.23" not in r.detail for r in results)


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(FORMATS), junk=_JUNK, data=st.data())
def test_any_part_replaced_by_anything_never_raises_and_never_makes_up_a_place(
    name: str, junk: Any, data: st.DataObject
) -> None:
    value = message(name, AT)
    paths = list(_paths(value))
    path = data.draw(st.sampled_from(paths))
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    if data.draw(st.booleans()) and isinstance(holder, dict):
        del holder[path[-1]]
    else:
        holder[path[-1]] = junk
    try:
        payload = encoded(name, value)
    except UnicodeEncodeError:
        payload = json.dumps(value).encode()
    _check(reader_of(name), payload, moved=path)


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(FORMATS), data=st.data())
def test_any_byte_changed_cut_or_put_in_never_raises(name: str, data: st.DataObject) -> None:
    payload = bytearray(encoded(name, message(name, AT)))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=4))
    _check(reader_of(name), bytes(payload), moved=None)


@given(payload=st.binary(max_size=200), name=st.sampled_from(sorted(BY_NAME)))
def test_arbitrary_bytes_never_raise(payload: bytes, name: str) -> None:
    _check(name, payload, moved=None)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "osmand-query"])
def test_other_encodings_and_too_much_of_it(name: str) -> None:
    decode, good = BY_NAME[reader_of(name)].decode, encoded(name, message(name, AT))
    for payload in (b"\xef\xbb\xbf" + good, good.decode().encode("utf-16")):
        (refused,) = decode(payload, ENVELOPE)
        # Without its first byte JSON is no JSON, and no query either.
        assert isinstance(refused, Rejection)
        assert refused.reason in ("json", "shape", "text")
    (refused,) = decode(good[:-1] + b',"x":"' + b"y" * 1_100_000 + b'"}', ENVELOPE)
    assert isinstance(refused, Rejection)
    assert refused.reason == "size"


def _paths(value: Any, so_far: tuple[Any, ...] = ()) -> Any:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        yield (*so_far, key)
        if isinstance(inner, (dict, list)):
            yield from _paths(inner, (*so_far, key))


def _check(name: str, payload: bytes, *, moved: tuple[Any, ...] | None) -> None:
    decode = BY_NAME[name].decode
    results = decode(payload, ENVELOPE)
    assert results
    for result in results:
        if isinstance(result, WireFix):
            assert -90 <= result.lat_deg <= 90 and -180 <= result.lon_deg <= 180  # noqa: PT018
            assert 0 < result.fixed_s <= AT.timestamp() + 125
            assert result.accuracy_m is None or 0 < result.accuracy_m <= 100_000
            assert result.speed_mps is None or 0 <= result.speed_mps < 278
            assert result.battery_pct is None or 0 <= result.battery_pct <= 100
            assert moved is None or result.lon_deg == 121.47 or set(moved) & {"lon", "longitude", 0}
        if isinstance(result, (WireFix, RadioScan)):
            assert math.isfinite(result.fixed_s)
            for cell in result.cells:
                _check_cell(cell)
        elif isinstance(result, Rejection):
            if result.raw is not None:
                # What quarantine keeps of a batch has to end the same way when replayed.
                again = decode(result.raw, ENVELOPE)
                assert [getattr(one, "reason", one) for one in again] == [result.reason]
        else:
            assert isinstance(result, (DeviceEvent, Ignored))


def _check_cell(cell: Cell) -> None:
    radio = None if cell.radio is None else Radio(cell.radio)
    identity = {"mcc": cell.mcc, "mnc": cell.mnc, "area": cell.area, "cell": cell.cell}
    assert isinstance(check_identity(radio=radio, **identity), tuple)
    assert 0 < cell.cell < 2**36
    assert cell.area is None or 0 <= cell.area < 2**24
    assert cell.signal_dbm is None or -156 <= cell.signal_dbm <= -20
