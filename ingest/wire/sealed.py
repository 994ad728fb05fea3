"""OwnTracks payload encryption: libsodium's secretbox under the device's secret."""

import binascii
from base64 import b64decode
from typing import Any

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

_KEY_BYTES = SecretBox.KEY_SIZE


def open_sealed(data: Any, secret: str) -> bytes | None:
    """Open base64 of nonce, tag and ciphertext.

    Parameters
    ----------
    data : the `data` member as it came.
    secret : the device's secret; its UTF-8 bytes, padded with zeros or cut to 32, are the key.

    Returns
    -------
    The plain bytes; None when it is not base64, was altered, or another secret was used.
    """
    if type(data) is not str:
        return None
    try:
        return SecretBox(_key(secret)).decrypt(b64decode(data, validate=True))
    except (CryptoError, binascii.Error, ValueError):
        return None


def seal(plain: bytes, secret: str, nonce: bytes) -> bytes:
    """Encrypt as a phone does; for simulated phones and tests. `nonce` is 24 fresh bytes."""
    return bytes(SecretBox(_key(secret)).encrypt(plain, nonce))


def _key(secret: str) -> bytes:
    return secret.encode()[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0")
