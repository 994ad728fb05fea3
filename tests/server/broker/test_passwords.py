"""Hashes that mosquitto accepts and that accept mosquitto's."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.broker.passwords import hash_password, password_file, verify_password

SALT = b"twelve bytes"


def test_hash_equals_the_one_that_mosquitto_passwd_makes(tmp_path: Path) -> None:
    path = tmp_path / "made.pw"
    path.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(path), "phone-1", "s3cret ü"], check=True)
    user, _, made = path.read_text(encoding="utf-8").strip().partition(":")
    assert user == "phone-1"
    assert verify_password("s3cret ü", made)
    assert not verify_password("s3cret u", made)


@given(st.text(min_size=1), st.binary(min_size=1, max_size=24))
def test_a_secret_verifies_against_its_own_hash_only(secret: str, salt: bytes) -> None:
    hashed = hash_password(secret, salt, iterations=1)
    assert verify_password(secret, hashed)
    assert not verify_password(secret + "x", hashed)


def test_the_same_input_gives_the_same_hash() -> None:
    assert hash_password("a", SALT) == hash_password("a", SALT)
    assert hash_password("a", SALT) != hash_password("a", b"another salt")


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "plain",
        "$6$salt$hash",
        "$7$101$c2FsdA==",
        "$7$0$c2FsdA==$aGFzaA==",
        "$7$x$c2FsdA==$aA==",
    ],
)
def test_an_unreadable_hash_verifies_nothing(broken: str) -> None:
    assert not verify_password("plain", broken)


def test_hashing_without_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="salt"):
        hash_password("secret", b"")


def test_file_is_sorted_and_refuses_names_that_would_break_it() -> None:
    assert password_file({"b": "$7$2", "a": "$7$1"}) == "a:$7$1\nb:$7$2\n"
    for name in ("", "a:b", "a b", "a\nb"):
        with pytest.raises(ValueError, match="broker user name"):
            password_file({name: "$7$1"})
