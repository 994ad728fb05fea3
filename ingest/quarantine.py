"""Messages that could not be stored: kept sealed, unless keeping them could keep too much."""

from server.crypto import Vault

RETENTION_DAYS = 30


def seal_payload(vault: Vault, payload: bytes, *, tenant_id: int, username: str, key: int) -> bytes:
    """Return a payload as quarantine keeps it: AES-GCM, bound to its row."""
    return vault.seal(payload, context=_context(tenant_id, username, key))


def open_payload(vault: Vault, sealed: bytes, *, tenant_id: int, username: str, key: int) -> bytes:
    """Return the payload of a quarantined message.

    Raises
    ------
    SealBroken : another data key, or the value was moved from another row.
    """
    return vault.open(sealed, context=_context(tenant_id, username, key))


def _context(tenant_id: int, username: str, key: int) -> bytes:
    return f"quarantine.payload|{tenant_id}|{username}|{key}".encode()
