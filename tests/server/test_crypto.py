"""Sealed values open under their key and context only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.crypto import SealBroken, Vault

KEY = bytes(range(32))


@given(plain=st.binary(max_size=200), context=st.binary(max_size=40))
def test_what_was_sealed_opens_again(plain: bytes, context: bytes) -> None:
    vault = Vault(KEY)
    sealed = vault.seal(plain, context=context)
    assert vault.open(sealed, context=context) == plain
    assert sealed != vault.seal(plain, context=context)


@given(position=st.integers(0, 60), flip=st.integers(1, 255))
def test_a_changed_byte_keeps_it_shut(position: int, flip: int) -> None:
    vault = Vault(KEY)
    sealed = bytearray(vault.seal(b"x" * 40, context=b"row 1"))
    sealed[position] ^= flip
    with pytest.raises(SealBroken):
        vault.open(bytes(sealed), context=b"row 1")


def test_another_row_another_key_and_cut_bytes_keep_it_shut() -> None:
    sealed = Vault(KEY).seal(b"secret", context=b"row 1")
    with pytest.raises(SealBroken):
        Vault(KEY).open(sealed, context=b"row 2")
    with pytest.raises(SealBroken):
        Vault(bytes(32)).open(sealed, context=b"row 1")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            Vault(KEY).open(sealed[:length], context=b"row 1")


def test_the_key_is_not_shown() -> None:
    assert "\\x01" not in repr(Vault(KEY))
