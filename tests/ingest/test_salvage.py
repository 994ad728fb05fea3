import pytest

from ingest.intake import Message
from ingest.salvage import members


def _parts(payload: bytes) -> list[bytes]:
    return [part.payload for part in members(Message("owntracks/u/d", payload, 5.0))]


def test_an_array_comes_apart_and_everything_else_stays() -> None:
    assert _parts(b' [{"a":1}, 2,[3]]') == [b'{"a":1}', b"2", b"[3]"]


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"[1]", b"[]", b"[1,", b"nonsense", b'{"a":[1,2]}', b"[" + b"1," * 501]
)
def test_what_has_no_parts_stays_as_it_is(payload: bytes) -> None:
    assert _parts(payload) == [payload]
