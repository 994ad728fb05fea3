"""Strictness against the standard library's reading of the same bytes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ingest.wire import Reason, Rejection
from ingest.wire.strict_json import MAX_DEPTH, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(value=VALUES, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_what_is_written_once_is_read_back(
    *, value: object, indent: int | None, ascii_only: bool
) -> None:
    payload = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert loads(payload) == value


@given(
    value=st.dictionaries(st.text(max_size=4), st.integers(0, 9), min_size=1, max_size=4),
    data=st.data(),
)
def test_a_key_given_twice_is_always_found(value: dict[str, int], data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sorted(value)))
    if "\0" in twice or any(0xD800 <= ord(ch) <= 0xDFFF for ch in "".join(value)):
        return
    members = [f"{json.dumps(k)}:{v}" for k, v in value.items()] + [f"{json.dumps(twice)} : 1"]
    members = data.draw(st.permutations(members))
    found = loads(("{" + ",".join(members) + "}").encode())
    assert isinstance(found, Rejection)
    assert found.reason in (Reason.DUP_KEY, Reason.TEXT)


def test_sixteen_levels_pass_and_seventeen_do_not() -> None:
    assert loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    deeper = loads(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    assert isinstance(deeper, Rejection)
    assert deeper.reason is Reason.DEPTH


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert loads(json.dumps([[] for _ in range(100)]).encode()) == [[]] * 100
