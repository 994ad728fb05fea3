"""Sealing of small secrets at rest: AES-256-GCM under the data key.

A sealed value is ``version | nonce | ciphertext and tag``. The context (table, column and
owner of the value) is authenticated with it, so a sealed value copied to another row does
not open there.
"""

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.errors import OutpostError

_VERSION = b"\x01"
_NONCE_BYTES = 12


class SealBroken(OutpostError):
    """A sealed value does not open: another key, another context or damaged bytes."""

    code = "seal_broken"


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens values under one key of 32 bytes."""

    key: bytes = field(repr=False)

    def seal(self, plain: bytes, *, context: bytes) -> bytes:
        """Return `plain` sealed for `context`; each call gives other bytes (random nonce)."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + AESGCM(self.key).encrypt(nonce, plain, context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """Return what was sealed for `context`.

        Raises
        ------
        SealBroken : the value was sealed under another key or context, or was altered.
        """
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
            raise SealBroken(None, "not a sealed value")
        try:
            return AESGCM(self.key).decrypt(nonce, body, context)
        except InvalidTag:
            raise SealBroken(None, "the sealed value does not open") from None
