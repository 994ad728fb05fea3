import pytest

from ingest.intake import Message
from ingest.salvage import members


def _parts(payload: bytes) -> list[bytes]:
    return [part.payload for part in members(Message("owntracks/u/d", payload, 5.0))]


def test_an_array_comes_apart_and_everything_else_stays() -> None:
    assert _parts(b' [{"a":1}, 2,[3]]') == [b'{"a":1}', b"2", b"[3]"]


@pytest.mark.parametrize(
    ("topic", "payload", "parts"),
    [
        (
            "overland/u",
            b'{"locations":[1,{"a":2}]}',
            [b'{"locations":[1]}', b'{"locations":[{"a":2}]}'],
        ),
        ("geosubmit/u", b'{"items":[1,2]}', [b'{"items":[1]}', b'{"items":[2]}']),
        ("osmand/u", b'[{"id":1},{"id":2}]', [b'{"id":1}', b'{"id":2}']),
        (
            "osmand/u",
            b'{"location":[1,2],"device_id":"d"}',
            [b'{"location":1,"device_id":"d"}', b'{"location":2,"device_id":"d"}'],
        ),
        ("survey/u/lte_message", b'[{"a":1},{"a":2}]', [b'{"a":1}', b'{"a":2}']),
        ("osmand/u", b"id=1&lat=2", [b"id=1&lat=2"]),
        ("overland/u", b'{"locations":7}', [b'{"locations":7}']),
        ("overland/u", b"[1,2]", [b"[1,2]"]),
        ("nowhere/u", b"[1,2]", [b"[1,2]"]),
    ],
)
def test_batches_of_each_format_come_apart_as_that_format(
    topic: str, payload: bytes, parts: list[bytes]
) -> None:
    assert [part.payload for part in members(Message(topic, payload, 5.0))] == parts


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"[1]", b"[]", b"[1,", b"nonsense", b'{"a":[1,2]}', b"[" + b"1," * 501]
)
def test_what_has_no_parts_stays_as_it_is(payload: bytes) -> None:
    assert _parts(payload) == [payload]
